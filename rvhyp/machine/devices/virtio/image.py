"""Disk images: a raw file, and a copy-on-write overlay over one that stays as it is.

A file is locked (flock) while it is in use: by one run that writes it, or by any number that only read it.  What was written is
on disk when `flush` returns, and not before.

An overlay is one sparse file, little-endian:

    0       the header, 4096 bytes: b"rvhyp overlay 1\\n", then the size of the disk in bytes and the modification time of its
            image in nanoseconds, 8 bytes each
    4096    one bit for each cluster of 4096 bytes, the lowest bit of the first byte first: set if the overlay has that cluster;
            filled up to whole blocks of 4096 bytes
    after   the clusters, each where it is on the disk

A flush brings the clusters to disk before the bits that say they are there, so a crash between the two loses nothing that an
earlier flush kept.
"""
from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Protocol

from rvhyp.machine.devices.virtio import erase
from rvhyp.machine.errors import BadInput

SECTOR = 512
CLUSTER = 4096
MAGIC = b"rvhyp overlay 1\n"
EIO = 5


class Image(Protocol):
    """What a block device has its sectors in.  `size` is in bytes, and so are offsets; OSError where the host fails."""

    name: str
    size: int
    is_read_only: bool

    def read(self, offset: int, size: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...

    def zero(self, offset: int, size: int, may_unmap: bool) -> None:
        """Write zeros; with `may_unmap` they need not take room on the host."""

    def discard(self, offset: int, size: int) -> None:
        """Nobody wants these bytes any more: they may take no room, and read as zeros or as before."""

    def flush(self) -> None: ...

    def close(self) -> None:
        """OSError if that loses what was written."""


class _File:
    """An open, locked file."""

    def __init__(self, path: str, is_read_only: bool, create: bool = False):
        """BadInput if it cannot be opened so, is no ordinary file, or is in use."""
        self.path, self.is_read_only = path, is_read_only
        flags = os.O_CLOEXEC | os.O_NONBLOCK | (os.O_RDONLY if is_read_only else os.O_RDWR) | (os.O_CREAT if create else 0)
        try:
            self._file = open(path, "rb" if is_read_only else "r+b", buffering=0,
                              opener=lambda name, _: os.open(name, flags, 0o666))
        except IsADirectoryError as error:
            raise BadInput("is a directory", path, "give a disk image") from error
        except FileNotFoundError as error:
            if create:                                  # its folder
                raise BadInput(f"cannot be made ({error.strerror})", path, _remedy(is_read_only, create)) from error
            raise BadInput("no such file", path, "make one: truncate -s 1G FILE") from error
        except PermissionError as error:
            raise BadInput(_refusal(path, is_read_only), path, _remedy(is_read_only, create)) from error
        except OSError as error:
            raise BadInput(f"cannot be opened ({error.strerror})", path, _remedy(is_read_only, create)) from error
        self._descriptor = self._file.fileno()
        self._has_failed = False
        status = os.fstat(self._descriptor)
        self.size, self.modified = status.st_size, status.st_mtime_ns
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise BadInput("is no ordinary file", path, "give a disk image")
        self._lock()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_NB | (fcntl.LOCK_SH if self.is_read_only else fcntl.LOCK_EX))
        except BlockingIOError as error:
            self.close()
            raise BadInput("is in use by another guest or run", self.path,
                           "wait for its end; any number may share it read-only, with ,ro or with an overlay each") from error
        except OSError as error:
            self.close()
            raise BadInput(f"cannot be locked ({error.strerror})", self.path, "put it on a file system that can") from error

    def read(self, offset: int, size: int) -> bytes:
        """OSError also where the file ends too early: it was truncated."""
        data = os.pread(self._descriptor, size, offset)
        while len(data) < size:
            more = os.pread(self._descriptor, size - len(data), offset + len(data))
            if not more:
                raise OSError(EIO, "the file ends too early: was it truncated?")
            data += more
        return data

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """OSError also where the file has become too short: filling it up again would make holes of what was lost."""
        self._check_size()
        view = memoryview(data)
        while view:
            done = os.pwrite(self._descriptor, view, offset)
            view, offset = view[done:], offset + done

    def zero(self, offset: int, size: int, may_unmap: bool) -> None:
        """As writing zeros."""
        self._check_size()
        erase.zero(self._descriptor, offset, size, may_unmap)

    def _check_size(self) -> None:
        if os.fstat(self._descriptor).st_size < self.size:
            raise OSError(EIO, "the file is shorter than it was: was it truncated?")

    def flush(self) -> None:
        """Everything written is on disk.  Once that has failed it fails for ever: the host may have forgotten what it lost."""
        if self._has_failed:
            raise OSError(EIO, "an earlier flush failed")
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self._has_failed = True
            raise

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        self.size = size

    def close(self) -> None:
        """Idempotent."""
        self._file.close()


def _refusal(path: str, is_read_only: bool) -> str:
    return "may not be read" if is_read_only or not os.access(path, os.R_OK) else "may not be written"


def _remedy(is_read_only: bool, is_overlay: bool) -> str:
    if is_overlay:
        return "give another file for the overlay"
    return "check its permissions" if is_read_only else "check its permissions, or attach it with ,ro or with an overlay"


class RawImage:
    """A file that holds the sectors one after the other."""

    def __init__(self, path: str, is_read_only: bool = False):
        """BadInput if it cannot be used."""
        self._file = _File(path, is_read_only)
        self.name, self.size, self.is_read_only = Path(path).name, self._file.size, is_read_only
        self.modified = self._file.modified
        if not self.size or self.size % SECTOR:
            self.close()
            raise BadInput(f"has {self.size} bytes, and a disk has sectors of {SECTOR}" if self.size else "is empty", path,
                           f"make it longer: truncate -s {-(-self.size // SECTOR) * SECTOR or '1G'} FILE")

    def read(self, offset: int, size: int) -> bytes:
        return self._file.read(offset, size)

    def write(self, offset: int, data: bytes) -> None:
        self._file.write(offset, data)

    def zero(self, offset: int, size: int, may_unmap: bool) -> None:
        self._file.zero(offset, size, may_unmap)

    def discard(self, offset: int, size: int) -> None:
        self._file.zero(offset, size, may_unmap=True)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Overlay:
    """What is written to a disk whose image at `path` stays as it is; the overlay file is made if there is none."""

    is_read_only = False

    def __init__(self, path: str, overlay: str):
        """BadInput if either file cannot be used, or they do not belong together."""
        self._base = RawImage(path, is_read_only=True)
        try:
            self._file = _File(overlay, is_read_only=False, create=True)
        except BadInput:
            self._base.close()
            raise
        self.name, self.size = self._base.name, self._base.size
        clusters = -(-self.size // CLUSTER)
        table = -(-clusters // 8)
        self._data = CLUSTER + -(-table // CLUSTER) * CLUSTER
        self._dirty: set[int] = set()               # blocks of the table that the file does not have yet
        self._header = MAGIC + self.size.to_bytes(8, "little") + self._base.modified.to_bytes(8, "little")
        try:
            if not self._file.size:
                self._make(overlay)
            self._check(path, overlay)
            self._present = bytearray(self._file.read(CLUSTER, self._data - CLUSTER))
        except BadInput:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise BadInput(f"cannot be used ({error.strerror})", overlay) from error

    def _make(self, overlay: str) -> None:
        """A new, empty overlay, on disk with its name."""
        self._file.truncate(self._data + self.size)
        self._file.write(0, self._header)
        self._file.flush()
        folder = os.open(Path(overlay).resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _check(self, path: str, overlay: str) -> None:
        header = self._file.read(0, len(self._header)) if self._file.size >= len(self._header) else b""
        if not header.startswith(MAGIC):
            raise BadInput("is no overlay", overlay, "give a file that does not exist yet")
        if header != self._header or self._file.size != self._data + self.size:
            raise BadInput(f"is the overlay of another image, or {path} has changed since", overlay,
                           "give the image it was made for, or a new overlay")

    def read(self, offset: int, size: int) -> bytes:
        return b"".join([self._file.read(self._data + at, length) if is_here else self._base.read(at, length)
                         for at, length, is_here in self._runs(offset, size)])

    def write(self, offset: int, data: bytes) -> None:
        """Clusters that are only written in part take the rest from the image."""
        end = offset + len(data)
        first, last = offset // CLUSTER, (end - 1) // CLUSTER
        start, stop = first * CLUSTER, min((last + 1) * CLUSTER, self.size)
        before = self.read(start, offset - start)
        after = self.read(end, stop - end)
        self._file.write(self._data + start, b"".join((before, data, after)) if before or after else data)
        self._take(first, last + 1)

    def zero(self, offset: int, size: int, may_unmap: bool) -> None:
        """Whole clusters are zeros here from now on, and need not take room."""
        end = offset + size
        start = min(-(-offset // CLUSTER) * CLUSTER, end)
        stop = max(self._whole(end), start)
        for at, length in ((offset, start - offset), (stop, end - stop)):
            if length:
                self.write(at, bytes(length))
        self._file.zero(self._data + start, stop - start, may_unmap)
        self._take(start // CLUSTER, -(-stop // CLUSTER) if stop > start else 0)

    def discard(self, offset: int, size: int) -> None:
        """Whole clusters: the image's own bytes do not come back."""
        start, stop = -(-offset // CLUSTER) * CLUSTER, self._whole(offset + size)
        if start < stop:
            self.zero(start, stop - start, may_unmap=True)

    def _whole(self, end: int) -> int:
        """The end of the last whole cluster up to there; the last of the disk may be short."""
        return end if end == self.size else end // CLUSTER * CLUSTER

    def _take(self, first: int, end: int) -> None:
        """These clusters are here from now on."""
        for cluster in range(first, end):
            byte, bit = cluster >> 3, 1 << (cluster & 7)
            if not self._present[byte] & bit:
                self._present[byte] |= bit
                self._dirty.add(byte // CLUSTER)

    def _runs(self, offset: int, size: int) -> Iterator[tuple[int, int, bool]]:
        """(offset, size, whether the overlay has it) of the pieces of an access."""
        end = offset + size
        clusters = range(offset // CLUSTER, -(-end // CLUSTER)) if size else range(0)
        for is_here, run in groupby(clusters, lambda cluster: bool(self._present[cluster >> 3] & 1 << (cluster & 7))):
            run = list(run)
            start, stop = max(offset, run[0] * CLUSTER), min(end, (run[-1] + 1) * CLUSTER)
            yield start, stop - start, is_here

    def flush(self) -> None:
        self._file.flush()
        if self._dirty:
            for block in sorted(self._dirty):
                self._file.write(CLUSTER * (1 + block), self._present[CLUSTER * block:CLUSTER * (block + 1)])
            self._file.flush()
            self._dirty.clear()

    def close(self) -> None:
        """Keep what was written.  OSError if the host cannot; it is closed even so.  Idempotent."""
        try:
            if self._dirty:
                self.flush()
        finally:
            self._dirty.clear()
            self._file.close()
            self._base.close()
