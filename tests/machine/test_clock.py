"""The machine's clock: virtual, and the host's."""
import time

import pytest

from rvhyp import Board
from rvhyp.machine import clock
from rvhyp.machine.clock import TICK, TIMEBASE, HostClock, VirtualClock


class Machine:
    """What a clock asks of a machine."""

    def __init__(self, ticks=0):
        self.ticks = ticks

    def now(self):
        return self.ticks

    def set_now(self, ticks):
        assert ticks >= self.ticks
        self.ticks = ticks


def test_virtual_time_jumps_and_never_goes_back():
    machine = Machine(50)
    virtual = VirtualClock(machine)
    virtual.pass_until(40, lambda seconds: 1 / 0)
    assert machine.ticks == 50
    virtual.pass_until(70, lambda seconds: 1 / 0)       # nobody sleeps
    assert machine.ticks == 70


def following(engine="auto"):
    """A board that follows the host's clock, in a program that goes on for ever."""
    board = Board(engine=engine)
    board.machine.memory.write(0x8000_0000, (0x6F).to_bytes(4, "little"))           # j .
    board.machine.hart.pc = 0x8000_0000
    board.run(1000)
    board.machine.follow_host_clock()
    return board


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_real_time_starts_where_the_machine_is_and_is_the_hosts(engine):
    """However fast an engine is, and however long it takes to look again."""
    first = time.monotonic_ns()
    machine = following(engine).machine
    start, last = machine.now(), time.monotonic_ns()
    for steps in (1, 10, 10_000):
        machine.run(steps)
        before = time.monotonic_ns()
        now, after = machine.now() - start, time.monotonic_ns()
        assert (before - last) // TICK - 1 <= now <= (after - first) // TICK + 1
    machine.set_now(7)
    assert 7 <= machine.now() < start + (time.monotonic_ns() - first) // TICK


def test_who_waits_in_real_time_sleeps_a_little_and_looks_again():
    machine, slept = Machine(), []

    def wait(seconds):
        slept.append(seconds)
        machine.ticks += round(seconds * TIMEBASE)

    real = HostClock(machine)
    while machine.ticks < TIMEBASE // 8:
        real.pass_until(TIMEBASE // 8, wait)
    assert abs(sum(slept) - 1 / 8) < 1e-6 and max(slept) <= clock.LONGEST_SLEEP
    real.pass_until(0, wait)
    assert abs(sum(slept) - 1 / 8) < 1e-6               # what is past is not waited for
