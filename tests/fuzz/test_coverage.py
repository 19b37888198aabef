"""Coverage: both engines note the same, only programs count, and a run is the same whether it is noted or not."""
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp import Board
from rvhyp.engine import ENGINES, make_engine
from rvhyp.fuzz.batches import PER_PROGRAM, TABLE
from rvhyp.fuzz.coverage import Map, Outcome, Pair, Trap, Write, feature, instruction_names, short_numbers
from rvhyp.fuzz.example import Example, lines_of
from rvhyp.fuzz.harness import image
from rvhyp.fuzz.layout import CODE
from rvhyp.fuzz.oracles import Engine
from rvhyp.fuzz.targets import ISA, TARGETS
from rvhyp.isa.decode import decode
from rvhyp.isa.text import assemble
from tests.engine.support import examples


@pytest.fixture(scope="module")
def map_():
    return Map()


def covered(engine, map_, program):
    """(slot, feature) of all that an image reaches, and what it leaves."""
    left = Engine(engine, ISA).run(program, TABLE, 512 * PER_PROGRAM, map_)
    slots, features = map_.log()
    return list(zip(slots.tolist(), features.tolist(), strict=True)), left


def batch_image(target, count, first=0):
    batch = TARGETS[target].maker(3).batch(first, count)
    return image(batch.code.tobytes(), batch.records.tobytes(), batch.slot)


def reached(map_, text, target="user", **changes):
    """Features of a program of our own, in the order in which it reaches them."""
    example = Example.of(TARGETS[target].maker(3).batch(0, 1), 0)
    log, _ = covered("interpreter", map_, replace(example, lines=lines_of(assemble(text, 0).code), **changes).image())
    return [feature(number) for _, number in log]


@pytest.mark.parametrize(("target", "first", "count"), [
    ("csr", 21, 1), *(pytest.param(name, 0, 8, marks=pytest.mark.long) for name in TARGETS)])
def test_both_engines_reach_the_same(map_, target, first, count):
    program = batch_image(target, count, first)
    compiled, plain = (covered(engine, map_, program) for engine in ("interpreter", "reference"))
    assert compiled == plain and len(compiled[0]) > 20 * count


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_what_programs_leave_does_not_depend_on_it(map_, target):
    program = batch_image(target, 48)
    log, left = covered("interpreter", map_, program)
    assert left == Engine("interpreter", ISA).run(program, TABLE, 512 * PER_PROGRAM)
    assert {slot for slot, _ in log} == set(range(48))
    assert len(set(log)) == len(log)


def test_features_have_names_of_their_own(map_):
    log, _ = covered("interpreter", map_, batch_image("csr", 200))
    numbers = {number for _, number in log}
    assert len({str(feature(number)) for number in numbers}) == len(numbers) > 1000


def test_only_the_program_counts(map_):
    found = reached(map_, "addi a0, a0, 1\n csrw mscratch, zero\n csrrs a0, mscratch, zero\n c.mv a0, a1",
                    csrs={"mepc": 0x8020_0000, "mstatus": 3 << 11})
    own = [Outcome(name, "M", "retired") for name in ("addi", "csrrw", "csrrs", "c.mv")]
    assert [each for each in found if isinstance(each, Outcome)] == [*own, Outcome("ecall", "M", "ecall from M-mode")]
    assert [str(each) for each in found if isinstance(each, Pair)] == [
        "(start), alu in M", "alu, csr in M", "csr, csr in M", "csr, alu in M", "alu, ecall in M"]
    assert [each for each in found if isinstance(each, Trap)] == [Trap("ecall from M-mode", "M", "M")]
    changed = [each for each in found if isinstance(each, Write)]
    assert changed and all(each.csr == "mscratch" and each.mode == "M" for each in changed)      # a read is no write


def test_a_trap_is_an_outcome_and_has_a_way(map_):
    found = reached(map_, "ecall\n nop", csrs={"mepc": 0x8020_0000, "mstatus": 0, "medeleg": 1 << 8, "stvec": 0x8001_8000})
    assert Outcome("ecall", "U", "ecall from U-mode or VU-mode") in found
    assert Trap("ecall from U-mode or VU-mode", "U", "HS") in found and Pair("ecall trapped", "alu", "U") in found
    assert Trap("ecall from HS-mode", "HS", "M") not in found                # that is how the harness gets to know


def test_an_interrupt_comes_from_the_mode_that_a_return_led_to(map_):
    """It was waiting there: the MRET retires in M, the trap comes from U."""
    found = reached(map_, "auipc t0, 0\n addi t0, t0, 16\n csrw mepc, t0\n mret\n nop",
                    csrs={"mepc": 0x8020_0000, "mstatus": 3 << 11, "mideleg": 2, "mie": 2, "mip": 2, "stvec": 0x8001_8000})
    assert Outcome("mret", "M", "retired") in found
    assert [each for each in found if isinstance(each, Trap)][0] == Trap("supervisor software interrupt", "U", "HS")


def test_code_that_cannot_be_fetched_is_an_outcome(map_):
    found = reached(map_, "nop", csrs={"mepc": 0x8020_0000, "mstatus": 1 << 11, "satp": 8 << 60 | 0x80040})
    assert found[:2] == [Trap("instruction page fault", "HS", "M"), Outcome("(fetch)", "HS", "instruction page fault")]


DEVICES = """
    li      t0, 0x10000000          # the UART
    li      t1, 65
    sb      t1, (t0)
    li      t2, 0x02004000          # mtimecmp
    li      t3, 1000
    sd      t3, (t2)
    li      t3, 0x80
    csrw    mie, t3
    la      t4, handler
    csrw    mtvec, t4
    csrsi   mstatus, 8
    wfi
1:  j       1b
    .balign 4
handler:
    li      t0, 0x100000            # the test finisher
    li      t1, 0x5555
    sw      t1, (t0)
2:  j       2b
"""


@pytest.mark.parametrize("name", ENGINES)
def test_an_instruction_that_python_helps_with_is_one_step(map_, name):
    """An access of a device leaves the engine and is run again; WFI leaves it; the timer's interrupt comes between two steps."""
    def run(is_covered):
        written = []
        board = Board(8 << 20, ISA, engine, output=written.append)
        machine, program = board.machine, assemble(DEVICES, CODE)
        for address, contents in program.segments:
            machine.memory.write(address, contents)
        machine.hart.pc = CODE
        if is_covered:
            map_.clear()
            machine.hart.coverage, machine.hart.stop_at_traps = map_.address, 1
            machine.run_hart = machine.engine.bind_covered(machine.hart)
        return board.run(10_000).ended, b"".join(written), machine.instret, machine.now()
    engine = make_engine(name)
    assert run(True) == run(False)
    found = [feature(number) for number in map_.log()[1].tolist()]
    assert {Outcome(each, "M", "retired") for each in ("sb", "sd", "wfi")} <= set(found)
    assert [each for each in found if isinstance(each, Trap)] == [Trap("machine timer interrupt", "M", "M")]


@examples(300)
@given(st.integers(0, 0xFFFF).filter(lambda word: word & 3 != 3))
def test_short_instructions_are_numbered_as_they_decode(word):
    decoded = decode(word)
    number = int.from_bytes(short_numbers()[2 * word:2 * word + 2], "little")
    assert instruction_names()[number] == (decoded.compressed.name if decoded else "(unknown)")
