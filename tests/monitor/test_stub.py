"""The handler stub: what it serves is as if Python had."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp import Hypervisor, VmConfig
from rvhyp.machine.machine import Ended
from rvhyp.monitor.pmu import HARDWARE
from rvhyp.monitor.sbi import dbcn, hsm, ipi, pmu, time
from tests.engine.support import examples, sizes
from tests.monitor.guest import SHUTDOWN, boot, engine, program

CALLS = 0x8040_0000             # of programs that make calls from a table: a7, a6, a0 to a5
TRACE = 0x8050_0000             # what they saw after each: all registers but pc, counters, sip, stimecmp
ROW = 8 * 8
MAKE_CALLS = f"""
    li gp, {CALLS}
    li tp, {TRACE}
    mv s0, a0
    la t0, trap
    csrw stvec, t0
    li t0, 0x222
    csrw sie, t0                # interrupts are pending, and not taken
    li t0, 0x1111
    li t1, 0x2222
next:
    ld a7, 0(gp)
    ld a6, 8(gp)
    ld a0, 16(gp)
    ld a1, 24(gp)
    ld a2, 32(gp)
    ld a3, 40(gp)
    ld a4, 48(gp)
    ld a5, 56(gp)
    addi gp, gp, 64
    addi t2, a7, 1
    beqz t2, done
    ecall
""" + "".join(f"    sd x{n}, {8 * n}(tp)\n" for n in range(1, 32)) + """
    csrr t3, cycle
    sd t3, 0(tp)
    csrr t3, instret
    sd t3, 256(tp)
    csrr t3, time
    sd t3, 264(tp)
    csrr t3, sip
    sd t3, 272(tp)
    csrr t3, stimecmp
    sd t3, 280(tp)
    csrr t3, scause
    sd t3, 288(tp)
    addi tp, tp, 296
    j next
trap:
    csrr t3, sepc
    addi t3, t3, 4
    csrw sepc, t3
    sret
done:
""" + SHUTDOWN
WORD = st.integers(0, (1 << 64) - 1)
SMALL = st.integers(0, 3)
ARGUMENT = st.one_of(SMALL, WORD)


def with_upper_bits(ids):
    """Ids are 32-bit values: what is above does not count."""
    return st.builds(lambda value, above: value | above << 32, st.sampled_from(ids), st.sampled_from([0, 0, 0, 1, 0xFFFF_FFFF]))


IDS = with_upper_bits([time.EID, time.EID, ipi.EID, ipi.EID, 0, 0, 3, 0x10, hsm.EID, 0x1234])
CALL = st.tuples(IDS, st.one_of(st.just(0), ARGUMENT), ARGUMENT, ARGUMENT, ARGUMENT, ARGUMENT, ARGUMENT, ARGUMENT)
ONLY_STATUS = CALL.filter(lambda row: row[0] & 0xFFFF_FFFF != hsm.EID or row[1] & 0xFFFF_FFFF == 2)         # of HSM


def made(calls, *, stub, on="interpreter", steps=None, cpus=1) -> tuple:
    """All that can be seen of a guest that makes calls, and how many were served without Python."""
    output = []
    config = VmConfig("guest", program(MAKE_CALLS), 8 << 20, cpus, output.append)
    hypervisor = Hypervisor([config], engine(on), stub=stub)
    vm = hypervisor.vms[0]
    table = b"".join(word.to_bytes(8, "little") for row in (*calls, 8 * ((1 << 64) - 1,)) for word in row)
    vm.memory.write(CALLS, table)
    outcome = hypervisor.run(steps or 1_000_000)
    while steps and outcome.ended is Ended.INSTRUCTIONS:
        before = hypervisor.machine.instret
        outcome = hypervisor.run(steps)
        assert hypervisor.machine.instret == before + steps or outcome.ended is not Ended.INSTRUCTIONS
    trace = vm.memory.read(TRACE, 296 * len(calls))
    return (outcome, trace, hypervisor.machine.instret, hypervisor.machine.now(), vm.exits, vm.report, output), vm.served


def is_served(row, number=0) -> bool:
    """Whether the stub serves a call."""
    eid, fid, mask, base = row[:4]
    return eid == 0 or (eid, fid) == (time.EID, 0) or ((eid, fid) == (ipi.EID, 0) and (mask, base) == (1, number))


@sizes(60, 2000)
def test_a_guest_sees_no_difference(count):
    """Registers, counters, time, interrupts, and what the monitor counts."""
    served = []

    @examples(count)
    @given(st.lists(ONLY_STATUS, max_size=20))
    def check(calls):
        with_stub, number = made(calls, stub=True)
        without, none = made(calls, stub=False)
        assert with_stub == without
        assert number == sum(map(is_served, calls)) and none == 0
        served.append(number)
    check()
    assert sum(served) > count


FEW = [(time.EID, 0, 5000, 1, 2, 3, 4, 5), (ipi.EID, 0, 1, 0, 0, 0, 0, 0), (0x10, 0, 0, 0, 0, 0, 0, 0),
       (0, 7, 1 << 40, 9, 0, 0, 0, 0), (time.EID, 1, 0, 0, 0, 0, 0, 0), (ipi.EID, 0, 2, 0, 0, 0, 0, 0),
       (time.EID, 0, 0, 0, 0, 0, 0, 0), (3, 0, 0, 0, 0, 0, 0, 0)]


@pytest.mark.parametrize("on", ["translator", "reference"])
def test_other_engines_see_the_same(on):
    with_stub, number = made(FEW, stub=True, on=on)
    assert number == 4 and with_stub == made(FEW, stub=False)[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 31, 100])
def test_a_run_may_end_anywhere_and_go_on(steps):
    """A limit ends it between two instructions of the guest, never in the stub."""
    assert made(FEW, stub=True, steps=steps) == made(FEW, stub=True)


def test_firmware_counters_count_what_is_asked_of_the_firmware():
    set_timers = (pmu.EID, 2, HARDWARE, 1, 6, 0xF_0005, 0, 0)         # clear a counter of the firmware's, start it for these
    calls = [FEW[0], set_timers, FEW[0], FEW[0], (pmu.EID, 5, HARDWARE, 0, 0, 0, 0, 0)]
    with_stub, number = made(calls, stub=True)
    assert number == 1 and with_stub == made(calls, stub=False)[0]
    trace = with_stub[1]
    assert int.from_bytes(trace[4 * 296 + 8 * 11:][:8], "little") == 2         # a1 of the last: its value


def test_hooks_see_every_call():
    seen = []
    run = boot("    li a7, 0\n    ecall\n    ecall\n" + SHUTDOWN, hooks=[lambda vcpu, leaving: seen.append(leaving.name)])
    assert run.vm.served == 0 and len(seen) == 3
    assert boot("    li a7, 0\n    ecall\n    ecall\n" + SHUTDOWN).vm.served == 2


def test_a_report_names_the_last_call_whoever_served_it():
    source = "    li a7, {eid}\n    li a6, 0\n    li a0, -1\n    ecall\n    j 0\n"
    for eid, name in ((time.EID, "TIME set_timer"), (dbcn.EID, "DBCN console_write"), (0, "legacy set_timer")):
        run = boot(source.format(eid=eid).replace("    j 0\n", "    li t0, 8\n    ld t0, (t0)\n"))
        assert f"last SBI call {name}" in run.vm.report
        assert run.vm.served == (eid != dbcn.EID)


def test_timers_of_several_vcpus_interrupt_them():
    """Each sets its timer by SBI and counts; the stub serves whoever is loaded."""
    source = """
    mv s0, a0
    la t0, trap
    csrw stvec, t0
    li t0, 32
    csrw sie, t0
    csrsi sstatus, 2
    bnez s0, 1f
    li a7, 0x48534D
    li a6, 0
    li a0, 1
    la a1, _start
    ecall
1:  li s1, 100
2:  csrci sstatus, 2            # the handler makes calls too
    rdtime a0
    addi a0, a0, 200
    li a7, 0x54494D45
    li a6, 0
    ecall
    mv s2, s1
    csrsi sstatus, 2
3:  beq s1, s2, 3b
    bnez s1, 2b
    bnez s0, 5f
    li t0, 0x80400000
4:  ld t1, (t0)
    beqz t1, 4b
    li a0, 0
    j exit
5:  li t0, 0x80400000
    sd s0, (t0)
6:  wfi
    j 6b
    .balign 4
trap:
    addi s1, s1, -1
    li a0, -1
    li a7, 0
    ecall
    sret
"""
    for threads in (False, True):
        run = boot(source, cpus=2, threads=threads, limit=None, seconds=100)
        assert (run.outcome.ended, run.outcome.status) == (Ended.EXIT, 0)
        assert run.vm.served >= 400
