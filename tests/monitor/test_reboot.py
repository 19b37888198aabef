"""A guest that reboots starts again as at power-on, and the others do not notice."""
import pytest

from rvhyp import Hypervisor, VmConfig
from rvhyp.machine.machine import Ended
from tests.monitor.guest import BASE, boot, engine, program

BOARD_REBOOT = "    li t0, 0x100000\n    li t1, 0x7777\n    sw t1, 0(t0)\n    j .\n"
SBI_REBOOT = "    li a7, 0x53525354\n    li a6, 0\n    li a0, {kind}\n    li a1, {reason}\n    ecall\n    j .\n"
# Each boot looks at what must be as at power-on, leaves a trace in all of it, and reboots; the third ends with status 0.
# The high word of the real-time clock, which has a battery, counts the boots.
TRACES = """
    mv s10, a0
    li a0, 1
    bnez s10, exit              # by the first hart
    csrr t0, satp
    bnez t0, exit
    rdtime t0
    li t1, 1000                 # ticks
    bgeu t0, t1, exit
    rdcycle t0
    li t1, 10000
    bgeu t0, t1, exit
    csrr t0, sip
    csrr t1, sie
    or t0, t0, t1
    li a0, 2
    bnez t0, exit
    la s0, counter              # of the image
    ld t0, 0(s0)
    li t1, 42
    li a0, 3
    bne t0, t1, exit
    li s1, 0x80800000           # where the image has nothing
    ld t0, 0(s1)
    li a0, 4
    bnez t0, exit
    li s2, 0x10000000           # UART: IER, SCR
    lbu t0, 1(s2)
    lbu t1, 7(s2)
    or t0, t0, t1
    li a0, 5
    bnez t0, exit
    li s3, 0x0C000000 + 4 * 10  # PLIC: priority, enable
    li s4, 0x0C002000 + 0x80
    lw t0, 0(s3)
    lw t1, 0(s4)
    or t0, t0, t1
    li a0, 6
    bnez t0, exit
    li a7, 0x46574654           # FWFT: hardware updates of A and D
    li a6, 1
    li a0, 4
    ecall
    mv t0, a1
    li a0, 7
    bnez t0, exit
    li a7, 0x48534D             # HSM: the second hart has stopped
    li a6, 2
    li a0, 1
    ecall
    addi t0, a1, -1
    li a0, 8
    bnez t0, exit
    li s5, 0x101000
    lw t0, 0x10(s5)             # real-time clock: its interrupt
    li a0, 9
    bnez t0, exit

    lw t0, 0(s5)
    lw t1, 4(s5)
    li t2, 2
    li a0, 0
    beq t1, t2, exit
    bltu t1, t2, 1f
    li t1, 0                    # the first boot
1:  addi t1, t1, 1
    sw t1, 4(s5)
    sd t1, 0(s0)
    sd t1, 0(s1)
    li t1, 0xA5
    sb t1, 7(s2)
    li t1, 7
    sw t1, 0(s3)
    li t1, 1 << 10
    sw t1, 0(s4)
    li t1, 1
    sw t1, 0x10(s5)
    sw t1, 8(s5)                # rings at once
    li t1, 2
    csrs sie, t1
    csrs sip, t1
    li t1, 2
    sb t1, 1(s2)                # transmitter empty: an interrupt at once
    li a7, 0x46574654
    li a6, 0
    li a0, 4
    li a1, 1
    li a2, 1
    ecall
    li a7, 0x535441             # STA
    li a6, 0
    mv a0, s1
    li a1, 0
    li a2, 0
    ecall
    li a7, 0x48534D
    li a6, 0
    li a0, 1
    la a1, second
    ecall
    li t0, 0x80400000           # a page table of two leaves, and on
    li t1, 0xCF
    sd t1, 0(t0)
    li t1, 0x200000CF
    sd t1, 16(t0)
    li t1, 8 << 60 | 0x80400
    csrw satp, t1
    sfence.vma
{reboot}
    .balign 4
second: j second
    .balign 8
counter: .dword 42
"""


@pytest.mark.parametrize("on", ["interpreter", "reference"])
@pytest.mark.parametrize("reboot", [BOARD_REBOOT, SBI_REBOOT.format(kind=1, reason=0), SBI_REBOOT.format(kind=2, reason=1)],
                         ids=["finisher", "cold", "warm"])
def test_nothing_is_left_of_the_guest_that_was(reboot, on):
    run = boot(TRACES.format(reboot=reboot), on=on, cpus=2)
    assert (run.outcome.ended, run.vm.status, run.vm.reboots) == (Ended.EXIT, 0, 2)


def test_the_others_do_not_notice():
    reboots = program(SBI_REBOOT.format(kind=1, reason=0), "reboots")
    work = program("    li s0, 3000000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li a0, 7\n", "work")
    hypervisor = Hypervisor([VmConfig("reboots", reboots, 16 << 20), VmConfig("work", work, 16 << 20)], engine())
    hypervisor.hooks.append(lambda vcpu, leaving: hypervisor.quit() if hypervisor.vms[1].is_over else None)
    assert hypervisor.run(10_000_000).ended is Ended.QUIT
    assert hypervisor.vms[0].reboots > 3 and hypervisor.vms[1].status == 7


@pytest.mark.parametrize("limit, ended", [({"max_instructions": 5000}, Ended.INSTRUCTIONS), ({"seconds": 0.3}, Ended.SECONDS)])
def test_one_that_reboots_for_ever_ends_at_a_limit(limit, ended):
    hypervisor = Hypervisor([VmConfig("guest", program(BOARD_REBOOT), 16 << 20)], engine())
    assert hypervisor.run(**limit).ended is ended


@pytest.mark.parametrize("reboot, status", [(BOARD_REBOOT, 0), (SBI_REBOOT.format(kind=1, reason=0), 0),
                                            (SBI_REBOOT.format(kind=1, reason=1), 1)])
def test_one_that_may_not_reboot_ends(reboot, status):
    run = boot(reboot, reboots=False)
    assert (run.outcome.ended, run.outcome.status, run.vm.why) == (Ended.EXIT, status, "reboot")


def test_code_that_was_changed_is_the_image_again():
    """The guest overwrites what it will execute after the reboot; decoded code must not outlive it."""
    run = boot(f"""
    lui s5, 0x101
    lw t0, 0(s5)
    lw t1, 4(s5)
    beqz t1, patched            # the second boot
    sw zero, 4(s5)
    jal changed                 # decoded once as it is
    la t0, changed
    li t1, 0x00900513           # li a0, 9
    sw t1, 0(t0)
    fence.i
    jal changed
    li t0, 9
    bne a0, t0, exit
{BOARD_REBOOT}
patched:
    jal changed
    j exit
    .balign 4
changed: .word 0x00500513       # li a0, 5
    ret
""")
    assert run.outcome.status == 5 and run.vm.reboots == 1 and run.vm.config.program.entry == BASE
