"""The commit log: a line for each retired instruction, with what it wrote, in the format of `spike --log-commits`.

    core   0: 3 0x0000000080000004 (0x0062a32f) x6  0x0000000000000123 mem 0x0000000080000194 mem 0x0000000080000194 0x00000246

Privilege, pc, the instruction's bits; then registers and CSRs written, by number; the address of a load, address and data of a
store.  What an instruction wrote follows from its record, from the registers before it, and from the hart after it: the engine
runs one instruction at a time and is none the wiser.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator

from rvhyp.hart.access import PLAIN
from rvhyp.hart.blocks import BLOCK
from rvhyp.hart.state import F0, OFFSET, SINK
from rvhyp.isa.cause import U
from rvhyp.isa.csr import CSR_NUMBERS, MISA_H, MSTATUS_FS, csr_by_number
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import Kind
from rvhyp.machine.machine import Machine

PC, PRV, V, INSN, FAULT, FFLAGS, MSTATUS, VSSTATUS = (
    OFFSET[name] // 8 for name in ("pc", "prv", "v", "insn", "fault", "fflags", "mstatus", "vsstatus"))
WORD = (1 << 64) - 1
MSTATUS_NUMBER, VSSTATUS_NUMBER, HSTATUS_NUMBER, FFLAGS_NUMBER = (
    CSR_NUMBERS[name] for name in ("mstatus", "vsstatus", "hstatus", "fflags"))
STATUS_NUMBERS = MSTATUS_NUMBER, VSSTATUS_NUMBER
X, F, CSR = 0, 1, 4                     # kinds of registers, in the order in which lines have those of one number
# CSRs that a write of another one shows as: views show what they are views of.
SHOWN_AS = {CSR_NUMBERS[name]: tuple(CSR_NUMBERS[each] for each in shown.split()) for name, shown in {
    "sstatus": "mstatus", "fcsr": "fflags frm", "sie": "sie mie", "hie": "mie", "vsie": "mie", "hip": "mip", "vsip": "mip",
    "hvip": "mip hvip"}.items()}
CAS_OF_PAIRS = "amocas.q"
LOADS = (Kind.LOAD, Kind.LOAD_RESERVED, Kind.AMO)
STORES = (Kind.STORE, Kind.STORE_CONDITIONAL, Kind.AMO)


class Before:
    """A hart before an instruction: what its line needs and the instruction may change."""

    __slots__ = ("address", "compared", "decoded", "fflags", "fs", "pairs", "pc", "prv", "source", "v")


class CommitLog:
    """Makes a machine run instruction by instruction, and gives each line to `write`; `core` is the number at its start."""

    def __init__(self, machine: Machine, write: Callable[[str], object], core: Callable[[], int] = lambda: 0):
        self._machine, self._write, self._core, self._words = machine, write, core, machine.hart.words
        self._run = machine.run_hart
        machine.hart.stop_at_traps = 1
        machine.quantum, machine.run_hart, machine.return_to_guest = 1, self.run_once, self.return_to_guest

    def return_to_guest(self) -> int:
        """The monitor's SRET, which is not logged, and one instruction of the guest."""
        self._machine.engine.rules.return_to_guest(self._machine.hart.address)
        return self.run_once()

    def run_once(self) -> int:
        """Run one instruction, and log it if it has retired; the engine's reason to return."""
        machine, words = self._machine, self._words
        before, retired = self._look(), machine.instret
        reason = self._run()
        raised, words[FFLAGS] = words[FFLAGS], words[FFLAGS] | before.fflags
        if machine.instret != retired and before.decoded is not None:
            self._write(self._line(before, raised))
        return reason

    def _look(self) -> Before:
        """The hart as it is; of a floating-point instruction the flags before it are put aside, so that its own can be told."""
        words, before = self._words, Before()
        self._machine.engine.rules.fetch(self._machine.hart.address)
        before.decoded = None if words[FAULT] else decode(words[INSN])
        words[FAULT] = 0
        before.pc, before.prv, before.v = words[PC], words[PRV], words[V]
        before.fs, before.fflags, before.pairs = self._fs(), 0, None
        if before.decoded is not None:
            operands = before.decoded.operands
            if before.decoded.instruction.kind is Kind.FP:
                before.fflags, words[FFLAGS] = words[FFLAGS], 0
            if "rs1" in operands:
                before.address = words[operands["rs1"]] + operands.get("imm", 0) & WORD
                before.source = words[F0 + operands["fs2"]] if "fs2" in operands else words[operands.get("rs2", 0)]
                before.compared = words[operands.get("rd", 0)]
                if before.decoded.instruction.name == CAS_OF_PAIRS:
                    before.pairs = tuple((words[n], words[n + 1]) if n else (0, 0) for n in (operands["rd"], operands["rs2"]))
        return before

    def _fs(self) -> tuple[int, int]:
        """FS of mstatus and of vsstatus."""
        return self._words[MSTATUS] & MSTATUS_FS.mask, self._words[VSSTATUS] & MSTATUS_FS.mask

    def _line(self, before: Before, raised: int) -> str:
        decoded = before.decoded
        bits = f"{decoded.bits:#0{2 + 2 * decoded.length}x}"
        registers = "".join(f" {text}" for _, text in sorted(self._registers(before, raised)))
        return f"core {self._core():3}: {before.prv} {before.pc:#018x} ({bits}){registers}{self._memory(before)}\n"

    def _registers(self, before: Before, raised: int) -> Iterator[tuple[int, str]]:
        """Registers and CSRs written, each with what it is sorted by."""
        operands, words, kind = before.decoded.operands, self._words, before.decoded.instruction.kind
        if kind is not Kind.FENCE and (first := operands.get("rd")):
            for rd in range(first, first + (1 if before.pairs is None else 2)):
                yield rd << 4 | X, f"x{rd:<2} {words[rd]:#018x}"
        if "fd" in operands:
            yield operands["fd"] << 4 | F, f"f{operands['fd']:<2} {words[F0 + operands['fd']]:#018x}"
        numbers = self._csrs(before)
        if kind is Kind.FP and raised:
            numbers.add(FFLAGS_NUMBER)
        numbers |= {number for number, old, new in zip(STATUS_NUMBERS, before.fs, self._fs(), strict=True) if old != new}
        for number in numbers:
            value = self._machine.engine.rules.csr_read(self._machine.hart.address, number)
            yield number << 4 | CSR, f"c{number}_{csr_by_number(number).name} {value:#018x}"

    def _csrs(self, before: Before) -> set[int]:
        """Numbers of the CSRs that a CSR instruction or a return from a trap wrote."""
        i, operands = before.decoded.instruction, before.decoded.operands
        if i.kind is Kind.CSR:
            if "old" in i.parameters and not operands.get("rs1", operands.get("uimm")):
                return set()
            row = csr_by_number(operands["csr"])
            number = CSR_NUMBERS[row.twin] if before.v and row.twin else row.number
            return set(SHOWN_AS.get(number, (number,)))
        if i.name == "sret" and before.v:
            return {VSSTATUS_NUMBER}
        if i.name not in ("sret", "mret"):
            return set()
        written = {MSTATUS_NUMBER}
        if i.name == "sret" and MISA_H.get(self._machine.hart.misa):
            written.add(HSTATUS_NUMBER)
        if self._words[V] and self._words[PRV] == U:
            written.add(VSSTATUS_NUMBER)                # a return to VU clears vsstatus.SDT, whether there is one or not
        return written

    def _memory(self, before: Before) -> str:
        """Address of a load, address and data of a store."""
        i = before.decoded.instruction
        if i.name == "cbo.zero":
            block = before.address & -BLOCK
            return "".join(f" mem {address:#018x} 0x00" for address in range(block, block + BLOCK))
        if before.pairs is not None:
            return self._pair(before)
        text = f" mem {before.address:#018x}" if i.kind in LOADS else ""
        if i.kind in STORES and not self._failed(before):
            value = self._stored(before) & (1 << 8 * i.size) - 1
            text += f" mem {before.address:#018x} {value:#0{2 + 2 * i.size}x}"
        return text

    def _failed(self, before: Before) -> bool:
        """Whether a conditional store did not store: SC's result is not 0, AMOCAS loaded another value than it compared with."""
        i = before.decoded.instruction
        result = self._words[before.decoded.operands.get("rd") or SINK]
        if i.kind is Kind.STORE_CONDITIONAL:
            return result != 0
        return i.kind is Kind.AMO and "rd" in i.parameters and (result ^ before.compared) & (1 << 8 * i.size) - 1 != 0

    def _pair(self, before: Before) -> str:
        """AMOCAS.Q stores two words unless it loaded others than it compared with; where rd is x0, what is there now tells."""
        compared, source = before.pairs
        rd = before.decoded.operands["rd"]
        loaded = (self._words[rd], self._words[rd + 1]) if rd else compared
        text = f" mem {before.address:#018x}"
        if loaded != compared or not rd and source != tuple(self._load(before.address + n, 8) for n in (0, 8)):
            return text
        return text + "".join(f" mem {before.address + n:#018x} {word:#018x}" for n, word in zip((0, 8), source, strict=True))

    def _stored(self, before: Before) -> int:
        """What a store wrote; the result of an AMO is what is there now."""
        if before.decoded.instruction.kind is not Kind.AMO:
            return before.source
        return self._load(before.address, before.decoded.instruction.size)

    def _load(self, va: int, size: int) -> int:
        return self._machine.engine.rules.load(self._machine.hart.address, va, size, PLAIN)
