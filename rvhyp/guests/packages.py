"""What is in a Debian package: unpacked on any host, owner and rights as they are in it."""
from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rvhyp.guests.apt import find_tool
from rvhyp.machine.errors import BadInput

MOST_LINKS = 40


class Owner(NamedTuple):
    """Numbers, as in the archive."""

    uid: int
    gid: int


ROOT = Owner(0, 0)


@contextmanager
def _contents(deb: Path, what: str) -> Iterator[tarfile.TarFile]:
    """The archive in a package: `what` is --fsys-tarfile or --ctrl-tarfile.  BadInput if it is damaged."""
    tool = find_tool("dpkg-deb", "dpkg")
    with subprocess.Popen([tool, what, str(deb)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                yield archive
            while process.stdout.read(1 << 16):         # what is behind the end, so that dpkg-deb ends well
                pass
        except tarfile.TarError as error:
            process.kill()
            raise BadInput(f"is damaged ({error})", str(deb), "delete it, and prepare the guest again") from error
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode:
        raise BadInput(f"is damaged ({said})", str(deb), "delete it, and prepare the guest again")


@dataclass
class Tree:
    """A root file system in a folder of the host: what is written into it never leaves it, whatever links say."""

    root: Path
    owners: dict[str, Owner] = field(default_factory=dict)      # by name, as "etc/shadow"

    def inside(self, name: str) -> Path:
        """The host's path of a name, links in the folders above it followed as the guest would."""
        parts, at, links = [part for part in reversed(name.split("/")) if part not in ("", ".")], self.root, 0
        while parts:
            part = parts.pop()
            if part == "..":
                at = at.parent if at != self.root else at
                continue
            step = at / part
            if parts and step.is_symlink():
                links += 1
                if links > MOST_LINKS:
                    raise BadInput("goes through too many links", name)
                target = os.readlink(step)
                at = self.root if target.startswith("/") else at
                parts += [each for each in reversed(target.split("/")) if each not in ("", ".")]
                continue
            at = step
        return at

    def name_of(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def write(self, name: str, data: bytes | str, mode: int = 0o644, owner: Owner = ROOT) -> None:
        """A file of ours, in the place of what may be there."""
        path = self._free(name)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        self.owners[self.name_of(path)] = owner

    def link(self, name: str, target: str) -> None:
        """A symbolic link, unless there is something."""
        path = self.inside(name)
        if not path.is_symlink() and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)

    def _free(self, name: str) -> Path:
        path = self.inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.exists():
            path.unlink()
        return path

    def all_owners(self) -> dict[str, Owner]:
        """The owner of everything here: what nobody has said belongs to root."""
        names = (self.name_of(path) for path in self.root.rglob("*"))
        return {name: self.owners.get(name, ROOT) for name in names}

    def unpack(self, deb: Path) -> list[str]:
        """Put the contents of a package here.  Their names, as dpkg lists them."""
        names = []
        with _contents(deb, "--fsys-tarfile") as archive:
            for member in archive:
                names.append("/" + member.name.removeprefix("./").strip("/") if member.name.strip("./") else "/.")
                self._put(archive, member)
        return names

    def _put(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = self.inside(member.name)
        if path == self.root:
            return
        if member.isdir():
            if not path.is_dir():               # a folder that is a link already, as /lib: it stays one
                path.mkdir(parents=True)
            if not path.is_symlink():
                path.chmod(member.mode & 0o7777 | 0o700)
        elif member.issym():
            self._free(member.name).symlink_to(member.linkname)
        elif member.islnk():
            os.link(self.inside(member.linkname), self._free(member.name), follow_symlinks=False)
        elif member.isfile():
            with open(self._free(member.name), "wb") as file:
                source = archive.extractfile(member)
                while data := source.read(1 << 20):
                    file.write(data)
            path.chmod(member.mode & 0o7777 | 0o400)
        else:
            return                              # devices: the kernel makes them
        self.owners[self.name_of(path)] = Owner(member.uid, member.gid)


def control(deb: Path) -> dict[str, bytes]:
    """The control files of a package: `control`, `postinst`, `md5sums` ..."""
    with _contents(deb, "--ctrl-tarfile") as archive:
        return {member.name.removeprefix("./"): archive.extractfile(member).read() for member in archive if member.isfile()}
