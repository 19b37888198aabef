"""A virtual CPU: the guest's view of a hart, kept here while another one is loaded."""
from __future__ import annotations

from array import array
from collections.abc import Callable
from enum import Enum
from functools import partial
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
from rvhyp.monitor.pmu import Pmu

if TYPE_CHECKING:
    from rvhyp.monitor.pcpu import Pcpu
    from rvhyp.monitor.steal import StealTime
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
KEPT = ("hvip", "mie", "vstimecmp", "henvcfg")          # over a suspension: what woke the hart, and what FWFT has set


class State(Enum):
    """HSM hart states (SBI, "Hart State Management"), and waiting, which the guest cannot see."""

    STARTED = 0
    STOPPED = 1
    WAITING = "wfi"
    SUSPENDED = 4


ASLEEP = State.WAITING, State.SUSPENDED


class Vcpu:
    """One hart of a guest, `number` within its Vm."""

    def __init__(self, vm: Vm, number: int):
        self.vm, self.number = vm, number
        self.state = State.STOPPED
        self.pcpu: Pcpu | None = None                   # while loaded, and its hart
        self.hart: Hart | None = None
        self.reach: Callable[[Callable[[], object]], object] = lambda action: action()  # do something once its hart stands still
        self._registers = [array("Q", bytes(8 * 32)) for _ in REGISTERS]
        self._saved = dict.fromkeys(SWITCHED, 0)
        self._resume: tuple[int, int] | None = None     # where a suspended hart starts anew, and its a1
        self.pmu = Pmu()
        self.steal: StealTime | None = None             # where its guest reads it
        self.locked: set[int] = set()                   # features of FWFT
        self.last_call: tuple[int, int] | None = None   # extension and function of its last SBI call
        self._off_since = 0                             # tick at which it left its hart
        self._ready_since: int | None = None            # tick since which it could be there; None: it waits

    def start(self, pc: int, a0: int, a1: int) -> None:
        """A hart reset, then VS-mode at pc (SBI, "hart_start")."""
        self._resume, self.pmu, self.steal, self.locked, self.last_call = None, Pmu(), None, set(), None
        self._enter(pc, a0, a1)

    def suspend(self, pc: int, a1: int) -> None:
        """Off until an interrupt; registers are lost, and VS-mode goes on at pc (SBI, "hart_suspend", non-retentive)."""
        self.state, self._resume = State.SUSPENDED, (pc, a1)

    def wake(self) -> None:
        """An interrupt has come to a hart that waits or is suspended."""
        self.state = State.STARTED
        if self._resume:
            pc, a1 = self._resume
            kept = {name: self._saved[name] for name in KEPT}
            self._resume = None
            self._enter(pc, self.number, a1)
            self._saved |= kept

    def _enter(self, pc: int, a0: int, a1: int) -> None:
        """VS-mode at pc, satp = 0, interrupts off, a0 and a1 as given, everything else 0, but for the PLIC's line."""
        self._registers = [array("Q", bytes(8 * 32)) for _ in REGISTERS]
        self._registers[0][10], self._registers[0][11] = a0, a1
        widths = MSTATUS_UXL.put(u64(0), 2)
        self._saved = dict.fromkeys(SWITCHED, 0) | {
            "sepc": pc,
            "mstatus": int(widths | MSTATUS_SXL.put(u64(0), 2) | MSTATUS_SPP.mask | MSTATUS_SPIE.mask | MSTATUS_FS.mask),
            "hstatus": int(HSTATUS_VSXL.put(u64(0), 2) | HSTATUS_SPV.mask | HSTATUS_SPVP.mask | HSTATUS_VTW.mask),
            "vsstatus": int(MSTATUS_FS.put(widths, 1)),
            "hvip": self._saved["hvip"] & VSEIP,
            "vstimecmp": NEVER, "scounteren": COUNTERS,
            "henvcfg": int(ENVCFG_STCE.mask | ENVCFG_PBMTE.mask | CACHE_BLOCK_FIELDS),
            "mie": HS_INTERRUPTS, "hgatp": self.vm.gstage.hgatp, "htimedelta": self.vm.htimedelta,
        }
        self.state = State.STARTED

    def load(self, pcpu: Pcpu) -> None:
        """Put the guest's state on a hart in HS-mode; SRET then enters it."""
        words = pcpu.hart.words
        for registers, where in zip(self._registers, REGISTERS, strict=True):
            words[where] = registers
        for name, value in self._saved.items():
            words[INDEX[name]] = value
        words[INDEX["reservation"]] = 0
        self.pcpu, self.hart = pcpu, pcpu.hart

    def save(self, now: int) -> None:
        """Take the guest's state off its hart, at that tick.  One that could go on is preempted."""
        words = self.hart.words
        self._registers = [array("Q", words[where]) for where in REGISTERS]
        self._saved = {name: words[INDEX[name]] for name in SWITCHED}
        self.pcpu = self.hart = None
        self._off_since = now
        self._ready_since = now if self.state is State.STARTED else None
        if self.steal and self.state is State.STARTED:
            self.steal.goes()

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
        self.reach(partial(self._set_pending, bit, level))

    def _set_pending(self, bit: int, level: bool) -> None:
        self["hvip"] = self["hvip"] | bit if level else self["hvip"] & ~bit
        if self.state not in ASLEEP:
            return
        if not self["hvip"] & self["mie"]:
            self._ready_since = None
        elif self._ready_since is None:
            self._ready_since = self.vm.now()
            self.vm.wakes()

    def is_interrupted(self, now: int) -> bool:
        """Whether WFI has something to wake for: a VS-level interrupt pending and enabled at `now` (host ticks)."""
        pending = self["hvip"]
        if now + self["htimedelta"] & NEVER >= self["vstimecmp"]:
            pending |= VSTIP
        return bool(pending & self["mie"] & VS_INTERRUPTS)

    def is_ready(self, now: int) -> bool:
        """Whether it can run at `now`, if it is woken."""
        return self.state is State.STARTED or self.state in ASLEEP and self.is_interrupted(now)

    def wake_at(self) -> int | None:
        """The tick (host time) of the timer interrupt that would wake it; None if none can."""
        if not self["mie"] & VSTIP or self["vstimecmp"] == NEVER:
            return None
        return self["vstimecmp"] - self["htimedelta"] & NEVER

    def ready_at(self, now: int) -> int:
        """The tick since which it could have run, of one that is about to run at `now`."""
        wake = self.wake_at()
        by_timer = now if wake is None or wake > now else max(wake, self._off_since)
        return by_timer if self._ready_since is None else min(by_timer, self._ready_since)

    def set_ad_updating(self, on: bool) -> None:
        """Whether the hart sets A and D in the guest's PTEs, or takes page faults."""
        config = self["henvcfg"]
        self["henvcfg"] = config | ENVCFG_ADUE.mask if on else config & ~int(ENVCFG_ADUE.mask)
