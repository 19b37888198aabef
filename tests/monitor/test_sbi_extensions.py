"""PMU, SUSP, STA and FWFT, and suspending harts: what their functions do, besides the rules for arguments that the fuzzer has."""
import re
from pathlib import Path

import pytest

import rvhyp
from rvhyp.monitor import sbi
from rvhyp.monitor.pmu import COUNTERS, HARDWARE, Firmware
from tests.monitor.guest import SHUTDOWN, boot

PMU, SUSP, STA, FWFT, HSM, IPI, TIME = 0x504D_55, 0x5355_5350, 0x53_5441, 0x4657_4654, 0x48_534D, 0x73_5049, 0x5449_4D45
DENIED, DENIED_LOCKED, ALREADY_STARTED = -4, -14, -7
ADUE = 4


def calls(*wanted):
    """Source that makes these calls, each (eid, fid, arguments...); errors and values go to `results`."""
    source = "    la s0, results\n"
    for eid, fid, *arguments in wanted:
        source += "".join(f"    li a{n}, {value}\n" for n, value in enumerate(arguments))
        source += f"    li a7, {eid}\n    li a6, {fid}\n    ecall\n    sd a0, 0(s0)\n    sd a1, 8(s0)\n    addi s0, s0, 16\n"
    return source


def answers(run, count):
    """(error, value) of each call."""
    memory, at = run.vm.memory, run.vm.config.program.symbols["results"]
    return [(error - (error >> 63 << 64), memory.word(at + 16 * n + 8))
            for n, error in enumerate(memory.word(at + 16 * n) for n in range(count))]


DATA = SHUTDOWN + "\n    .balign 4096\nshared: .zero 4096\nresults: .zero 1024\n"


def made(*wanted, after="", **config):
    run = boot(calls(*wanted) + after + DATA, **config)
    assert run.outcome.status == 0, run.vm.report
    return answers(run, len(wanted))


def test_cycle_and_instret_run_until_they_are_stopped_and_hold_still_then():
    run = boot(calls((PMU, 4, 0, 0b101, 0)) + "    csrr s1, instret\n    nop\n    nop\n    csrr s2, instret\n    sub s1, s2, s1\n"
               + calls((PMU, 3, 0, 0b101, 1, 1000)) + "    csrr s2, instret\n    csrr s3, instret\n    sub s2, s3, s2\n"
               "    la s0, results\n    sd s1, 0(s0)\n    sd s2, 8(s0)\n    sd s3, 16(s0)\n    csrr s4, instret\n" + DATA)
    memory, at = run.vm.memory, run.vm.config.program.symbols["results"]
    assert [memory.word(at + n) for n in (0, 8)] == [0, 1] and 1000 < memory.word(at + 16) < 1020


def test_counters_belong_to_a_hart():
    """Two guests on one hart: instret of each counts its own instructions."""
    from rvhyp import Hypervisor, VmConfig
    from tests.monitor.guest import engine, program
    source = ("    li t0, {0}\n1:  addi t0, t0, -1\n    bnez t0, 1b\n    csrr t1, instret\n    la t0, results\n    sd t1, 0(t0)\n"
              + DATA)
    programs = [program(source.format(count)) for count in (700_000, 10)]
    hypervisor = Hypervisor([VmConfig(str(n), each, 16 << 20) for n, each in enumerate(programs)], engine())
    hypervisor.run(10_000_000)
    counted = [vm.memory.word(vm.config.program.symbols["results"]) for vm in hypervisor.vms]
    assert 1_400_000 <= counted[0] < 1_400_010 and 20 <= counted[1] < 40


@pytest.mark.parametrize("event, data", [(1, 0), (2, 0), (0x2_0000, 2), (0x3_0000, 1)])
def test_an_event_of_the_hart_is_counted_by_an_hpmcounter(event, data):
    after = "    csrr s1, hpmcounter3\n    nop\n    nop\n    csrr s2, hpmcounter3\n    sub a0, s2, s1\n    sd a0, 0(s0)\n"
    got = made((PMU, 2, 0, 0b1000, 0b110, event, data), (0x10, 0), after=after)
    run = boot(calls((PMU, 2, 0, 0b1000, 0b110, event, data)) + after + DATA)
    assert got[0] == (0, 3) and answers(run, 2)[1][0] == 3


def test_a_filtered_counter_does_not_count_in_the_mode():
    after = "    csrr s1, hpmcounter3\n    nop\n    csrr s2, hpmcounter3\n    sub a0, s2, s1\n    sd a0, 0(s0)\n"
    run = boot(calls((PMU, 2, 0, 0b1000, 0b110 | 1 << 6, 2, 0)) + after + DATA)
    assert answers(run, 2)[1][0] == 0


@pytest.mark.parametrize("event, cause", [
    (Firmware.SET_TIMER, [(TIME, 0, -1), (0, 0, -1)]), (Firmware.ILLEGAL_INSN, None)])
def test_firmware_events_are_counted_while_the_counter_runs(event, cause):
    if cause is None:
        handler = "    la t0, trap\n    csrw stvec, t0\n    j 1f\n    .balign 4\ntrap:\n    csrr t0, sepc\n    addi t0, t0, 4\n"\
                  "    csrw sepc, t0\n    sret\n1:\n"
        run = boot(handler + calls((PMU, 2, 11, 1, 6, 0xF0000 + event)) + "    csrr a0, hstatus\n    csrr a0, 0x605\n"
                   + calls((PMU, 5, 11)) + DATA)
        assert answers(run, 1)[0] == (0, 2)
    else:
        got = made(*cause, (PMU, 2, 11, 1, 6, 0xF0000 + event), *cause, (PMU, 5, 11), (PMU, 4, 11, 1, 0), *cause, (PMU, 5, 11))
        assert got[5] == got[-1] == (0, 2)


def test_snapshot_saves_and_restores_counters():
    shared = 0x8020_1000
    got = boot(calls((PMU, 7, shared, 0, 0), (PMU, 4, 0, 0b101, 2), (PMU, 3, 0, 0b100, 2)) + f"""
    li t0, {shared}
    ld t1, 24(t0)               # what instret was
    csrr t2, instret
    sub a0, t2, t1
    sd a0, 0(s0)
""" + DATA)
    assert got.vm.config.program.symbols["shared"] == shared
    assert [error for error, _ in answers(got, 3)] == [0, 0, 0] and 0 < answers(got, 4)[3][0] < 20


def test_event_info_says_which_events_there_are():
    source = "".join(f"    .word {event}, 7\n    .dword {data}\n" for event, data in
                     ((1, 9), (3, 0), (0xF0006, 0), (0xF0006, 1), (0xF0010, 0), (0x30000, 16), (0x30000, 5), (0x10000, 0)))
    run = boot(calls((PMU, 8, 0x8020_1000, 0, 8, 0)) + SHUTDOWN + f"    .balign 4096\nshared:\n{source}results: .zero 64\n")
    assert answers(run, 1) == [(0, 0)]
    assert [run.vm.memory.word(0x8020_1000 + 16 * n) >> 32 for n in range(8)] == [1, 0, 1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("event_word, error", [(1 << 20, -3), (1, 0)])
def test_event_info_with_a_reserved_bit_changes_nothing(event_word, error):
    run = boot(calls((PMU, 8, 0x8020_1000, 0, 2, 0)) + SHUTDOWN
               + f"    .balign 4096\nshared: .word 1, 7\n    .dword 0\n    .word {event_word}, 7\n    .dword 0\n"
               + "results: .zero 64\n")
    assert answers(run, 1)[0][0] == error
    assert run.vm.memory.word(0x8020_1000) >> 32 == (7 if error else 1)


def test_event_info_of_very_many_events_is_refused():
    assert made((PMU, 8, 0x8000_0000, 0, 1 << 16, 0))[0][0] == -1


RESUMED = """
resumed:
    csrr t0, satp
    csrr t1, sip
    la t2, results
    sd a0, 0(t2)
    sd a1, 8(t2)
    sd t0, 16(t2)
    sd t1, 24(t2)
"""


@pytest.mark.parametrize("eid, fid, kind", [(HSM, 3, 0x8000_0000), (SUSP, 0, 0)])
def test_a_suspended_hart_goes_on_at_its_address_when_an_interrupt_comes(eid, fid, kind):
    run = boot(f"""
    li t0, 32
    csrw sie, t0
    li a0, 5000
    li a7, {TIME}
    li a6, 0
    ecall
    li a0, {kind}
    la a1, resumed
    li a2, 77
    li a7, {eid}
    li a6, {fid}
    ecall
    j .
{RESUMED}{DATA}""", limit=100_000)
    assert [word for pair in answers(run, 2) for word in pair] == [0, 77, 0, 32]


def test_the_system_is_not_suspended_while_another_hart_runs():
    other = "    la t0, other\n" + calls((HSM, 0, 1, "other", 0), (SUSP, 0, 0, "other", 0)) + DATA + "other: j other\n"
    assert answers(boot(other, cpus=2), 2) == [(0, 0), (DENIED, 0)]


def test_a_suspended_system_that_nothing_can_wake_is_reported_with_its_last_call():
    run = boot(calls((SUSP, 0, 0, 0x8020_0000, 0)) + DATA)
    assert run.outcome.status == 3 and "last SBI call SUSP system_suspend, the hart is suspended" in run.vm.report


def test_stolen_time_is_what_others_ran():
    """A guest that shares the hart with another one, which takes every other millisecond."""
    from rvhyp import Hypervisor, VmConfig
    from tests.monitor.guest import engine, program
    source = "    li t0, 2000000\n1:  addi t0, t0, -1\n    bnez t0, 1b\n"
    first = calls((STA, 0, 0x8020_1000, 0, 0)) + source + DATA
    hypervisor = Hypervisor([VmConfig("a", program(first), 16 << 20), VmConfig("b", program(source + DATA), 16 << 20)], engine())
    hypervisor.run(20_000_000)
    sequence, steal = (hypervisor.vms[0].memory.word(0x8020_1000 + n) for n in (0, 8))
    assert sequence > 0 and sequence % 2 == 0 and sequence >> 32 == 0
    assert 3_000_000 <= steal <= 4_100_000 and steal % 100 == 0
    assert hypervisor.vms[0].memory.word(0x8020_1010) == 0


def test_a_hart_that_waits_loses_nothing():
    run = boot(f"""
    li t0, 32
    csrw sie, t0
{calls((STA, 0, 0x8020_1000, 0, 0), (TIME, 0, 90000))}
    wfi
{DATA}""")
    assert run.vm.memory.word(0x8020_1008) == 0 and run.vm.memory.word(0x8020_1000) > 0


@pytest.mark.parametrize("value, flags, error", [(1, 0, 0), (0, 0, 0), (2, 0, -3), (1, 2, -3), (0, 1, 0)])
def test_ad_updating_is_off_at_reset_and_can_be_set(value, flags, error):
    assert made((FWFT, 1, ADUE), (FWFT, 0, ADUE, value, flags), (FWFT, 1, ADUE)) == [
        (0, 0), (error, 0), (0, value if not error else 0)]


def test_a_locked_feature_keeps_its_value():
    got = made((FWFT, 0, ADUE, 1, 1), (FWFT, 0, ADUE, 0, 0), (FWFT, 0, ADUE, 1, 0), (FWFT, 1, ADUE))
    assert [error for error, _ in got] == [0, DENIED_LOCKED, 0, 0] and got[-1] == (0, 1)


@pytest.mark.parametrize("feature, error", [
    (1, -2), (2, -2), (3, -2), (5, -2), (6, DENIED), (0x4000_0000, DENIED), (0xC000_0000, DENIED)])
def test_features_that_are_not_there(feature, error):
    assert [each for each, _ in made((FWFT, 0, feature, 1, 0), (FWFT, 1, feature))] == [error, error]


def test_misaligned_exceptions_stay_delegated():
    got = made((FWFT, 1, 0), (FWFT, 0, 0, 1, 0), (FWFT, 0, 0, 0, 0), (FWFT, 0, 0, 5, 0))
    assert [error for error, _ in got] == [0, 0, DENIED, -3] and got[0][1] == 1


@pytest.mark.parametrize("updating", [0, 1])
def test_ad_updating_decides_between_a_page_fault_and_a_store_to_the_pte(updating):
    run = boot(calls((FWFT, 0, ADUE, updating, 0)) + """
    la t0, trap
    csrw stvec, t0
    la t1, shared
    li t0, 0x2000004F           # 0x8000_0000, a gigabyte: V, R, W, X, A; not D
    sd t0, 16(t1)
    srli t1, t1, 12
    li t0, 8
    slli t0, t0, 60
    or t0, t0, t1
    csrw satp, t0
    sfence.vma
    sd t0, 8(s0)
    csrw satp, zero
    li t1, 1
    j 1f
    .balign 4
trap:
    csrw satp, zero
    csrr t1, scause
1:  sd t1, (s0)
""" + DATA)
    assert answers(run, 2)[1][0] == (1 if updating else 15)


def test_the_page_about_the_sbi_names_what_is_there():
    """One line for each extension, with its functions in their order."""
    page = (Path(rvhyp.__file__).parents[1] / "docs" / "sbi.md").read_text()
    rows = {int(eid, 16): (name, functions) for eid, name, functions in
            re.findall(r"^\| `(0x[0-9A-F]+)` \| (\w+) \| (.*) \|$", page, re.MULTILINE)}
    there = {eid: (name, ", ".join(body.__name__ for (e, _), body in sorted(sbi.FUNCTIONS.items()) if e == eid))
             for eid, (name, _) in sbi.EXTENSIONS.items()}
    assert rows == there
    assert f"{len(COUNTERS) - HARDWARE} firmware counters" in page and "version 3.0" in page
