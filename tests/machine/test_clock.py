"""The machine's clock: virtual, and the host's."""
from rvhyp import Board
from rvhyp.machine import clock
from rvhyp.machine.clock import TIMEBASE, HostClock, VirtualClock


class Machine:
    """What a clock asks of a machine."""

    def __init__(self, ticks=0):
        self.ticks = ticks

    def now(self):
        return self.ticks

    def set_now(self, ticks):
        assert ticks >= self.ticks
        self.ticks = ticks


def host(monkeypatch, ticks=0):
    """A host's clock that the test moves, and a machine that follows it."""
    seconds = [1000.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: seconds[0])
    machine = Machine(ticks)
    return seconds, machine, HostClock(machine)


def test_virtual_time_jumps_and_never_goes_back():
    machine = Machine(50)
    virtual = VirtualClock(machine)
    virtual.catch_up()
    assert machine.ticks == 50
    virtual.pass_until(40, lambda seconds: 1 / 0)
    assert machine.ticks == 50
    virtual.pass_until(70, lambda seconds: 1 / 0)       # nobody sleeps
    assert machine.ticks == 70


def test_real_time_starts_where_the_machine_is_and_follows(monkeypatch):
    seconds, machine, real = host(monkeypatch, 5 * TIMEBASE)
    seconds[0] += 2
    real.catch_up()
    assert machine.ticks == 7 * TIMEBASE
    machine.ticks += TIMEBASE                           # instructions went faster than the host's clock
    real.catch_up()
    assert machine.ticks == 8 * TIMEBASE


def test_who_waits_in_real_time_sleeps_a_little_and_looks_again(monkeypatch):
    seconds, machine, real = host(monkeypatch)
    slept = []

    def wait(time):
        slept.append(time)
        seconds[0] += time

    while machine.ticks < TIMEBASE // 8:
        real.pass_until(TIMEBASE // 8, wait)
    assert abs(sum(slept) - 1 / 8) < 1e-6 and max(slept) <= clock.LONGEST_SLEEP
    real.pass_until(0, wait)
    assert abs(sum(slept) - 1 / 8) < 1e-6               # what is past is not waited for


def test_real_time_does_not_run_ahead_of_a_host_that_stands_still(monkeypatch):
    """However fast an engine is: of 3 billion instructions in a second, virtual time would make 3 seconds."""
    seconds = [1000.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: seconds[0])
    board = Board()
    board.machine.memory.write(0x8000_0000, (0x6F).to_bytes(4, "little"))           # j .
    board.machine.hart.pc = 0x8000_0000
    before = board.machine.now()
    board.machine.follow_host_clock()
    assert board.machine.now() == before
    board.run(3_000_000)
    assert board.machine.now() - before <= 3_000_000 // 1000
    seconds[0] += 1
    board.run(1)
    assert abs(board.machine.now() - before - TIMEBASE) < TIMEBASE / 100
