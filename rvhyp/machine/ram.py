"""Guest-physical memory: regions of RAM, and the address space they form.

Addresses are guest-physical (`pa`), sizes are bytes, words are little-endian.
"""
from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from rvhyp.machine.errors import BadInput

PAGE = 4096
MAX_SIZE = 1 << 40
ADDRESS_LIMIT = 1 << 56                 # Sv39 to Sv57: physical addresses have 56 bits (Privileged ISA, "Sv39")
MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
PROT_NONE, MAP_FIXED = 0, 0x10
STRING_LIMIT = 4096

Written = Callable[[int, int], None]


class OutsideMemory(LookupError):
    """An access to `size` bytes at `pa`, not all of which are RAM."""

    def __init__(self, pa: int, size: int):
        super().__init__(pa, size)
        self.pa, self.size = pa, size

    def __str__(self) -> str:
        return f"{self.size} bytes at guest-physical {self.pa:#x} are not all in RAM"


def size_text(size: int) -> str:
    """A size as `--memory` takes it: 256M, 4K, or plain bytes."""
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def range_text(base: int, size: int) -> str:
    return f"{base:#x} to {base + size - 1:#x}"


class Ram:
    """One region: anonymous host memory between two inaccessible pages, committed only where it is touched.

    `address` is the host address of the byte at `base`; it is valid until `close`.  `view` is the region as a writable
    memoryview.  `written(pa, size)`, if set, is called after every write through this class, so that whoever holds
    decoded code of those bytes can drop it; writes through `view` or `address` are the writer's own business.
    """

    def __init__(self, base: int, size: int):
        """Raises BadInput if `base` or `size` is no multiple of the page or absurd, or the host has no memory."""
        if size <= 0 or base < 0:
            raise BadInput(f"RAM of {size} bytes at {base:#x}", do="give a size greater than zero")
        if base % PAGE or size % PAGE:
            raise BadInput(f"RAM of {size} bytes at {base:#x} is not made of whole pages",
                           do=f"give a multiple of {PAGE} bytes")
        if size > MAX_SIZE or base + size > ADDRESS_LIMIT:
            raise BadInput(f"RAM of {size_text(size)} at {base:#x} is too large",
                           do=f"give at most {size_text(MAX_SIZE)}, ending below {ADDRESS_LIMIT:#x}")
        self.base, self.size = base, size
        self.is_shared = False
        self.written: Written | None = None
        try:
            self._map = mmap.mmap(-1, size + 2 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE,
                                  mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError as error:
            raise BadInput(f"the host has no {size_text(size)} for RAM ({error.strerror})",
                           do="give a smaller --memory") from error
        low_guard = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.address = low_guard + PAGE
        _forbid(low_guard)
        _forbid(self.address + size)
        self.view = memoryview(self._map)[PAGE:PAGE + size]

    def share(self) -> None:
        """From now on processes forked from this one have this memory in common with it; what is in it stays."""
        contents, libc = self.read(self.base, self.size), ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        mapped = libc.mmap(ctypes.c_void_p(self.address), ctypes.c_size_t(self.size), mmap.PROT_READ | mmap.PROT_WRITE, flags, -1,
                           ctypes.c_long(0))
        if mapped != self.address:
            raise OSError(ctypes.get_errno(), "mmap of shared memory")
        self.is_shared = True
        self.view[:] = contents

    @property
    def end(self) -> int:
        """The address after the last byte."""
        return self.base + self.size

    def _offset(self, pa: int, size: int) -> int:
        offset = pa - self.base
        if offset < 0 or size < 0 or offset + size > self.size:
            raise OutsideMemory(pa, size)
        return offset

    def read(self, pa: int, size: int) -> bytes:
        offset = self._offset(pa, size)
        return bytes(self.view[offset:offset + size])

    def write(self, pa: int, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes in; a memoryview must be of bytes."""
        size = len(data)
        offset = self._offset(pa, size)
        self.view[offset:offset + size] = data
        if self.written:
            self.written(pa, size)

    def zero(self, pa: int, size: int) -> None:
        """Fill with zeros.  Whole pages go back to the host, so that clearing a terabyte touches none of it."""
        start = self._offset(pa, size)
        end = start + size
        first, last = -(-start // PAGE) * PAGE, end // PAGE * PAGE
        if first < last and not self.is_shared:
            self._map.madvise(mmap.MADV_DONTNEED, PAGE + first, last - first)
            self.view[start:first] = bytes(first - start)
            self.view[last:end] = bytes(end - last)
        else:
            self.view[start:end] = bytes(size)
        if self.written:
            self.written(pa, size)

    def word(self, pa: int) -> int:
        """The 64-bit word at `pa`, at any alignment."""
        return int.from_bytes(self.read(pa, 8), "little")

    def set_word(self, pa: int, value: int) -> None:
        self.write(pa, value.to_bytes(8, "little"))

    def close(self) -> None:
        """Give the memory back.  If views of it are still held elsewhere, it stays until the last of them is gone."""
        self.view.release()
        try:
            self._map.close()
        except BufferError:
            pass


def _forbid(address: int) -> None:
    """Make one host page inaccessible."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), PROT_NONE):
        raise OSError(ctypes.get_errno(), "mprotect of a guard page")


class Memory:
    """Regions of RAM in one physical address space.  Accesses may run across regions that touch."""

    def __init__(self, regions: Iterable[Ram] = ()):
        self.regions: list[Ram] = []
        self._bases: list[int] = []
        for ram in regions:
            self.add(ram)

    def add(self, ram: Ram) -> None:
        """Raises BadInput if the region overlaps one already there."""
        for other in self.regions:
            if ram.base < other.end and other.base < ram.end:
                raise BadInput(f"RAM at {range_text(ram.base, ram.size)} overlaps RAM at "
                               f"{range_text(other.base, other.size)}", do="give each region addresses of its own")
        self.regions.append(ram)
        self.regions.sort(key=lambda region: region.base)
        self._bases = [region.base for region in self.regions]

    def on_written(self, hook: Written | None) -> None:
        """Set the `written` hook of every region."""
        for ram in self.regions:
            ram.written = hook

    def find(self, pa: int, size: int = 1) -> Ram | None:
        """The region that holds all `size` bytes at `pa`, or None."""
        at = bisect_right(self._bases, pa) - 1
        if at >= 0 and size >= 0 and pa + size <= self.regions[at].end:
            return self.regions[at]
        return None

    def _pieces(self, pa: int, size: int) -> Iterator[tuple[Ram, int, int]]:
        """The accesses to single regions, (region, pa, size), that make up one access.  OutsideMemory at a hole."""
        if size < 0:
            raise OutsideMemory(pa, size)
        at, left = pa, size
        while left:
            ram = self.find(at)
            if ram is None:
                raise OutsideMemory(pa, size)
            length = min(left, ram.end - at)
            yield ram, at, length
            at, left = at + length, left - length

    def contains(self, pa: int, size: int) -> bool:
        """Whether all `size` bytes at `pa` are RAM."""
        try:
            for _ in self._pieces(pa, size):
                pass
        except OutsideMemory:
            return False
        return True

    def read(self, pa: int, size: int) -> bytes:
        """OutsideMemory, before anything is copied, unless all of it is RAM."""
        ram = self.find(pa, size)
        if ram:
            return ram.read(pa, size)
        return b"".join([ram.read(at, length) for ram, at, length in list(self._pieces(pa, size))])

    def write(self, pa: int, data: bytes | bytearray | memoryview) -> None:
        """OutsideMemory, before anything is written, unless all of it is RAM."""
        ram = self.find(pa, len(data))
        if ram:
            ram.write(pa, data)
            return
        data = memoryview(data)
        for ram, at, length in list(self._pieces(pa, len(data))):
            ram.write(at, data[at - pa:at - pa + length])

    def zero(self, pa: int, size: int) -> None:
        """As `Ram.zero`.  OutsideMemory, before anything is written, unless all of it is RAM."""
        for ram, at, length in list(self._pieces(pa, size)):
            ram.zero(at, length)

    def word(self, pa: int) -> int:
        """The 64-bit word at `pa`, at any alignment."""
        return int.from_bytes(self.read(pa, 8), "little")

    def set_word(self, pa: int, value: int) -> None:
        self.write(pa, value.to_bytes(8, "little"))

    def read_string(self, pa: int, limit: int = STRING_LIMIT) -> bytes:
        """The bytes at `pa` up to a NUL, at most `limit`.  OutsideMemory if RAM ends before either."""
        text = bytearray()
        while len(text) < limit:
            at = pa + len(text)
            ram = self.find(at)
            if ram is None:
                raise OutsideMemory(pa, len(text) + 1)
            chunk = ram.read(at, min(limit - len(text), ram.end - at))
            text += chunk.split(b"\0", 1)[0]
            if 0 in chunk:
                break
        return bytes(text)

    def close(self) -> None:
        for ram in self.regions:
            ram.close()
