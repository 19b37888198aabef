"""The counters of a vcpu (SBI specification, chapter "Performance Monitoring Unit Extension").

Hardware counters are the hart's own: cycle, instret and the first hpmcounters, which a guest reads as CSRs.  They are switched
with the vcpu, so that they count what it does and stand still while it is not on the hart.  What is running is in mcountinhibit,
what is counted in mhpmevent, as on a hart that a guest has for itself; a hypervisor that was no M-mode firmware too would ask
that firmware.  Behind them are the firmware's counters, of events that the monitor sees.
"""
from __future__ import annotations

from array import array
from enum import IntEnum
from typing import TYPE_CHECKING

from rvhyp.hart.counters import EVENT_CYCLES, EVENT_INSTRUCTIONS
from rvhyp.hart.state import OFFSET
from rvhyp.isa.csr import CSR_NUMBERS, LOW32

if TYPE_CHECKING:
    from rvhyp.hart.state import Hart

HARDWARE = 11                           # hardware counters by the numbers of their CSRs: cycle, none, instret, hpmcounter3 to 10
TIME = 1                                # the number of no counter
CYCLE, INSTRET = 0, 2
GUEST_COUNTERS = (1 << HARDWARE) - 1    # hcounteren: these, and time
FREE_RUNNING = 1 << CYCLE | 1 << INSTRET
WIDTH = 64
OFFSETS, EVENTS = (slice(OFFSET[name] // 8, OFFSET[name] // 8 + HARDWARE) for name in ("counter_offset", "mhpmevent"))
RUNNING, DUE, FULL = (OFFSET[name] // 8 for name in ("counters_running", "counters_due", "counters_full"))
INHIBIT = OFFSET["mcountinhibit"] // 8
SLICE_END, BUDGET = OFFSET["slice_end"] // 8, OFFSET["budget"] // 8
MCOUNTINHIBIT = CSR_NUMBERS["mcountinhibit"]
NEVER = MASK64 = (1 << 64) - 1


class Firmware(IntEnum):
    """Firmware events, by their codes: those that a guest without H can cause."""

    MISALIGNED_LOAD = 0
    MISALIGNED_STORE = 1
    ACCESS_LOAD = 2
    ACCESS_STORE = 3
    ILLEGAL_INSN = 4
    SET_TIMER = 5
    IPI_SENT = 6
    IPI_RECEIVED = 7
    FENCE_I_SENT = 8
    FENCE_I_RECEIVED = 9
    SFENCE_VMA_SENT = 10
    SFENCE_VMA_RECEIVED = 11
    SFENCE_VMA_ASID_SENT = 12
    SFENCE_VMA_ASID_RECEIVED = 13


COUNTERS = range(HARDWARE + len(Firmware))


class FirmwareCounter:
    """One counter: what it counts (None: nothing yet), whether it runs, its value."""

    __slots__ = ("event", "is_running", "value")

    def __init__(self):
        self.event, self.is_running, self.value = None, False, 0


class Pmu:
    """The counters of one vcpu.  `values`, `events` and `inhibit` of the hardware's are right while the vcpu is off its hart."""

    def __init__(self):
        self.values = [0] * HARDWARE
        self.events = [0] * HARDWARE
        self.events[CYCLE], self.events[INSTRET] = EVENT_CYCLES, EVENT_INSTRUCTIONS
        self.inhibit = LOW32 & ~FREE_RUNNING
        self.firmware = [FirmwareCounter() for _ in Firmware]
        self._counting: dict[int, list[FirmwareCounter]] = {}       # by event: those that run
        self.snapshot: int | None = None                            # guest-physical address of the shared memory

    def load(self, hart: Hart, rules) -> None:
        """Put the hardware counters on a hart."""
        words = hart.words
        words[RUNNING], words[DUE], words[FULL] = 0, NEVER, 0
        words[OFFSETS], words[EVENTS] = array("Q", self.values), array("Q", self.events)
        rules.csr_write(hart.address, MCOUNTINHIBIT, self.inhibit)

    def save(self, hart: Hart) -> None:
        """Take them off."""
        words = hart.words
        retired, running = words[SLICE_END] - words[BUDGET], words[RUNNING]
        self.values = [offset + (running >> n & 1) * retired & MASK64 for n, offset in enumerate(words[OFFSETS])]
        self.events, self.inhibit = words[EVENTS].tolist(), words[INHIBIT]

    def count(self, event: Firmware, times: int = 1) -> None:
        """A firmware event has happened."""
        for counter in self._counting.get(event, ()):
            counter.value = counter.value + times & MASK64

    @property
    def counts_firmware(self) -> bool:
        """Whether a counter of the firmware's events runs."""
        return bool(self._counting)

    # Counters by their numbers, of either kind; the vcpu is off its hart.

    def is_running(self, number: int) -> bool:
        """Whether it has been started."""
        if number >= HARDWARE:
            return self.firmware[number - HARDWARE].is_running
        return not self.inhibit >> number & 1

    def set_running(self, number: int, running: bool) -> None:
        """Start or stop it; it keeps its value."""
        if number >= HARDWARE:
            self.firmware[number - HARDWARE].is_running = running
            self._counting = {}
            for counter in self.firmware:
                if counter.is_running and counter.event is not None:
                    self._counting.setdefault(counter.event, []).append(counter)
        elif running:
            self.inhibit &= ~(1 << number)
        else:
            self.inhibit |= 1 << number

    def value(self, number: int) -> int:
        """What it reads."""
        return self.firmware[number - HARDWARE].value if number >= HARDWARE else self.values[number]

    def set_value(self, number: int, value: int) -> None:
        """Write it."""
        if number >= HARDWARE:
            self.firmware[number - HARDWARE].value = value
        else:
            self.values[number] = value

    def set_event(self, number: int, event: int | None, filters: int = 0) -> None:
        """Let it count an event: of the hart, with filters of mhpmevent, or of the firmware; None: no event."""
        if number >= HARDWARE:
            self.firmware[number - HARDWARE].event = event
            self.set_running(number, self.firmware[number - HARDWARE].is_running)
        elif number in (CYCLE, INSTRET):
            self.events[number] = (EVENT_CYCLES if number == CYCLE else EVENT_INSTRUCTIONS) | filters
        else:
            self.events[number] = (event or 0) | filters
