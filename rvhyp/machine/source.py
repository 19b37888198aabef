"""The bytes of an input file, read piece by piece and never more than was asked for."""
from __future__ import annotations

import os
import stat
from typing import NoReturn

from rvhyp.machine.errors import BadInput

MAX_SIZE = 1 << 30


class Source:
    """A file, or bytes, of `size` bytes, known to messages as `name`.  A context manager: it holds the file open."""

    def __init__(self, source: str | os.PathLike[str] | bytes, name: str | None = None):
        """BadInput if it cannot be opened, is a directory, is empty, or has more than MAX_SIZE bytes.

        What cannot be read at an offset (a pipe) is read whole, up to that limit.
        """
        self._fd: int | None = None
        self._data: bytes | None = None
        if isinstance(source, bytes):
            self.name = name or "(bytes)"
            self._data, self.size = source, len(source)
        else:
            self.name = name or os.fspath(source)
            try:
                self._open(source)
            except OSError as error:
                self._refuse(f"cannot be read ({error.strerror})", "check the path")
            except ValueError as error:                 # a path with a NUL
                self._refuse(f"cannot be a path ({error})", "check the path")
        if self.size == 0:
            self._refuse("is empty", "build or copy it again")
        if self.size > MAX_SIZE:
            self._refuse(f"is larger than {MAX_SIZE >> 20} MiB", "strip it of its debugging information")

    def _refuse(self, what: str, do: str) -> NoReturn:
        self.close()
        raise BadInput(what, self.name, do)

    def _open(self, path: str | os.PathLike[str]) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        if stat.S_ISDIR(status.st_mode):
            self._refuse("is a directory", "give the file in it that is to run")
        self.size = status.st_size
        if stat.S_ISFIFO(status.st_mode):
            self._data = _read_all(self._fd)
            self.size = len(self._data)
        elif not stat.S_ISREG(status.st_mode):
            self._refuse("is a device, not a file", "give the file that is to run")

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Exactly `size` bytes at `offset`.  BadInput, naming `what` was looked for, if the file is too short."""
        if not size:
            return b""
        if offset + size <= self.size:
            if self._data is not None:
                return self._data[offset:offset + size]
            assert self._fd is not None
            try:
                data = _read_at(self._fd, offset, size)
            except OSError as error:
                self._refuse(f"cannot be read ({error.strerror})", "copy it to another disk")
            if len(data) == size:
                return data
        raise BadInput(f"is truncated: {what} would end at byte {offset + size:,}, the file has {self.size:,}",
                       self.name, "copy or build it again")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_at(fd: int, offset: int, size: int) -> bytes:
    """What the file has, up to `size` bytes: one call reads at most 2 GiB, and less from some file systems."""
    data = os.pread(fd, size, offset)
    while len(data) < size:
        more = os.pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def _read_all(fd: int) -> bytes:
    """All a pipe has, or the first bytes of too much."""
    data = bytearray()
    while len(data) <= MAX_SIZE and (more := os.read(fd, 1 << 20)):
        data += more
    return bytes(data)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """All of a file.  BadInput as for `Source`."""
    with Source(path) as file:
        return file.read(0, file.size, "the contents")
