"""Why an interrupt was taken, and why this one: from the rules that choose it."""
from __future__ import annotations

from dataclasses import dataclass

from rvhyp.explain.manual import GUEST_INTERRUPTS, INTERRUPTS
from rvhyp.explain.observe import Before, Call
from rvhyp.isa.cause import M, U, mode_name
from rvhyp.isa.csr import MSTATUS_MIE, MSTATUS_SIE

SHORT = {1: "SSI", 2: "VSSI", 3: "MSI", 5: "STI", 6: "VSTI", 7: "MTI", 9: "SEI", 10: "VSEI", 11: "MEI", 12: "SGEI", 13: "LCOFI"}
ORDER = "MEI MSI MTI SEI SSI STI SGEI VSEI VSSI VSTI LCOFI"


@dataclass
class Interrupt:
    """`pending` is mip, `enabled` mie; `candidates` those of both at the level that takes it, `code` the first of them."""

    code: int
    pending: int
    enabled: int
    mideleg: int
    hideleg: int
    candidates: int
    may: str                                # why that level may interrupt the mode that runs
    manual: str = INTERRUPTS

    @property
    def order(self) -> str:
        """Why this one of several."""
        return f"the first in the order {ORDER}"


def interrupt_of(call: Call, hart: Before) -> Interrupt:
    """From a call of `reschedule` that took one."""
    chosen = call.child("interrupt_to_take")
    v = chosen.values
    level = next(name for name in ("to_vs", "to_hs", "to_m") if v.get(name))
    return Interrupt(
        code=call.child("first_of").result, pending=call.child("pending_at").result, enabled=int(hart.mie),
        mideleg=int(hart.mideleg), hideleg=int(hart.hideleg), candidates=chosen.result, may=why(level, hart),
        manual=GUEST_INTERRUPTS if hart.v or level == "to_vs" else INTERRUPTS)


def why(level: str, hart: Before) -> str:
    """Why the mode that runs may be interrupted at a level."""
    mode = mode_name(hart.prv, hart.v)
    if level == "to_m":
        return f"it is for M-mode, and {mode}-mode is below" if hart.prv != M else f"in M-mode mstatus.MIE is {mie(hart)}"
    if level == "to_hs":
        return (f"it is for HS-mode, and {mode}-mode is below" if hart.v or hart.prv == U
                else f"in HS-mode sstatus.SIE is {int(MSTATUS_SIE.get(hart.mstatus))}")
    return ("it is for VS-mode, and VU-mode is below" if hart.prv == U
            else f"in VS-mode vsstatus.SIE is {int(MSTATUS_SIE.get(hart.vsstatus))}")


def mie(hart: Before) -> int:
    return int(MSTATUS_MIE.get(hart.mstatus))


def names_of(bits: int) -> str:
    """The interrupts of a mask, by their short names."""
    return " ".join(SHORT.get(n, str(n)) for n in range(64) if bits >> n & 1) or "none"
