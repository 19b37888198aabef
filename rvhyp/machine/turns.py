"""Several harts of a machine take turns on the engine: round robin, by the count of instructions, so that a run is repeatable.

Each hart has a record of its own; they share the decoded code.  Time is one: it passes with the instructions of whichever hart
runs, and the others are told when it is their turn.  A hart runs alone, so its atomic instructions are atomic; a reservation is
lost when the turn is over.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from rvhyp.hart.state import OFFSET, Hart
from rvhyp.isa.csr import CSR_NUMBERS

if TYPE_CHECKING:
    from rvhyp.machine.machine import Machine

MIP = CSR_NUMBERS["mip"]
SLICE_END, BUDGET = (OFFSET[name] // 8 for name in ("slice_end", "budget"))
TURN = 100_000                          # instructions: a tenth of a millisecond


class Turns:
    """Who runs, of the harts of a machine."""

    def __init__(self, machine: Machine):
        self._machine = machine
        self._entries = [machine.engine.bind(hart) for hart in machine.harts]
        self._running, self._end = 0, TURN
        self._waiting: set[int] = set()         # in WFI

    def limit(self, end: int) -> int:
        """The instret up to which to run, at most `end`; if the turn is over, the next hart is loaded."""
        if self._machine.instret >= self._end:
            self._waiting.discard(self._running)        # it went on from a WFI without an interrupt, as it may
            self._pass_on()
        return min(end, self._end)

    def wait(self) -> bool:
        """The running hart waits for an interrupt: the next has its turn.  False if all wait."""
        self._waiting.add(self._running)
        return self._pass_on()

    def _pass_on(self) -> bool:
        """Load the next hart that can run.  False if there is none."""
        count = len(self._entries)
        for number in range(self._running + 1, self._running + 1 + count):
            if self._can_run(number % count):
                self._load(number % count)
                return True
        return False

    def _can_run(self, number: int) -> bool:
        """Whether it does not wait, or there is what it waits for."""
        if number not in self._waiting:
            return True
        machine, hart = self._machine, self._machine.harts[number]
        self._tell_time(number)
        return bool(machine.engine.rules.csr_read(hart.address, MIP) & int(hart.mie))

    def _tell_time(self, number: int) -> None:
        """The time of the hart that ran is that of another."""
        ran, other = self._machine.hart, self._machine.harts[number]
        cycles = int(ran.skipped_cycles) + retired(ran)
        other.skipped_cycles = (cycles - retired(other)) % (1 << 64)

    def _load(self, number: int) -> None:
        machine = self._machine
        self._tell_time(number)
        total = machine.instret
        machine.hart = machine.harts[number]
        machine.hart.reservation = 0
        machine.run_hart, machine.return_to_guest = self._entries[number]
        machine.elsewhere = total - retired(machine.hart)
        self._waiting.discard(number)
        self._running, self._end = number, total + TURN


def retired(hart: Hart) -> int:
    """Instructions that a hart has retired since reset."""
    return hart.words[SLICE_END] - hart.words[BUDGET]
