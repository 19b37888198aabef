"""Which instruction is it: from the bits of a word to its record and operands.

`decode` serves what looks at one instruction at a time: the reference engine, the disassembler, the monitor when it
emulates.  Native engines take the expansion of 16-bit words from `expansion_table`, made from the same records.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Compressed, Instruction

MAJOR = 0x707F          # opcode and funct3: what the buckets are indexed by
QUADRANT = 0xE003       # the same for 16-bit words: quadrant and funct3


class Decoded(NamedTuple):
    """An instruction and its operand values.  Shared by all who decode the same word: not to be changed."""

    instruction: Instruction
    operands: dict[str, int]            # by field of `instruction`: register numbers and immediates
    length: int                         # in bytes: 2 or 4
    compressed: Compressed | None       # the 16-bit form, if it is one
    bits: int                           # as fetched: 16 or 32 bits


def is_compressed(bits: int) -> bool:
    """Is it a 16-bit instruction?  The low half-word tells."""
    return bits & 3 != 3


def decode(bits: int) -> Decoded | None:
    """Decode what was fetched: 32 bits, or any number of them of which the low 16 are an instruction.

    None for what no record defines.
    """
    return _decode(bits & 0xFFFF if is_compressed(bits) else bits & 0xFFFF_FFFF)


@lru_cache(maxsize=1 << 16)
def _decode(bits: int) -> Decoded | None:
    word, compressed = bits, None
    if is_compressed(bits):
        compressed = _find(_COMPRESSED_BUCKETS, bits, QUADRANT)
        if compressed is None:
            return None
        word = compressed.expand(bits)
    instruction = _find(_BUCKETS, word, MAJOR)
    if instruction is None:
        return None
    operands = {name: field.get(word) for name, field in instruction.fields.items()}
    return Decoded(instruction, operands, 2 if compressed else 4, compressed, bits)


def _find(buckets, bits, index):
    for record in buckets.get(bits & index, ()):
        if record.matches(bits):
            return record
    return None


def _submasks(mask: int) -> Iterator[int]:
    """Every combination of the bits of a mask."""
    bits = mask
    while bits:
        yield bits
        bits = bits - 1 & mask
    yield 0


def _bucketed(records, index: int) -> dict[int, tuple]:
    """Records by the value of their bits under `index`; one that leaves some of these free is in several buckets."""
    buckets = {}
    for record in records:
        for free in _submasks(index & ~record.encoding.mask):
            key = record.encoding.match & index | free
            buckets[key] = (*buckets.get(key, ()), record)
    return buckets


_BUCKETS: dict[int, tuple[Instruction, ...]] = _bucketed(INSTRUCTIONS.values(), MAJOR)
_COMPRESSED_BUCKETS: dict[int, tuple[Compressed, ...]] = _bucketed(COMPRESSED.values(), QUADRANT)


def expansions(record: Compressed) -> list[tuple[int, int]]:
    """(16-bit word, instruction word it stands for) for every word of a compressed instruction.

    Each free bit of the word sets or clears bits of the expansion of its own, whatever the others are (a sign bit
    several): so the expansion of one word per free bit gives those of all.
    """
    match = record.encoding.match
    base = record.expand(match)
    pairs = [(match, base)]
    for at in range(16):
        bit = 1 << at
        if not record.encoding.mask & bit:
            change = record.expand(match | bit) ^ base
            pairs += [(half | bit, word ^ change) for half, word in pairs]
    for mask, value in record.exceptions:
        pairs = [pair for pair in pairs if pair[0] & mask != value]
    return pairs


@lru_cache(maxsize=1)
def expansion_table() -> bytes:
    """65,536 little-endian 32-bit words: the instruction each 16-bit word stands for, 0 where it is none."""
    table = [0] * (1 << 16)
    for record in COMPRESSED.values():
        for half, word in expansions(record):
            table[half] = word
    return struct.pack("<65536I", *table)
