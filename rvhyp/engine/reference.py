"""The reference engine: the same rules and bodies in plain Python, one instruction at a time.  No compiler, no decoded pages.

It defines what the compiled engines must do, and runs where they cannot; some thousand instructions a second.
"""
from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial

from rvhyp.engine import coverage
from rvhyp.engine.codepages import fetch
from rvhyp.engine.tables import constant_tables
from rvhyp.hart import access, blocks, csrs, fences, fp, interrupt, trap  # noqa: F401  (blocks, fences: for their rules)
from rvhyp.hart.interrupt import begin, end, finish_system, reschedule
from rvhyp.hart.memory import load_sized, store_sized
from rvhyp.hart.state import FAULT_LEAVE, FP_OFF, REASON_BUDGET, REASON_WATCH, SINK, Hart
from rvhyp.isa.decode import Decoded, decode
from rvhyp.isa.fpu import Fpu
from rvhyp.isa.instruction import EXTENSIONS, Instruction, Kind
from rvhyp.isa.rule import RECORDS, RULES
from rvhyp.isa.word import Word, sext, u64

FLAVOUR = {"": access.PLAIN, "hlv": access.HLV, "hlvx": access.HLVX}
_C = EXTENSIONS["C"].number


class RuleCalls:
    """What a SYSTEM body sees as `hart`: every attribute is a rule, bound to the hart."""

    def __init__(self, hart: Hart):
        self._hart = hart

    def __getattr__(self, name):
        return lambda *arguments: RULES[name](self._hart, *arguments)


class PlainRules:
    """Rules by name, called with a hart's address as the compiled ones are."""

    def __getattr__(self, name):
        rule = RULES[name]
        return lambda address, *words: int(rule(RECORDS[address], *words))


class Reference:
    """Runs harts in plain Python, with the interface of the compiled engines."""

    name = "reference"

    def __init__(self):
        self.rules = PlainRules()
        self._tables = {name: ctypes.create_string_buffer(data, len(data)) for name, data in constant_tables().items()}

    def attach(self, hart: Hart, beside: Hart | None = None) -> None:
        """Give a hart the constant tables."""
        for name, table in self._tables.items():
            setattr(hart, name, ctypes.addressof(table))

    def run(self, hart: Hart) -> int:
        """Run from hart.pc until there is a reason to return; gives the reason."""
        leave = begin(hart)
        while not leave:
            leave = self.step(hart)
        return int(end(hart))

    def tend(self, hart: Hart) -> None:
        """Nothing to do between two slices."""

    def figures(self) -> dict[str, object]:
        """As the interpreter's."""
        return {"name": self.name, "trouble": ""}

    def bind(self, hart: Hart) -> tuple[Callable[[], int], Callable[[], int]]:
        """Two functions that run an attached hart: from hart.pc; and after the monitor's SRET."""
        def return_to_guest():
            interrupt.return_to_guest(hart)
            return self.run(hart)
        return partial(self.run, hart), return_to_guest

    def bind_covered(self, hart: Hart) -> Callable[[], int]:
        """A function that runs an attached hart and notes coverage, as that of the interpreter does."""
        return partial(self.run_covered, hart)

    def run_covered(self, hart: Hart) -> int:
        """Run from hart.pc, and note what the programs of the area at hart.coverage reach."""
        coverage.coverage_start(hart)
        leave = begin(hart)
        is_own = 0
        while not (coverage.coverage_after(hart, is_own) if leave else 0):
            is_own, leave = coverage.coverage_before(hart), 0
            while not leave:
                leave = self.step(hart, coverage.coverage_look if is_own else lambda hart: None)
                if not is_own and not leave and coverage.is_covered(hart):
                    hart.reason, leave = REASON_BUDGET, 1
        return int(end(hart))

    def step(self, hart: Hart, look: Callable[[Hart], object] = lambda hart: None) -> int:
        """One instruction, trap or end of slice; not 0 if the engine must leave.  `look` is called before it is executed."""
        if hart.budget == 0:
            return reschedule(hart)
        if fetch(hart):
            look(hart)
            leave = self.execute(hart)
            if not hart.fault:
                return leave
        if hart.fault == FAULT_LEAVE:
            return 1
        return trap.deliver(hart)

    def execute(self, hart: Hart) -> int:
        """Execute hart.insn at hart.pc; unless hart.fault is set, it has retired."""
        decoded = decode(int(hart.insn))
        if decoded is None or not self.is_enabled(hart, decoded):
            return trap.illegal(hart)
        if decoded.instruction.kind is Kind.SYSTEM:
            hart.next_pc = hart.pc + decoded.length
            self.body(hart, decoded, hart=RuleCalls(hart))
            return 0 if hart.fault else finish_system(hart)
        target = getattr(self, decoded.instruction.kind.name.lower())(hart, decoded)
        if hart.fault:
            return 0
        next_pc = hart.pc + decoded.length if target is None else target
        if decoded.instruction.kind is Kind.CSR and hart.resync:
            hart.next_pc = next_pc
            return finish_system(hart)
        hart.pc = next_pc
        hart.budget -= 1
        if hart.watch_hit:
            hart.watch_hit = 0
            hart.reason = REASON_WATCH
            return 1
        if hart.resync:
            hart.resync = 0
            return reschedule(hart)
        return 0

    @staticmethod
    def is_enabled(hart: Hart, decoded: Decoded) -> bool:
        extensions = int(hart.extensions)
        if decoded.compressed is not None and not extensions >> _C & 1:
            return False
        return bool(extensions >> decoded.instruction.extension.number & 1)

    # Operands.

    def body(self, hart: Hart, decoded: Decoded, /, **provided):
        """The body's result."""
        return decoded.instruction.body(*(
            provided[name] if name in provided else self.operand(hart, decoded, name)
            for name in decoded.instruction.parameters))

    def operand(self, hart: Hart, decoded: Decoded, name: str) -> Word:
        if name == "pc":
            return hart.pc
        if name.endswith("_field"):
            return u64(decoded.operands[name.removesuffix("_field")])
        value = decoded.operands[name]
        if name in ("rs1", "rs2", "rd"):
            return hart.x[value]
        if name in ("fs1", "fs2", "fs3"):
            return hart.f[value]
        return u64(value)

    @staticmethod
    def write(hart: Hart, decoded: Decoded, value) -> None:
        """Write rd or fd."""
        if "fd" in decoded.operands:
            hart.f[decoded.operands["fd"]] = value
        else:
            hart.x[decoded.operands["rd"] or SINK] = value

    def address(self, hart: Hart, decoded: Decoded) -> Word:
        return hart.x[decoded.operands["rs1"]] + decoded.operands.get("imm", 0)

    # Shells, one for each kind: give the target of a jump, or None.

    def alu(self, hart, decoded):
        self.write(hart, decoded, self.body(hart, decoded))

    def branch(self, hart, decoded):
        return hart.pc + decoded.operands["offset"] if self.body(hart, decoded) else None

    def jal(self, hart, decoded):
        self.write(hart, decoded, hart.pc + decoded.length)
        return hart.pc + decoded.operands["offset"]

    def jalr(self, hart, decoded):
        target = self.body(hart, decoded)
        self.write(hart, decoded, hart.pc + decoded.length)
        return target

    def float_refused(self, hart, instruction: Instruction) -> bool:
        """Whether an access of f registers is illegal because FS is Off."""
        if any(field.is_float for field in instruction.fields.values()) and hart.fp_gate & FP_OFF:
            trap.illegal(hart)
            return True
        return False

    def load(self, hart, decoded):
        i = decoded.instruction
        if self.float_refused(hart, i):
            return
        value = access.load(hart, self.address(hart, decoded), i.size, FLAVOUR[i.guest])
        if not hart.fault:
            self.write(hart, decoded, self.body(hart, decoded, value=value))
            if "fd" in i.fields:
                fp.fp_dirty(hart)

    def store(self, hart, decoded):
        i = decoded.instruction
        if not self.float_refused(hart, i):
            source = self.operand(hart, decoded, "fs2" if "fs2" in i.fields else "rs2")
            access.store(hart, self.address(hart, decoded), i.size, source, FLAVOUR[i.guest])

    def load_reserved(self, hart, decoded):
        value = access.load_reserved(hart, self.address(hart, decoded), decoded.instruction.size)
        if not hart.fault:
            self.write(hart, decoded, self.body(hart, decoded, value=value))

    def store_conditional(self, hart, decoded):
        failed = access.store_conditional(hart, self.address(hart, decoded), decoded.instruction.size,
                                          hart.x[decoded.operands["rs2"]])
        if not hart.fault:
            self.write(hart, decoded, failed)

    def amo(self, hart, decoded):
        size = decoded.instruction.size
        host = access.amo_begin(hart, self.address(hart, decoded), size)
        if hart.fault:
            return
        raw = load_sized(host, size)
        old, rs2, rd = (sext(value, 8 * size) for value in (raw, *(hart.x[decoded.operands[name]] for name in ("rs2", "rd"))))
        store_sized(host, size, self.body(hart, decoded, old=old, rs2=rs2, rd=rd))
        access.amo_end(hart, size)
        self.write(hart, decoded, old)

    def memory(self, hart, decoded):
        self.body(hart, decoded, hart=RuleCalls(hart))

    def csr(self, hart, decoded):
        modifies = "old" in decoded.instruction.parameters
        source = decoded.operands["rs1" if "rs1" in decoded.operands else "uimm"]
        is_write = u64(not modifies or source != 0)
        number = csrs.csr_access(hart, u64(decoded.operands["csr"]), is_write)
        if hart.fault:
            return
        old = csrs.csr_read(hart, number)
        if is_write:
            base = csrs.csr_modify_base(hart, number, old) if modifies else old
            csrs.csr_write(hart, number, self.body(hart, decoded, old=base))
        self.write(hart, decoded, old)

    def fence(self, hart, decoded):
        return None

    def fp(self, hart, decoded):
        i = decoded.instruction
        rm = u64(decoded.operands.get("rm", 0))
        if fp.fp_begin(hart, rm, u64(i.has_rounding_mode)):
            trap.illegal(hart)
            return
        self.write(hart, decoded, self.body(hart, decoded, fp=Fpu(hart, fp.fp_rounding(hart, rm))))
        fp.fp_end(hart, u64("fd" in i.fields))
