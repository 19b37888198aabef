"""How a machine's clock goes: by itself, with the instructions (virtual time), or with the host's clock (real time)."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvhyp.machine.machine import Machine

TIMEBASE = 10_000_000                   # Hz: mtime ticks
TICK = 1_000_000_000 // TIMEBASE        # nanoseconds
EPOCH = 1_767_225_600_000_000_000       # nanoseconds from 1970 to 2026-01-01 00:00 UTC, when virtual time begins
LONGEST_SLEEP = 0.05                    # seconds between two looks at the host
EXIT_CYCLES = 3000                      # of virtual time that an exit to the monitor takes: about what it takes the host

Wait = Callable[[float], object]        # sleep so many seconds, or until the host has something


class VirtualClock:
    """Time passes with instructions and exits, and jumps when nothing is to be done: the same run, every time.

    `exit_cycles` is what an exit takes, `epoch` what calendars and clocks show at tick 0, in nanoseconds since 1970.
    """

    exit_cycles = EXIT_CYCLES

    def __init__(self, machine: Machine):
        self._machine, self.epoch = machine, EPOCH

    def wall(self) -> int:
        """Nanoseconds since 1970."""
        return self.epoch + self._machine.now() * TICK

    def pass_until(self, tick: int, wait: Wait) -> None:
        """Nothing is to be done before that tick."""
        self._machine.set_now(max(tick, self._machine.now()))


class HostClock(VirtualClock):
    """A tick is a tenth of a microsecond of the host's, which harts read themselves (the rule `ticks`).  Who is idle sleeps."""

    exit_cycles = 0                             # the host's clock has counted it

    def __init__(self, machine: Machine):
        super().__init__(machine)
        self.epoch = time.time_ns() - machine.now() * TICK

    def pass_until(self, tick: int, wait: Wait) -> None:
        seconds = (tick - self._machine.now()) / TIMEBASE
        if seconds > 0:
            wait(min(seconds, LONGEST_SLEEP))
