"""Firmware on the board that starts a kernel in S-mode: what it is told, and what the kernel finds."""
import libfdt
import pytest

from rvhyp import Board, assemble, load
from rvhyp.machine.errors import BadInput
from tests.cli.terminal import rvhyp
from tests.machine.linux_image import image
from tests.monitor.guest import EXIT, engine

FIRMWARE_AT, KERNEL_AT = 0x8000_0000, 0x8020_0000
FIRMWARE = """
_start:
    ld t0, 0(a2)                # magic, version, next_addr, next_mode
    li t1, 0x4942534F
    bne t0, t1, bad
    ld t0, 8(a2)
    li t1, 2
    bne t0, t1, bad
    ld t0, 16(a2)
    csrw mepc, t0
    ld t0, 24(a2)
    slli t0, t0, 11
    csrw mstatus, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1F
    csrw pmpcfg0, t0
    mret
bad:
    li a0, 2
    j exit
"""
KERNEL = """
_start:
    csrr t0, sstatus            # S-mode, or this traps for ever
    lw a0, 0(a1)                # the device tree's magic
    li t0, 0xEDFE0DD0
    sub a0, a0, t0
    slli a0, a0, 32
    srli a0, a0, 32
    j exit
"""


def program(source: str, at: int, name: str):
    return load(assemble(source + EXIT, at, name).to_elf(), name)


def board(kernel, **given):
    made = Board(32 << 20, engine=engine())
    made.load(program(FIRMWARE, FIRMWARE_AT, "firmware"))
    made.give_kernel(kernel, **given)
    return made


def test_firmware_starts_the_kernel_with_its_device_tree():
    assert board(program(KERNEL, KERNEL_AT, "kernel")).run(10_000).status == 0


def test_the_tree_has_the_initial_ram_disk_and_boot_arguments():
    made = board(program(KERNEL, KERNEL_AT, "kernel"), initrd=b"disk" * 1000, bootargs="quiet")
    memory, at = made.machine.memory, int(made.machine.hart.x[11])
    size = int.from_bytes(memory.read(at + 4, 4), "big")
    fdt = libfdt.FdtRo(memory.read(at, size))
    chosen = fdt.path_offset("/chosen")
    start, end = (int.from_bytes(bytes(fdt.getprop(chosen, f"linux,initrd-{which}")), "big") for which in ("start", "end"))
    assert memory.read(start, end - start) == b"disk" * 1000
    assert fdt.getprop(chosen, "bootargs").as_str() == "quiet"


@pytest.mark.parametrize(("kernel", "message"), [
    (lambda: program(KERNEL, FIRMWARE_AT, "kernel"), "overlaps"),
    (lambda: load(image(64 << 20), "Image"), "is outside RAM"),
])
def test_a_kernel_that_does_not_fit_is_one_message(kernel, message):
    with pytest.raises(BadInput, match=message):
        board(kernel())


def test_the_command(tmp_path):
    firmware, kernel, disk = (str(tmp_path / name) for name in ("firmware.elf", "kernel.elf", "disk"))
    for path, source, at in ((firmware, FIRMWARE, FIRMWARE_AT), (kernel, KERNEL, KERNEL_AT)):
        with open(path, "wb") as file:
            file.write(assemble(source + EXIT, at, "program").to_elf())
    with open(disk, "wb") as file:
        file.write(b"disk")
    assert rvhyp("bare", firmware, "--kernel", kernel, "--initrd", disk, "--append", "quiet", "--memory", "32M").returncode == 0
    for options, message in ((("--initrd", disk), b"give --kernel, too"), (("--append", "quiet"), b"give --kernel, too"),
                             (("--kernel", "/nowhere"), b"no such file"), (("--kernel", firmware), b"overlaps"),
                             (("--kernel", kernel, "--initrd", "/nowhere"), b"/nowhere")):
        done = rvhyp("bare", firmware, *options)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count(b"\n") == 1, done.stderr
