"""cpio archives in the format "newc", which Linux takes as initial RAM disk (initramfs-buffer-format.rst)."""
from __future__ import annotations

import stat
from dataclasses import dataclass, field

FIELDS = 13                             # of eight hexadecimal digits each
TRAILER = "TRAILER!!!"


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


@dataclass
class Archive:
    """Folders, files, links and devices in the order they are added; folders above them are added where they lack.

    Owner, time and inode numbers depend on nothing but the contents, so that the same contents give the same bytes.
    """

    _pieces: list[bytes] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def folder(self, name: str, mode: int = 0o755) -> None:
        """A folder, unless it is there already; `name` has no leading slash."""
        if name and name not in self._names:
            self._add(name, stat.S_IFDIR | mode, b"", links=2)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._add(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """A character device."""
        self._add(name, stat.S_IFCHR | mode, b"", device=(major, minor))

    def _add(self, name: str, mode: int, data: bytes, links: int = 1, device: tuple[int, int] = (0, 0)) -> None:
        if name in self._names:
            raise ValueError(f"{name!r} is in the archive twice")
        self.folder(name.rpartition("/")[0])
        self._names.add(name)
        self._pieces.append(_entry(name, len(self._names), mode, data, links, device))

    def to_bytes(self) -> bytes:
        return b"".join([*self._pieces, _entry(TRAILER, 0, 0, b"", 1, (0, 0))])


def _entry(name: str, inode: int, mode: int, data: bytes, links: int, device: tuple[int, int]) -> bytes:
    encoded = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(encoded), 0]
    assert len(fields) == FIELDS
    return _padded(b"070701" + b"".join(b"%08X" % value for value in fields) + encoded) + _padded(data)
