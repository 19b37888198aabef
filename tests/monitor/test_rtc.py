"""The real-time clock of guests and of the board: what time it is, and alarms that wake."""
import pytest

from rvhyp import assemble, load
from rvhyp.machine.board import Board
from rvhyp.machine.clock import EPOCH
from rvhyp.machine.console import Input
from rvhyp.machine.machine import Ended
from tests.monitor.guest import boot, engine, program

SECOND = 1_000_000_000                  # nanoseconds
DELAY = SECOND // 100
# An alarm after a delay, by a PLIC context whose enable bits, threshold and claim register are at the three places.
ALARM = """
    li s0, 0x101000
    li t0, 0x0C000000 + 4 * 11
    li t1, 1
    sw t1, 0(t0)                # priority
    li t0, 0x0C002000 + 0x80 * {context}
    li t1, 1 << 11
    sw t1, 0(t0)                # enable
    lw s1, 0(s0)
    lw s2, 4(s0)
    slli s2, s2, 32
    slli s1, s1, 32
    srli s1, s1, 32
    or s1, s1, s2               # now
    li t0, {delay}
    add s3, s1, t0
    srli t0, s3, 32
    sw t0, 12(s0)
    sw s3, 8(s0)
    li t0, 1
    sw t0, 16(s0)
"""
WAIT = """
    li t1, {enable}
    csrs {ie}, t1
1:  {wait}
    csrr t0, {ip}
    and t0, t0, t1
    beqz t0, 1b
    li t0, 0x0C200004 + 0x1000 * {context}
    lw s4, 0(t0)                # claim
    lw s5, 0(s0)
    lw t0, 4(s0)
    slli t0, t0, 32
    slli s5, s5, 32
    srli s5, s5, 32
    or s5, s5, t0
    la t0, results
    sd s1, 0(t0)
    sd s5, 8(t0)
    sd s4, 16(t0)
    li a0, 0
    j exit
    .balign 8
results: .dword 0, 0, 0
"""
VS = {"context": 1, "delay": DELAY, "enable": 1 << 9, "ie": "sie", "ip": "sip"}
M = {"context": 0, "delay": DELAY, "enable": 1 << 11, "ie": "mie", "ip": "mip"}


def results(memory, program):
    return [memory.word(program.symbols["results"] + offset) for offset in (0, 8, 16)]


@pytest.mark.parametrize("wait, late", [("wfi", 20_000), ("nop", 1_100_000)])
def test_an_alarm_reaches_a_guest_that_waits_and_one_that_computes(wait, late):
    """Time jumps to it, or it is looked at when input is: a millisecond of virtual time late at most."""
    run = boot((ALARM + WAIT).format(wait=wait, **VS))
    start, end, source = results(run.vm.memory, run.vm.config.program)
    assert run.outcome.ended is Ended.EXIT and source == 11
    assert 0 <= start - EPOCH < SECOND // 1000
    assert DELAY <= end - start <= DELAY + late


@pytest.mark.parametrize("wait, late", [("wfi", 20_000), ("nop", 1_100_000)])
def test_an_alarm_reaches_a_program_on_the_board(wait, late):
    image = program((ALARM + WAIT).format(wait=wait, **M))
    board = Board(16 << 20, engine=engine(), input=Input(None))
    board.load(image)
    assert board.run(50_000_000).ended is Ended.EXIT
    start, end, source = results(board.machine.memory, image)
    assert source == 11 and DELAY <= end - start <= DELAY + late


def test_a_guest_that_waits_for_an_alarm_that_cannot_reach_it_ends():
    """It rings in vain, and then nothing can."""
    run = boot(ALARM.format(context=1, delay=10 * SECOND) + "1: wfi\n    j 1b\n")
    assert run.vm.status == 3 and "nothing can raise" in run.vm.report
    assert run.hypervisor.machine.wall() >= EPOCH + 10 * SECOND


def test_the_alarm_of_a_guest_that_ended_holds_nobody_up():
    from rvhyp import Hypervisor, VmConfig
    ends = program(ALARM.format(context=1, delay=10 * SECOND) + "    li a0, 0\n    j exit\n", "ends")
    waits = load(assemble("_start: wfi\n    j _start\n", 0x8020_0000, "waits").to_elf(), "waits")
    hypervisor = Hypervisor([VmConfig("ends", ends, 16 << 20), VmConfig("waits", waits, 16 << 20)], engine())
    hypervisor.run(1_000_000)
    assert [vm.status for vm in hypervisor.vms] == [0, 3]
    assert hypervisor.machine.wall() < EPOCH + SECOND
