"""Vcpus at the same time, each on a thread of the host: what the monitor does about them."""
import pytest

from rvhyp import Hypervisor, VmConfig
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended
from rvhyp.monitor.vcpu import VSEIP
from tests.monitor.guest import SHUTDOWN, boot, engine, program
from tests.monitor.harts import SECONDS, both


def test_a_hart_stops_and_is_started_again():
    run = boot("""
    bnez a0, second
    li s2, 100
1:  li a7, 0x48534D
    li a6, 0
    li a0, 1
    la a1, _start
    mv a2, s2
    ecall
    beqz a0, 3f
    j exit
3:  li a7, 0x48534D             # hart_get_status
    li a6, 2
    li a0, 1
    ecall
    li t0, 1
    bne a1, t0, 3b
    addi s2, s2, -1
    bnez s2, 1b
    li t0, 0x80800000
    ld a0, (t0)
    li t0, 100
    sub a0, a0, t0
    j exit
second:
    li t0, 0x80800000
    li t1, 1
    amoadd.d zero, t1, (t0)
    li a7, 0x48534D
    li a6, 1
    ecall
    j .
""", limit=None, seconds=SECONDS, threads=True, cpus=2)
    assert (run.outcome.ended, run.outcome.status) == (Ended.EXIT, 0)


def test_a_guest_reboots_while_another_hart_runs():
    run = both("""
    MEET
    bnez s0, 2f
    li s2, 0x101000             # the real-time clock has a battery: its high word counts boots
    lw t0, 0(s2)
    lw t0, 4(s2)
    li t1, 3
    li a0, 0
    beq t0, t1, 3f
    bltu t0, t1, 1f
    li t0, 0                    # the first boot: it shows the date
1:  addi t0, t0, 1
    sw t0, 4(s2)
    sw zero, 0(s2)
    li a7, 0x53525354
    li a6, 0
    li a0, 1
    li a1, 0
    ecall
2:  j 2b
3:
""")
    assert run.vm.reboots == 3


def test_limits_end_a_run_that_can_go_on():
    loop = program("1:  addi s0, s0, 1\n    j 1b\n")
    hypervisor = Hypervisor([VmConfig(name, loop, 4 << 20) for name in "ab"], engine(), threads=True)
    assert hypervisor.run(1_000_000).ended is Ended.INSTRUCTIONS
    first = hypervisor.machine.instret
    assert first >= 1_000_000
    assert hypervisor.run(seconds=0.1).ended is Ended.SECONDS
    assert hypervisor.machine.instret > first
    assert sum(vm.instructions for vm in hypervisor.vms) == hypervisor.machine.instret
    assert all(vm.vcpus[0].register(8) > 100_000 for vm in hypervisor.vms)


def test_a_guest_that_must_be_stopped_leaves_the_others_alone():
    lost = program("    li t0, 0x40000000\n    ld t0, (t0)\n")
    looping = program("    la t0, 1f\n    csrw stvec, t0\n    .balign 4\n1:  .word 0\n")
    good = program("    li s0, 3000000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li a0, 0\n    j exit\n")
    guests = ("lost", lost), ("looping", looping), ("good", good)
    hypervisor = Hypervisor([VmConfig(name, code, 4 << 20) for name, code in guests], engine(), threads=True)
    outcome = hypervisor.run(seconds=SECONDS)
    assert (outcome.ended, outcome.status) == (Ended.EXIT, 3)
    assert [vm.status for vm in hypervisor.vms] == [3, 3, 0]
    assert "0x40000000" in hypervisor.vms[0].report and "trap loop" in hypervisor.vms[1].report


def test_a_guest_that_waits_for_what_nothing_can_raise_is_told_so():
    run = boot("    wfi\n    j .\n", limit=None, seconds=SECONDS, threads=True)
    assert run.outcome.status == 3 and "nothing can raise" in run.vm.report


def test_a_timer_wakes_a_hart_that_waits():
    run = boot("""
    li t0, 32
    csrw sie, t0
    rdtime s2
    li t0, 20000
    add s2, s2, t0
    csrw stimecmp, s2
1:  wfi
    rdtime t0
    bltu t0, s2, 1b
    li a0, 0
    j exit
""", limit=None, seconds=SECONDS, threads=True)
    assert (run.outcome.ended, run.outcome.status) == (Ended.EXIT, 0)
    assert run.vm.exits["virtual instruction"] < 100        # it slept


def test_an_error_in_python_ends_the_run_and_is_not_lost():
    def broken(vcpu, leaving):
        raise KeyError("hook")
    with pytest.raises(KeyError, match="hook"):
        boot(SHUTDOWN, threads=True, hooks=[broken], limit=None, seconds=SECONDS)


CALLS = """
    li s2, 200
1:  li a7, 16
    li a6, 0
    ecall
    addi s2, s2, -1
    bnez s2, 1b
"""


def test_hooks_see_every_exit_of_every_hart():
    seen = []
    run = both(f"    MEET\n{CALLS}    MEET\n    li a0, 0\n", hooks=[lambda vcpu, leaving: seen.append(vcpu.number)])
    assert len(seen) == sum(run.vm.exits.values()) and seen.count(1) >= 200 and seen.count(0) >= 201


def test_plain_python_has_no_threads():
    with pytest.raises(BadInput, match="plain Python"):
        Hypervisor([VmConfig("a", program(SHUTDOWN))], "reference", threads=True)


def test_what_is_asked_of_harts_that_run_is_done_when_the_call_returns():
    done, away = [], []

    def fence(vcpu, leaving):
        if vcpu.number:
            return
        hypervisor = vcpu.pcpu.call.hypervisor
        was_away = any(each.is_away for each in hypervisor.threads._each)
        other = vcpu.vm.vcpus[1 - vcpu.number]
        other.set_pending(VSEIP, True)
        if was_away:                    # what runs is not written to
            assert not other["hvip"] & VSEIP
        hypervisor._on_harts(vcpu.vm.vcpus, done.append)
        assert not any(each.requests for each in hypervisor.threads._each)
        assert other["hvip"] & VSEIP
        other.set_pending(VSEIP, False)
        hypervisor._on_harts(vcpu.vm.vcpus, lambda hart: None)
        assert len(done) == 2
        away.append(was_away)
        done.clear()
    run = both(f"    MEET\n    bnez s0, 2f\n{CALLS}"
               "    sd s10, 64(s1)\n    li a0, 0\n    j 3f\n2:  ld t0, 64(s1)\n    beqz t0, 2b\n3:\n", hooks=[fence])
    assert run.outcome.status == 0 and any(away)
