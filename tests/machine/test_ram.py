"""RAM regions and the memory they form."""
import pathlib
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rvhyp
from rvhyp.engine.children import Child
from rvhyp.machine.errors import BadInput
from rvhyp.machine.ram import PAGE, Memory, OutsideMemory, Ram, size_text

BASE = 0x8000_0000


def resident() -> int:
    """Bytes of this process in RAM."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * PAGE


def test_bytes_and_words():
    ram = Ram(BASE, 2 * PAGE)
    ram.write(BASE + 1, b"\x01\x02\x03")
    assert ram.read(BASE, 5) == b"\0\1\2\3\0"
    ram.set_word(BASE + 2 * PAGE - 8, 0x8877_6655_4433_2211)
    assert ram.read(BASE + 2 * PAGE - 8, 2) == b"\x11\x22"
    assert ram.word(BASE + 2 * PAGE - 8) == 0x8877_6655_4433_2211
    assert len(ram.view) == ram.size and ram.view[1] == 1
    ram.close()


@pytest.mark.parametrize("pa, size", [(BASE - 1, 1), (BASE + PAGE, 1), (BASE + PAGE - 3, 4), (0, 1), (BASE, -1),
                                      (BASE, 1 << 60), (1 << 64, 1)])
def test_accesses_stay_inside(pa, size):
    ram = Ram(BASE, PAGE)
    with pytest.raises(OutsideMemory, match=f"{pa:#x}"):
        ram.read(pa, size)
    if 0 <= size < 100:
        with pytest.raises(OutsideMemory, match=f"{pa:#x}"):
            ram.write(pa, bytes(size))
    with pytest.raises(OutsideMemory):
        ram.zero(pa, size)


@pytest.mark.parametrize("base, size, text", [
    (BASE, 0, "greater than zero"), (BASE, -PAGE, "greater than zero"), (-PAGE, PAGE, "greater than zero"),
    (BASE, 100, "whole pages"), (BASE + 8, PAGE, "whole pages"),
    (BASE, (1 << 40) + PAGE, "too large"), ((1 << 56) - PAGE, 2 * PAGE, "too large"), (BASE, 1 << 63, "too large"),
])
def test_absurd_regions_are_bad_input(base, size, text):
    with pytest.raises(BadInput, match=text):
        Ram(base, size)


@pytest.mark.parametrize("base, size", [(0, 1 << 40), ((1 << 56) - PAGE, PAGE)])
def test_the_largest_regions(base, size):
    ram = Ram(base, size)
    ram.write(ram.end - 1, b"x")
    assert ram.read(ram.end - 1, 1) == b"x"
    ram.close()


@pytest.mark.parametrize("offset", [-1, PAGE])
def test_guard_pages_stop_the_host(offset):
    """A native access just outside ends in SIGSEGV, not in somebody else's memory."""
    program = ("import ctypes; from rvhyp.machine.ram import Ram; r = Ram(0, 4096); "
               "ctypes.memset(r.address, 1, 4096); print('inside', flush=True); "
               f"ctypes.memset(r.address + {offset}, 1, 1); print('outside')")
    root = pathlib.Path(rvhyp.__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert result.stdout == "inside\n" and result.returncode == -11


def test_memory_is_committed_only_where_touched():
    before = resident()
    ram = Ram(BASE, 64 << 30)
    ram.set_word(BASE, 1)
    ram.set_word(ram.end - 8, 2)
    assert ram.word(ram.end - 8) == 2
    ram.zero(BASE, ram.size)
    assert ram.word(BASE) == ram.word(ram.end - 8) == 0
    assert resident() - before < 16 << 20
    ram.close()


@pytest.mark.parametrize("at, size", [(0, 4), (1, 3), (PAGE, PAGE), (2 * PAGE - 1, 2 * PAGE + 1), (PAGE + 1, PAGE),
                                      (5, 5 * PAGE - 9), (PAGE - 1, 2), (3 * PAGE, 0), (7, 0)])
def test_zero(at, size):
    """Whole pages, parts of pages, and nothing beside them."""
    ram = Ram(BASE, 5 * PAGE)
    ram.write(BASE, b"\xff" * ram.size)
    ram.zero(BASE + at, size)
    assert ram.read(BASE, ram.size) == b"\xff" * at + bytes(size) + b"\xff" * (ram.size - at - size)
    ram.close()


def test_the_host_hears_of_its_writes():
    ram, heard = Ram(BASE, 4 * PAGE), []
    ram.written = lambda pa, size: heard.append((pa, size))
    ram.write(BASE + 4, b"abc")
    ram.set_word(BASE + 16, 1)
    ram.zero(BASE + 5, 2 * PAGE)
    assert heard == [(BASE + 4, 3), (BASE + 16, 8), (BASE + 5, 2 * PAGE)]


def test_shared_memory_is_common_with_processes_forked_later():
    ram = Ram(BASE, 4 * PAGE)
    ram.write(BASE + PAGE, b"before")
    address = ram.address
    ram.share()
    assert ram.address == address and ram.read(BASE + PAGE, 6) == b"before"

    def write(connection):
        ram.write(BASE + PAGE, b"behind")
        ram.zero(BASE + 2 * PAGE, PAGE)
        connection.send(None)
    ram.write(BASE + 2 * PAGE, b"\xff" * PAGE)
    child = Child(write)
    child.connection.recv()
    child.kill()
    assert ram.read(BASE + PAGE, 6) == b"behind" and ram.read(BASE + 2 * PAGE, PAGE) == bytes(PAGE)
    ram.close()


def test_views_outlive_close():
    ram = Ram(BASE, PAGE)
    view = ram.view[:4]
    ram.close()
    view[0] = 7
    assert bytes(view) == b"\7\0\0\0"
    with pytest.raises(ValueError):
        ram.read(BASE, 1)
    ram.close()


def test_regions_do_not_overlap():
    memory = Memory([Ram(BASE, 4 * PAGE)])
    memory.add(Ram(BASE + 4 * PAGE, PAGE))
    memory.add(Ram(BASE - PAGE, PAGE))
    for base, size in ((BASE + PAGE, PAGE), (BASE - 2 * PAGE, 8 * PAGE), (BASE + 3 * PAGE, 2 * PAGE)):
        with pytest.raises(BadInput, match=f"{base:#x} to .* overlaps RAM at 0x"):
            memory.add(Ram(base, size))
    assert [ram.base for ram in memory.regions] == [BASE - PAGE, BASE, BASE + 4 * PAGE]


def test_find():
    low, high = Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE)
    memory = Memory([high, low])
    assert memory.find(BASE) is low and memory.find(BASE, PAGE) is low
    assert memory.find(BASE + PAGE) is high
    assert memory.find(BASE + PAGE - 1, 2) is None and memory.find(BASE - 1) is None
    assert memory.find(BASE + 2 * PAGE) is None and memory.find(BASE, -1) is None
    assert Memory().find(0) is None


def test_contains():
    memory = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE), Ram(BASE + 3 * PAGE, PAGE)])
    assert memory.contains(BASE, 2 * PAGE) and memory.contains(BASE + 4 * PAGE - 1, 1) and memory.contains(BASE, 0)
    assert not memory.contains(BASE, 2 * PAGE + 1) and not memory.contains(BASE - 1, 2)
    assert not memory.contains(BASE, 1 << 60) and not memory.contains(BASE, -1)
    with pytest.raises(OutsideMemory):
        memory.read(BASE, -1)


def test_closing_memory_closes_its_regions():
    memory = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE)])
    memory.close()
    for pa in (BASE, BASE + PAGE):
        with pytest.raises(ValueError):
            memory.read(pa, 1)


def test_nothing_is_written_unless_everything_can_be():
    memory = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE)])
    start = BASE + PAGE - 4
    memory.write(start, b"01234567next")
    with pytest.raises(OutsideMemory, match=f"{start:#x}"):
        memory.write(start, b"x" * (PAGE + 5))
    with pytest.raises(OutsideMemory):
        memory.zero(start, PAGE + 5)
    with pytest.raises(OutsideMemory):
        memory.read(start, PAGE + 5)
    assert memory.read(start, 8) == b"01234567" and memory.word(start) == int.from_bytes(b"01234567", "little")


def test_hooks_of_all_regions():
    memory, heard = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE)]), []
    memory.on_written(lambda pa, size: heard.append((pa, size)))
    memory.write(BASE + PAGE - 1, b"ab")
    memory.set_word(BASE, 3)
    memory.on_written(None)
    memory.set_word(BASE, 4)
    assert heard == [(BASE + PAGE - 1, 1), (BASE + PAGE, 1), (BASE, 8)]


def test_strings():
    memory = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE)])
    end = BASE + 2 * PAGE
    memory.write(BASE + PAGE - 3, b"across")
    assert memory.read_string(BASE + PAGE - 3) == b"across"
    assert memory.read_string(BASE + PAGE - 3, 4) == b"acro"
    assert memory.read_string(BASE) == b"" == memory.read_string(BASE + PAGE - 3, 0)
    memory.write(end - 2, b"no")
    assert memory.read_string(end - 2, 2) == b"no"
    with pytest.raises(OutsideMemory):
        memory.read_string(end - 2)
    with pytest.raises(OutsideMemory):
        memory.read_string(end)


SIZE = 4 * PAGE
places = st.integers(-8, SIZE + 8) | st.builds(lambda page, near: page * PAGE + near, st.integers(0, 4),
                                               st.integers(-9, 9))
accesses = st.tuples(st.sampled_from(["write", "zero", "read"]), places,
                     st.integers(0, 40) | st.integers(PAGE - 9, 3 * PAGE))


@settings(max_examples=60, deadline=None)
@given(st.lists(accesses, max_size=12))
def test_memory_is_an_array_of_bytes(steps):
    """Two regions that touch behave as one array; what is not all inside raises."""
    memory, model = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, 3 * PAGE)]), bytearray(SIZE)
    for number, (what, at, size) in enumerate(steps, 1):
        inside = size == 0 or at >= 0 and at + size <= SIZE
        try:
            if what == "write":
                memory.write(BASE + at, bytes([number]) * size)
                model[at:at + size] = bytes([number]) * size if size else b""
            elif what == "zero":
                memory.zero(BASE + at, size)
                model[at:at + size] = bytes(size)
            else:
                assert memory.read(BASE + at, size) == (model[at:at + size] if size else b"")
            assert inside
        except OutsideMemory:
            assert not inside
    assert memory.read(BASE, SIZE) == model
    memory.close()


@pytest.mark.parametrize("size, text", [(256 << 20, "256M"), (4096, "4K"), (3 << 30, "3G"), (1 << 40, "1T"),
                                        (4097, "4097"), (0, "0")])
def test_sizes_as_the_option_takes_them(size, text):
    assert size_text(size) == text


def test_bad_input_is_one_line():
    assert str(BadInput("is empty", "a.elf", "build it")) == "a.elf: is empty; build it"
    assert str(BadInput("is empty")) == "is empty"
