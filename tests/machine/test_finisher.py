"""The test finisher."""
import pytest

from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.finisher import Finisher


def run(*writes):
    """What the machine was told to do by writes of (offset, size, value)."""
    told = []
    finisher = Finisher(lambda status: told.append(status), lambda: told.append("reset"))
    for write in writes:
        finisher.write(*write)
    return told


@pytest.mark.parametrize("size, value, told", [
    (4, 0x5555, [0]), (2, 0x5555, [0]), (8, 0x5555, [0]),
    (4, 0x7_3333, [7]), (4, 0xFFFF_3333, [0xFFFF]), (8, 0xF_0001_3333, [1]),
    (4, 0x7777, ["reset"]), (4, 0x7_5555, [0]),
    (4, 0, []), (4, 0x5554, []), (4, 0x5555_0000, []),
])
def test_commands(size, value, told):
    assert run((0, size, value)) == told


def test_a_failure_is_never_status_0():
    assert run((0, 4, 0x3333), (0, 2, 0x3333)) == [1, 1]


def test_only_offset_0_acts():
    assert run((4, 4, 0x5555), (0xFFC, 4, 0x5555)) == []


def test_reads_are_0():
    assert Finisher(print, print).read(0, 4) == 0


@pytest.mark.parametrize("offset, size", [(0, 1), (2, 4), (1, 2), (4, 8), (0, 3)])
def test_other_accesses_fault(offset, size):
    with pytest.raises(BusError):
        run((offset, size, 0x5555))
    with pytest.raises(BusError):
        Finisher(print, print).read(offset, size)
