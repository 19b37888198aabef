"""Part of a file becomes zeros without being written, where the host's file system can do that: fallocate(2)."""
from __future__ import annotations

import ctypes
import errno
import os

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 0x10          # FALLOC_FL_*
CANNOT = (errno.EOPNOTSUPP, errno.ENOSYS)
CHUNK = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)


def _fallocate(descriptor: int, mode: int, offset: int, size: int) -> int:
    """0, or the error."""
    while _libc.fallocate(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(size)):
        if ctypes.get_errno() != errno.EINTR:
            return ctypes.get_errno()
    return 0


def zero(descriptor: int, offset: int, size: int, may_unmap: bool) -> None:
    """Those bytes, which the file has, read as zeros; with `may_unmap` they take no room any more.  OSError if the host fails."""
    if not size:
        return
    error = _fallocate(descriptor, KEEP_SIZE | (PUNCH_HOLE if may_unmap else ZERO_RANGE), offset, size)
    if error in CANNOT:
        for at in range(offset, offset + size, CHUNK):
            data = memoryview(bytes(min(CHUNK, offset + size - at)))
            while data:
                done = os.pwrite(descriptor, data, at)
                data, at = data[done:], at + done
    elif error:
        raise OSError(error, os.strerror(error))
