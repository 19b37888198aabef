"""Encodings: operands into words and back, what does not fit, and what may not be registered."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.fields import parse_encoding
from rvhyp.isa.instruction import COMPRESSED, EXTENSIONS, INSTRUCTIONS, operand_names
from tests.isa.strategies import BY_NAME, RECORDS, operands_of

# Privileged ISA, "RV32/RV64 Privileged Instruction Listings": words with all register operands x0.
PRIVILEGED = {
    "sret": 0x10200073, "mret": 0x30200073, "wfi": 0x10500073,
    "sfence.vma": 0x12000073, "sinval.vma": 0x16000073, "sfence.w.inval": 0x18000073, "sfence.inval.ir": 0x18100073,
    "hfence.vvma": 0x22000073, "hinval.vvma": 0x26000073, "hfence.gvma": 0x62000073, "hinval.gvma": 0x66000073,
    "hlv.b": 0x60004073, "hlv.bu": 0x60104073, "hlv.h": 0x64004073, "hlv.hu": 0x64104073, "hlvx.hu": 0x64304073,
    "hlv.w": 0x68004073, "hlv.wu": 0x68104073, "hlvx.wu": 0x68304073, "hlv.d": 0x6C004073,
    "hsv.b": 0x62004073, "hsv.h": 0x66004073, "hsv.w": 0x6A004073, "hsv.d": 0x6E004073,
}


@given(st.data())
def test_what_is_encoded_is_read_back(data):
    record = data.draw(st.sampled_from(RECORDS))
    operands = data.draw(operands_of(record))
    bits = record.encode(**operands)
    assert bits & record.encoding.mask == record.encoding.match
    assert bits >> record.encoding.width == 0
    assert {name: field.get(bits) for name, field in record.fields.items()} == operands


@pytest.mark.parametrize("name", BY_NAME)
def test_every_bit_is_fixed_or_belongs_to_one_field(name):
    encoding = BY_NAME[name].encoding
    masks = [encoding.mask, *(field.mask for field in encoding.fields.values())]
    assert sum(masks) == (1 << encoding.width) - 1
    assert encoding.match & ~encoding.mask == 0
    assert (encoding.match & 3 == 3) == (encoding.width == 32)


@pytest.mark.parametrize("name", BY_NAME)
def test_syntax_names_fields_and_bodies_ask_for_them(name):
    record = BY_NAME[name]
    assert set(operand_names(record.operands)) - {"sp", "rtz"} <= record.fields.keys()
    if name in INSTRUCTIONS:
        defaults = len(record.body.__defaults__ or ()) if record.body else 0
        wanted = {name.removesuffix("_field") for name in record.parameters[:len(record.parameters) - defaults]}
        assert wanted - {"pc", "value", "old", "fp", "hart"} <= record.fields.keys()


@given(st.data())
def test_a_value_out_of_bounds_is_refused(data):
    record = data.draw(st.sampled_from([record for record in RECORDS if record.fields]))
    operands = data.draw(operands_of(record))
    name = data.draw(st.sampled_from(sorted(operands)))
    low, high = record.fields[name].bounds
    operands[name] = data.draw(st.one_of(st.integers(max_value=low - 1), st.integers(min_value=high + 1)))
    with pytest.raises(ValueError, match=f"{name} {operands[name]} does not fit: {low} to {high}"):
        record.encode(**operands)


@pytest.mark.parametrize("name", [record.name for record in RECORDS
                                  if any(field.step > 1 for field in record.fields.values())])
def test_a_value_between_the_steps_is_refused(name):
    record = BY_NAME[name]
    operands = {each: field.bounds[1] for each, field in record.fields.items()}
    for each, field in record.fields.items():
        if field.step > 1:
            with pytest.raises(ValueError, match=f"a multiple of {field.step}"):
                record.encode(**operands | {each: field.bounds[0] + field.step // 2})


def test_operands_must_be_those_of_the_instruction():
    with pytest.raises(ValueError, match="addi wants operands imm, rs1, rd; got rd, rs1"):
        INSTRUCTIONS["addi"].encode(rd=1, rs1=2)
    with pytest.raises(ValueError, match="got imm, rs1, rd, shamt"):
        INSTRUCTIONS["addi"].encode(imm=1, rs1=2, rd=1, shamt=1)


@pytest.mark.parametrize("name", PRIVILEGED)
def test_privileged_encodings_are_those_of_the_manual(name):
    record = INSTRUCTIONS[name]
    assert record.encode(**dict.fromkeys(record.fields, 0)) == PRIVILEGED[name]


@pytest.mark.parametrize("text, message", [
    ("0000000 rs2 rs1 000 rd 011001", "31 bits"),
    ("0000000 rs2 rs1 000 rd 01100112", "bad token"),
    ("0000000 RS2 rs1 000 rd 0110011", "bad token"),
    ("imm[11:0 rs1 000 rd 0110011", "bad token"),
])
def test_malformed_encodings_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_encoding(text)


def test_pieces_of_an_immediate():
    field = parse_encoding("offset[20|10:1|11|19:12] rd 1101111").fields["offset"]
    assert (field.width, field.step, field.bounds, field.is_signed) == (21, 2, (-(1 << 20), (1 << 20) - 2), True)
    assert field.put(-2) == 0xFFFF_F000
    assert field.put(1 << 11) == 1 << 20
    assert field.get(1 << 31) == -(1 << 20)


@pytest.fixture
def registries():
    """The registries, put back afterwards."""
    saved = dict(INSTRUCTIONS), dict(COMPRESSED)
    yield
    for registry, rows in zip((INSTRUCTIONS, COMPRESSED), saved, strict=True):
        registry.clear()
        registry.update(rows)


def test_overlapping_instructions_are_refused(registries):
    define = EXTENSIONS["I"].instruction
    with pytest.raises(ValueError, match="clash overlaps that of addi"):
        define("clash rd, rs1", "000000000001 rs1 000 rd 0010011")(None)
    with pytest.raises(ValueError, match="addi is defined twice"):
        define("addi rd, rs1", "000000000001 rs1 000 rd 1110111")(None)
    assert "clash" not in INSTRUCTIONS


def test_overlapping_compressed_instructions_are_refused(registries):
    define = EXTENSIONS["C"].compressed
    with pytest.raises(ValueError, match="c.clash overlaps that of c.lui"):
        define("c.clash rd", "011 0 rd 00001 01", "lui rd=rd, imm=0", rd=2)
    with pytest.raises(ValueError, match="c.clash overlaps that of c.addi16sp"):
        define("c.clash", "011 0 00010 00001 01", "ebreak")
    with pytest.raises(ValueError, match="c.li is defined twice"):
        define("c.li rd", "100 1 11 rd' 11 rs2' 01", "ebreak")
    assert "c.clash" not in COMPRESSED
    define("c.free rd", "011 0 rd[4:1] 0 00000 01", "lui rd=rd, imm=0", rd=2)       # what c.lui and c.addi16sp leave out
    assert COMPRESSED["c.free"].matches(0x6201) and not COMPRESSED["c.free"].matches(0x6101)


def test_a_body_may_not_branch():
    with pytest.raises(TypeError, match="the body of choose branches on a value"):
        EXTENSIONS["I"].instruction("choose rd, rs1", "000000000000 rs1 111 rd 1111011")(lambda rs1: 1 if rs1 else 0)
    assert "choose" not in INSTRUCTIONS
