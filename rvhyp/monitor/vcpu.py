"""A virtual CPU: the guest's view of a hart, kept here while another one is loaded."""
from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from rvhyp.hart.state import OFFSET, Hart
from rvhyp.isa.csr import (
    CACHE_BLOCK_FIELDS,
    ENVCFG_ADUE,
    ENVCFG_PBMTE,
    ENVCFG_STCE,
    HSTATUS_SPV,
    HSTATUS_SPVP,
    HSTATUS_VSXL,
    HSTATUS_VTW,
    MSTATUS_FS,
    MSTATUS_SPIE,
    MSTATUS_SPP,
    MSTATUS_SXL,
    MSTATUS_UXL,
    VS_INTERRUPTS,
)
from rvhyp.isa.word import u64

if TYPE_CHECKING:
    from rvhyp.monitor.vm import Vm

# Fields of the hart record that belong to a guest; hgatp and htimedelta come from its Vm.
SWITCHED = ("sepc", "mstatus", "hstatus", "vsstatus", "vstvec", "vsscratch", "vsepc", "vscause", "vstval", "vsatp",
            "vstimecmp", "hvip", "mie", "scounteren", "senvcfg", "henvcfg", "fflags", "frm", "hgatp", "htimedelta")
INDEX = {name: OFFSET[name] // 8 for name in (*SWITCHED, "reservation")}
REGISTERS = slice(0, 32), slice(64, 96)                 # x and f, as words of the record
VSTIP, VSSIP, VSEIP = 1 << 6, 1 << 2, 1 << 10
COUNTERS = 0b111                                        # cycle, time, instret: a guest may read them at once
NEVER = (1 << 64) - 1
HS_INTERRUPTS = 1 << 5                                  # mie: the timer of the monitor itself


class State(Enum):
    """HSM hart states (SBI, "Hart State Management"), and waiting, which the guest cannot see."""

    STARTED = 0
    STOPPED = 1
    WAITING = "wfi"
    SUSPENDED = 4


class Vcpu:
    """One hart of a guest, `number` within its Vm."""

    def __init__(self, vm: Vm, number: int):
        self.vm, self.number = vm, number
        self.state = State.STOPPED
        self.hart: Hart | None = None                   # while loaded
        self._registers = [[0] * 32, [0] * 32]
        self._saved = dict.fromkeys(SWITCHED, 0)

    def start(self, pc: int, a0: int, a1: int) -> None:
        """VS-mode at pc, satp = 0, interrupts off, a0 and a1 as given, everything else 0 (SBI, "hart_start")."""
        self._registers = [[0] * 32, [0] * 32]
        self._registers[0][10], self._registers[0][11] = a0, a1
        widths = MSTATUS_UXL.put(u64(0), 2)
        self._saved = dict.fromkeys(SWITCHED, 0) | {
            "sepc": pc,
            "mstatus": int(widths | MSTATUS_SXL.put(u64(0), 2) | MSTATUS_SPP.mask | MSTATUS_SPIE.mask | MSTATUS_FS.mask),
            "hstatus": int(HSTATUS_VSXL.put(u64(0), 2) | HSTATUS_SPV.mask | HSTATUS_SPVP.mask | HSTATUS_VTW.mask),
            "vsstatus": int(MSTATUS_FS.put(widths, 1)),
            "vstimecmp": NEVER, "scounteren": COUNTERS,
            "henvcfg": int(ENVCFG_STCE.mask | ENVCFG_PBMTE.mask | ENVCFG_ADUE.mask | CACHE_BLOCK_FIELDS),
            "mie": HS_INTERRUPTS, "hgatp": self.vm.gstage.hgatp, "htimedelta": self.vm.htimedelta,
        }
        self.state = State.STARTED

    def load(self, hart: Hart) -> None:
        """Put the guest's state on a hart in HS-mode; SRET then enters it."""
        words = hart.words
        for registers, where in zip(self._registers, REGISTERS, strict=True):
            for index, value in enumerate(registers, where.start):
                words[index] = value
        for name, value in self._saved.items():
            words[INDEX[name]] = value
        words[INDEX["reservation"]] = 0
        self.hart = hart

    def save(self) -> None:
        """Take the guest's state off its hart."""
        words = self.hart.words
        self._registers = [words[where].tolist() for where in REGISTERS]
        self._saved = {name: words[INDEX[name]] for name in SWITCHED}
        self.hart = None

    # The guest's state, loaded or not.

    def __getitem__(self, name: str) -> int:
        """A switched field of the record."""
        return self.hart.words[INDEX[name]] if self.hart else self._saved[name]

    def __setitem__(self, name: str, value: int) -> None:
        if self.hart:
            self.hart.words[INDEX[name]] = value
        else:
            self._saved[name] = value

    def register(self, number: int) -> int:
        """x0 to x31."""
        return self.hart.words[number] if self.hart else self._registers[0][number]

    def set_pending(self, bit: int, level: bool) -> None:
        """Raise or lower one of the VS-level interrupts in hvip."""
        self["hvip"] = self["hvip"] | bit if level else self["hvip"] & ~bit

    def is_interrupted(self, now: int) -> bool:
        """Whether WFI has something to wake for: a VS-level interrupt pending and enabled at `now` (host ticks)."""
        pending = self["hvip"]
        if now + self["htimedelta"] & NEVER >= self["vstimecmp"]:
            pending |= VSTIP
        return bool(pending & self["mie"] & VS_INTERRUPTS)

    def wake_at(self) -> int | None:
        """The tick (host time) of the timer interrupt that would wake it; None if none can."""
        if not self["mie"] & VSTIP or self["vstimecmp"] == NEVER:
            return None
        return self["vstimecmp"] - self["htimedelta"] & NEVER



