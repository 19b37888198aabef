"""Translated regions on disk, for later runs and other processes.

One file, to which regions are appended under a lock: each is a digest of all that follows it, a length, a header, the bytes it was
made from, and its code.  What is torn, damaged or not safely ours is not used; a file that has grown too large begins anew.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import zlib
from pathlib import Path

from rvhyp.engine import cache
from rvhyp.engine.translator.worker import Product

DIGEST = 16
MAGIC = b"rvhyp regions 1\n"
LIMIT = 192 << 20               # bytes of the file


def key() -> str:
    """Hash of all that translated code is made from, and of what it runs in."""
    digest = hashlib.sha256(cache.source_key().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


class Store:
    """The regions of the cache folder, by a checksum of the page they were made for."""

    def __init__(self, path: Path | None = None):
        self.path = path or cache.folder() / f"regions-{key()}"
        self._data = b""
        self._places: dict[int, list[int]] = {}         # offsets of records by checksum of page
        self._read()

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def _read(self) -> None:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077 or not stat.S_ISREG(status.st_mode):
                return
            self._data = file.read()
        if not self._data.startswith(MAGIC):
            self._data = b""
            return
        at = len(MAGIC)
        while at + DIGEST + 8 <= len(self._data):
            length, checksum = (int.from_bytes(self._data[at + DIGEST + n:at + DIGEST + n + 4], "little") for n in (0, 4))
            if at + DIGEST + length > len(self._data):
                break                                   # torn: its writer was ended
            self._places.setdefault(checksum, []).append(at)
            at += DIGEST + length

    def find(self, page: bytes, extensions: int) -> list[Product]:
        """Regions made from a page like this one, for harts with these extensions."""
        products = []
        for at in self._places.get(zlib.crc32(page), ()):
            kept = self._open(at)
            if kept and kept[1] == extensions and kept[0].fits(page):
                products.append(kept[0])
        return products

    def _open(self, at: int) -> tuple[Product, int] | None:
        """A region and the extensions it is for; None if its record is damaged."""
        length = int.from_bytes(self._data[at + DIGEST:at + DIGEST + 4], "little")
        body = self._data[at + DIGEST:at + DIGEST + length]
        if hashlib.blake2b(body, digest_size=DIGEST).digest() != self._data[at:at + DIGEST]:
            return None
        size = int.from_bytes(body[8:12], "little")
        header = json.loads(body[12:12 + size])
        code_at = 12 + size + header["source"]
        product = Product(header["entries"], [tuple(pair) for pair in header["cover"]], body[12 + size:code_at], body[code_at:],
                          header["start"], header["instructions"])
        return product, header["extensions"]

    def add(self, page: bytes, extensions: int, product: Product) -> None:
        """Keep a region; nothing happens if the folder cannot be written to."""
        header = json.dumps({"entries": product.entries, "cover": product.cover, "start": product.start,
                             "instructions": product.instructions, "extensions": extensions, "source": len(product.source)}).encode()
        body = zlib.crc32(page).to_bytes(4, "little") + len(header).to_bytes(4, "little") + header + product.source + product.code
        body = (len(body) + 4).to_bytes(4, "little") + body
        try:
            self._append(hashlib.blake2b(body, digest_size=DIGEST).digest() + body)
        except OSError:
            pass

    def _append(self, record: bytes) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        with open(descriptor, "ab", buffering=0) as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size + len(record) > LIMIT:
                os.ftruncate(descriptor, 0)
                size = 0
            if size == 0:
                file.write(MAGIC)
            file.write(record)
