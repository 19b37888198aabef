"""Where translated code lies: pages that are written first and made executable then, never both."""
from __future__ import annotations

import ctypes
import mmap

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
ARENA_BYTES = 64 << 20


class Arena:
    """Memory for code, filled from its start; `low` and `high` are host addresses of all of it."""

    def __init__(self, size: int = ARENA_BYTES):
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.low = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.high, self._size, self._used = self.low + size, size, 0

    def add(self, code: bytes) -> int | None:
        """Host address of a piece of code, executable from now on; None if there is no room for it."""
        length = -(-len(code) // mmap.PAGESIZE) * mmap.PAGESIZE
        if self._used + length > self._size:
            return None
        at = self._used
        self._map[at:at + len(code)] = code
        self._protect(at, length, mmap.PROT_READ | mmap.PROT_EXEC)
        self._used += length
        return self.low + at

    def clear(self) -> None:
        """Forget all code: nothing may lead to it, or run it."""
        self._protect(0, self._size, mmap.PROT_READ | mmap.PROT_WRITE)
        self._used = 0

    def _protect(self, at: int, length: int, protection: int) -> None:
        if _libc.mprotect(self.low + at, length, protection):
            raise OSError(ctypes.get_errno(), "cannot change what translated code's memory may be used for")
