"""The bus: who answers where."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.machine.bus import Bus, BusError
from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import Node


class Recorder:
    """A device that answers anything, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def read(self, offset, size):
        self.asked.append((offset, size))
        return offset

    def write(self, offset, size, value):
        self.asked.append((offset, size, value))

    def nodes(self, base, size, interrupt):
        return [Node(f"recorder@{base:x}", {"interrupts": interrupt})]


def test_devices_see_offsets():
    bus, low, high = Bus(), Recorder(), Recorder()
    bus.attach(0x2000, 0x100, high, "high")
    bus.attach(0x1000, 0x100, low, "low")
    assert bus.read(0x1004, 4) == 4 and bus.read(0x20FF, 1) == 0xFF
    bus.write(0x2010, 2, 0x12345)
    bus.write(0x1000, 8, -1)
    assert low.asked == [(4, 4), (0, 8, (1 << 64) - 1)]
    assert high.asked == [(0xFF, 1), (0x10, 2, 0x2345)]


@pytest.mark.parametrize("pa, size", [(0xFFF, 1), (0xFFE, 4), (0x10FF, 2), (0x1100, 1), (0, 8), (1 << 63, 8)])
def test_nobody_answers(pa, size):
    bus, device = Bus(), Recorder()
    bus.attach(0x1000, 0x100, device, "only")
    with pytest.raises(BusError, match=f"{pa:#x}"):
        bus.read(pa, size)
    with pytest.raises(BusError, match=f"{pa:#x}"):
        bus.write(pa, size, 0)
    assert device.asked == []


def test_touching_devices_do_not_share_an_access():
    bus, low, high = Bus(), Recorder(), Recorder()
    bus.attach(0x1000, 0x10, low, "low")
    bus.attach(0x1010, 0x10, high, "high")
    with pytest.raises(BusError):
        bus.read(0x100C, 8)
    assert bus.find(0x100F).name == "low" and bus.find(0x1010).name == "high"


@pytest.mark.parametrize("base, size", [(0x1000, 1), (0xFFF, 2), (0x10FF, 1), (0, 0x10000), (0x1010, 0x10)])
def test_overlaps_name_both(base, size):
    bus = Bus()
    bus.attach(0x1000, 0x100, Recorder(), "uart")
    with pytest.raises(BadInput, match=r"^plic: .* overlaps uart at 0x1000 to 0x10ff"):
        bus.attach(base, size, Recorder(), "plic")
    assert len(bus.devices) == 1


def test_devices_are_not_put_into_ram():
    bus = Bus([(0x8000_0000, 0x1000, "RAM")])
    with pytest.raises(BadInput, match="disk: .* overlaps RAM at 0x80000000 to 0x80000fff"):
        bus.attach(0x7FFF_FFFF, 2, Recorder(), "disk")
    bus.attach(0x8000_1000, 2, Recorder(), "above")
    bus.attach(0x7FFF_FFFF, 1, Recorder(), "below")
    bus.attach((1 << 64) - 1, 1, Recorder(), "last")


@pytest.mark.parametrize("base, size", [(0, 0), (0x1000, -1), (-1, 1), ((1 << 64) - 1, 2)])
def test_empty_and_impossible_ranges(base, size):
    with pytest.raises(BadInput, match="^uart: "):
        Bus().attach(base, size, Recorder(), "uart")


def test_nodes_of_all_devices():
    bus = Bus()
    bus.attach(0x1000, 0x100, Recorder(), "a", interrupt=7)
    bus.attach(0x2000, 0x100, Recorder(), "b")
    assert [(n.name, n.properties["interrupts"]) for n in bus.nodes()] == [("recorder@1000", 7), ("recorder@2000", 0)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12), st.integers(0, 70), st.integers(1, 8))
def test_lookup_finds_what_a_search_finds(ranges, pa, size):
    bus, kept = Bus(), []
    for number, (base, length) in enumerate(ranges):
        try:
            bus.attach(base, length, Recorder(), str(number))
            kept.append((base, length, str(number)))
        except BadInput:
            pass
    owner = [name for base, length, name in kept if base <= pa and pa + size <= base + length]
    found = bus.find(pa, size)
    assert ([found.name] if found else []) == owner
