"""A guest of ours with a virtio disk: it reads a sector, changes it, flushes, and hears of it by an interrupt."""
import os
import re

import pytest

from rvhyp import Hypervisor, VmConfig
from rvhyp.machine.console import Input
from rvhyp.machine.devices.virtio.blk import Blk
from rvhyp.machine.devices.virtio.console import Console
from rvhyp.machine.devices.virtio.image import RawImage
from rvhyp.machine.errors import BadInput
from tests.monitor.guest import boot, engine, program

ENGINES = ("interpreter", "reference")
DRIVER = """
    .equ DESC, 0x80400000
    .equ AVAIL, 0x80400080
    .equ USED, 0x804000c0
    .equ HEADER, 0x80401000
    .equ DATA, 0x80402000
    .equ STATUS, 0x80403000
    li   s0, 0x10001000         # the device
    li   s1, 0x0c000000         # the PLIC
    li   t0, 1
    sw   t0, 4(s1)              # priority of source 1
    li   t1, 0x0c002080         # context 1: S-mode of hart 0
    li   t0, 2
    sw   t0, 0(t1)
    lw   a0, 0(s0)
    li   t0, 0x74726976
    bne  a0, t0, exit
    sw   zero, 0x70(s0)
    li   t0, 3
    sw   t0, 0x70(s0)
    sw   zero, 0x24(s0)
    li   t0, 1 << 9             # VIRTIO_BLK_F_FLUSH
    sw   t0, 0x20(s0)
    li   t0, 1
    sw   t0, 0x24(s0)
    sw   t0, 0x20(s0)           # VIRTIO_F_VERSION_1
    li   t0, 11
    sw   t0, 0x70(s0)
    sw   zero, 0x30(s0)
    li   t0, 4
    sw   t0, 0x38(s0)
    li   t0, DESC
    sw   t0, 0x80(s0)
    li   t0, AVAIL
    sw   t0, 0x90(s0)
    li   t0, USED
    sw   t0, 0xa0(s0)
    li   t0, 1
    sw   t0, 0x44(s0)
    li   t0, 15
    sw   t0, 0x70(s0)
    li   a0, 0                  # read sector 1
    li   a1, 3
    jal  request
    li   t0, DATA
    ld   t1, 0(t0)
    addi t1, t1, 1
    sd   t1, 0(t0)
    li   a0, 1                  # write it, with one added to its first word
    li   a1, 1
    jal  request
    li   a0, 4                  # flush
    li   a1, 1
    jal  request
    lw   a0, 0x70(s0)
    addi a0, a0, -15
    j    exit
request:                        # type a0; flags of the data a1: 1 read by the device, 3 written, both with a next descriptor
    li   t0, DESC
    li   t1, HEADER
    sd   a0, 0(t1)
    li   t2, 1
    sd   t2, 8(t1)
    sd   t1, 0(t0)
    li   t2, 16
    sw   t2, 8(t0)
    li   t2, 0x00010001         # next is 1
    sw   t2, 12(t0)
    li   t1, DATA
    sd   t1, 16(t0)
    li   t2, 512
    sw   t2, 24(t0)
    li   t2, 0x00020000
    or   t2, t2, a1
    sw   t2, 28(t0)
    li   t1, STATUS
    sd   t1, 32(t0)
    li   t2, 1
    sw   t2, 40(t0)
    li   t2, 2
    sw   t2, 44(t0)
    sb   t2, 0(t1)
    li   t0, 4
    bne  a0, t0, 1f
    li   t0, DESC
    li   t2, 0x00020001         # a flush has no data
    sw   t2, 12(t0)
1:  li   t0, AVAIL
    lh   t1, 2(t0)
    addi t1, t1, 1
    sh   t1, 2(t0)              # the ring stays full of zeros: descriptor 0
    li   t2, 1 << 9
    csrw sie, t2
    sw   zero, 0x50(s0)
    wfi
    csrr t0, sip
    li   a0, 91
    andi t0, t0, 1 << 9
    beqz t0, exit
    li   t2, 0x0c201004
    lw   t1, 0(t2)              # claim
    li   a0, 92
    li   t0, 1
    bne  t1, t0, exit
    lw   t0, 0x60(s0)
    sw   t0, 0x64(s0)
    sw   t1, 0(t2)              # complete
    li   t0, STATUS
    lb   a0, 0(t0)
    bnez a0, exit
    ret
"""


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(512) + (41).to_bytes(8, "little") + bytes(504))
    return path


@pytest.mark.parametrize("on", ENGINES)
def test_a_guest_reads_writes_and_flushes_a_disk(disk, on):
    device = Blk(RawImage(str(disk)))
    run = boot(DRIVER, on=on, virtio=[device])
    assert run.outcome.status == 0, run.vm.report
    assert disk.read_bytes()[512:520] == (42).to_bytes(8, "little")
    assert not run.vm.troubles


def test_the_same_run_twice_takes_the_same_instructions(disk):
    counts = {boot(DRIVER, virtio=[Blk(RawImage(str(disk), is_read_only=True))]).hypervisor.machine.instret for _ in range(2)}
    assert len(counts) == 1


def test_a_driver_that_breaks_a_rule_ends_its_device_and_nothing_else(disk):
    """The data is where no RAM is: the device needs a reset, the guest gets an interrupt and goes on."""
    lines = []
    bad = DRIVER.replace(".equ DATA, 0x80402000", ".equ DATA, 0x90000000").replace("    lb   a0, 0(t0)", """
    lw   a0, 0x70(s0)
    andi a0, a0, 0x40""").replace("    bnez a0, exit\n    ret", "    j exit")
    run = boot(bad, virtio=[Blk(RawImage(str(disk)))], tell=lines.append)
    assert run.outcome.status == 0x40
    line, = lines
    assert line.startswith("guest guest: virtio-blk: its driver broke a rule") and "0x90000000" in line
    assert run.vm.troubles and "0x10001000" in run.vm.troubles[0]


def test_the_troubles_are_in_the_report_of_a_stopped_guest(disk):
    source = DRIVER.replace(".equ DATA, 0x80402000", ".equ DATA, 0x90000000").replace("    lb   a0, 0(t0)", "    sw a0, 0(zero)")
    run = boot(source, virtio=[Blk(RawImage(str(disk)))])
    assert "virtio-blk: its driver broke a rule" in run.vm.report


def test_the_device_tree_has_a_node_for_each_device(disk):
    devices = [Blk(RawImage(str(disk), is_read_only=True)) for _ in range(8)]
    tree = Hypervisor([VmConfig("a", program("    j .\n"), 16 << 20, virtio=devices)], engine()).vms[0].device_tree()
    assert re.findall(rb"virtio_mmio@(\w+)\0", tree) == [f"{0x10001000 + 0x1000 * n:x}".encode() for n in range(8)]
    assert tree.count(b"virtio,mmio\0") == 8 and b"dma-coherent\0" in tree


def test_more_devices_than_places(disk):
    devices = [Blk(RawImage(str(disk), is_read_only=True)) for _ in range(9)]
    with pytest.raises(BadInput, match="9 virtio devices; give at most 8"):
        Hypervisor([VmConfig("a", program("    j .\n"), 16 << 20, virtio=devices)], engine())


CONSOLE = """
    li   s0, 0x10001000
    sw   zero, 0x70(s0)
    li   t0, 3
    sw   t0, 0x70(s0)
    li   t0, 1
    sw   t0, 0x24(s0)
    sw   t0, 0x20(s0)
    li   t0, 11
    sw   t0, 0x70(s0)
    li   t0, 4
    sw   t0, 0x38(s0)
    la   t1, desc
    sw   t1, 0x80(s0)
    addi t2, t1, 128
    sw   t2, 0x90(s0)
    addi t3, t1, 256
    sw   t3, 0xa0(s0)
    la   t0, text
    sd   t0, 0(t1)              # one buffer of four bytes for what is typed
    li   t0, 4
    sw   t0, 8(t1)
    li   t0, 2
    sw   t0, 12(t1)
    li   t0, 1
    sh   t0, 2(t2)
    sw   t0, 0x44(s0)
    sw   t0, 0x30(s0)           # the transmit queue
    li   t0, 4
    sw   t0, 0x38(s0)
    addi t1, t1, 512
    sw   t1, 0x80(s0)
    addi t2, t1, 128
    sw   t2, 0x90(s0)
    addi t3, t1, 256
    sw   t3, 0xa0(s0)
    la   t0, text + 8
    sd   t0, 0(t1)
    li   t0, 1
    sw   t0, 8(t1)
    sh   t0, 2(t2)
    sw   t0, 0x44(s0)
    li   t0, 15
    sw   t0, 0x70(s0)
    li   t1, 0x0c000004         # PLIC: priority of source 1, and enabled for S-mode
    li   t0, 1
    sw   t0, 0(t1)
    li   t1, 0x0c002080
    li   t0, 2
    sw   t0, 0(t1)
    li   t0, 1 << 9 | 1 << 5
    csrw sie, t0
    rdtime t0                   # and a timer, so that time could pass instead
    li   t1, 1 << 30
    add  t0, t0, t1
    csrw stimecmp, t0
    sw   zero, 0x50(s0)
    li   t0, 1
    sw   t0, 0x50(s0)
    wfi
    la   t0, text
    lbu  a0, 0(t0)
    j    exit
    .balign 4096
desc: .zero 1024
text: .zero 1024
"""


def test_input_goes_to_a_virtio_console_and_wakes_an_idle_guest():
    reader, writer = os.pipe()
    os.write(writer, b"*")
    os.close(writer)
    run = boot(CONSOLE, virtio=[Console(print)], input=Input(reader))
    assert run.outcome.status == ord("*")
    assert run.hypervisor.machine.instret < 1000
