"""Page tables in memory, and random ones: valid, odd and broken."""
from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from rvhyp.machine.ram import Memory
from tests.engine.support import BASE

PAGE = 4096
V, R, W, X, U, G, A, D = (1 << n for n in range(8))
FULL = V | R | W | X | U | A | D
N, PBMT = 1 << 63, 3 << 61
MODES = (8, 9, 10)                              # Sv39, Sv48, Sv57, and their x4 forms
LEVELS = {8: 3, 9: 4, 10: 5}
BARE = 0

TABLES = BASE + 0x10000                         # page tables grow from here
GPA_OFFSET = 0x4000_0000                        # guest physical addresses lie that far below where they are mapped to
FRAMES = BASE + 0x8000                          # pages of data, by system physical address


class PageTable:
    """A tree of tables.  `allocate()` gives system physical pages; a pointer to a table holds its address minus `offset`."""

    def __init__(self, memory: Memory, mode: int, allocate, is_wide: bool = False, offset: int = 0):
        self.memory, self.mode, self.allocate, self.is_wide, self.offset = memory, mode, allocate, is_wide, offset
        self.tables: list[int] = []
        self.root = self._table(4 if is_wide else 1)

    def _table(self, pages: int = 1) -> int:
        at = self.allocate(pages)
        self.tables += [at + PAGE * n for n in range(pages)]
        return at

    def entry(self, va: int, level: int = 0) -> int:
        """System physical address of the PTE of va at a level; the tables above are made."""
        table = self.root
        for at in range(LEVELS[self.mode] - 1, -1, -1):
            bits = 11 if self.is_wide and at == LEVELS[self.mode] - 1 else 9
            pte = table + 8 * (va >> 12 + 9 * at & (1 << bits) - 1)
            if at == level:
                return pte
            table = ((self.memory.word(pte) >> 10 & (1 << 44) - 1) << 12) + self.offset
            if table not in self.tables:                # nothing yet, or a leaf: some look like pointers
                table = self._table()
                self.memory.set_word(pte, table - self.offset >> 12 << 10 | V)
        raise AssertionError(level)

    def map(self, va: int, pa: int, bits: int = FULL, level: int = 0) -> int:
        """Write a leaf; gives where."""
        at = self.entry(va, level)
        self.memory.set_word(at, (pa >> 12 << 10 | bits) % (1 << 64))
        return at

    @property
    def atp(self) -> int:
        """MODE and PPN of satp, vsatp or hgatp."""
        return self.mode << 60 | self.root - self.offset >> 12


class Allocator:
    """Pages, one after the other."""

    def __init__(self, start: int = TABLES):
        self.next = start

    def __call__(self, pages: int = 1) -> int:
        size = pages * PAGE
        at = (self.next + size - 1) & -size
        self.next = at + size
        return at


# Random leaves.

def mostly(usual, *rare):
    """One of the usual values nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(usual) if n else st.one_of(*rare))


flags = mostly((FULL, FULL, FULL & ~U), st.integers(0, 255).map(lambda bits: bits | V), st.integers(0, 255))
high_bits = st.integers(0, 15).flatmap(
    lambda n: st.just(0) if n else st.sampled_from((1 << 61, 2 << 61, 3 << 61, N, 1 << 54, 1 << 60)))
frames = st.integers(0, 5).map(lambda n: FRAMES + n * PAGE)


@dataclass
class Leaf:
    """One mapping: what is written where in the tree."""

    bits: int
    frame: int
    level: int = 0


@dataclass
class Space:
    """A first stage for eight pages from `va`, a G-stage for what they lead to; a mode of 0 is Bare."""

    mode: int
    g_mode: int
    va: int
    leaves: list[Leaf] = field(default_factory=list)
    g_leaves: list[Leaf] = field(default_factory=list)
    table_bits: int = FULL                      # G-stage permissions of the pages that hold first-stage tables
    g_pages: int = 6

    def install(self, bench, is_guest: bool, allocate: Allocator) -> dict[str, int]:
        """Write the tables; gives the values of satp, or of vsatp and hgatp."""
        offset = GPA_OFFSET if is_guest and self.g_mode else 0
        g_stage = PageTable(bench.memory, self.g_mode, allocate, is_wide=True) if is_guest and self.g_mode else None
        atp = 0
        used: list[int] = []
        if self.mode:
            first = PageTable(bench.memory, self.mode, allocate, offset=offset)
            for number, leaf in enumerate(self.leaves):
                pa = leaf.frame - offset
                first.map(self.va + number * PAGE, pa, leaf.bits, leaf.level)
            atp, used = first.atp, first.tables
        if not is_guest:
            return {"satp": atp}
        if g_stage is None:
            return {"vsatp": atp, "hgatp": 0}
        for table in used:
            g_stage.map(table - offset, table, self.table_bits)
        for number, leaf in enumerate(self.g_leaves):
            gpa = FRAMES + number * PAGE - offset if self.mode else self.va + number * PAGE
            g_stage.map(gpa, leaf.frame, leaf.bits, leaf.level)
        return {"vsatp": atp, "hgatp": g_stage.atp}


def canonical(va: int, mode: int) -> int:
    """A virtual address of a mode: the bits above its width copy the highest."""
    width = 12 + 9 * LEVELS[mode]
    return va % (1 << width) - (va >> width - 1 & 1) * (1 << width) & (1 << 64) - 1


# Eight pages lie across a border of the last, the middle, or the top level of tables.
_places = st.sampled_from((0x1F_E000, 0x3FFF_E000, 0x7F_FFFF_E000, 0x10_0000, 0x80_0000_0000_0000 - 0x2000,
                           0x40_0000_0000 - 0x3000))


@st.composite
def spaces(draw, g_modes=(0, *MODES), first_modes=(0, *MODES)):
    mode, g_mode = draw(st.sampled_from(first_modes)), draw(st.sampled_from(g_modes))
    place = draw(_places)
    if mode:
        va = canonical(place, mode)
    else:                                       # Bare: the address is physical, or a guest physical one
        va = FRAMES - draw(st.sampled_from((0, PAGE))) if not g_mode else place % (1 << {8: 41, 9: 50, 10: 59}[g_mode])

    def leaf():
        level = draw(st.sampled_from((0, 0, 0, 0, 0, 0, 0, 0, 1, 2)))
        frame = draw(frames)
        if level and draw(st.integers(0, 3)):
            frame &= -(PAGE << 9 * level)       # an aligned superpage
        bits = draw(flags) | draw(high_bits)
        if bits & N and draw(st.booleans()):
            frame = frame & -(1 << 16) | 0x8000         # a proper NAPOT page
        return Leaf(bits, frame, level)
    # Superpages come first: a smaller page mapped later takes their place in the tree.
    leaves = sorted((leaf() for _ in range(4)), key=lambda leaf: -leaf.level) if mode else []
    g_leaves = sorted((leaf() for _ in range(6)), key=lambda leaf: -leaf.level) if g_mode else []
    table_bits = draw(mostly((FULL,), st.sampled_from((FULL & ~D, FULL & ~W & ~D, FULL & ~A, FULL & ~R, FULL & ~U, 0))))
    return Space(mode, g_mode, va, leaves, g_leaves, table_bits)


@st.composite
def addresses(draw, space: Space):
    """An address in or near the pages of a space: often just before the end of a page."""
    page = draw(mostly((0, 1, 2, 3), st.just(4)))
    offset = draw(st.sampled_from((0, 8, 16, 0x7F8, 4088, 4090, 4092, 4093, 4094, 4095)))
    wrong = draw(st.sampled_from((0,) * 20 + (1 << 39, 1 << 63, 1 << 41)))
    return space.va + page * PAGE + offset + wrong & (1 << 64) - 1
