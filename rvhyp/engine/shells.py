"""The shell of each kind of instruction: LLVM IR around the traced body, common case first, everything else in a slow twin."""
from __future__ import annotations

from rvhyp.engine.fpu import DYNAMIC as HOST_DYNAMIC
from rvhyp.engine.fpu import RTZ, HostFpu, RuleFpu
from rvhyp.engine.handlertext import (
    HandlerText,
    check_fault,
    jump_far,
    jump_from_end,
    jump_local,
)
from rvhyp.engine.tables import BY_RULE, DYNAMIC, TRUNCATING, Part
from rvhyp.engine.trace import LIKELY, Symbol
from rvhyp.engine.uop import UOP_IMM, UOP_RS1, UOP_RS2
from rvhyp.hart.access import HLV, HLVX, PLAIN
from rvhyp.hart.state import FP_CLEAN, FP_MODE, FP_OFF, MIXED_ENTRIES, OFFSET, TLB_ENTRIES
from rvhyp.isa.instruction import Instruction, Kind

FLAVOUR = {"": PLAIN, "hlv": HLV, "hlvx": HLVX}


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
        if name in ("uimm", "rs1_field"):
            return t.uop_field("i8", UOP_RS1, "zext")
        if name == "rs2_field":
            return t.uop_field("i8", UOP_RS2, "zext")
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


def check_gate(t: HandlerText, mask: int, slow: str) -> None:
    if mask:
        t.unlikely((t.get("fp_gate") & mask) != 0, slow)


def probe(t: HandlerText, table: str, va: Symbol, size: int, slow: str, is_urgent: bool = False) -> str:
    """Host pointer of an aligned access that hits the TLB; else go on in the slow function.  An urgent one is soon waited for."""
    entry = t.at(t.at("%hart", OFFSET[table]), ((va >> 12) & TLB_ENTRIES - 1) << 4)
    tag = Symbol(t, t.load("i64", entry, "hart"))
    t.unlikely(tag != (va & ~0xFFF | va & size - 1) + t.get("data_context"), slow)
    addend = Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
    host = va + (foreseen(t, addend) if is_urgent else addend)
    return t.value(f"inttoptr i64 {host.name} to ptr")


def foreseen(t: HandlerText, addend: Symbol) -> Symbol:
    """The addend of a TLB entry, by way of the one of the last fill where they are equal.

    They mostly are, and the host's processor foresees it: an access need not wait for the entry, which depends on its address.
    LLVM must not see that both ways give the same value, hence the volatile load.
    """
    usual, on = t.new_label("usual"), t.new_label("on")
    pointer = t.at("%hart", OFFSET["addend"])
    is_usual = addend == Symbol(t, t.load("i64", pointer, "hart"))
    other = t.new_label("other")
    t.branch(is_usual, usual, other, LIKELY)
    t.label(usual)
    last = t.value(f"load volatile i64, ptr {pointer}")
    t.line(f"br label %{on}")
    t.label(other)
    t.line(f"br label %{on}")
    t.label(on)
    return t.word(f"phi i64 [{last}, %{usual}], [{addend.name}, %{other}]")


def load_guest(t: HandlerText, pointer: str, size: int) -> Symbol:
    raw = t.load(f"i{8 * size}", pointer, "guest", 1)
    return Symbol(t, raw) if size == 8 else t.word(f"zext i{8 * size} {raw} to i64")


def store_guest(t: HandlerText, pointer: str, size: int, value: Symbol) -> None:
    name = value.name if size == 8 else value.truncated(8 * size)
    t.store(f"i{8 * size}", name, pointer, "guest", 1)


# The shells.  Each writes one instruction into a handler and says whether control falls through to the next one.

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


class AluShell(Shell):
    def hot(self, t):
        check_gate(t, gate_mask(self.i), self.slow_name)
        t.set_rd(apply(t, self.i))
        return True

    def cold(self, t):
        if is_float(self.i):
            cold_fp(t, self.i, self.length)


class BranchShell(Shell):
    def hot(self, t):
        condition = apply(t, self.i)
        taken, falls = t.new_label("taken"), t.new_label("falls")
        t.branch(condition, taken, falls)
        t.label(taken)
        if self.variant == "local":
            jump_local(t)
        else:
            jump_far(t, t.pc() + t.immediate())
        t.label(falls)
        return True


class JalShell(Shell):
    def hot(self, t):
        pc = t.pc()
        target = None if self.variant == "local" else pc + t.immediate()
        t.set_rd(pc + self.length)
        if target is None:
            jump_local(t)
        else:
            jump_from_end(t, target)
        return False


class JalrShell(Shell):
    def hot(self, t):
        target = apply(t, self.i)
        t.set_rd(t.pc() + self.length)
        jump_from_end(t, target)
        return False


class LoadShell(Shell):
    def hot(self, t):
        check_gate(t, gate_mask(self.i), self.slow_name)
        if self.i.guest:
            t.tail(self.slow_name)
            return False
        pointer = probe(t, "read_tlb", address(t, self.i), self.i.size, self.slow_name, is_urgent=not writes_float(self.i))
        t.set_rd(apply(t, self.i, value=load_guest(t, pointer, self.i.size)))
        return True

    def cold(self, t):
        t.sync()
        if is_float(self.i):
            t.unlikely((t.get("fp_gate") & FP_OFF) != 0, "refused")
        value = t.call("load", address(t, self.i), self.i.size, FLAVOUR[self.i.guest])
        check_fault(t)
        t.set_rd(apply(t, self.i, value=value))
        if writes_float(self.i):
            t.call("fp_dirty")
        t.unlikely(t.get("resync") != 0, f"next.{self.length}")
        t.next(self.length)


class StoreShell(Shell):
    def source(self, t):
        return t.register(UOP_RS2)

    def hot(self, t):
        check_gate(t, gate_mask(self.i) & FP_OFF, self.slow_name)
        if self.i.guest:
            t.tail(self.slow_name)
            return False
        pointer = probe(t, "write_tlb", address(t, self.i), self.i.size, self.slow_name)
        store_guest(t, pointer, self.i.size, self.source(t))
        return True

    def cold(self, t):
        if not self.i.guest and not is_float(self.i):
            self.store_beside_code(t)
        t.sync()
        if is_float(self.i):
            t.unlikely((t.get("fp_gate") & FP_OFF) != 0, "refused")
        t.call("store", address(t, self.i), self.i.size, self.source(t), FLAVOUR[self.i.guest])
        check_fault(t)
        t.tail(f"next.{self.length}")


    def store_beside_code(self, t):
        """A page with decoded code is not in the write TLB; a store to a block of it that has none needs no rule either."""
        va = address(t, self.i)
        entry = t.at(t.at("%hart", OFFSET["mixed_tlb"]), ((va >> 12) & MIXED_ENTRIES - 1) << 5)
        hit = Symbol(t, t.load("i64", entry, "hart")) == (va & ~0xFFF | va & self.i.size - 1) + t.get("data_context")
        found, clear, rule = t.new_label("found"), t.new_label("clear"), t.new_label("rule")
        t.branch(hit, found, rule)
        t.label(found)
        blocks = Symbol(t, t.load("i64", t.at(entry, 16), "hart"))
        bits = Symbol(t, t.load("i64", t.value(f"inttoptr i64 {blocks.name} to ptr"), "uop"))
        t.branch(((bits >> (va >> 6 & 63)) & 1) == 0, clear, rule)
        t.label(clear)
        host = va + Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
        store_guest(t, t.value(f"inttoptr i64 {host.name} to ptr"), self.i.size, self.source(t))
        t.next(self.length)
        t.label(rule)


class LoadReservedShell(Shell):
    def hot(self, t):
        t.sync()
        value = t.call("load_reserved", address(t, self.i), self.i.size)
        check_fault(t)
        t.set_rd(apply(t, self.i, value=value))
        t.tail(f"next.{self.length}")
        return False


class StoreConditionalShell(Shell):
    def hot(self, t):
        t.sync()
        failed = t.call("store_conditional", address(t, self.i), self.i.size, t.register(UOP_RS2))
        check_fault(t)
        t.set_rd(failed)
        t.tail(f"next.{self.length}")
        return False


class AmoShell(Shell):
    """The operands of a 32-bit AMO are sign-extended, so that one body serves both widths."""

    def result(self, t, raw):
        width = 8 * self.i.size
        old = raw.sext(width) if width < 64 else raw
        source = t.register(UOP_RS2)
        return old, apply(t, self.i, old=old, rs2=source.sext(width) if width < 64 else source)

    def hot(self, t):
        pointer = probe(t, "write_tlb", address(t, self.i), self.i.size, self.slow_name)
        old, new = self.result(t, load_guest(t, pointer, self.i.size))
        store_guest(t, pointer, self.i.size, new)
        t.set_rd(old)
        return True

    def cold(self, t):
        t.sync()
        raw = t.call("amo_begin", address(t, self.i), self.i.size)
        check_fault(t)
        old, new = self.result(t, raw)
        t.call("amo_end", self.i.size, new)
        t.set_rd(old)
        t.tail(f"next.{self.length}")


class CsrShell(Shell):
    def hot(self, t):
        modifies = "old" in self.i.parameters
        source = t.uop_field("i8", UOP_RS1, "zext")
        if "rs1" in self.i.parameters:
            is_write = (source != 0).select(1, 0) if modifies else 1
            source = t.register(UOP_RS1)
        else:
            is_write = (source != 0).select(1, 0) if modifies else 1
        t.sync()
        number = t.call("csr_access", t.immediate() & 0xFFF, is_write)
        check_fault(t)
        if modifies:
            self.modify(t, number, source, is_write)
        else:
            self.replace(t, number, source)
        t.unlikely(t.get("resync") != 0, f"settle.{self.length}")
        return True

    def body(self, t, **provided):
        name = "rs1" if "rs1" in self.i.parameters else "uimm"
        return apply(t, self.i, **{name: provided.pop("source")}, **provided)

    def replace(self, t, number, source):
        """Without `old`: read only if rd is not x0 (no CSR here has side effects on reads, so reading always is the same)."""
        old = t.call("csr_read", number)
        t.call("csr_write", number, self.body(t, source=source))
        t.set_rd(old)

    def modify(self, t, number, source, is_write):
        old = t.call("csr_read", number)
        write, done = t.new_label("write"), t.new_label("done")
        t.branch(is_write != 0, write, done)
        t.label(write)
        base = t.call("csr_modify_base", number, old)
        t.call("csr_write", number, self.body(t, source=source, old=base))
        t.line(f"br label %{done}")
        t.label(done)
        t.set_rd(old)


class RuleCalls:
    """What a SYSTEM body sees as `hart`: every attribute is a rule."""

    def __init__(self, text: HandlerText):
        self.text = text

    def __getattr__(self, name):
        return lambda *arguments: self.text.call(name, *arguments)


class SystemShell(Shell):
    def hot(self, t):
        arguments = operands(t, self.i, hart=RuleCalls(t))
        t.put("next_pc", t.sync() + self.length)
        self.i.body(*arguments)
        check_fault(t)
        t.tail("settle")
        return False


class FenceShell(Shell):
    def hot(self, t):
        return True


class FpShell(Shell):
    """Runs on the host's unit, unless the gate or the rounding mode sends it to the rules."""

    def hot(self, t):
        if self.variant == BY_RULE:
            t.tail(self.slow_name)
            return False
        check_gate(t, gate_mask(self.i, self.variant), self.slow_name)
        unit = HostFpu(t, t.call, RTZ if self.variant == TRUNCATING else HOST_DYNAMIC)
        t.set_rd(apply(t, self.i, fp=unit))
        t.declarations |= unit.declarations
        return True

    def cold(self, t):
        cold_fp(t, self.i, self.length)


def cold_fp(t: HandlerText, i: Instruction, length: int) -> None:
    """An FP instruction by the rules: legality, rounding mode, flags and FS are all looked at."""
    t.sync()
    rm_field = t.uop_field("i8", UOP_IMM + 1, "zext") if i.has_rounding_mode else 0
    t.unlikely(t.call("fp_begin", rm_field, int(i.has_rounding_mode)) != 0, "refused")
    rounding = t.call("fp_rounding", rm_field) if i.has_rounding_mode else 0
    t.set_rd(apply(t, i, fp=RuleFpu(t, t.call, rounding)))
    t.call("fp_end", int(writes_float(i)))
    t.next(length)


SHELLS: dict[Kind, type[Shell]] = {
    Kind.ALU: AluShell, Kind.BRANCH: BranchShell, Kind.JAL: JalShell, Kind.JALR: JalrShell, Kind.LOAD: LoadShell,
    Kind.STORE: StoreShell, Kind.LOAD_RESERVED: LoadReservedShell, Kind.STORE_CONDITIONAL: StoreConditionalShell,
    Kind.AMO: AmoShell, Kind.CSR: CsrShell, Kind.SYSTEM: SystemShell, Kind.FENCE: FenceShell, Kind.FP: FpShell,
}


def shell(part: Part) -> Shell:
    """The shell that writes an instruction's handlers.  FP moves, whose bodies use no unit, are ALU work behind the gate."""
    kind = part.instruction.kind
    if kind is Kind.FP and "fp" not in part.instruction.parameters:
        kind = Kind.ALU
    return SHELLS[kind](part.instruction, part.length, part.variant)
