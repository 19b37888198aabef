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
        self._map = mmap.mmap(-1, size)
        self.low = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.high, self._size, self._used = self.low + size, size, 0

    def add(self, codes: list[bytes]) -> list[int] | None:
        """Host addresses of pieces of code, executable from now on; None if there is no room for them."""
        block, places = bytearray(), []
        for code in codes:
            block += bytes(-len(block) % 64)
            places.append(self.low + self._used + len(block))
            block += code
        length = -(-len(block) // mmap.PAGESIZE) * mmap.PAGESIZE
        if self._used + length > self._size:
            return None
        at = self._used
        self._map[at:at + len(block)] = bytes(block)
        if _libc.mprotect(self.low + at, length, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError(ctypes.get_errno(), "cannot make translated code executable")
        self._used += length
        return places
