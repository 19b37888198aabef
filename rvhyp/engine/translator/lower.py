"""From a region to LLVM IR in SSA form: registers are values, joined where blocks meet, stored where the region is left."""
from __future__ import annotations

from rvhyp.engine.fpu import DYNAMIC as HOST_DYNAMIC
from rvhyp.engine.fpu import RTZ
from rvhyp.engine.handlertext import METADATA, continue_at
from rvhyp.engine.lines import DEPTH
from rvhyp.engine.memoryshells import ReservationShell
from rvhyp.engine.shell import Shell, address, apply, gate_mask
from rvhyp.engine.shells import FpShell, shell
from rvhyp.engine.tables import TRUNCATING, Part
from rvhyp.engine.trace import DECLARATIONS, LIKELY, UNLIKELY, Symbol
from rvhyp.engine.translator.blocks import Block, Insn, Region
from rvhyp.engine.translator.flow import Flow
from rvhyp.engine.translator.groups import Group, KeptGroup, Places, groups
from rvhyp.engine.translator.strides import strides
from rvhyp.engine.translator.text import FloatSymbol, RegionFpu, RegionText, is_float
from rvhyp.hart.memory import SLOTS
from rvhyp.hart.state import OFFSET
from rvhyp.isa.instruction import Kind


def translated(region: Region, traps_misaligned: bool = False, counted: bool = False) -> str:
    """The module of a region: one function like a handler, @region, and nothing else."""
    return Lowering(region, traps_misaligned, counted).write()


class Lowering:
    """Writes one region."""

    def __init__(self, region: Region, traps_misaligned: bool, counted: bool = False):
        self.region, self.flow = region, Flow(region)
        self.t = RegionText(traps_misaligned, {slot: region.blocks[slot].insns[0].number for slot in region.entries}, counted)
        self._values: dict[int, dict[int, Symbol]] = {}             # at a block's end
        self._lefts: dict[int, tuple[Symbol, int]] = {}             # `left_at_start` and `passed` there
        self._edges: dict[tuple[int, int], list[tuple[str, Symbol]]] = {}   # label that control comes from, what it has to spare
        self._entered: dict[int, tuple[str, dict[int, Symbol], Symbol]] = {}        # label, values, what to spare, by entry
        self._joins: list[tuple[int, int, list[int]]] = []          # place in the text, block, registers
        self._groups = self._find_groups()

    def _find_groups(self) -> dict[int, dict[int, Group]]:
        """The groups of each block, by slots of accesses."""
        near, places, found = strides(self.region, self.flow), Places(), {}
        for start in self.flow.order:
            found[start] = {}
            for insns in groups(self.region.blocks[start]):
                number, place = near.get(insns[0].slot), None
                if number is not None and all(insn.kind is not Kind.AMO for insn in insns):
                    place = places.find(insns, number)
                group = Group(insns) if place is None else KeptGroup(insns, place)
                found[start].update((insn.slot, group) for insn in insns)
        return found

    def write(self) -> str:
        self._write_entries()
        for start in self.flow.order:
            self._write_block(start)
        self._write_joins()
        self.t.write_exits()
        function = self.t.definition().replace("define internal", "define")
        return "\n".join([*DECLARATIONS, *sorted(self.t.declarations), function, METADATA,
                          'attributes #0 = { nounwind strictfp "no-builtins" }'])

    # Where the region is entered.

    def _write_entries(self) -> None:
        t, entries = self.t, self.region.entries
        t.line(f"%page = load ptr, ptr {t.at('%hart', OFFSET['page'])}, !tbaa !1")
        number = t.word("ptrtoint ptr %page to i64")
        t.line(f"%base = add i64 {(number >> 3).name}, {t.get('bias').name}")
        if len(entries) > 1:
            away = t.word("ptrtoint ptr %uop to i64") - number
            ways = " ".join(f"i64 {slot << 4}, label %enter{slot}" for slot in entries[1:])
            t.line(f"switch i64 {away.name}, label %enter{entries[0]} [{ways}]")
        else:
            t.line(f"br label %enter{entries[0]}")
        for slot in entries:
            self._write_entry(slot)

    def _write_entry(self, slot: int) -> None:
        """Let the interpreter run it if the slice may end within, or floating point may not simply run."""
        t = self.t
        t.label(f"enter{slot}")
        depth = t.load("i16", t.at("%page", DEPTH + 2 * slot), "uop")
        left = Symbol(t, "%K") + t.word(f"zext i16 {depth} to i64")
        enough, go, other, closed = (t.new_label(stem) for stem in ("enough", "go", "other", "closed"))
        to_spare = left - self.flow.need[slot]
        t.branch(to_spare.lt_s(0), other, enough, UNLIKELY)
        t.label(enough)
        if mask := self._gates():
            t.branch((t.get("fp_gate") & mask) != 0, closed, go, UNLIKELY)
        else:
            t.line(f"br label %{go}")
        t.label(other)
        t.put("in_region", 1)
        t.line(f"br label %{closed}")
        t.label(closed)
        t.tail_to(t.function_at(t.entries[slot]), "%uop", "%K")
        t.label(go)
        if any(isinstance(group, KeptGroup) for found in self._groups.values() for group in found.values()):
            clear, clean = t.new_label("clear"), t.new_label("clean")
            t.branch(t.get("kept_context") == t.get("data_context"), clean, clear, LIKELY)
            t.label(clear)
            t.line(f"call preserve_allcc void {t.load('ptr', t.at('%hart', OFFSET['clear_kept']), 'hart')}(ptr %hart)")
            t.line(f"br label %{clean}")
            t.label(clean)
        t.count(left)
        values = {}
        for register in sorted(self.flow.live[slot]):
            pointer = t.at("%hart", 8 * register)
            if is_float(register):
                values[register] = FloatSymbol(t, t.load("double", pointer, "hart"))
            else:
                values[register] = Symbol(t, t.load("i64", pointer, "hart"))
        self._entered[slot] = t.block, values, to_spare
        t.line(f"br label %block{slot}")

    def _gates(self) -> int:
        mask = 0
        for block in self.region.blocks.values():
            for insn in block.insns:
                mask |= gate_mask(insn.record, insn.variant)
        return mask

    # Blocks.

    def _write_block(self, start: int) -> None:
        t, flow = self.t, self.flow
        t.label(f"block{start}")
        before = flow.predecessors[start]
        if start in self._entered and not before:
            _, t.values, t.left_at_start = self._entered[start]
            t.values, t.passed = dict(t.values), -flow.need[start]
        elif len(before) == 1 and start not in self._entered:
            t.values, (t.left_at_start, t.passed) = dict(self._values[before[0]]), self._lefts[before[0]]
        else:
            registers = sorted(flow.live[start])
            self._joins.append((len(t.lines), start, registers))
            t.lines.append("")
            t.values = {r: FloatSymbol(t, f"%j{start}.{r}") if is_float(r) else Symbol(t, f"%j{start}.{r}") for r in registers}
            t.left_at_start, t.passed = Symbol(t, f"%j{start}.left"), -flow.need[start]
        t.dirty = set(flow.changed[start])
        block = self.region.blocks[start]
        t.groups = self._groups[start]
        for insn in block.insns:
            t.insn = insn
            if insn.kind not in (Kind.BRANCH, Kind.JAL, Kind.JALR):
                self._write_insn(insn)
                t.passed += 1
        self._write_end(start, block)

    def _write_insn(self, insn: Insn) -> None:
        one = shell(Part(insn.record, insn.decoded.length, insn.variant))
        if isinstance(one, FpShell):
            unit = RegionFpu(self.t, self.t.call, RTZ if insn.variant == TRUNCATING else HOST_DYNAMIC)
            self.t.set_rd(apply(self.t, insn.record, fp=unit))
            self.t.declarations |= unit.declarations
        elif insn.kind in (Kind.LOAD, Kind.STORE):
            self._write_access(insn, one)
        elif isinstance(one, ReservationShell):
            va = address(self.t, insn.record)
            self.t.leave_if(self.t.call("is_plain_atomic", va, insn.record.size, one.access) == 0)
            self.t.set_rd(one.made(self.t))
        else:
            one.hot(self.t)

    def _write_access(self, insn: Insn, one: Shell) -> None:
        """Twice: where the look at the TLB finds the page, and elsewhere; so the host's own addressing does most."""
        t, on = self.t, self.t.new_label("on")
        before, dirty = dict(t.values), set(t.dirty)
        group = t.groups[insn.slot]
        is_first = not group.is_looked
        one.hot(t)
        found, value = t.block, t.values.get(insn.result)
        t.line(f"br label %{on}")
        t.values, t.dirty = before, dirty
        t.label(t.miss)
        one.hot(t)
        t.elsewhere = None
        missed, other = t.block, t.values.get(insn.result)
        t.line(f"br label %{on}")
        t.label(on)
        if insn.result is not None:
            if isinstance(value, FloatSymbol):
                value = FloatSymbol(t, t.value(f"phi double [{value.double}, %{found}], [{other.double}, %{missed}]"))
            else:
                value = t.word(f"phi i64 [{value.name}, %{found}], [{other.name}, %{missed}]")
            t.values[insn.result] = value
        if is_first and group.size > 1:
            group.join(t, found, missed)

    def _write_end(self, start: int, block: Block) -> None:
        t, insn = self.t, block.last
        if insn.kind is Kind.BRANCH:
            condition = apply(t, insn.record)
            t.passed += 1
            self._finish(start)
            taken, falls = t.new_label("taken"), t.new_label("falls")
            t.branch(condition, taken, falls)
            t.label(taken)
            self._go(start, insn.target)
            t.label(falls)
            self._go(start, insn.end)
        elif insn.kind is Kind.JAL:
            t.set_rd(t.pc() + insn.decoded.length)
            t.passed += 1
            self._finish(start)
            self._go(start, insn.target)
        elif insn.kind is Kind.JALR:
            target = apply(t, insn.record)
            t.set_rd(t.pc() + insn.decoded.length)
            t.passed += 1
            t.store_registers()
            t.count(-t.left())
            continue_at(t, target, t.left())
        else:
            self._finish(start)
            self._go(start, block.end)

    def _finish(self, start: int) -> None:
        self._values[start], self._lefts[start] = dict(self.t.values), (self.t.left_at_start, self.t.passed)

    def _go(self, start: int, slot: int) -> None:
        """Control goes on at a slot."""
        t = self.t
        if slot in self.region.blocks[start].successors:
            to_spare = t.left_at_start - (t.passed + self.flow.need[slot])
            if (start, slot) in self.flow.loops:
                on, out = t.new_label("on"), t.new_label("out")
                t.branch(to_spare.lt_s(0), out, on, UNLIKELY)
                t.label(out)
                t.put("in_region", 1)
                t.leave(slot, t.passed)
                t.label(on)
            self._edges.setdefault((start, slot), []).append((t.block, to_spare))
            t.line(f"br label %block{slot}")
        elif 0 <= slot <= SLOTS:
            t.leave(slot, t.passed)
        else:
            t.store_registers()
            t.count(-t.left())
            continue_at(t, Symbol(t, "%base") + 2 * slot, t.left())

    def _write_joins(self) -> None:
        """The phis, now that all that comes together is known."""
        t = self.t
        for place, start, registers in self._joins:
            ways = [self._entered[start]] if start in self._entered else []
            for before in self.flow.predecessors[start]:
                ways += [(block, self._values[before], left) for block, left in self._edges[before, start]]
            rows = [f"  %j{start}.left = phi i64 " + ", ".join(f"[{left.name}, %{block}]" for block, _, left in ways)]
            for r in registers:
                kind, name = ("double", lambda s: s.double) if is_float(r) else ("i64", lambda s: s.name)
                rows.append(f"  %j{start}.{r} = phi {kind} " + ", ".join(f"[{name(v[r])}, %{block}]" for block, v, _ in ways))
            t.lines[place] = "\n".join(rows)
