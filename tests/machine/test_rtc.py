"""The Goldfish real-time clock."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.machine.board import Board
from rvhyp.machine.bus import BusError
from rvhyp.machine.clock import EPOCH, TIMEBASE
from rvhyp.machine.devices.rtc import (
    ALARM_HIGH,
    ALARM_LOW,
    ALARM_STATUS,
    CLEAR_ALARM,
    CLEAR_INTERRUPT,
    IRQ_ENABLED,
    TIME_HIGH,
    TIME_LOW,
    Rtc,
)

START = 0x1_FFFF_FFFF


class Clock:
    """A clock on a wall that the test moves."""

    def __init__(self, time=START):
        self.wall, self.irq = time, False
        self.rtc = Rtc(lambda: self.wall, self.drive)

    def drive(self, level):
        self.irq = level

    @property
    def time(self):
        return self[TIME_LOW] | self[TIME_HIGH] << 32

    def set_alarm(self, time):
        self[ALARM_HIGH] = time >> 32
        self[ALARM_LOW] = time & 0xFFFF_FFFF

    def __getitem__(self, offset):
        return self.rtc.read(offset, 4)

    def __setitem__(self, offset, value):
        self.rtc.write(offset, 4, value)


def test_reading_the_low_word_fixes_the_high_one():
    clock = Clock()
    assert clock[TIME_LOW] == 0xFFFF_FFFF
    clock.wall += 1
    assert clock[TIME_HIGH] == 1
    assert clock[TIME_LOW] == 0 and clock[TIME_HIGH] == 2


@given(st.integers(0, (1 << 64) - 1))
def test_a_time_that_is_set_goes_on_and_lasts_over_a_reset(time):
    clock = Clock()
    clock[TIME_HIGH] = time >> 32
    clock[TIME_LOW] = time & 0xFFFF_FFFF
    assert clock.time == time
    clock.wall += 1000
    clock.rtc.reset()
    assert clock.time == (time + 1000) % (1 << 64)


def test_an_alarm_rings_once_and_interrupts_if_it_may():
    clock = Clock()
    clock.set_alarm(START + 10)
    assert clock[ALARM_STATUS] == 1 and clock.rtc.due == 10
    clock.wall += 9
    assert not clock.rtc.look()
    clock.wall += 5
    assert clock.rtc.due == -4 and clock.rtc.look() and not clock.rtc.look()
    assert not clock.irq and clock[ALARM_STATUS] == 0 and clock.rtc.due is None
    clock[IRQ_ENABLED] = 1
    assert clock.irq
    clock[CLEAR_INTERRUPT] = 1
    assert not clock.irq


def test_an_alarm_in_the_past_rings_at_once():
    clock = Clock()
    clock[IRQ_ENABLED] = 1
    clock.set_alarm(START)
    assert clock.irq and clock[ALARM_LOW] | clock[ALARM_HIGH] << 32 == START


def test_an_alarm_turned_off_does_not_ring():
    clock = Clock()
    clock[IRQ_ENABLED] = 1
    clock.set_alarm(START + 10)
    clock[CLEAR_ALARM] = 1
    clock.wall += 10
    assert not clock.rtc.look() and clock.rtc.due is None and not clock.irq


def test_a_reset_takes_alarm_and_interrupt_away():
    clock = Clock()
    clock[IRQ_ENABLED] = 1
    clock.set_alarm(START)
    clock.rtc.reset()
    assert not clock.irq and clock[IRQ_ENABLED] == clock[ALARM_LOW] == 0
    clock.set_alarm(START + 5)
    clock.rtc.reset()
    assert clock.rtc.due is None


@pytest.mark.parametrize("offset, size", [(0, 8), (0, 2), (0, 1), (2, 4)])
def test_an_access_is_an_aligned_word(offset, size):
    clock = Clock()
    with pytest.raises(BusError):
        clock.rtc.read(offset, size)
    with pytest.raises(BusError):
        clock.rtc.write(offset, size, 0)


def test_where_there_is_no_register_is_nothing():
    clock = Clock()
    clock[0x20] = clock[0xFFC] = 1
    assert clock[0x20] == clock[0xFFC] == clock[CLEAR_ALARM] == 0 and clock.time == START


def test_writing_mtime_moves_no_clock_on_the_wall():
    board = Board(1 << 20)
    board.machine.bus.write(0x0200_BFF8, 8, 5 * TIMEBASE)
    assert board.machine.now() == 5 * TIMEBASE and board.machine.wall() == EPOCH
