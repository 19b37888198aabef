"""Where the parts of a guest go in its RAM, and what is said when they do not fit."""
import struct

import libfdt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rvhyp import Hypervisor, VmConfig, load
from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import Node, flatten
from rvhyp.machine.placement import arrange
from rvhyp.machine.ram import PAGE
from tests.machine.linux_image import image
from tests.monitor.guest import SHUTDOWN, boot, engine, program

BASE = 0x8000_0000
MIB = 1 << 20
sizes = st.one_of(st.integers(1, 4 * PAGE), st.integers(1, 8 * MIB))
segments = st.lists(st.tuples(st.integers(0, 16 * MIB), sizes), max_size=4)


def disjoint(pieces):
    pieces = sorted(pieces)
    return all(a + size <= b for (a, size), (b, _) in zip(pieces, pieces[1:], strict=False))


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 4096).map(lambda pages: pages * PAGE), segments, st.one_of(st.just(0), sizes), sizes)
@example(4 * PAGE, [(2 * PAGE, PAGE)], 2 * PAGE, PAGE)
@example(4 * PAGE, [(PAGE, PAGE)], PAGE, 2 * PAGE)
def test_parts_never_overlap_and_fit_if_they_can(size, taken, initrd, tree):
    kept = []
    for offset, length in taken:                # the loader has made sure that segments are in RAM and apart
        if offset + length <= size and disjoint([*kept, (BASE + offset, length)]):
            kept.append((BASE + offset, length))
    found = arrange(BASE, size, kept, initrd, tree)
    if found:
        parts = [*kept, (found.tree, tree), *([(found.initrd, initrd)] if initrd else [])]
        assert disjoint(parts) and all(BASE <= at and at + length <= BASE + size for at, length in parts)
        assert found.tree % PAGE == 0 == found.initrd % PAGE and bool(found.initrd) == bool(initrd)
    else:
        assert not fits(size, kept, [part for part in (initrd, tree) if part])


def fits(size, taken, parts):
    """Whether whole pages for the parts are free, each in a row: tried in all ways."""
    free = [True] * (size // PAGE)
    for at, length in taken:
        for page in range((at - BASE) // PAGE, -(-(at + length - BASE) // PAGE)):
            free[page] = False
    runs = [len(run) for run in "".join("x" if page else " " for page in free).split()]
    pages = [-(-part // PAGE) for part in parts]
    if len(pages) == 1:
        return any(run >= pages[0] for run in runs)
    return any((run >= sum(pages)) or (run >= pages[0] and any(other >= pages[1] for m, other in enumerate(runs) if m != n))
               for n, run in enumerate(runs))


def guest(source, **config):
    return Hypervisor([VmConfig("guest", source, **config)], engine())


def chosen(vm):
    fdt = libfdt.Fdt(vm.device_tree())
    at = fdt.path_offset("/chosen")
    return {name: bytes(fdt.getprop(at, name)) for name in ("linux,initrd-start", "linux,initrd-end")}


def test_the_guest_finds_its_disk_where_the_tree_says():
    disk = bytes(range(256)) * 41
    vm = guest(load(image(image_size=3 * MIB), "Image"), memory=16 * MIB, initrd=disk).vms[0]
    start, end = (int.from_bytes(value, "big") for value in chosen(vm).values())
    assert vm.memory.read(start, end - start) == disk


def test_a_tree_of_the_users_is_what_the_guest_gets():
    tree = flatten(Node("", {"#address-cells": 2, "#size-cells": 2, "model": "mine"}))
    run = boot("    lw a0, 0(a1)\n    li t0, 0xedfe0dd0\n    subw a0, a0, t0\n    snez a0, a0\n    bnez a0, exit\n" + SHUTDOWN,
               dtb=tree, dtb_name="my.dtb", initrd=b"disk")
    assert run.outcome.status == 0 and b"mine\0" in run.vm.device_tree() and chosen(run.vm)


def test_a_damaged_tree_is_refused_before_anything_runs():
    with pytest.raises(BadInput, match=r"^my\.dtb: is a damaged device tree"):
        guest(program("    j .\n"), dtb=b"nonsense", dtb_name="my.dtb")


@pytest.mark.parametrize("kernel, memory, disk, said", [
    (15 * MIB, 16 * MIB, 0, "the kernel, with the memory it wants for its data.*--memory 32M"),
    (8 * MIB, 16 * MIB, 7 * MIB, "no room for the initial RAM disk of 7,340,032 bytes.*--memory 32M"),
    (6 * MIB, 16 * MIB, 64 * MIB, "no room for the initial RAM disk.*--memory 128M"),
    (2 * MIB, 4 * MIB, 2 * MIB - 3 * PAGE, None),       # between the start of RAM and the kernel
])
def test_what_does_not_fit_is_said_with_what_would(kernel, memory, disk, said):
    program = load(image(image_size=kernel), "Image")
    if said is None:
        assert guest(program, memory=memory, initrd=bytes(disk))
        return
    with pytest.raises(BadInput, match=said) as refused:
        guest(program, memory=memory, initrd=bytes(disk))
    remedy = int(refused.value.do.split()[-1][:-1]) * MIB
    assert guest(program, memory=remedy, initrd=bytes(disk))


def test_bss_counts():
    """Nothing is put into what the kernel's header claims beyond the file."""
    vm = guest(load(image(image_size=13 * MIB), "Image"), memory=16 * MIB, initrd=bytes(PAGE)).vms[0]
    start, = struct.unpack(">Q", chosen(vm)["linux,initrd-start"])
    assert start >= BASE + 2 * MIB + 13 * MIB or start + PAGE <= BASE + 2 * MIB
