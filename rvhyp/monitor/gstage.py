"""G-stage page tables: Sv39x4, built and owned by the monitor (hypervisor chapter, "Two-Stage Address Translation").

A guest's RAM is mapped with the largest pages that fit; everything else is unmapped, so that an access of a device comes to
the monitor as a guest-page fault.
"""
from __future__ import annotations

from collections.abc import Iterator

from rvhyp.hart.paging import PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from rvhyp.machine.ram import Memory, Ram

PAGE = 4096
ROOT_SIZE = 4 * PAGE
LEVELS = 3
MODE_SV39X4 = 8
GPA_BITS = 41
LEAF = PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D


class PageTables:
    """Allocates pages for tables from a region of RAM that no guest can see."""

    def __init__(self, ram: Ram):
        self._ram, self._next = ram, ram.base
        self._free: list[int] = []

    def allocate(self, size: int = PAGE) -> int:
        """System physical address of `size` zeroed bytes, aligned to their size."""
        if size == PAGE and self._free:
            return self._free.pop()
        at = -(-self._next // size) * size
        if at + size > self._ram.end:
            raise MemoryError("no room for G-stage page tables")
        self._next = at + size
        return at

    def free(self, pages: list[int]) -> None:
        """Take pages back."""
        for pa in pages:
            self._ram.zero(pa, PAGE)
        self._free += pages


class GStage:
    """One guest's second stage: guest physical to system physical."""

    def __init__(self, tables: PageTables, memory: Memory, vmid: int):
        self._tables, self._memory = tables, memory
        self.root = tables.allocate(ROOT_SIZE)
        self._pages: list[int] = []
        self.hgatp = MODE_SV39X4 << 60 | vmid << 44 | self.root >> 12

    def map(self, gpa: int, spa: int, size: int) -> None:
        """Map `size` bytes, all multiples of a page.  `ValueError` if they are outside the 41-bit space or mapped already."""
        if gpa % PAGE or spa % PAGE or size % PAGE or gpa + size > 1 << GPA_BITS:
            raise ValueError(f"cannot map {size:#x} bytes at guest physical {gpa:#x}")
        end = gpa + size
        while gpa < end:
            level = next(n for n in (2, 1, 0) if not (gpa | spa) % page_size(n) and gpa + page_size(n) <= end)
            self._set_leaf(gpa, spa, level)
            gpa, spa = gpa + page_size(level), spa + page_size(level)

    def _set_leaf(self, gpa: int, spa: int, level: int) -> None:
        table = self.root
        for n in range(LEVELS - 1, level, -1):
            at = entry_address(table, gpa, n)
            pte = self._memory.word(at)
            if not pte & PTE_V:
                page = self._tables.allocate()
                self._pages.append(page)
                pte = page >> 12 << 10 | PTE_V
                self._memory.set_word(at, pte)
            elif pte & (PTE_R | PTE_W | PTE_X):
                raise ValueError(f"guest physical {gpa:#x} is mapped already")
            table = pte >> 10 << 12
        at = entry_address(table, gpa, level)
        if self._memory.word(at) & PTE_V:
            raise ValueError(f"guest physical {gpa:#x} is mapped already")
        self._memory.set_word(at, spa >> 12 << 10 | LEAF)

    def walk(self, gpa: int) -> Iterator[tuple[int, int, int]]:
        """(level, address of the PTE, PTE) from the root to a leaf or an invalid entry."""
        yield from walk(self._memory, self.root, gpa, LEVELS, root_bits=11)

    def release(self) -> None:
        """Give the tables back."""
        self._tables.free([*self._pages, *range(self.root, self.root + ROOT_SIZE, PAGE)])


def page_size(level: int) -> int:
    """Bytes that a leaf at a level maps."""
    return PAGE << 9 * level


def entry_address(table: int, address: int, level: int, bits: int = 11) -> int:
    """Where the PTE of an address is in the table of a level; only a root has more than 512 entries."""
    return table + (address >> 12 + 9 * level & (1 << (bits if level == LEVELS - 1 else 9)) - 1) * 8


def walk(memory: Memory, root: int, address: int, levels: int, root_bits: int) -> Iterator[tuple[int, int, int]]:
    """(level, address of the PTE, PTE) of a page-table walk, as far as it gets; for reports."""
    table = root
    for level in range(levels - 1, -1, -1):
        bits = root_bits if level == levels - 1 else 9
        at = table + (address >> 12 + 9 * level & (1 << bits) - 1) * 8
        if not memory.contains(at, 8):
            return
        pte = memory.word(at)
        yield level, at, pte
        if not pte & PTE_V or pte & (PTE_R | PTE_W | PTE_X):
            return
        table = (pte >> 10 & (1 << 44) - 1) << 12
