"""The public strategies: what they give is valid, and what fails shrinks to what one would write."""
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from rvhyp.fuzz import strategies as rv
from rvhyp.isa.csr import CSRS
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import INSTRUCTIONS, Kind
from rvhyp.isa.text import assemble
from tests.engine.support import examples

once = settings(max_examples=2000, derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize("kind", sorted(Kind, key=lambda kind: kind.name))
def test_every_instruction_decodes_to_itself(kind):
    @examples(60)
    @given(rv.instructions([kind]))
    def check(word):
        decoded = decode(word.bits)
        assert word.name in (decoded.instruction.name, decoded.compressed and decoded.compressed.name) \
            or decoded.instruction.encoding.mask & INSTRUCTIONS[word.name].encoding.mask == INSTRUCTIONS[word.name].encoding.mask
    check()


@examples(50)
@given(rv.programs(kinds=[Kind.ALU, Kind.LOAD, Kind.STORE], branches=False))
def test_the_text_of_a_program_assembles_to_its_bytes(program):
    assert assemble(f".option norvc\n{program}" if not any(word.name.startswith("c.") for word in program.words)
                    else str(program), 0x8000_0000).code == program.to_bytes()


def test_a_program_shrinks_to_the_instruction_that_matters():
    program = find(rv.programs(8, [Kind.ALU]), lambda program: any(word.name == "mulh" for word in program.words), settings=once)
    assert len(program.words) <= 2 and "mulh zero, zero, zero" in str(program)


def test_an_operand_shrinks_to_the_simplest():
    word = find(rv.instruction("addi", rd=10, rs1=0), lambda word: dict(word.operands)["imm"] > 100, settings=once)
    assert str(word) == "addi a0, zero, 101" or dict(word.operands)["imm"] in (128, 256)


@examples(30)
@given(st.data(), st.sampled_from(sorted(CSRS)))
def test_csr_values_are_words(data, name):
    assert 0 <= data.draw(rv.csr_values(name)) < 1 << 64


@examples(40)
@given(rv.page_tables(0x8001_0000, (0x8000_8000, 0x8000_9000), (0x1000, 0x2000, 0x7FFF_F000)))
def test_a_valid_leaf_can_be_walked_to(tables):
    words = dict(tables.words)
    for leaf in tables.leaves:
        table, level = tables.root, rv.LEVELS[tables.mode] - 1
        while True:
            entry = words[table + 8 * (leaf.va >> 12 + 9 * level & 511)]
            if level == leaf.level:
                break
            table, level = entry >> 10 << 12, level - 1
        assert entry == leaf.entry or leaf.level or len({each.va for each in tables.leaves}) < len(tables.leaves)
    assert tables.atp >> 60 == tables.mode


@examples(20)
@given(rv.machine_states(["VS", "M"], csrs=["mstatus", "vsstatus"]), rv.interrupt_schedules())
def test_states_and_schedules(state, events):
    assert state.mode in ("VS", "M") and state.x[0] == 0 and dict(state.csrs).keys() == {"mstatus", "vsstatus"}
    assert [event.after for event in events] == sorted(event.after for event in events)
