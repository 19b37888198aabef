"""What the shells of all kinds share: a body's operands, the gate of floating point, rules by name."""
from __future__ import annotations

from rvhyp.engine.handlertext import HandlerText
from rvhyp.engine.tables import DYNAMIC
from rvhyp.engine.trace import Symbol
from rvhyp.engine.uop import UOP_IMM, UOP_RS1, UOP_RS2
from rvhyp.hart.state import FP_CLEAN, FP_MODE, FP_OFF
from rvhyp.isa.instruction import Instruction

# Operands of a body.

def operands(t: HandlerText, instruction: Instruction, **provided) -> list:
    """The body's arguments by parameter name."""
    def fetch(name):
        if name in provided:
            return provided[name]
        if name in ("imm", "offset", "shamt"):
            return t.immediate()
        if name in ("rs1", "fs1"):
            return t.register(UOP_RS1)
        if name in ("rs2", "fs2"):
            return t.register(UOP_RS2)
        if name == "fs3":
            return t.register(UOP_IMM)
        if name in ("uimm", "constant", "rs1_field"):
            return t.uop_field("i8", UOP_RS1, "zext")
        if name == "rs2_field":
            return t.uop_field("i8", UOP_RS2, "zext")
        if name == "rd":
            return t.old_rd()
        if name == "rd_field":
            return t.rd_field()
        if name == "pc":
            return t.pc()
        raise KeyError(f"{instruction.name}: no operand {name}")
    return [fetch(name) for name in instruction.parameters]


def apply(t: HandlerText, instruction: Instruction, **provided):
    """The body's result."""
    return instruction.body(*operands(t, instruction, **provided))


def address(t: HandlerText, instruction: Instruction) -> Symbol:
    """Virtual address of a memory access."""
    base = t.register(UOP_RS1)
    return base + t.immediate() if "imm" in instruction.fields else base


def writes_float(instruction: Instruction) -> bool:
    return "fd" in instruction.fields


def is_float(instruction: Instruction) -> bool:
    return any(field.is_float for field in instruction.fields.values())


def gate_mask(instruction: Instruction, variant: str = "") -> int:
    """Bits of fp_gate that send an instruction to its slow path."""
    if not is_float(instruction):
        return 0
    changes_state = writes_float(instruction) or "fp" in instruction.parameters
    return FP_OFF | (FP_CLEAN if changes_state else 0) | (FP_MODE if variant == DYNAMIC else 0)


class RuleCalls:
    """What a SYSTEM body sees as `hart`: every attribute is a rule."""

    def __init__(self, text: HandlerText):
        self.text = text

    def __getattr__(self, name):
        return lambda *arguments: self.text.call(name, *arguments)


class Shell:
    """Handlers of one instruction at one length and variant."""

    def __init__(self, instruction: Instruction, length: int, variant: str):
        self.i, self.length, self.variant = instruction, length, variant
        self.slow_name = ".".join(filter(None, (instruction.name, str(length), variant, "slow")))

    def hot(self, t: HandlerText) -> bool:
        """Write the instruction; False if control never falls through."""
        raise NotImplementedError

    def cold(self, t: HandlerText) -> None:
        """Write the slow function, if the hot one refers to it."""
