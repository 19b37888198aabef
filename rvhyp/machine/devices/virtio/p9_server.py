"""A 9P2000.L server for one client and one folder of the host (diod's protocol.md).

The client is a guest's kernel, or anything that pretends to be one: whatever it sends, the answer is a reply or an Rlerror.
Files are made, read and written as the user who runs this process; owners cannot be given away, and a mode is nine bits.
"""
from __future__ import annotations

import os
import stat
import time
from errno import EBADF, EINVAL, EMFILE, EMSGSIZE, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM, EPROTO, EROFS

from rvhyp.machine.devices.virtio.folder import DEEPEST, ROOT, Folder, Place, checked, failure
from rvhyp.machine.devices.virtio.p9_wire import (
    HEADER,
    MAX_WALK,
    NOFID,
    QID,
    REQUESTS,
    Malformed,
    error,
    message,
    parse,
    string,
    words,
)

VERSION = b"9P2000.L"
LARGEST, SMALLEST = 512_000, 4096       # bytes of a message
IO_HEADER = HEADER.size + 4             # of Rread and Rreaddir
MAX_FIDS, MAX_OPEN = 1 << 16, 256
V9FS_MAGIC = 0x0102_1997
QT_DIR, QT_SYMLINK = 0x80, 0x02
WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
KEPT_FLAGS = os.O_ACCMODE | os.O_TRUNC | os.O_EXCL
AT_REMOVEDIR = 0x200
BASIC = 0x7FF                           # P9_GETATTR_BASIC: mode to blocks
(SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME, SET_CTIME, SET_ATIME_TO, SET_MTIME_TO) = (1 << n for n in range(9))
LOCK_SUCCESS, UNLOCKED = 0, 2
LARGEST_OFFSET = (1 << 63) - 1


class Fid:
    """What the client calls a file by; `descriptor` while it is open."""

    __slots__ = ("descriptor", "entries", "place")

    def __init__(self, place: Place):
        self.place = place
        self.descriptor: int | None = None
        self.entries: list[bytes] = []      # of an open folder, as it was when reading it began


class Server:
    """Answers messages; `is_read_only` refuses all that would change a file."""

    def __init__(self, folder: Folder, is_read_only: bool = False):
        self._folder, self._is_read_only = folder, is_read_only
        self._fids: dict[int, Fid] = {}
        self._size = SMALLEST               # of the largest message, as agreed
        self._room = 0                      # for the reply that is being made
        self._open = 0                      # fids that are open
        self._device = folder.stat(ROOT).st_dev

    def reset(self) -> None:
        """The client has forgotten everything."""
        for fid in self._fids.values():
            self._close(fid)
        self._fids.clear()
        self._size = SMALLEST

    def answer(self, request: bytes, room: int) -> bytes:
        """The reply to a message, of at most `room` bytes, which is enough for an Rlerror."""
        size, kind, tag = HEADER.unpack_from(request)
        if size != len(request) or kind not in REQUESTS:
            return error(tag, EPROTO if kind in REQUESTS else EOPNOTSUPP)
        self._room = min(room, self._size)
        try:
            name, arguments = parse(kind, request[HEADER.size:])
            reply = message(kind + 1, tag, getattr(self, "_" + name)(*arguments))
        except Malformed:
            return error(tag, EPROTO)
        except OSError as refusal:
            return error(tag, refusal.errno or EINVAL)
        except (OverflowError, ValueError):         # a number that no system call takes
            return error(tag, EINVAL)
        return reply if len(reply) <= room else error(tag, EMSGSIZE)

    # What requests have in common.

    def _fid(self, number: int) -> Fid:
        fid = self._fids.get(number)
        if fid is None:
            raise failure(EBADF)
        return fid

    def _opened(self, number: int) -> int:
        descriptor = self._fid(number).descriptor
        if descriptor is None:
            raise failure(EBADF)
        return descriptor

    def _below(self, number: int, name: bytes) -> Place:
        """The place of a name in a folder."""
        return (*self._fid(number).place, checked(name))

    def _writable(self) -> None:
        if self._is_read_only:
            raise failure(EROFS)

    def _stat(self, fid: Fid) -> os.stat_result:
        return self._folder.stat(fid.place) if fid.descriptor is None else os.fstat(fid.descriptor)

    def _qid(self, status: os.stat_result) -> bytes:
        """Type, version and a number that tells files apart, on file systems mounted in the folder too."""
        kind = QT_DIR if stat.S_ISDIR(status.st_mode) else QT_SYMLINK if stat.S_ISLNK(status.st_mode) else 0
        version = (status.st_mtime_ns ^ status.st_size << 8) & 0xFFFF_FFFF
        return QID.pack(kind, version, (status.st_ino ^ (status.st_dev ^ self._device) << 48) & (1 << 64) - 1)

    def _new(self, number: int, place: Place) -> None:
        if number == NOFID or number in self._fids:
            raise failure(EINVAL)
        if len(self._fids) >= MAX_FIDS:
            raise failure(EMFILE)
        self._fids[number] = Fid(place)

    def _may_open(self, fid: Fid) -> None:
        if fid.descriptor is not None:
            raise failure(EINVAL)
        if self._open >= MAX_OPEN:
            raise failure(EMFILE)

    def _keep(self, fid: Fid, descriptor: int) -> bytes:
        """A fid is open.  What Rlopen and Rlcreate say of it: its qid, and no advice on the size of accesses."""
        fid.descriptor = descriptor
        self._open += 1
        return self._qid(os.fstat(descriptor)) + words(0)

    def _close(self, fid: Fid) -> None:
        if fid.descriptor is not None:
            os.close(fid.descriptor)
            fid.descriptor = None
            self._open -= 1

    # Sessions and fids.

    def _version(self, size: int, version: bytes) -> bytes:
        if size < SMALLEST:
            raise failure(EMSGSIZE)
        self.reset()
        self._size = min(size, LARGEST)
        return words(self._size) + string(VERSION if version == VERSION else b"unknown")

    def _auth(self, *_) -> bytes:
        raise failure(EOPNOTSUPP)

    def _attach(self, fid: int, auth: int, user: bytes, tree: bytes, uid: int) -> bytes:
        status = self._folder.stat(ROOT)
        self._new(fid, ROOT)
        return self._qid(status)

    def _flush(self, tag: int) -> bytes:
        return b""                          # what came before has been answered

    def _walk(self, number: int, new: int, names: list[bytes]) -> bytes:
        """As far as it goes; the new fid is there only if it goes all the way."""
        if len(names) > MAX_WALK:
            raise failure(EINVAL)
        start = self._fid(number)
        place, qids = start.place, []
        try:
            for name in names:
                if not stat.S_ISDIR(self._folder.stat(place).st_mode):
                    raise failure(ENOTDIR)
                place = place[:-1] if name == b".." else (*place, checked(name))
                if len(place) > DEEPEST:
                    raise failure(ENOENT)
                qids.append(self._qid(self._folder.stat(place)))
        except OSError:
            if not qids:
                raise
        if len(qids) == len(names):
            if new == number:
                if start.descriptor is not None and names:
                    raise failure(EINVAL)
                start.place = place
            else:
                self._new(new, place)
        return words(len(qids), size=2) + b"".join(qids)

    def _clunk(self, number: int) -> bytes:
        self._close(self._fid(number))
        del self._fids[number]
        return b""

    def _remove(self, number: int) -> bytes:
        """The fid is gone whatever comes of it."""
        place = self._fid(number).place
        self._clunk(number)
        self._writable()
        self._folder.remove(place, stat.S_ISDIR(self._folder.stat(place).st_mode))
        return b""

    # Reading and writing.

    def _lopen(self, number: int, flags: int) -> bytes:
        fid = self._fid(number)
        self._may_open(fid)
        if flags & WRITING:
            self._writable()
        return self._keep(fid, self._folder.open(fid.place, flags & KEPT_FLAGS & ~os.O_EXCL))

    def _lcreate(self, number: int, name: bytes, flags: int, mode: int, gid: int) -> bytes:
        """The fid becomes that of the new file, open."""
        fid, place = self._fid(number), self._below(number, name)
        self._may_open(fid)
        self._writable()
        descriptor = self._folder.create(place, flags & KEPT_FLAGS, mode)
        fid.place = place
        return self._keep(fid, descriptor)

    def _read(self, number: int, offset: int, count: int) -> bytes:
        descriptor = self._opened(number)
        data = os.pread(descriptor, max(0, min(count, self._room - IO_HEADER)), offset)
        return words(len(data)) + data

    def _write(self, number: int, offset: int, data: bytes) -> bytes:
        descriptor = self._opened(number)
        if offset + len(data) > LARGEST_OFFSET:
            raise failure(EINVAL)
        return words(os.pwrite(descriptor, data, offset))

    def _fsync(self, number: int, data_only: int) -> bytes:
        descriptor = self._opened(number)
        if data_only:
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)
        return b""

    def _readdir(self, number: int, offset: int, count: int) -> bytes:
        """Entries sorted by name, so that a folder is the same on every host; an offset is how many came before."""
        fid, descriptor = self._fid(number), self._opened(number)
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise failure(ENOTDIR)
        if not offset:
            fid.entries = [b".", b"..", *sorted(map(os.fsencode, os.listdir(descriptor)))]
        room, entries = min(count, self._room - IO_HEADER), []
        for index in range(offset, len(fid.entries)):
            name = fid.entries[index]
            try:
                status = (self._folder.stat(fid.place[:-1]) if name == b".."
                          else os.stat(name, dir_fd=descriptor, follow_symlinks=False))
            except OSError:
                continue                    # it is gone by now
            entry = self._qid(status) + words(index + 1, size=8) + bytes((status.st_mode >> 12,)) + string(name)
            room -= len(entry)
            if room < 0:
                if not entries:
                    raise failure(EINVAL)   # nothing at all would say that there is no more
                break
            entries.append(entry)
        data = b"".join(entries)
        return words(len(data)) + data

    def _lock(self, number: int, *_) -> bytes:
        """Locks are the client's own: nobody else is there that would honour them."""
        self._opened(number)
        return bytes((LOCK_SUCCESS,))

    def _getlock(self, number: int, kind: int, start: int, length: int, process: int, client: bytes) -> bytes:
        self._opened(number)
        return bytes((UNLOCKED,)) + words(start, length, size=8) + words(process) + string(client)

    # Attributes.

    def _statfs(self, number: int) -> bytes:
        status = self._folder.statvfs(self._fid(number).place)
        return (words(V9FS_MAGIC, status.f_bsize & 0xFFFF_FFFF)
                + words(status.f_blocks, status.f_bfree, status.f_bavail, status.f_files, status.f_ffree, 0, size=8)
                + words(status.f_namemax & 0xFFFF_FFFF))

    def _getattr(self, number: int, mask: int) -> bytes:
        status = self._stat(self._fid(number))
        stamps = (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
        times = [part for at in stamps for part in divmod(max(at, 0), 10**9)]
        return (words(BASIC, size=8) + self._qid(status) + words(status.st_mode, status.st_uid, status.st_gid)
                + words(status.st_nlink, status.st_rdev, status.st_size, status.st_blksize, status.st_blocks, *times, 0, 0, 0, 0,
                        size=8))

    def _setattr(self, number: int, valid: int, mode: int, uid: int, gid: int, size: int, *times: int) -> bytes:
        self._writable()
        fid = self._fid(number)
        status = self._stat(fid)
        if valid & SET_UID and uid != status.st_uid or valid & SET_GID and gid != status.st_gid:
            raise failure(EPERM)
        if valid & SET_MODE:
            self._folder.chmod(fid.place, mode)
        if valid & SET_SIZE:
            if size > LARGEST_OFFSET:
                raise failure(EINVAL)
            self._truncate(fid, size)
        if valid & (SET_ATIME | SET_MTIME):
            now = time.time_ns()
            atime = (times[0] * 10**9 + times[1] if valid & SET_ATIME_TO else now) if valid & SET_ATIME else status.st_atime_ns
            mtime = (times[2] * 10**9 + times[3] if valid & SET_MTIME_TO else now) if valid & SET_MTIME else status.st_mtime_ns
            self._folder.utime(fid.place, (atime, mtime))
        return b""

    def _truncate(self, fid: Fid, size: int) -> None:
        try:
            self._folder.truncate(fid.place, size)
        except FileNotFoundError:           # open, and removed
            if fid.descriptor is None:
                raise
            os.ftruncate(fid.descriptor, size)

    def _xattrwalk(self, *_) -> bytes:
        raise failure(EOPNOTSUPP)

    def _xattrcreate(self, *_) -> bytes:
        raise failure(EOPNOTSUPP)

    # Names.

    def _readlink(self, number: int) -> bytes:
        return string(self._folder.readlink(self._fid(number).place))

    def _symlink(self, number: int, name: bytes, target: bytes, gid: int) -> bytes:
        return self._make(number, name, lambda place: self._folder.symlink(place, target))

    def _mkdir(self, number: int, name: bytes, mode: int, gid: int) -> bytes:
        return self._make(number, name, lambda place: self._folder.mkdir(place, mode))

    def _mknod(self, number: int, name: bytes, mode: int, *_) -> bytes:
        """Ordinary files only: a device of the host is no device of the guest."""
        if not stat.S_ISREG(mode):
            raise failure(EPERM)
        return self._make(number, name, lambda place: os.close(self._folder.create(place, os.O_WRONLY | os.O_EXCL, mode)))

    def _make(self, number: int, name: bytes, make) -> bytes:
        place = self._below(number, name)
        self._writable()
        make(place)
        return self._qid(self._folder.stat(place))

    def _link(self, folder: int, number: int, name: bytes) -> bytes:
        place = self._below(folder, name)
        self._writable()
        self._folder.link(self._fid(number).place, place)
        return b""

    def _rename(self, number: int, folder: int, name: bytes) -> bytes:
        return self._move(self._fid(number).place, self._below(folder, name))

    def _renameat(self, folder: int, name: bytes, new_folder: int, new_name: bytes) -> bytes:
        return self._move(self._below(folder, name), self._below(new_folder, new_name))

    def _move(self, old: Place, new: Place) -> bytes:
        """Fids of what is moved move with it."""
        self._writable()
        self._folder.rename(old, new)
        for fid in self._fids.values():
            if fid.place[:len(old)] == old:
                fid.place = new + fid.place[len(old):]
        return b""

    def _unlinkat(self, number: int, name: bytes, flags: int) -> bytes:
        place = self._below(number, name)
        self._writable()
        self._folder.remove(place, bool(flags & AT_REMOVEDIR))
        return b""
