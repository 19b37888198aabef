"""Several harts on the board: turns, one time, shared code, interrupts from one to the other."""
import pytest

from rvhyp import assemble, load
from rvhyp.machine import turns
from rvhyp.machine.board import Board
from rvhyp.machine.console import Input
from rvhyp.machine.machine import Ended
from rvhyp.machine.turns import TURN
from tests.monitor.guest import EXIT, engine

ENGINES = ("interpreter", "reference")


@pytest.fixture
def short_turns(monkeypatch):
    """For the reference engine, which is slow."""
    monkeypatch.setattr(turns, "TURN", 100)


def board(source, cpus=2, on="interpreter"):
    program = load(assemble(source + EXIT + "    .balign 8\nresults: .space 64\n", 0x8000_0000).to_elf(), "program")
    made = Board(16 << 20, engine=engine(on), input=Input(None), cpus=cpus)
    made.load(program)
    return made


def results(made, count):
    at = made.program.symbols["results"]
    return [made.machine.memory.word(at + 8 * n) for n in range(count)]


@pytest.mark.parametrize("on", ENGINES)
def test_harts_have_their_numbers_and_wake_each_other(short_turns, on):
    """Hart 0 waits for hart 2, which waits for hart 1, which waits for hart 0."""
    made = board("""
_start:
    csrr s0, mhartid
    bne s0, a0, bad
    li t0, 8                    # machine software interrupt
    csrw mie, t0
    li s1, 0x2000000            # CLINT: msip
    bnez s0, 1f
    li t0, 1
    sw t0, 4(s1)
1:  wfi
    csrr t0, mip
    andi t0, t0, 8
    beqz t0, 1b
    la t1, results
    li t2, 1
    amoadd.d t3, t2, (t1)       # how many came before
    addi t4, s0, 1
    slli t4, t4, 3
    add t4, t4, t1
    sd t3, 0(t4)
    li a0, 0
    beqz s0, exit
    addi t5, s0, 1
    li t6, 3
    remu t5, t5, t6
    slli t5, t5, 2
    add t5, t5, s1
    sw t2, 0(t5)
    slli t5, s0, 2
    add t5, t5, s1
    sw zero, 0(t5)              # not pending any more: WFI waits
2:  wfi
    j 2b
bad:
    li a0, 1
    j exit
""", 3, on)
    outcome = made.run(3000)
    assert (outcome.ended, outcome.status) == (Ended.EXIT, 0)
    assert results(made, 4) == [3, 2, 0, 1]


COUNT = """
_start:
    la s1, results
    li s2, {times}
1:  lr.d t0, (s1)
    addi t0, t0, 1
    sc.d t1, t0, (s1)
    bnez t1, 1b
    addi s2, s2, -1
    bnez s2, 1b
    csrr s3, minstret
    addi t2, a0, 2
    slli t2, t2, 3
    add t2, t2, s1
    sd s3, 0(t2)
    li t0, 1
    addi t1, s1, 8
    amoadd.w t2, t0, (t1)
    beqz t2, 2f                 # the first waits for the other
    li a0, 0
    j exit
2:  wfi
    j 2b
"""


def test_what_they_do_to_the_same_word_is_atomic_and_the_run_the_same_each_time():
    runs = []
    for _ in range(2):
        made = board(COUNT.format(times=3 * TURN))
        outcome = made.run(20_000_000)
        assert (outcome.ended, outcome.status) == (Ended.EXIT, 0)
        count, _, *retired = results(made, 4)
        assert count == 6 * TURN
        assert all(6 * 3 * TURN < each < 6 * 3 * TURN + 1000 for each in retired), "a hart's instret counts its own"
        assert sum(retired) < made.machine.instret < sum(retired) + 1000
        runs.append((made.machine.instret, made.machine.now(), retired))
    assert runs[0] == runs[1]


def test_a_limit_is_that_of_all_harts_together():
    made = board("_start: j _start\n", 3)
    assert made.run(7 * TURN + 11).ended is Ended.INSTRUCTIONS
    assert made.machine.instret == 7 * TURN + 11
    assert made.machine.now() == (7 * TURN + 11) // 100


def test_a_store_of_another_hart_breaks_a_reservation():
    """A turn at the most later: hart 0 has reserved and computes, hart 1 stores."""
    made = board(f"""
_start:
    la s1, results
    bnez a0, store
    lr.d t0, (s1)
    li s2, {TURN}
1:  addi s2, s2, -1
    bnez s2, 1b
    sc.d a0, t0, (s1)
    j exit
store:
    li t0, 77
    sd t0, 0(s1)
2:  j 2b
""")
    assert made.run(10 * TURN).status == 1 and results(made, 1) == [77]


@pytest.mark.parametrize("before", ["jal changed", "lw t0, 0(s2)\n    sw t0, 0(s2)"], ids=["ran", "stored"])
@pytest.mark.parametrize("on", ENGINES)
def test_code_that_another_hart_changes_is_the_new_code(short_turns, on, before):
    """Hart 0 has run it, or stored to its page; hart 1 runs it; then hart 0 changes it and tells hart 1."""
    made = board(f"""
_start:
    la s1, results
    la s2, changed
    bnez a0, other
    {before}
    li t0, 1
    sd t0, 16(s1)
1:  ld t0, 8(s1)                # hart 1 has run it, too
    beqz t0, 1b
    li t0, 0x00200313           # li t1, 2
    sw t0, 0(s2)
    li t0, 1
    sd t0, 0(s1)
2:  j 2b
other:
    ld t0, 16(s1)
    beqz t0, other
    jal changed
    li t0, 1
    sd t0, 8(s1)
3:  ld t0, 0(s1)
    beqz t0, 3b
    fence.i
    jal changed
    mv a0, t1
    j exit
    .balign 4
changed: .word 0x00100313       # li t1, 1
    ret
""", on=on)
    assert made.run(10 * TURN).status == 2


@pytest.mark.parametrize("wait", ["wfi", "nop"])
def test_a_timer_wakes_its_hart_while_another_waits_or_computes(wait):
    made = board(f"""
_start:
    li s1, 0x2004000            # CLINT: mtimecmp
    li s2, 0x200BFF8            # mtime
    bnez a0, sleep
1:  {wait}
    j 1b
sleep:
    li t0, 5000
    sd t0, 8(s1)
    li t0, 128
    csrw mie, t0
2:  wfi
    csrr t0, mip
    andi t0, t0, 128
    beqz t0, 2b
    ld t0, 0(s2)
    li t1, 5000
    sub a0, t0, t1              # ticks late
    j exit
""")
    outcome = made.run(10_000_000)
    assert outcome.ended is Ended.EXIT and 0 <= outcome.status <= TURN // 100 + 1


def test_harts_that_all_wait_for_ever_end_the_run():
    made = board("_start: wfi\n    j _start\n", 3)
    assert made.run(1000).ended is Ended.WAITING


def test_the_tree_and_the_devices_know_all_harts():
    import libfdt
    made = board("_start: j _start\n", 2)
    fdt = libfdt.Fdt(made.device_tree())
    assert all(fdt.path_offset(f"/cpus/cpu@{number}") > 0 for number in (0, 1))
    for node, cells in (("/soc/clint@2000000", 8), ("/soc/plic@c000000", 8)):
        assert len(bytes(fdt.getprop(fdt.path_offset(node), "interrupts-extended"))) == 4 * cells
