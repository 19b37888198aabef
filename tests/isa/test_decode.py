"""The decoder against a linear scan of the records, and every 16-bit word."""
import struct

import capstone
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rvhyp.isa.decode import decode, expansion_table, expansions, is_compressed
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Compressed
from tests.isa.strategies import RECORDS, words

HINTS = {"c.addi", "c.li", "c.lui", "c.slli", "c.mv", "c.add"}
HALVES = [half for half in range(1 << 16) if is_compressed(half)]


def scan(bits, records):
    """The records that a word matches."""
    return [record for record in records.values() if record.matches(bits)]


@st.composite
def neighbours(draw):
    """Words of a record with a bit changed."""
    return draw(words()) ^ 1 << draw(st.integers(0, 31))


@settings(max_examples=400)
@given(st.one_of(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 30) - 1).map(lambda n: n << 2 | 3), words(),
                 neighbours()))
@example(0)
@example(0xFFFF_FFFF)
@example(0x0000_0013)
def test_decode_finds_what_a_scan_finds(bits):
    found = decode(bits)
    word, shorts = bits, []
    if is_compressed(bits):
        shorts = scan(bits & 0xFFFF, COMPRESSED)
        assert len(shorts) <= 1
        word = shorts[0].expand(bits & 0xFFFF) if shorts else 0
    matching = scan(word, INSTRUCTIONS)
    assert len(matching) <= 1
    if not matching:
        assert found is None
        return
    assert found.instruction is matching[0]
    assert found.instruction.encode(**found.operands) == word
    assert found.compressed is (shorts[0] if shorts else None)
    assert (found.length, found.bits) == ((2, bits & 0xFFFF) if shorts else (4, bits))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_every_record_is_found(record):
    free = [1 << at for at in range(record.encoding.width) if not record.encoding.mask >> at & 1]
    for bits in (record.encoding.match + sum(free), *(record.encoding.match + bit for bit in free)):
        if record.matches(bits):
            found = decode(bits)
            assert (found.compressed if isinstance(record, Compressed) else found.instruction) is record


def test_what_follows_a_short_instruction_is_not_looked_at():
    assert decode(0x0001) is decode(0xFFFF_0001)
    assert decode(0x0001).bits == 0x0001
    assert decode(1 << 32 | 0x0000_0013) is decode(0x0000_0013)


def test_the_expansion_of_every_16_bit_word():
    table = struct.unpack("<65536I", expansion_table())
    for half in range(1 << 16):
        found = decode(half) if is_compressed(half) else None
        assert table[half] == (found.instruction.encode(**found.operands) if found else 0), hex(half)
    assert sum(map(bool, table)) > 46_000


def test_no_two_compressed_instructions_share_a_word():
    owners = {}
    for record in COMPRESSED.values():
        for half, word in expansions(record):
            assert half not in owners, (record.name, owners.get(half), hex(half))
            owners[half] = record.name
            assert record.matches(half) and record.expand(half) == word
    assert owners.keys() == {half for half in HALVES if scan(half, COMPRESSED)}


def test_the_table_expands_one_word_per_free_bit(monkeypatch):
    """Not one per word, which would take a second."""
    calls = []
    original = Compressed.expand
    monkeypatch.setattr(Compressed, "expand", lambda self, bits: calls.append(bits) or original(self, bits))
    fresh = expansion_table.__wrapped__()
    assert fresh == expansion_table()
    assert len(calls) <= 12 * len(COMPRESSED)


# Words that the manual reserves, with all operands not named 0 (Unprivileged ISA, "RVC Instruction Set Listings").
RESERVED = {
    "illegal": 0x0000, "c.addi4spn imm=0": 0x000C, "quadrant 0, funct3 4": 0x9000, "c.addiw rd=0": 0x2005,
    "c.addi16sp imm=0": 0x6101, "c.lui imm=0": 0x6201, "Zcb 6": 0x9C79, "Zcb 7": 0x9C7D,
    "c.lwsp rd=0": 0x4012, "c.ldsp rd=0": 0x6022, "c.jr rs1=0": 0x8002,
}


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_words_are_nothing(name):
    assert decode(RESERVED[name]) is None


def is_hint_or_newer(half):
    """What Capstone 5 does not know."""
    return decode(half).compressed.extension.name == "Zcb" or is_hint(half)


def is_hint(half):
    """Does it write x0 where the manual lets it?  Such words are HINTs: they are what they say, with no effect."""
    found = decode(half)
    return found.operands["rd"] == 0 and found.compressed.name in HINTS


def test_validity_of_16_bit_words_is_that_of_capstone():
    """Capstone 5 knows no HINTs and no Zcb, takes the illegal word 0 for c.unimp, and allows c.lui the immediate 0, of which
    Zcmop takes some."""
    machine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    lui = COMPRESSED["c.lui"]
    for half in HALVES:
        theirs = next(machine.disasm_lite(half.to_bytes(2, "little"), 0), None)
        ours = decode(half)
        if ours is not None and theirs is None:
            assert is_hint_or_newer(half), (hex(half), ours.compressed.name)
        if ours is None and theirs is not None:
            reserved = half & lui.encoding.mask == lui.encoding.match and lui.fields["imm"].get(half) == 0
            assert half == 0 or reserved and theirs[2] == "c.lui", (hex(half), theirs)
        if ours is not None and theirs is not None:
            is_nop = ours.compressed.name == "c.addi" and is_hint(half)
            name = "c.nop" if is_nop else "c.lui" if ours.compressed.extension.name == "Zcmop" else ours.compressed.name
            assert theirs[2] == name, hex(half)
