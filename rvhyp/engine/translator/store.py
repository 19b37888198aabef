"""Translated regions on disk, for later runs and other processes, and what was hot but not yet translated.

A file is a row of records, appended under a lock: each is a digest of all that follows in it, a length, a checksum by which it is
found, a header, and bytes.  What is torn, damaged or not safely ours is not used.  A file that would grow too large
is replaced by an empty one; who has the old one open goes on with that.
"""
from __future__ import annotations

import hashlib
import json
import mmap
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rvhyp.engine import cache
from rvhyp.engine.translator.worker import Demands, Product

DIGEST = 16
HEAD = DIGEST + 12                      # digest, length of what follows it, checksum, length of the header
LIMIT = 128 << 20                       # bytes of a file
LINE = 64                               # bytes of a page, around a region's first entry, by whose checksum it is found
ADDED = 32 << 20                        # bytes of code, made here, that are found again without reading the file


def key() -> str:
    """Hash of all that translated code is made from, and of what it runs in."""
    digest = hashlib.sha256(cache.source_key().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def line_key(page: bytes, at: int) -> int:
    """The checksum of the line at an offset of a page: what else a page holds may change, patched code and data among it."""
    return zlib.crc32(page[at:at + LINE], at)


class Records:
    """A file of records, as it was when this was made, and to append to."""

    def __init__(self, path: Path):
        self.path = path
        self._data: mmap.mmap | bytes = self._map()
        self.places: dict[int, list[int]] = {}          # offsets by checksum
        at = 0
        while at + HEAD <= len(self._data):
            length, checksum = (int.from_bytes(self._data[at + n:at + n + 4], "little") for n in (DIGEST, DIGEST + 4))
            if length < HEAD - DIGEST or at + DIGEST + length > len(self._data):
                break                                   # torn: its writer was ended
            self.places.setdefault(checksum, []).append(at)
            at += DIGEST + length

    def _map(self) -> mmap.mmap | bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return b""
        with open(descriptor, "rb"):
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077 or not stat.S_ISREG(status.st_mode) or not status.st_size:
                return b""
            return mmap.mmap(descriptor, status.st_size, mmap.MAP_PRIVATE, mmap.PROT_READ)

    def read(self, at: int) -> tuple[dict, bytes] | None:
        """Header and bytes of the record at an offset; None if it is damaged."""
        length = int.from_bytes(self._data[at + DIGEST:at + DIGEST + 4], "little")
        body = self._data[at + DIGEST:at + DIGEST + length]
        if digest(body) != self._data[at:at + DIGEST]:
            return None
        size = int.from_bytes(body[8:12], "little")
        return json.loads(body[12:12 + size]), body[12 + size:]

    def __iter__(self) -> Iterator[tuple[dict, bytes]]:
        for at in sorted(at for places in self.places.values() for at in places):
            if record := self.read(at):
                yield record

    def __len__(self) -> int:
        return sum(map(len, self.places.values()))

    def append(self, records: list[tuple[int, dict, bytes]]) -> None:
        """Append (checksum, header, bytes); nothing happens if the folder cannot be written to or the disk is full."""
        parts = []
        for checksum, header, data in records:
            head = json.dumps(header).encode()
            body = checksum.to_bytes(4, "little") + len(head).to_bytes(4, "little") + head + data
            body = (len(body) + 4).to_bytes(4, "little") + body
            parts += [digest(body), body]
        with suppress(OSError):
            self._append(b"".join(parts))

    def _append(self, text: bytes) -> None:
        import tempfile  # takes 8 ms, which a warm start need not spend

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with cache.lock(self.path.parent / "translated.lock"):
            size = self.path.stat().st_size if self.path.exists() else 0
            if size == 0 or size + len(text) > LIMIT:
                descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)        # mode 0600
                os.close(descriptor)
                os.replace(name, self.path)
                cache.remove_others(self.path, f"{self.path.name.partition('-')[0]}-*")
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "ab", buffering=0) as file:
                size = os.fstat(descriptor).st_size
                if file.write(text) != len(text):
                    os.ftruncate(descriptor, size)      # the disk is full


class Store:
    """The translated regions of the cache folder."""

    def __init__(self):
        self._records = Records(cache.folder() / f"regions-{key()}")
        self._added: dict[int, list[tuple[Demands, Product]]] = {}      # here, by checksum of the line
        self._added_bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def find(self, page: bytes, demands: Demands) -> list[Product]:
        """Regions that fit a page."""
        keys = [line_key(page, at) for at in range(0, len(page), LINE)]
        found = [product for key in keys if key in self._added for made_for, product in self._added[key]
                 if made_for == demands and product.fits(page)]
        for at in [at for key in keys if key in self._records.places for at in self._records.places[key]]:
            record = self._records.read(at)
            if record is None:
                continue
            header, data = record
            size = header["source"]
            product = Product(header["entries"], [tuple(pair) for pair in header["cover"]], data[:size], data[size:],
                              header["start"], header["instructions"])
            if header["demands"] == [*demands] and product.fits(page):
                found.append(product)
        return found

    def add(self, page: bytes, demands: Demands, product: Product) -> None:
        """Keep a region that was made from a page."""
        self._added_bytes += len(product.code)
        if self._added_bytes > ADDED:
            self._added, self._added_bytes = {}, len(product.code)
        key = line_key(page, 2 * product.entries[0] & -LINE)
        self._added.setdefault(key, []).append((demands, product))
        header = {"entries": product.entries, "cover": product.cover, "source": len(product.source), "start": product.start,
                  "instructions": product.instructions, "demands": demands}
        self._records.append([(key, header, product.source + product.code)])
