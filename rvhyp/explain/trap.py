"""The explanation of a trap: from what the rules did when it was taken in plain Python, and from the hart before it."""
from __future__ import annotations

from dataclasses import dataclass, field

from rvhyp.explain.decide import Decision, decisions
from rvhyp.explain.interrupts import Interrupt, interrupt_of
from rvhyp.explain.manual import DELEGATION, DOUBLE_TRAPS, GUEST_DELEGATION, HTVAL, TINST, TRAP_ENTRY
from rvhyp.explain.observe import Before, Call, Observer
from rvhyp.explain.walk import Access, access_of
from rvhyp.hart.trap import PSEUDO_READ, PSEUDO_WRITE
from rvhyp.isa.cause import DOUBLE_TRAP, INTERRUPT, VSEI, VSSI, VSTI, M, cause_name, mode_name
from rvhyp.isa.csr import MISA_H, MSTATUS_SDT
from rvhyp.isa.decode import decode
from rvhyp.isa.text import disassemble

ACCESS_CAUSES = (1, 4, 5, 6, 7, 12, 13, 15, 20, 21, 23)
GUEST_PAGE_FAULTS = (20, 21, 23)


@dataclass
class Explanation:
    """Why a trap was taken, and what it wrote.

    `mode` and `pc` are where it happened, `insn` the instruction's bits (None if it was not fetched); `access` the memory access
    that failed; `decided` why, from the rule that reported it to the last that it asked; or `interrupt`.  `tval2` and `tinst` are
    htval and htinst, or mtval2 and mtinst, and `gva` GVA.  A double trap has the cause of the trap that was `unexpected`.
    """

    instret: int
    mode: str
    pc: int
    insn: int | None
    cause: int
    tval: int
    gva: int
    tval2: int
    tinst: int
    access: Access | None = None
    decided: list[Decision] = field(default_factory=list)
    interrupt: Interrupt | None = None
    taken_in: str = ""
    vector: int = 0
    to_monitor: bool = False                # HS is Python: the vector means nothing
    has_h: bool = True
    unexpected: bool = False
    path: list[tuple[str, str]] = field(default_factory=list)          # of delegation: what, and where the manual says so

    @property
    def name(self) -> str:
        """The manual's name of the cause."""
        return cause_name(self.cause)

    @property
    def reported(self) -> tuple[int, int]:
        """What xcause and, but for VS-mode, xtval2 get."""
        return (DOUBLE_TRAP, self.cause) if self.unexpected else (self.cause, self.tval2)

    @property
    def is_interrupt(self) -> bool:
        return bool(self.cause & INTERRUPT)

    @property
    def instruction(self) -> str:
        """The instruction, disassembled."""
        return "" if self.insn is None else disassemble(self.insn, self.pc)

    @property
    def borrowed(self) -> str:
        """Why the access was made as another mode; "" if it was not."""
        if self.access is None or self.access.mode == self.mode:
            return ""
        decoded = None if self.insn is None else decode(self.insn)
        if decoded and decoded.instruction.guest:
            return "of the guest, at the privilege in hstatus.SPVP"
        return "lent by mstatus.MPRV from MPP and MPV"

    @property
    def gpa(self) -> int | None:
        """Guest physical address of a guest-page fault."""
        if self.cause not in GUEST_PAGE_FAULTS:
            return None
        return self.tval2 << 2 | (0 if self.tinst in (PSEUDO_READ, PSEUDO_WRITE) else self.tval & 3)

    @property
    def tinst_text(self) -> str:
        """What htinst or mtinst says."""
        if self.tinst == PSEUDO_READ:
            return "pseudoinstruction: the VS-stage read a PTE"
        if self.tinst == PSEUDO_WRITE:
            return "pseudoinstruction: the VS-stage wrote a PTE, to set A or D"
        if self.tinst == 0:
            return "nothing"
        is_compressed, offset = not self.tinst & 2, self.tinst >> 15 & 31
        decoded = decode(self.tinst & ~(31 << 15) | 2)
        text = disassemble(decoded.bits, 0) if decoded else "?"
        return (f"transformed instruction: {text}, with the address's offset for rs1 ({offset})"
                f"{', of a compressed one' * is_compressed}")


def explanation(observer: Observer) -> Explanation | None:
    """Of the last trap that was taken while an observer watched; None if there was none."""
    entered = next(reversed(observer.all("enter_trap")), None)
    if entered is None:
        return None
    v, hart = entered.values, entered.before
    cause = int(v["cause"])
    found = Explanation(
        instret=int(hart.slice_end - hart.budget), mode=mode_name(hart.prv, hart.v), pc=int(hart.pc), insn=None, cause=cause,
        tval=int(v["tval"]), gva=int(v["gva"]), tval2=int(v["tval2"]), tinst=int(v["tinst"]))
    take(found, entered, hart)
    if found.is_interrupt:
        found.interrupt = interrupt_of(entered.parent, hart)
        return found
    step = next(call for call in entered.ancestors() if call.name == "step")
    report = step.all("raise_trap")[-1]
    fetched = step.child("fetch")
    if fetched and fetched.result:
        found.insn = int(hart.insn)
    found.decided = decisions(report)
    if cause in ACCESS_CAUSES:
        found.access = failed_access(step, report)
    return found


def failed_access(step: Call, report: Call) -> Access | None:
    """The last access whose translation began before the report; of an instruction's own, not of its fetch."""
    part = next(call for call in report.ancestors() if call.parent is step)
    calls = part.all("translate", "raise_trap")
    translated = [call for call in calls[:calls.index(report)] if call.name == "translate"]
    return access_of(translated[-1], report.before) if translated else None


def take(found: Explanation, entered: Call, hart: Before) -> None:
    """Where the trap is taken, and by which registers."""
    entry = next(call for call in entered.children if call.name.startswith("trap_to_"))
    found.taken_in = {"trap_to_m": "M", "trap_to_hs": "HS", "trap_to_vs": "VS"}[entry.name]
    found.vector = entry.child("vector").result
    found.to_monitor = found.taken_in == "HS" and hart.monitor != 0
    found.has_h = MISA_H.get(hart.misa) != 0
    code = found.cause & ~INTERRUPT
    kind = "i" if found.is_interrupt else "e"
    if hart.prv == M:
        found.path.append(("a trap in M-mode is never delegated", DELEGATION))
        return
    bit = getattr(hart, f"m{kind}deleg") >> code & 1
    found.path.append((f"m{kind}deleg[{code}] is {bit}: {'not M-mode' if bit else 'M-mode'}", DELEGATION))
    if not bit:
        return
    to_vs = False
    if hart.v:
        to_vs = getattr(hart, f"h{kind}deleg") >> code & 1 != 0
        found.path.append((f"V is 1, h{kind}deleg[{code}] is {to_vs:d}: {'VS-mode' if to_vs else 'HS-mode'}", GUEST_DELEGATION))
    else:
        found.path.append(("V is 0: HS-mode", GUEST_DELEGATION))
    found.unexpected = MSTATUS_SDT.get(hart.vsstatus if to_vs else hart.mstatus) != 0
    if found.unexpected:
        status = "vsstatus" if to_vs else "sstatus"
        found.path.append((f"{status}.SDT is 1: the trap is unexpected there, a double trap into M-mode", DOUBLE_TRAPS))


def written(found: Explanation) -> list[tuple[str, int, str, str]]:
    """The registers that say why: name, value, what it means, where the manual says so."""
    x = {"M": "m", "HS": "s", "VS": "vs"}[found.taken_in]
    cause, tval2 = found.reported
    cause -= (found.taken_in == "VS" and found.is_interrupt and found.cause & ~INTERRUPT in (VSSI, VSTI, VSEI))
    rows = [(f"{x}cause", cause, cause_name(cause), ""), (f"{x}epc", found.pc, "", ""), (f"{x}tval", found.tval, "", "")]
    if found.taken_in != "VS" and found.has_h:
        status, second, inst = ("mstatus", "mtval2", "mtinst") if x == "m" else ("hstatus", "htval", "htinst")
        second_means = "" if found.gpa is None else f"guest physical {found.gpa:#x}"
        if found.unexpected:
            second_means = found.name
        rows += [(f"{status}.GVA", found.gva, f"{x}tval is {'a' if found.gva else 'no'} guest virtual address", TRAP_ENTRY),
                 (second, tval2, second_means, DOUBLE_TRAPS if found.unexpected else HTVAL if second_means else ""),
                 (inst, found.tinst, found.tinst_text, TINST if found.tinst else "")]
    return rows
