"""Pseudo-instructions: what they stand for, and what that does when it is executed."""
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rvhyp.isa.fields import F_NAMES, X_NAMES
from rvhyp.isa.instruction import INSTRUCTIONS, Kind
from rvhyp.isa.text import assemble, disassemble
from rvhyp.isa.text.parse import parse_instruction
from rvhyp.isa.text.pseudo import Pseudo, rows
from rvhyp.isa.text.syntax import Operand, mnemonics, shape_of
from rvhyp.isa.word import u64
from tests.isa.straightline import execute

MASK = (1 << 64) - 1
U64 = st.integers(0, MASK)
ROWS = rows()


def texts(source):
    code = assemble(source).code
    return [disassemble(int.from_bytes(code[at:at + 4], "little")) for at in range(0, len(code), 4)]


# Constants.

@st.composite
def shaped(draw):
    """Constants with runs of zeros and ones, as masks and addresses have."""
    value = draw(st.integers(-(1 << 63), (1 << 63) - 1)) >> draw(st.integers(0, 63))
    return (value << draw(st.integers(0, 63)) ^ -draw(st.integers(0, 1))) & MASK


@settings(max_examples=500)
@given(st.one_of(U64, st.integers(-(1 << 63), -1), shaped()))
@example(1 << 63)
@example(-(1 << 63))
@example((1 << 63) - 1)
@example(0x7FFF_FFFF)
@example(0x7FFF_F800)
@example(0xFFFF_FFFF_7FFF_FFFF)
def test_li_makes_any_constant(value):
    code = assemble(f"li a0, {value}").code
    assert execute(code)["x10"] == value & MASK
    assert len(code) <= 4 * 8


@pytest.mark.parametrize("value, steps", [
    (0, 1), (-2048, 1), (2047, 1), (2048, 2), (0x1000, 1), (0x8000_0000, 2), (0xFFFF_FFFF_8000_0000, 1),
    (0xFFFF_FFFF, 2), (MASK, 1), (1 << 63, 2), ((1 << 63) - 1, 2), (0x8000_0000_0000_0001, 3),
    (0xFFFF_0000_FFFF_0000, 4), (0x1234_5678, 2), (0x1234_5000_0000, 2), (0x00FF_FFFF_FFFF_FFFF, 2), (0x7FFF_F800, 2),
    (0x1234_5678_9ABC_DEF0, 8), (0xAAAA_A000, 2), (0x1_5555_4000, 2),
])
def test_li_is_short(value, steps):
    assert len(assemble(f"li a0, {value}").code) == 4 * steps


def test_li_takes_what_is_computed():
    assert texts("size = 3 * 4\n li t0, size + 1\n li t1, end - start\n start: nop\n end:") == [
        "addi t0, zero, 13", "addi t1, zero, 4", "addi zero, zero, 0"]
    assert texts("li t0, start\n start:")[0] == "addi t0, zero, 1"       # 0x8000_0008 in two steps


def test_la_of_a_number_is_li():
    """An address that is a number may be out of reach of auipc; so is 0, that of a weak symbol that is missing."""
    assert texts("uart = 0x10000000\n la a0, uart\n lla a1, 5\n la a2, hook\n .weak hook\n") == [
        "lui a0, 0x10000", "addi a1, zero, 5", "addi a2, zero, 0"]


# One instruction or two, by what they do.

@pytest.mark.parametrize("source, meaning", [
    ("mv a0, a1", lambda a: a), ("not a0, a1", lambda a: ~a), ("neg a0, a1", lambda a: -a),
    ("negw a0, a1", lambda a: signed(-a, 32)), ("sext.w a0, a1", lambda a: signed(a, 32)),
    ("sext.h a0, a1", lambda a: signed(a, 16)), ("sext.b a0, a1", lambda a: signed(a, 8)),
    ("zext.w a0, a1", lambda a: a % 2**32), ("zext.h a0, a1", lambda a: a % 2**16),
    ("zext.b a0, a1", lambda a: a % 2**8), ("seqz a0, a1", lambda a: a == 0), ("snez a0, a1", lambda a: a != 0),
    ("sltz a0, a1", lambda a: signed(a, 64) < 0), ("sgtz a0, a1", lambda a: signed(a, 64) > 0),
])
@settings(max_examples=20)
@given(U64)
@example(0)
@example(0x8000_0000)
@example(1 << 63)
def test_what_they_compute(source, meaning, value):
    assert execute(assemble(source).code, x11=value)["x10"] == meaning(value) & MASK
    same = source.replace("a1", "a0")
    assert execute(assemble(same).code, x10=value)["x10"] == meaning(value) & MASK


def signed(value, width):
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)


@given(U64, U64)
def test_comparisons_the_other_way_round(a, b):
    assert execute(assemble("sgt a0, a1, a2").code, x11=a, x12=b)["x10"] == (signed(a, 64) > signed(b, 64))
    assert execute(assemble("sgtu a0, a1, a2").code, x11=a, x12=b)["x10"] == (a > b)


@pytest.mark.parametrize("branch, condition", [
    ("beqz a1", lambda a, b: a == 0), ("bnez a1", lambda a, b: a != 0), ("blez a1", lambda a, b: a <= 0),
    ("bgez a1", lambda a, b: a >= 0), ("bltz a1", lambda a, b: a < 0), ("bgtz a1", lambda a, b: a > 0),
    ("bgt a1, a2", lambda a, b: a > b), ("ble a1, a2", lambda a, b: a <= b),
    ("bgtu a1, a2", lambda a, b: a % 2**64 > b % 2**64), ("bleu a1, a2", lambda a, b: a % 2**64 <= b % 2**64),
])
@pytest.mark.parametrize("a, b", [(0, 0), (1, -1), (-1, 1), (5, 5), (-2, -3), (1 << 62, -(1 << 62))])
def test_when_they_branch(branch, condition, a, b):
    parsed, = parse_instruction(branch.split()[0], branch.partition(" ")[2] + ", .")
    record, bits = parsed.record, parsed.bits
    values = {0: u64(0), 11: u64(a), 12: u64(b)}
    operands = (values[record.fields[name].get(bits)] for name in ("rs1", "rs2"))
    assert bool(record.body(*operands)) == condition(a, b)


# Addresses.

DISTANCES = st.one_of(st.integers(-(1 << 31) + 8, (1 << 31) - 0x810), st.integers(-5000, 5000))


@settings(max_examples=50)
@given(DISTANCES)
@example(0x7FF)
@example(0x800)
@example(-0x801)
@example((1 << 31) - 0x801)
@example(-(1 << 31) - 0x800)
def test_addresses_are_reached(distance):
    pc = 0x1_0000_0000
    symbol = pc + distance
    for source, check in (
        (f"la a0, . + {distance}", lambda after: after["x10"] == symbol),
        (f"la a0, {symbol}", lambda after: after["x10"] == symbol),
        (f"lla a0, {symbol}", lambda after: after["x10"] == symbol),
        (f"call {symbol}", lambda after: after["pc"] == symbol & ~1 and after["x1"] == pc + 8),
        (f"call t0, {symbol}", lambda after: after["pc"] == symbol & ~1 and after["x5"] == pc + 8),
        (f"tail {symbol}", lambda after: after["pc"] == symbol & ~1 and after["x1"] == 0),
        (f"jump {symbol}, t2", lambda after: after["pc"] == symbol & ~1 and after["x1"] == 0),
    ):
        assert check(execute(assemble(source, pc).code, pc)), source


@pytest.mark.parametrize("name", [name for name, record in INSTRUCTIONS.items()
                                  if record.kind in (Kind.LOAD, Kind.STORE) and not record.guest])
def test_loads_and_stores_of_symbols(name):
    record = INSTRUCTIONS[name]
    value = "fa0" if "fd" in record.fields or "fs2" in record.fields else "a0"
    scratch = "" if value == "a0" and record.kind is Kind.LOAD else ", t0"
    program = assemble(f"{name} {value}, there + 4{scratch}\n.data\n .zero 0x1ffc\n there: .dword 0")
    assert execute(program.code, program.base)["accesses"] == [(name, program.symbols["there"] + 4)]
    wrong = f"{name} {value}, there{', t0' if not scratch else ''}"
    with pytest.raises(Exception, match="takes"):
        assemble(wrong + "\n there:")


# The table.

OPERANDS = {"rd": "a0", "rs": "a1", "rt": "a2", "fd": "fa0", "fs": "fa1", "ft": "fa2", "imm": "5", "offset": ".+8",
            "symbol": ".+8", "csr": "mstatus"}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_assembles_to_what_it_says(row: Pseudo):
    """With operands of the right kinds for the names, the row is the same as its expansion."""
    values = {name: OPERANDS[name] for name in row.variables}
    operands = ", ".join(str(Operand(*(values.get(part, "") for part in each))) for each in row.operands)
    expansion = "\n".join(f"{name} {text}" for name, text in row.expand(values))
    assert assemble(f"{row.name} {operands}").code == assemble(expansion).code != b""


def test_rows_use_no_names_twice():
    """A variable that is also the name of a register would be replaced where the register is meant."""
    for row in ROWS:
        assert not set(row.variables) & {*X_NAMES, *F_NAMES}
        assert [other for other in ROWS if (other.name, shape_of(other.operands)) == (row.name, shape_of(row.operands))
                ] == [row]
        for name, _ in row.expansion:
            assert name in mnemonics()


def test_a_record_takes_the_place_of_a_row_of_its_name(monkeypatch):
    """When an extension brings sext.b as an instruction, the sequence of shifts is no longer used."""
    monkeypatch.setitem(INSTRUCTIONS, "sext.b", INSTRUCTIONS["fadd.s"])
    assert "sext.b" in [row.name for row in rows.__wrapped__()]             # of other operands
    monkeypatch.setitem(INSTRUCTIONS, "sext.b", INSTRUCTIONS["sfence.vma"])
    assert "sext.b" not in [row.name for row in rows.__wrapped__()]
