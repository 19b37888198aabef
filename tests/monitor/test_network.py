"""Two guests of ours on a switch: the first sends a frame, the second waits for it."""
import pytest

from rvhyp import Hypervisor, VmConfig
from rvhyp.machine.devices.virtio.net import Net
from rvhyp.machine.switch import Switch, mac_of
from tests.monitor.guest import engine, program

NIC = """
    .equ RINGS, 0x80400000
    .equ BUFFER, 0x80403000
    li   s0, 0x10001000         # the card
    sw   zero, 0x70(s0)
    li   t0, 3
    sw   t0, 0x70(s0)
    sw   zero, 0x24(s0)
    sw   zero, 0x20(s0)
    li   t0, 1
    sw   t0, 0x24(s0)
    sw   t0, 0x20(s0)           # VIRTIO_F_VERSION_1
    li   t0, 11
    sw   t0, 0x70(s0)
    li   s1, RINGS              # queue 0; queue 1 is a page further
    li   a0, 0
    jal  set_up
    li   s1, RINGS + 0x1000
    li   a0, 1
    jal  set_up
    li   t0, 15
    sw   t0, 0x70(s0)
    lbu  s2, 0x105(s0)          # the last byte of the address: 1 sends, all others receive
    li   t0, 1
    beq  s2, t0, send
    li   s1, RINGS
    li   a0, 0
    li   a1, 1530
    li   a2, 2
    jal  offer
    li   t0, 0x0c000000         # the PLIC: source 1, context 1
    li   t1, 1
    sw   t1, 4(t0)
    li   t0, 0x0c002080
    li   t1, 2
    sw   t1, 0(t0)
    li   t0, 1 << 9
    csrw sie, t0
1:  wfi
    lhu  t0, 0x202(s1)          # the index of the used ring
    beqz t0, 1b
    lw   t0, 0x208(s1)          # the length of what was received
    addi a0, t0, -72
    bnez a0, exit
    li   t0, BUFFER
    lbu  a0, 26(t0)             # the first byte behind addresses and type
    addi a0, a0, -42
    j    exit
send:
    li   t0, 32
    csrw sie, t0
    li   a0, 50000              # 5 ms: the other one is there by then
    li   a7, 0x54494d45
    li   a6, 0
    ecall
    wfi
    li   t0, BUFFER
    li   t1, -1
    sd   t1, 12(t0)             # to all
    li   t1, 2
    sb   t1, 18(t0)
    sb   zero, 19(t0)
    sw   zero, 20(t0)
    li   t1, 1
    sb   t1, 23(t0)
    li   t1, 42
    sb   t1, 26(t0)
    li   a0, 1
    li   a1, 72
    li   a2, 0
    jal  offer
    lhu  a0, 0x202(s1)
    addi a0, a0, -1
    j    exit
set_up:                         # queue a0 with its rings at s1
    sw   a0, 0x30(s0)
    li   t0, 4
    sw   t0, 0x38(s0)
    sw   s1, 0x80(s0)
    addi t0, s1, 0x100
    sw   t0, 0x90(s0)
    addi t0, s1, 0x200
    sw   t0, 0xa0(s0)
    li   t0, 1
    sw   t0, 0x44(s0)
    ret
offer:                          # BUFFER, a1 bytes with flags a2, to queue a0 at s1
    li   t0, BUFFER
    sd   t0, 0(s1)
    sw   a1, 8(s1)
    sh   a2, 12(s1)
    li   t0, 1
    sh   t0, 0x102(s1)
    sw   a0, 0x50(s0)
    ret
"""


def run(count, on="interpreter"):
    """That many guests, and what went over the switch."""
    frames = []
    switch = Switch()
    switch.plug(lambda data: frames.append(data) or True)
    configs = [VmConfig(str(n), program(NIC), 16 << 20, virtio=[Net(switch, mac_of(n))]) for n in range(count)]
    hypervisor = Hypervisor(configs, engine(on))
    hypervisor.run(10_000_000)
    return hypervisor, frames


@pytest.mark.parametrize("on", ["interpreter", "reference"])
def test_a_frame_goes_from_one_guest_to_all_others(on):
    hypervisor, frames = run(3, on)
    assert [vm.status for vm in hypervisor.vms] == [0, 0, 0]
    assert [frame[6:12] for frame in frames] == [mac_of(0)] and len(frames[0]) == 60


def test_the_same_network_twice_takes_the_same_instructions():
    assert len({run(2)[0].machine.instret for _ in range(2)}) == 1
