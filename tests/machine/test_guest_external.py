"""The device that drives guest external interrupts."""
import pytest

from rvhyp.machine import memory_map
from rvhyp.machine.board import Board
from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.guestexternal import GuestExternal

BASE = memory_map.GUEST_EXTERNAL.base


def test_it_drives_its_lines():
    levels = [None, None, None]
    device = GuestExternal([lambda level, n=n: levels.__setitem__(n, level) for n in range(3)])
    device.write(0, 8, 0b1010)
    assert levels == [True, False, True] and device.read(0, 8) == 0b1010
    device.write(0, 8, (1 << 64) - 1)
    assert levels == [True] * 3 and device.read(0, 8) == 0b1110                # there is no number 0, and none above
    device.write(0, 8, 1)
    assert levels == [False] * 3 and device.read(0, 8) == 0


@pytest.mark.parametrize("offset, size", [(0, 4), (4, 4), (8, 8), (0, 1)])
def test_other_accesses_fault(offset, size):
    device = GuestExternal([])
    with pytest.raises(BusError):
        device.read(offset, size)
    with pytest.raises(BusError):
        device.write(offset, size, 0)


def test_a_board_has_it_with_guest_external_interrupts_only():
    assert Board(1 << 20, engine="reference").machine.bus.find(BASE) is None
    board = Board(1 << 20, engine="reference", choices={"geilen": 63})
    board.machine.bus.write(BASE, 8, 1 << 63 | 1 << 1)
    assert board.machine.hart.hgeip == 1 << 63 | 1 << 1
    assert b"rvhyp,guest-external" in board.device_tree() and b"riscv,sv57" in board.device_tree()


def test_the_tree_says_how_wide_addresses_are():
    for widest, said in (("sv48", b"riscv,sv48"), ("bare", b"riscv,none")):
        assert said in Board(1 << 20, engine="reference", choices={"widest-mode": widest}).device_tree()
