"""CLINT: msip, mtimecmp, mtime."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.clint import Clint

MTIME = 0xBFF8


class Board:
    """A CLINT of three harts with everything it drives."""

    def __init__(self, harts=3):
        self.time, self.mtimecmp, self.msip = 5, [100 + hart for hart in range(harts)], []
        self.clint = Clint(harts, lambda: self.time, self.set_time, self.mtimecmp, lambda *a: self.msip.append(a))

    def set_time(self, ticks):
        self.time = ticks


def test_msip_has_one_bit():
    board = Board()
    board.clint.write(4, 4, 0xFFFF_FFFF)
    assert board.clint.read(4, 4) == 1 and board.clint.read(0, 4) == board.clint.read(8, 4) == 0
    board.clint.write(4, 4, 0xFFFF_FFFE)
    assert board.clint.read(4, 4) == 0
    assert board.msip == [(1, True), (1, False)]


def test_msip_of_two_harts_at_once():
    board = Board()
    board.clint.write(0, 8, 1 << 32)
    assert board.msip == [(0, False), (1, True)] and board.clint.read(0, 8) == 1 << 32
    board.clint.write(8, 8, 1 << 32 | 1)                # there is no hart 3
    assert board.msip[2:] == [(2, True)] and board.clint.read(8, 8) == 1
    four = Board(4)
    four.clint.write(12, 4, 1)
    assert four.clint.read(8, 8) == 1 << 32 and four.clint.read(0, 8) == 0


def test_mtimecmp_is_the_injected_list():
    board = Board()
    assert board.clint.read(0x4010, 8) == 102 and board.clint.read(0x4000, 4) == 100
    board.clint.write(0x4008, 8, 0x1_2345_6789)
    assert board.mtimecmp == [100, 0x1_2345_6789, 102]
    assert board.clint.read(0x4008, 4) == 0x2345_6789 and board.clint.read(0x400C, 4) == 1


def test_halves_leave_the_other_half():
    board = Board()
    board.mtimecmp[0] = 0x1111_1111_2222_2222
    board.clint.write(0x4000, 4, 0x3333_3333)
    assert board.mtimecmp[0] == 0x1111_1111_3333_3333
    board.clint.write(0x4004, 4, 0x4444_4444)
    assert board.mtimecmp[0] == 0x4444_4444_3333_3333
    board.time = 0xAAAA_AAAA_BBBB_BBBB
    assert board.clint.read(MTIME, 4) == 0xBBBB_BBBB and board.clint.read(MTIME + 4, 4) == 0xAAAA_AAAA
    board.clint.write(MTIME + 4, 4, 1)
    assert board.time == 0x1_BBBB_BBBB


def test_mtime_is_the_injected_clock():
    board = Board()
    assert board.clint.read(MTIME, 8) == 5
    board.time = 77
    assert board.clint.read(MTIME, 8) == 77
    board.clint.write(MTIME, 8, 1 << 63)
    assert board.time == 1 << 63


@pytest.mark.parametrize("offset", [0xC, 0x3FF8, 0x3FFC, 0x4018, 0xBFF0, 0xC000, 0xFFF8])
def test_elsewhere_there_is_nothing(offset):
    board = Board()
    assert board.clint.read(offset, 4) == 0
    board.clint.write(offset, 4, 0xFFFF_FFFF)
    assert board.clint.read(offset, 4) == 0 and board.msip == [] and board.mtimecmp == [100, 101, 102]
    assert board.time == 5


@pytest.mark.parametrize("offset, size", [(0, 1), (0, 2), (1, 4), (2, 4), (4, 8), (0x4004, 8), (MTIME, 1), (0, 3)])
def test_other_accesses_fault(offset, size):
    board = Board()
    with pytest.raises(BusError):
        board.clint.read(offset, size)
    with pytest.raises(BusError):
        board.clint.write(offset, size, 1)
    assert board.msip == [] and board.time == 5


@pytest.mark.parametrize("harts", [0, -1, 4096])
def test_hart_counts(harts):
    with pytest.raises(ValueError):
        Board(harts)


def test_one_hart():
    board = Board(1)
    board.clint.write(0, 8, 1 << 32 | 1)
    assert board.msip == [(0, True)]


def test_the_last_hart_is_not_mtime():
    board = Board(4095)
    board.clint.write(0xBFF0, 8, 9)
    assert board.mtimecmp[4094] == 9 and board.time == 5


@given(st.lists(st.tuples(st.integers(0, 0x1_0000 // 4 - 1), st.sampled_from([4, 8]), st.integers(0, (1 << 64) - 1))))
def test_a_doubleword_is_two_words(writes):
    """Whatever is written in whatever sizes, reading 8 bytes is reading the two halves."""
    board = Board()
    for index, size, value in writes:
        offset = index * 4 & ~(size - 1)
        board.clint.write(offset, size, value & (1 << 8 * size) - 1)
        at = offset & ~7
        assert board.clint.read(at, 8) == board.clint.read(at, 4) | board.clint.read(at + 4, 4) << 32
