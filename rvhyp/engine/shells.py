"""The shell of each kind of instruction: LLVM IR around the traced body, common case first, everything else in a slow twin.

Each writes one instruction into a handler and says whether control falls through to the next one.
"""
from __future__ import annotations

from rvhyp.engine.fpu import DYNAMIC as HOST_DYNAMIC
from rvhyp.engine.fpu import RTZ, HostFpu, RuleFpu
from rvhyp.engine.handlertext import HandlerText, check_fault, jump_far, jump_from_end, jump_local
from rvhyp.engine.memoryshells import (
    AmoShell,
    LoadReservedShell,
    LoadShell,
    MemoryShell,
    StoreConditionalShell,
    StoreShell,
)
from rvhyp.engine.shell import RuleCalls, Shell, apply, gate_mask, is_float, operands, writes_float
from rvhyp.engine.tables import BY_RULE, TRUNCATING, Part
from rvhyp.engine.uop import UOP_IMM, UOP_RS1
from rvhyp.isa.instruction import Instruction, Kind


class AluShell(Shell):
    def hot(self, t):
        t.gate(gate_mask(self.i), self.slow_name)
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


class SystemShell(Shell):
    def hot(self, t):
        arguments = operands(t, self.i, hart=RuleCalls(t))
        t.put("next_pc", t.sync() + self.length)
        self.i.body(*arguments)
        check_fault(t)
        t.tail("settle")
        return False


class FenceShell(Shell):
    """FENCE is one of the host's, for the sake of its other threads; FENCE.I forgets what they have written to."""

    def hot(self, t):
        if self.i.name == "fence":
            t.line("fence seq_cst")
        elif self.i.name == "fence.i":
            t.unlikely(t.get("stale") != 0, self.slow_name)
        return True

    def cold(self, t):
        t.sync()
        t.call("forget_stale")
        t.tail(f"next.{self.length}")


class FpShell(Shell):
    """Runs on the host's unit, unless the gate or the rounding mode sends it to the rules."""

    def hot(self, t):
        if self.variant == BY_RULE:
            t.tail(self.slow_name)
            return False
        t.gate(gate_mask(self.i, self.variant), self.slow_name)
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
    Kind.AMO: AmoShell, Kind.MEMORY: MemoryShell, Kind.CSR: CsrShell, Kind.SYSTEM: SystemShell, Kind.FENCE: FenceShell,
    Kind.FP: FpShell,
}


def shell(part: Part) -> Shell:
    """The shell that writes an instruction's handlers.  FP moves, whose bodies use no unit, are ALU work behind the gate."""
    kind = part.instruction.kind
    if kind is Kind.FP and "fp" not in part.instruction.parameters:
        kind = Kind.ALU
    return SHELLS[kind](part.instruction, part.length, part.variant)
