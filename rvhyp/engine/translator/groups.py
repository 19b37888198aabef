"""Groups of accesses: all of a block off one value of a register, which one look at the TLB serves.

In loops most looks find what they found one round before.  Where an access is expected to stay near (`strides`), what was found last
is kept: then a subtraction and a comparison tell whether the next one lies in the same page, and nothing waits for the TLB.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from rvhyp.engine.trace import LIKELY, Symbol
from rvhyp.engine.translator.blocks import Block, Insn
from rvhyp.engine.translator.strides import ACCESSES
from rvhyp.hart.state import OFFSET, TLB_ENTRIES
from rvhyp.isa.instruction import Kind

if TYPE_CHECKING:
    from rvhyp.engine.translator.text import RegionText

SPAN = 1024                     # bytes that one look at the TLB may cover
PAGE = 4096
KEPT = "[3 x i64]"              # the page's virtual address; bytes from there at which a group may begin, 0 at first; the addend


class Group:
    """One look at the TLB for [low, high) off a register.  It is that for stores if any access is one: what may be written may be
    read."""

    def __init__(self, insns: list[Insn]):
        self.base = insns[0].registers["rs1"]
        self.size = len(insns)
        self.is_write = any(insn.kind is not Kind.LOAD for insn in insns)
        self.has_amo = any(insn.kind is Kind.AMO for insn in insns)
        self.low, self.high = min(i.immediate for i in insns), max(i.immediate + i.record.size for i in insns)
        self.kept: str | None = None                # where what was found last is kept
        self.hit: Symbol | None = None              # what a look at the TLB found
        self.into: Symbol | None = None             # what one at what was kept found: bytes into that page
        self.addend: Symbol | None = None

    @property
    def room(self) -> int:
        """How many bytes into a page it may begin."""
        return PAGE + 1 - (self.high - self.low)

    def first(self, t: RegionText) -> Symbol:
        return t.value_of(self.base) + self.low if self.low else t.value_of(self.base)

    def look(self, t: RegionText) -> None:
        """Whether all of it lies in one page that the TLB has: the entry is that of the first byte's page, its tag must be that of
        the last byte's."""
        first, last = self.first(t), t.value_of(self.base) + (self.high - 1)
        entry = t.at(t.at("%hart", OFFSET["write_tlb" if self.is_write else "read_tlb"]), (first >> 8) & (TLB_ENTRIES - 1 << 4))
        tag = Symbol(t, t.load("i64", entry, "hart"))
        self.hit = tag == (last & ~0xFFF) + t.get("data_context")
        self.addend = Symbol(t, t.load("i64", t.at(entry, 8), "hart"))

    def look_at_kept(self, t: RegionText, miss: str) -> None:
        """The same, by what was found last, or else in the TLB; goes on at `miss` where neither has it."""
        near, far, fresh, on = (t.new_label(stem) for stem in ("near", "far", "fresh", "on"))
        first, (page, limit, addend) = self.first(t), (t.at(self.kept, 8 * n) for n in range(3))
        into = first - Symbol(t, t.load("i64", page, "hart"))
        t.branch(into < Symbol(t, t.load("i64", limit, "hart")), near, far, LIKELY)
        t.label(near)
        kept_addend = t.load("i64", addend, "hart")
        t.line(f"br label %{on}")
        t.label(far)
        self.look(t)
        t.branch(self.hit, fresh, miss)
        t.label(fresh)
        fresh_page = first & ~0xFFF
        fresh_into = first - fresh_page
        t.store("i64", fresh_page.name, page, "hart")
        t.store("i64", str(self.room), limit, "hart")
        t.store("i64", self.addend.name, addend, "hart")
        t.line(f"br label %{on}")
        t.label(on)
        self.into = t.word(f"phi i64 [{into.name}, %{near}], [{fresh_into.name}, %{fresh}]")
        self.addend = t.word(f"phi i64 [{kept_addend}, %{near}], [{self.addend.name}, %{fresh}]")

    def join(self, t: RegionText, found: str, missed: str) -> None:
        """Behind the first access: what of a look at what was kept the others go by."""
        self.into = t.word(f"phi i64 [{self.into.name}, %{found}], [-1, %{missed}]")
        self.addend = t.word(f"phi i64 [{self.addend.name}, %{found}], [0, %{missed}]")

    def is_hit(self, t: RegionText) -> Symbol:
        """Whether an access behind the look goes by it."""
        return self.into < self.room if self.kept else self.hit


def groups(block: Block) -> dict[int, Group]:
    """The groups of a block's accesses, by slot."""
    members: dict[tuple[int, int], list[Insn]] = {}
    version: dict[int, int] = {}
    for insn in block.insns:
        if insn.kind in ACCESSES:
            base = insn.registers["rs1"]
            members.setdefault((base, version.get(base, 0)), []).append(insn)
        if insn.result is not None:
            version[insn.result] = version.get(insn.result, 0) + 1
    found = {}
    for insns in members.values():
        while insns:
            low = insns[0].immediate
            together = [i for i in insns if abs(i.immediate - low) < SPAN // 2]
            insns = [i for i in insns if i not in together]
            group = Group(together)
            found.update((i.slot, group) for i in together)
    return found
