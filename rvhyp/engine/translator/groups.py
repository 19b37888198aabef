"""Groups of accesses: all of a block off one value of a register, which one look at the TLB serves.

In loops most looks find what they found one round before.  Where an access is expected to stay near (`strides`), what was found
last is kept in the hart record: then a subtraction and a comparison tell whether the next one lies there, and nothing waits for
the TLB.  A region that is entered in another context than `kept_context` empties that; what drops an entry of a TLB sees to it
that none is the same; and within a region no translation changes.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from rvhyp.engine.handlers import PLACE_BITS, SIZE_BITS
from rvhyp.engine.trace import LIKELY, Symbol
from rvhyp.engine.translator.blocks import Block, Insn
from rvhyp.engine.translator.strides import ACCESSES
from rvhyp.hart.state import KEPT_SPANS, KEPT_WAYS, OFFSET, TLB_ENTRIES
from rvhyp.isa.instruction import Kind

if TYPE_CHECKING:
    from rvhyp.engine.translator.text import RegionText

SPAN = 1024                     # bytes that one look at the TLB may cover
PAGE = 4096


class Group:
    """One look at the TLB for [low, high) off a register.  It is that for stores if any access is one: what may be written may be
    read."""

    waits = True                # its addend depends on the address

    def __init__(self, insns: list[Insn]):
        self.base = insns[0].registers["rs1"]
        self.size = len(insns)
        self.is_write = any(insn.kind is not Kind.LOAD for insn in insns)
        self.low, self.high = min(i.immediate for i in insns), max(i.immediate + i.record.size for i in insns)
        self.is_looked = False
        self._hit: Symbol | None = None
        self.addend: Symbol | None = None           # what makes a virtual address there one of the host

    def look(self, t: RegionText, miss: str) -> None:
        """Whether all of it lies in one page that the TLB has: the entry is that of the first byte's page, its tag must be that
        of the last byte's.  Control may go to the label `miss` at once."""
        first, last = self._first(t), t.value_of(self.base) + (self.high - 1)
        entry = t.at(t.at("%hart", OFFSET["write_tlb" if self.is_write else "read_tlb"]), (first >> 8) & (TLB_ENTRIES - 1 << 4))
        tag = Symbol(t, t.load("i64", entry, "hart"))
        self._hit = tag == (last & ~0xFFF) + t.get("data_context")
        self.addend = Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
        self.is_looked = True

    def _first(self, t: RegionText) -> Symbol:
        return t.value_of(self.base) + self.low if self.low else t.value_of(self.base)

    def is_hit(self, t: RegionText) -> Symbol:
        """Whether an access lies where the look was good for."""
        return self._hit

    def miss(self, t: RegionText, va: Symbol, size: int, is_write: bool) -> Symbol:
        """The host's address of one access elsewhere; 0 if the interpreter must make it."""
        fill = t.load("ptr", t.at("%hart", OFFSET["fill_write" if is_write else "fill_read"]), "hart")
        return t.word(f"call preserve_allcc i64 {fill}(ptr %hart, i64 {va.name}, i64 {size})")

    def join(self, t: RegionText, found: str, missed: str) -> None:
        """Behind the first access, whose ways come from two labels."""


class KeptGroup(Group):
    """One that first looks at what is kept at a place: see `keep_text`."""

    waits = False

    def __init__(self, insns: list[Insn], place: int):
        super().__init__(insns)
        self._place = place
        span = KEPT_SPANS[place // KEPT_WAYS] or 1
        self._limit = PAGE + 1 - span                               # how many bytes into a page those with that place may begin
        self._more = self.high - self.low - span                    # by how many this one is longer
        self._is_joined = False
        self._elsewhere: tuple[Symbol, Symbol] | None = None

    def look(self, t: RegionText, miss: str) -> None:
        into, self.addend = self._first(t) - self._kept(t, "page"), self._kept(t, "addend")
        self._hit = into < self._kept(t, "limit")
        if self._more:
            on = t.new_label("on")
            t.branch(self._hit, on, miss, LIKELY)
            t.label(on)
            self._hit = into + self._more < self._kept(t, "limit")
        self.is_looked = True

    def _kept(self, t: RegionText, what: str) -> Symbol:
        return Symbol(t, t.load("i64", t.at("%hart", OFFSET[f"kept_{what}"] + 8 * self._place), "hart"))

    def miss(self, t: RegionText, va: Symbol, size: int, is_write: bool) -> Symbol:
        if self._is_joined:
            return super().miss(t, va, size, is_write)
        keep = "keep_write" if is_write else "keep_either" if self.is_write else "keep_read"
        keep = t.load("ptr", t.at("%hart", OFFSET[keep]), "hart")
        what = self._place | size << PLACE_BITS | self._limit << PLACE_BITS + SIZE_BITS
        host = t.word(f"call preserve_allcc i64 {keep}(ptr %hart, i64 {va.name}, i64 {what})")
        into, limit = self._first(t) - self._kept(t, "page"), self._kept(t, "limit")
        hit = into < limit
        if self._more:
            hit &= into + self._more < limit
        self._elsewhere = hit, self._kept(t, "addend")
        return host

    def join(self, t: RegionText, found: str, missed: str) -> None:
        hit, addend = self._elsewhere
        self._hit = t.bit(f"phi i1 [true, %{found}], [{hit.name}, %{missed}]")
        self.addend = t.word(f"phi i64 [{self.addend.name}, %{found}], [{addend.name}, %{missed}]")
        self._is_joined = True


class Places:
    """Where the groups of a region keep their pages.  Those that begin at the same made-up number share a place."""

    def __init__(self):
        self._taken: dict[int, tuple[int, bool]] = {}

    def find(self, insns: list[Insn], number: int) -> int | None:
        """A place for a group; None if there is none.  Regions that use a register for the same thing find the same."""
        group = Group(insns)
        span = group.high - group.low
        size = KEPT_SPANS.index(span if span in KEPT_SPANS else 0)
        for way in range(KEPT_WAYS):
            place = size * KEPT_WAYS + (group.base + way + (KEPT_WAYS // 2 if group.is_write else 0)) % KEPT_WAYS
            if self._taken.setdefault(place, (number, group.is_write)) == (number, group.is_write):
                return place
        return None


def groups(block: Block) -> list[list[Insn]]:
    """The accesses of a block that belong together."""
    members: dict[tuple[int, int], list[Insn]] = {}
    version: dict[int, int] = {}
    for insn in block.insns:
        if insn.kind in ACCESSES:
            base = insn.registers["rs1"]
            members.setdefault((base, version.get(base, 0)), []).append(insn)
        if insn.result is not None:
            version[insn.result] = version.get(insn.result, 0) + 1
    found = []
    for insns in members.values():
        while insns:
            low = insns[0].immediate
            together = [i for i in insns if abs(i.immediate - low) < SPAN // 2]
            insns = [i for i in insns if i not in together]
            found.append(together)
    return found
