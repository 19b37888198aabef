"""A machine: harts on an engine, RAM, a bus with devices; and the loop that serves the engine's reasons to return."""
from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from rvhyp.engine import make_engine
from rvhyp.hart.peers import ENTRY_SHIFT
from rvhyp.hart.state import (
    MMIO_OK,
    MMIO_REFUSED,
    OFFSET,
    RAM_REGIONS,
    REASON_BUDGET,
    REASON_MMIO,
    REASON_TRAP,
    REASON_TRAP_LOOP,
    REASON_WATCH,
    REASON_WFI,
    Hart,
)
from rvhyp.isa import config
from rvhyp.isa.cause import SGEI
from rvhyp.isa.configuration import Configuration
from rvhyp.machine.bus import Bus, BusError
from rvhyp.machine.clock import TICK, HostClock, VirtualClock
from rvhyp.machine.devices.rtc import Rtc
from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import isa_extensions
from rvhyp.machine.ram import MAP_NORESERVE, PAGE, Memory, Ram
from rvhyp.machine.turns import Turns, retired

QUANTUM_MIN, QUANTUM_MAX = 10, 5_000_000        # instructions between two looks at the host ...
INPUT_PERIOD = 5_000_000                # instructions: 5 ms of virtual time, less of the host's
QUANTUM_SECONDS = 0.001                         # ... which should take this long
ACCESSES = 100                  # to devices between two looks at the host, at most
ADDRESS, BYTES, IS_WRITE, VALUE, DONE = (OFFSET[f"mmio_{name}"] // 8 for name in ("address", "size", "is_write", "value", "done"))
FAR = 1 << 40                   # ticks: what the rule next_event gives when no timer is set
NEVER = (1 << 63) - 1
EPOCH_COUNT = OFFSET["epoch_count"]     # of concurrent harts, that of the first counts for all
CLOCK_GETTIME = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value


class Ended(Enum):
    """Why a run ended."""

    EXIT = "exit"                       # the program ended itself, with a status
    REBOOT = "reboot"                   # the program wants to start again: on another machine
    INSTRUCTIONS = "instruction limit"
    SECONDS = "time limit"
    QUIT = "quit"                       # who sits at the terminal wanted it so
    WAITING = "waits for an interrupt that nothing can raise"
    TRAP_LOOP = "trap loop"


@dataclass
class Outcome:
    """How a run ended; `status` is the program's own for EXIT."""

    ended: Ended
    status: int = 0
    detail: str = ""


class Watch:
    """A run's limit in host seconds, and when to look at the host again.

    Instructions take from a nanosecond to many microseconds (self-modifying code, fences, the reference engine), so how many
    there are between two looks follows from how long the last ones took.
    """

    def __init__(self, seconds: float | None):
        self._quantum, self._instret, self._looked = QUANTUM_MIN, 0, time.monotonic()
        self._end = float("inf") if seconds is None else self._looked + seconds

    @property
    def is_over(self) -> bool:
        """Whether the limit had been reached at the last look."""
        return self._looked >= self._end

    def look(self, instret: int) -> int:
        """Look at the clock; the instret at which to look again."""
        now = time.monotonic()
        fitting = int((instret - self._instret) * QUANTUM_SECONDS / (now - self._looked + 1e-9))
        self._quantum = max(QUANTUM_MIN, min(fitting, 2 * self._quantum, QUANTUM_MAX))
        self._instret, self._looked = instret, now
        return instret + self._quantum


class Machine:
    """Harts, RAM and a bus.  Of several harts one runs at a time (rvhyp.machine.turns): that is `hart`.  Or they are
    `concurrent`: somebody else runs each on a thread of its own (rvhyp.hart.peers), and time is the host's.

    `isa` is an ISA string (BadInput if it names what is not implemented), `engine` a name or an engine, `choices` says what the
    hart does where the manual leaves a choice: `{"geilen": 5}` (BadInput if there is no such choice or value).  Devices are
    attached to `bus` before `run`; what they need of the machine is `wire`, `guest_wire`, `now`, `set_now`, `wall` and `stop`.
    """

    def __init__(self, regions: list[Ram], isa: str = config.DEFAULT, engine="auto", hart: int = 0,
                 choices: Mapping[str, object] | None = None, harts: int = 1, concurrent: bool = False):
        if len(regions) > RAM_REGIONS:
            raise BadInput(f"{len(regions)} regions of RAM", do=f"give at most {RAM_REGIONS}")
        self.memory = Memory(regions)
        self.bus = Bus([(ram.base, ram.size, "RAM") for ram in regions])
        self.isa = isa
        self.engine = make_engine(engine) if isinstance(engine, str) else engine
        self.harts = [Hart(hart + number) for number in range(harts)]
        self._code_maps: list[mmap.mmap] = []
        for each in self.harts:
            self._configure(each, isa)
            self.choices = self._choose(each, choices)
        self.hart = self.harts[0]
        sharing = [[each] for each in self.harts] if concurrent else [self.harts]      # a pool of decoded code
        for each in sharing:
            for number, ram in enumerate(self.memory.regions):
                self._map_region(number, ram, each)
        for number, each in enumerate(self.harts):
            following = self.harts[(number + 1) % harts].address
            if concurrent:
                self.engine.attach(each)
                each.next_peer, each.epoch = following, self.hart + EPOCH_COUNT
            else:
                self.engine.attach(each, *self.harts[:min(number, 1)])
                each.next_hart = following
        self.concurrent = concurrent
        self.run_hart, self.return_to_guest = self.engine.bind(self.hart)
        self.elsewhere = 0                      # retired instructions of the harts that do not run
        self.turns = Turns(self) if harts > 1 and not concurrent else None
        self.memory.on_written(self._written)
        self.clock = VirtualClock(self)
        if concurrent:
            self.follow_host_clock()
        self.outcome: Outcome | None = None
        self.take_input: Callable[[], object] = lambda: None        # called where a device is looked at, and now and then
        self.input_at = NEVER                                       # instret at which it is called next, if it is by then
        self.alarms: list[Rtc] = []                                 # looked at when input is, and when nothing is to be done
        self.on_watch: Callable[[], object] = lambda: None          # the watched range of RAM was stored to
        self.wait: Callable[[float], bool] = lambda seconds: False  # host input may come: wait for it
        self.quantum = QUANTUM_MAX                                  # instructions that the engine runs at most before it returns

    @staticmethod
    def _configure(hart: Hart, isa: str) -> None:
        base, names = isa_extensions(isa)
        if base != "rv64i":
            raise BadInput(f"ISA {isa!r} is not a 64-bit one", do=f"give one like {config.DEFAULT}")
        try:
            hart.extensions = config.extension_mask(names)
        except ValueError as error:
            raise BadInput(f"ISA {isa!r}: {error}") from error
        there = config.with_implied(names)
        for csrs, extension in ((hart.mstateen, "smstateen"), (hart.hstateen, "ssstateen")):
            for index in range(4):
                csrs[index] = 0 if extension in there else (1 << 64) - 1        # what is not there closes no gate
        hart.menvcfg_writable = config.menvcfg_writable(names)
        letters = config.misa_letters(names)
        hart.misa = 2 << 62 | sum(1 << ord(letter) - ord("A") for letter in letters)

    def _choose(self, hart: Hart, values: Mapping[str, object] | None) -> Configuration:
        try:
            choices = Configuration(values)
        except ValueError as error:
            raise BadInput(str(error)) from error
        if broken := choices.broken_promise(isa_extensions(self.isa)[1]):
            name, choice = broken
            raise BadInput(f"ISA {self.isa!r} names {name}, but {choice} is {choices[choice]!r}", do="change one of them")
        hart.choices, hart.medeleg_writable = choices.word, choices["medeleg"]
        if choices["geilen"]:
            hart.mideleg = int(hart.mideleg) | 1 << SGEI        # read-only one (Hypervisor extension, "mideleg")
        return choices

    def _map_region(self, number: int, ram: Ram, harts: list[Hart]) -> None:
        """Tell harts that share decoded code about a region, with an entry for each of its pages that leads to it."""
        size = max(PAGE, ram.size // PAGE << ENTRY_SHIFT)
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
        for hart in harts:
            hart.region_base[number], hart.region_size[number] = ram.base, ram.size
            hart.region_host[number] = ram.address
            hart.region_pages[number] = ctypes.addressof(ctypes.c_char.from_buffer(pages))
            hart.region_count = number + 1
        self._code_maps.append(pages)

    def _written(self, pa: int, size: int) -> None:
        self.engine.rules.notice_write(self.hart.address, pa, size)

    # What devices are given.

    @property
    def instret(self) -> int:
        """Retired instructions since reset, of all harts; of those that run on other threads, up to their last exit or so."""
        if self.concurrent:
            return sum(retired(hart) for hart in self.harts)
        return retired(self.hart) + self.elsewhere

    def now(self) -> int:
        """mtime, in ticks."""
        return self.engine.rules.ticks(self.hart.address)

    def set_now(self, ticks: int) -> None:
        """Write mtime."""
        hart = self.hart
        if hart.host_clock:
            zero = (self.now() + int(hart.clock_zero) - ticks) % (1 << 64)
            for each in self.harts:
                each.clock_zero = zero
            return
        hart.skipped_cycles = (ticks * int(hart.cycles_per_tick) - (self.instret - self.elsewhere)) % (1 << 64)

    def wall(self) -> int:
        """Nanoseconds since 1970."""
        return self.clock.wall()

    def follow_host_clock(self) -> None:
        """From now on time is the host's; runs are not repeatable any more."""
        if not self.hart.host_clock:
            now = self.now()
            for hart in self.harts:
                hart.host_clock = CLOCK_GETTIME
            self.set_now(now)
            self.clock = HostClock(self)

    def wire(self, bit: int, number: int = 0) -> Callable[[bool], None]:
        """A callable that drives an interrupt bit of mip, of a hart by its number here."""
        hart = self.harts[number]

        def drive(level: bool) -> None:
            wires = int(hart.wires)
            hart.wires = wires | 1 << bit if level else wires & ~(1 << bit)
        return drive

    def guest_wire(self, number: int) -> Callable[[bool], None]:
        """A callable that drives a guest external interrupt of the first hart, a bit of hgeip.  `ValueError` if there is none of
        that number.
        """
        if not 1 <= number <= self.choices["geilen"]:
            raise ValueError(f"no guest external interrupt {number}: GEILEN is {self.choices['geilen']}")

        hart = self.harts[0]

        def drive(level: bool) -> None:
            pending = int(hart.hgeip)
            hart.hgeip = pending | 1 << number if level else pending & ~(1 << number)
        return drive

    def stop(self, status: int) -> None:
        """End the run with the program's status."""
        self.outcome = Outcome(Ended.EXIT, status)

    # Running.

    def run(self, max_instructions: int | None = None, seconds: float | None = None) -> Outcome:
        """Run until the program ends, a limit is reached, or nothing more can happen."""
        watch = Watch(seconds)
        end = NEVER if max_instructions is None else self.instret + max_instructions
        while self.outcome is None:
            if self.instret >= end:
                return Outcome(Ended.INSTRUCTIONS)
            quantum_end = self.look(watch, end)
            if watch.is_over:
                return Outcome(Ended.SECONDS)
            if self.turns:
                quantum_end = self.turns.limit(quantum_end)
            self.hart.quantum_end = quantum_end - self.elsewhere
            self._run_quantum()
        return self.outcome

    def _run_quantum(self) -> None:
        """Run until it is time to look at the host, which accesses to devices do not make it, unless there are many."""
        for _ in range(ACCESSES):
            reason = self.run_hart()
            self.serve(reason)
            if reason != REASON_MMIO or self.outcome is not None:
                return

    def look(self, watch: Watch, end: int) -> int:
        """Look at the host's clock and, if it is time, at its input; the instret up to which to run then."""
        self.engine.tend(self.hart)
        now = self.instret
        if now >= self.input_at:
            self.ring()
            self.take_input()
            self.expect_input()
        return min(watch.look(now), now + self.quantum, self.input_at, end)

    def expect_input(self) -> None:
        """Ask for input now and then, by the count of instructions: a run with the same input is the same run."""
        self.input_at = (self.instret // INPUT_PERIOD + 1) * INPUT_PERIOD

    def ring(self) -> bool:
        """Let the alarms ring whose time has come; whether one did."""
        return any([alarm.look() for alarm in self.alarms])

    def next_alarm(self) -> int | None:
        """The tick at which the next alarm rings, which may have passed; None if none is set."""
        due = min((alarm.due for alarm in self.alarms if alarm.due is not None), default=None)
        return None if due is None else self.now() + -(-due // TICK)

    def serve(self, reason: int) -> None:
        """Deal with one return of the engine."""
        if reason == REASON_MMIO:
            self._device_access()
        elif reason == REASON_WATCH:
            self.on_watch()
        elif reason == REASON_WFI:
            self._wait_for_interrupt()
        elif reason == REASON_TRAP_LOOP:
            self.outcome = Outcome(Ended.TRAP_LOOP)
        elif reason not in (REASON_BUDGET, REASON_TRAP):
            raise AssertionError(f"the engine returned for reason {reason}")

    def _device_access(self) -> None:
        words = self.hart.words
        pa, size = words[ADDRESS], words[BYTES]
        self.take_input()
        try:
            if words[IS_WRITE]:
                self.bus.write(pa, size, words[VALUE])
            else:
                words[VALUE] = self.bus.read(pa, size)
            words[DONE] = MMIO_OK
        except BusError:
            words[DONE] = MMIO_REFUSED

    def _wait_for_interrupt(self) -> None:
        """A hart that waits may wait for input; else time jumps to the next timer event, or only the host can wake it."""
        wires = int(self.hart.wires)
        self.take_input()
        if self.turns.wait() if self.turns else int(self.hart.wires) != wires:
            return
        if not self.skip_to_next_event() and not self.wait(0.05):
            self.outcome = Outcome(Ended.WAITING)

    def skip_to_next_event(self) -> bool:
        """Advance the clock to the next timer event or alarm; False if there is none."""
        now, alarm = self.now(), self.next_alarm()
        ticks = min(self.engine.rules.next_event(hart.address, now) for hart in self.harts)
        if alarm is not None:
            ticks = max(min(ticks, alarm - now), 0)
        elif ticks >= FAR:
            return False
        self.set_now(now + ticks)
        self.ring()
        return True
