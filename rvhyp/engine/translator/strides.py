"""Which accesses lie near where they lay before: those to the stack, and some in loops.

The latter are found by walking the loop with made-up numbers: what is computed from what comes round moves by what it would, what
is loaded from memory is a new number each time.  Nothing depends on whether this foresees rightly, but for speed.
"""
from __future__ import annotations

import random
from collections.abc import Iterable

from rvhyp.engine.translator.blocks import Insn, Region
from rvhyp.engine.translator.flow import Flow
from rvhyp.isa.instruction import Kind
from rvhyp.isa.word import Word, u64

ACCESSES = {Kind.LOAD, Kind.STORE, Kind.AMO}
ROUNDS = 3
NEAR = 256                              # bytes
STACK_POINTER, STACK = 2, 0             # what is loaded off it is a register that was spilled, and is taken not to change
OPERANDS = {"rs1", "rs2", "rd", "imm", "shamt", "pc"}


def strides(region: Region, flow: Flow) -> dict[int, int]:
    """By the slot of an access that moves little from one time to the next: a number made up for its base, which
    is that of other accesses off the same."""
    found = {insn.slot: STACK for block in region.blocks.values() for insn in block.insns
             if insn.kind in ACCESSES and insn.registers["rs1"] == STACK_POINTER}
    bodies = loops(flow)
    for head in sorted(bodies):                     # the head of an inner loop is behind that of an outer one
        insns = [insn for start in sorted(bodies[head]) for insn in region.blocks[start].insns]
        found = {slot: place for slot, place in found.items() if slot not in {insn.slot for insn in insns}}
        found |= near(insns)
    return found


def loops(flow: Flow) -> dict[int, set[int]]:
    """The blocks of each loop by its head, to which a branch goes back; what is not between them is not looked at."""
    bodies: dict[int, set[int]] = {}
    for head in flow.order:
        for start in flow.predecessors[head]:
            if start >= head:
                body, work = {head}, [start]
                while work:
                    here = work.pop()
                    if here not in body and head <= here <= start:
                        body.add(here)
                        work += flow.predecessors[here]
                bodies[head] = bodies.get(head, set()) | body
    return bodies


def near(insns: Iterable[Insn]) -> dict[int, int]:
    """The accesses of a loop's instructions that stay near, with their bases in the first round."""
    walk = Walk()
    rounds = [walk.round(insns) for _ in range(ROUNDS)]
    return {slot: place for slot, place in rounds[0].items()
            if all(abs(_signed(after[slot] - before[slot])) <= NEAR for before, after in zip(rounds, rounds[1:], strict=False))}


class Walk:
    """Registers with made-up numbers."""

    def __init__(self):
        self._random = random.Random(0)
        self._registers: dict[int, Word] = {0: u64(0), STACK_POINTER: u64(STACK)}
        self._spilled: dict[int, Word] = {}

    def round(self, insns: Iterable[Insn]) -> dict[int, int]:
        """Run instructions one after the other; what accesses are off, by their slots."""
        places = {}
        for insn in insns:
            if insn.kind in ACCESSES:
                places[insn.slot] = int(self._read(insn.registers["rs1"]))
            if insn.result is not None:
                self._registers[insn.result] = self._result(insn)
        return places

    def _read(self, register: int) -> Word:
        if register not in self._registers:
            self._registers[register] = self._new()
        return self._registers[register]

    def _new(self) -> Word:
        return u64(self._random.getrandbits(30))

    def _result(self, insn: Insn) -> Word:
        parameters = insn.record.parameters
        if insn.kind is Kind.ALU and OPERANDS.issuperset(parameters):
            return u64(insn.record.body(*(self._operand(insn, name) for name in parameters)))
        if insn.kind is Kind.LOAD and insn.registers["rs1"] == STACK_POINTER:
            return self._spilled.setdefault(insn.immediate, self._new())
        return self._new()

    def _operand(self, insn: Insn, name: str) -> Word:
        if name == "pc":
            return u64(2 * insn.slot)
        if name in insn.registers:
            return self._read(insn.registers[name])
        return u64(insn.immediate)


def _signed(difference: int) -> int:
    return (difference + (1 << 63) & (1 << 64) - 1) - (1 << 63)
