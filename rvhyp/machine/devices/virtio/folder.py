"""A folder of the host, and no way out of it.

A place in it is a tuple of names.  Every access starts at the folder itself and opens one name after the other, never through a
symbolic link, so that whatever names a guest makes up or links it plants, what is reached lies in the folder.  Special files are
seen and can be removed, but not opened.
"""
from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBUSY, EINVAL, ELOOP, ENAMETOOLONG, EOPNOTSUPP

from rvhyp.machine.errors import BadInput

Place = tuple[bytes, ...]
ROOT: Place = ()
DEEPEST = 100                           # names
LONGEST_NAME = 255
HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
MODE = 0o777                            # no set-user-id programs of the guest's making on the host


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def checked(name: bytes) -> bytes:
    """A name for one file in a folder; OSError for everything else, `.` and `..` too."""
    if not name or name in (b".", b"..") or b"/" in name or b"\0" in name:
        raise failure(EINVAL)
    if len(name) > LONGEST_NAME:
        raise failure(ENAMETOOLONG)
    return name


class Folder:
    """The files under `path`.  All methods raise OSError as the host says."""

    def __init__(self, path: str):
        """BadInput if it is no folder, or may not be read."""
        try:
            self._root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            what = "is no folder" if isinstance(error, NotADirectoryError) else f"cannot be shared ({error.strerror})"
            raise BadInput(what, path, "give a folder that exists") from error
        if not os.access(path, os.R_OK | os.X_OK):
            os.close(self._root)
            raise BadInput("may not be read", path, "check its permissions")

    def close(self) -> None:
        os.close(self._root)

    @contextmanager
    def _parent(self, place: Place) -> Iterator[tuple[int, bytes]]:
        """A handle of the folder that a place is in, and its name there."""
        if len(place) > DEEPEST:
            raise failure(ENAMETOOLONG)
        at = self._root
        try:
            for name in place[:-1]:
                below = os.open(checked(name), HANDLE | os.O_DIRECTORY, dir_fd=at)
                if at != self._root:
                    os.close(at)
                at = below
            yield at, checked(place[-1]) if place else b"."
        finally:
            if at != self._root:
                os.close(at)

    @contextmanager
    def _entry(self, place: Place) -> Iterator[tuple[int, bytes]]:
        """As `_parent`, for what changes an entry: the folder itself is none."""
        if not place:
            raise failure(EBUSY)
        with self._parent(place) as found:
            yield found

    @contextmanager
    def _handle(self, place: Place) -> Iterator[int]:
        """A handle of the file itself; of a link, of the link."""
        with self._parent(place) as (at, name):
            handle = os.open(name, HANDLE, dir_fd=at)
        try:
            yield handle
        finally:
            os.close(handle)

    # Looking.

    def stat(self, place: Place) -> os.stat_result:
        with self._parent(place) as (at, name):
            return os.stat(name, dir_fd=at, follow_symlinks=False)

    def statvfs(self, place: Place) -> os.statvfs_result:
        with self._handle(place) as handle:
            return os.fstatvfs(handle)

    def readlink(self, place: Place) -> bytes:
        with self._parent(place) as (at, name):
            return os.readlink(name, dir_fd=at)

    def open(self, place: Place, flags: int) -> int:
        """A descriptor of an ordinary file or a folder."""
        mode = self.stat(place).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise failure(ELOOP if stat.S_ISLNK(mode) else EOPNOTSUPP)
        with self._parent(place) as (at, name):
            return os.open(name, flags | SAFE, dir_fd=at)

    # Changing.

    def create(self, place: Place, flags: int, mode: int) -> int:
        """A descriptor of a file, made if there is none; with O_EXCL there must be none."""
        with self._entry(place) as (at, name):
            try:
                descriptor = os.open(name, flags | SAFE | os.O_CREAT | os.O_EXCL, mode & MODE, dir_fd=at)
            except FileExistsError:
                if flags & os.O_EXCL:
                    raise
                return self.open(place, flags)
            os.fchmod(descriptor, mode & MODE)
            return descriptor

    def mkdir(self, place: Place, mode: int) -> None:
        with self._entry(place) as (at, name):
            os.mkdir(name, mode & MODE, dir_fd=at)
        self.chmod(place, mode)

    def symlink(self, place: Place, target: bytes) -> None:
        if not target or b"\0" in target:
            raise failure(EINVAL)
        with self._entry(place) as (at, name):
            os.symlink(target, name, dir_fd=at)

    def link(self, old: Place, new: Place) -> None:
        with self._entry(old) as (old_at, old_name), self._entry(new) as (at, name):
            os.link(old_name, name, src_dir_fd=old_at, dst_dir_fd=at, follow_symlinks=False)

    def rename(self, old: Place, new: Place) -> None:
        with self._entry(old) as (old_at, old_name), self._entry(new) as (at, name):
            os.rename(old_name, name, src_dir_fd=old_at, dst_dir_fd=at)

    def remove(self, place: Place, is_folder: bool) -> None:
        with self._entry(place) as (at, name):
            if is_folder:
                os.rmdir(name, dir_fd=at)
            else:
                os.unlink(name, dir_fd=at)

    def chmod(self, place: Place, mode: int) -> None:
        with self._handle(place) as handle:
            if stat.S_ISLNK(os.fstat(handle).st_mode):
                raise failure(EOPNOTSUPP)
            os.chmod(f"/proc/self/fd/{handle}", mode & MODE)        # the file of the handle, whatever its name is by now

    def utime(self, place: Place, times: tuple[int, int]) -> None:
        """Access and modification time in nanoseconds."""
        with self._parent(place) as (at, name):
            os.utime(name, ns=times, dir_fd=at, follow_symlinks=False)

    def truncate(self, place: Place, size: int) -> None:
        descriptor = self.open(place, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
