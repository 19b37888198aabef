"""Exits: what a trap into HS means, one type for each cause.

The hart has taken the trap architecturally (scause, sepc, stval, htval, htinst, hstatus).  An exit is a view of these
CSRs; there is one object of each type, refilled each time, so that an exit costs no allocation.
"""
from __future__ import annotations

from rvhyp.hart.state import OFFSET, Hart
from rvhyp.hart.trap import PSEUDO_READ, PSEUDO_WRITE
from rvhyp.isa import cause as causes

SCAUSE, SEPC, STVAL = (OFFSET[name] // 8 for name in ("scause", "sepc", "stval"))
HTVAL, HTINST, HSTATUS = (OFFSET[name] // 8 for name in ("htval", "htinst", "hstatus"))
A0 = 10
PSEUDO = (PSEUDO_READ, PSEUDO_WRITE)


class Exit:
    """A trap into HS.  `name` is the manual's name of the cause."""

    __slots__ = ("cause", "name", "words")

    def fill(self, hart: Hart, cause: int) -> Exit:
        """View the trap that `hart` has just taken."""
        self.words, self.cause = hart.words, cause
        self.name = causes.cause_name(cause)
        return self

    @property
    def pc(self) -> int:
        """Guest virtual address of the instruction, sepc."""
        return self.words[SEPC]

    @property
    def tval(self) -> int:
        """stval."""
        return self.words[STVAL]


class VsEcall(Exit):
    """Environment call from VS-mode: an SBI call."""

    __slots__ = ()

    @property
    def eid(self) -> int:
        """Extension id, a7."""
        return self.words[17]

    @property
    def fid(self) -> int:
        """Function id, a6."""
        return self.words[16]

    @property
    def arguments(self) -> list[int]:
        """a0 to a5."""
        return self.words[A0:A0 + 6].tolist()


class GuestPageFault(Exit):
    """The G-stage refused a guest physical address.  `access` is "fetch", "load" or "store"."""

    __slots__ = ("access",)

    def fill(self, hart: Hart, cause: int) -> Exit:
        self.access = {causes.INSTRUCTION_GUEST_PAGE_FAULT: "fetch", causes.LOAD_GUEST_PAGE_FAULT: "load"}.get(cause, "store")
        return super().fill(hart, cause)

    @property
    def gva(self) -> int:
        """Guest virtual address of the access."""
        return self.words[STVAL]

    @property
    def gpa(self) -> int:
        """Guest physical address: htval, with the low bits of the virtual one unless a PTE was being read."""
        words = self.words
        low = 0 if words[HTINST] in PSEUDO else words[STVAL] & 3
        return words[HTVAL] << 2 | low

    def device_gpa(self) -> int | None:
        """`gpa` of a load or store of data, which a device may answer; None for a fetch, and for an access to a page table."""
        words = self.words
        if self.access == "fetch" or words[HTINST] in PSEUDO:
            return None
        return words[HTVAL] << 2 | words[STVAL] & 3

    @property
    def htinst(self) -> int:
        """The transformed instruction, a pseudoinstruction, or 0."""
        return self.words[HTINST]

    @property
    def is_implicit(self) -> bool:
        """Whether it was an access to a VS-stage page table."""
        return self.words[HTINST] in PSEUDO


class VirtualInstruction(Exit):
    """The guest executed what only its hypervisor may allow."""

    __slots__ = ()

    @property
    def insn(self) -> int:
        """The instruction's bits, stval."""
        return self.words[STVAL]


class HsInterrupt(Exit):
    """An interrupt for HS-level."""

    __slots__ = ()

    @property
    def code(self) -> int:
        """Interrupt number."""
        return self.cause & ~causes.INTERRUPT


class GuestException(Exit):
    """An exception that was not delegated: it belongs to the guest."""

    __slots__ = ()


_TYPES: dict[int, type[Exit]] = {
    causes.ECALL_VS: VsEcall,
    causes.INSTRUCTION_GUEST_PAGE_FAULT: GuestPageFault,
    causes.LOAD_GUEST_PAGE_FAULT: GuestPageFault,
    causes.STORE_GUEST_PAGE_FAULT: GuestPageFault,
    causes.VIRTUAL_INSTRUCTION: VirtualInstruction,
}


class Exits(dict):
    """The exit views of one hart, by scause; made when first seen."""

    def __init__(self, hart: Hart):
        super().__init__()
        self._hart = hart

    def __missing__(self, cause: int) -> Exit:
        kind = HsInterrupt if cause & causes.INTERRUPT else _TYPES.get(cause, GuestException)
        view = self[cause] = kind().fill(self._hart, cause)
        return view
