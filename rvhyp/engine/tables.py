"""Constant tables of the core, derived from the instruction records: handlers and their numbers, decode rows, formats.

The compiled decoder (`rvhyp.engine.uop`) reads them as bytes; nothing about an instruction is written here.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from rvhyp.engine.superinstructions import SEQUENCES
from rvhyp.isa.decode import expansion_table
from rvhyp.isa.instruction import COMPRESSED, EXTENSIONS, INSTRUCTIONS, Instruction, Kind

ENDS_LINE, IS_LOCAL, IS_ROUNDED = 1, 2, 4           # flags of rows and handlers
WRITES_RD, USES_RS1, USES_RS2 = 8, 16, 32           # flags of handlers
LINK_RS2, LINK_SHIFT = 2, 12        # in links: where the distance of rs2 stands; in fusion keys: where links stand
LINK_FURTHEST = 3                   # how many parts back a link may lead: two bits for each
ENDING_KINDS = {Kind.JAL, Kind.JALR, Kind.SYSTEM}
LOCAL_KINDS = {Kind.BRANCH, Kind.JAL}               # those whose target may be in the same page

# A decode row: the instruction word, its handlers, what its operand fields are, its number among the records.
ROW_MASK, ROW_MATCH, ROW_HANDLER, ROW_FORMAT, ROW_RD, ROW_RS1, ROW_RS2, ROW_FLAGS, ROW_EXTENSION, ROW_NUMBER = (
    0, 4, 8, 16, 17, 18, 19, 20, 21, 22)
ROW_BYTES = 24
KIND_X, KIND_F = 0, 1
BUCKET_BYTES = 8
FORMAT_SIGN, FORMAT_PIECES, FORMAT_BYTES = 1, 2, 16
FUSION_BITS, FUSION_BYTES = 11, 32            # of the hash that finds a bucket, of a bucket
FUSION_BUCKETS, FUSION_SHIFT = 1 << FUSION_BITS, 64 - FUSION_BITS

SPECIAL_DECODE, SPECIAL_PAGE_END, SPECIAL_STRADDLE, SPECIAL_ILLEGAL = 1, 2, 3, 4
SPECIALS = {SPECIAL_DECODE: "decode", SPECIAL_PAGE_END: "page_end", SPECIAL_STRADDLE: "straddle",
            SPECIAL_ILLEGAL: "illegal_instruction"}
DYNAMIC, TRUNCATING, BY_RULE = "dyn", "rtz", "rule"   # variants of a rounded instruction, by its rm field


class Part(NamedTuple):
    """One instruction of a handler.

    `links` says which operands need no register to be read, since an earlier part computed them: how many parts before, 1 to 3
    (0: none did), for rs1 in bits 0 and 1, for rs2 in the next two.
    """

    instruction: Instruction
    length: int                             # in bytes
    variant: str
    links: int = 0


@dataclass(frozen=True)
class Handler:
    """One handler of the interpreter: an instruction at a length, or several in a row."""

    name: str
    parts: tuple[Part, ...]
    flags: int


def _compressible() -> set[str]:
    return {record.expansion.partition(" ")[0] for record in COMPRESSED.values()}


def _variants(instruction: Instruction) -> list[str]:
    if instruction.kind in LOCAL_KINDS:
        return ["", "local"]                            # numbers follow each other: `localise` adds 1
    if instruction.has_rounding_mode:
        if is_half(instruction):
            return [BY_RULE]
        truncates = "rd" in instruction.fields          # to an integer, which hosts do in any mode
        return [DYNAMIC, TRUNCATING, BY_RULE] if truncates else [DYNAMIC, BY_RULE]
    return [""]


def is_half(instruction: Instruction) -> bool:
    """Is an operand or the result in half precision, for which hosts have no unit?"""
    return instruction.kind is Kind.FP and "h" in instruction.name.split(".")[1:]


def row_flags(instruction: Instruction) -> int:
    """ENDS_LINE, IS_LOCAL, IS_ROUNDED of an instruction."""
    return (ENDS_LINE * (instruction.kind in ENDING_KINDS) | IS_LOCAL * (instruction.kind in LOCAL_KINDS)
            | IS_ROUNDED * instruction.has_rounding_mode)


def operand_flags(instruction: Instruction) -> int:
    """WRITES_RD, USES_RS1, USES_RS2 of an instruction, integer or floating-point registers alike."""
    def has(*names):
        return any(name in instruction.fields for name in names)
    return WRITES_RD * has("rd", "fd") | USES_RS1 * has("rs1", "fs1") | USES_RS2 * has("rs2", "fs2")


def split_links(name: str) -> tuple[str, int]:
    """The name of a handler in a sequence, "add.2:01", as its own name and its links: the distances of rs1 and rs2."""
    name, _, distances = name.partition(":")
    return name, int(distances[0]) | int(distances[1]) << LINK_RS2 if distances else 0


def _handlers() -> dict[str, Handler]:
    handlers = {"none": Handler("none", (), 0)}
    for name in SPECIALS.values():
        handlers[name] = Handler(name, (), ENDS_LINE)
    compressible = _compressible()
    for instruction in INSTRUCTIONS.values():
        for length in (2, 4):
            if length == 2 and instruction.name not in compressible:
                continue
            for variant in _variants(instruction):
                name = ".".join(filter(None, (instruction.name, str(length), variant)))
                flags = row_flags(instruction) | operand_flags(instruction)
                handlers[name] = Handler(name, (Part(instruction, length, variant),), flags)
    for sequence in SEQUENCES:
        alone = [(handlers[name], links) for name, links in map(split_links, sequence)]
        parts = tuple(handler.parts[0]._replace(links=links) for handler, links in alone)
        name = "+".join(sequence)
        handlers[name] = Handler(name, parts, alone[-1][0].flags & (ENDS_LINE | WRITES_RD))
    return handlers


HANDLERS = _handlers()
NUMBER = {name: number for number, name in enumerate(HANDLERS)}
assert len(HANDLERS) <= 1 << LINK_SHIFT


def _handler_numbers(instruction: Instruction) -> list[int]:
    """Four numbers: at length 2 and at length 4; or, for a rounded one: unused, dynamic, truncating, by rule."""
    def number(length, variant=""):
        return NUMBER.get(".".join(filter(None, (instruction.name, str(length), variant))), 0)
    if instruction.has_rounding_mode:
        rule = number(4, BY_RULE)
        return [0, number(4, DYNAMIC) or rule, number(4, TRUNCATING) or rule, rule]
    return [number(2), number(4), 0, 0]


def _immediate_field(instruction: Instruction):
    """The field that a uop keeps as its immediate."""
    fields = [field for name, field in instruction.fields.items() if name in ("imm", "offset", "shamt", "csr")]
    return fields[0] if fields else None


def _formats() -> dict[tuple, int]:
    numbers: dict[tuple, int] = {(): 0}
    for instruction in INSTRUCTIONS.values():
        numbers.setdefault(_layout(instruction), len(numbers))
    return numbers


def _layout(instruction: Instruction) -> tuple:
    field = _immediate_field(instruction)
    return (field.width if field.is_signed else 0, field.pieces) if field else ()


def format_table() -> bytes:
    """Immediate formats: how many pieces, the sign bit's position + 1, and (bit in the word, bit in the value, width) of each."""
    table = bytearray()
    for layout in _formats():
        sign, pieces = layout or (0, ())
        row = bytes([len(pieces), sign]) + b"".join(bytes(piece) for piece in pieces)
        table += row.ljust(FORMAT_BYTES, b"\0")
    return bytes(table)


def decode_tables() -> tuple[bytes, bytes]:
    """Buckets by opcode and funct3 (first row, number of rows), and the rows."""
    formats, numbers = _formats(), {name: number for number, name in enumerate(INSTRUCTIONS)}
    buckets, rows, count = bytearray(), bytearray(), 0
    for index in range(256):
        key = (index & 31) << 2 | (index >> 5) << 12 | 3
        mine = [i for i in INSTRUCTIONS.values()
                if key & i.encoding.mask & 0x707F == i.encoding.match & 0x707F]
        mine.sort(key=lambda i: bool(i.exceptions))         # special cases first: the decoder takes the first row that fits
        buckets += struct.pack("<II", count, len(mine))
        count += len(mine)
        for i in mine:
            def kind(*names, i=i):
                return KIND_F if any(name in i.fields for name in names) else KIND_X
            rows += struct.pack("<II4H6BH", i.encoding.mask, i.encoding.match, *_handler_numbers(i),
                                formats[_layout(i)], kind("fd"), kind("fs1"), kind("fs2"), row_flags(i),
                                i.extension.number, numbers[i.name])
    return bytes(buckets), bytes(rows)


def fusion_table() -> bytes:
    """Hash of (handler, links and following handler) -> superinstruction, four ways."""
    table = bytearray(FUSION_BUCKETS * FUSION_BYTES)
    for sequence in SEQUENCES:
        first = NUMBER["+".join(sequence[:-1])]         # a KeyError here: the shorter sequence is missing
        last, links = split_links(sequence[-1])
        key = first << 16 | links << LINK_SHIFT | NUMBER[last]
        bucket = (key * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1) >> FUSION_SHIFT
        for way in range(0, FUSION_BYTES, 8):
            at = bucket * FUSION_BYTES + way
            if not any(table[at:at + 8]):
                struct.pack_into("<IH", table, at, key, NUMBER["+".join(sequence)])
                break
        else:
            raise ValueError(f"the table of superinstructions has no room for {sequence}")
    return bytes(table)


def constant_tables() -> dict[str, bytes]:
    """Every table by the field of the hart record that points to it."""
    from rvhyp.hart.csrs import csr_table
    buckets, rows = decode_tables()
    return {"csr_table": csr_table(), "decode_buckets": buckets, "decode_rows": rows, "imm_formats": format_table(),
            "expansions": expansion_table(), "fusions": fusion_table(),
            "handler_flags": bytes(handler.flags for handler in HANDLERS.values())}


COMPRESSED_EXTENSION = EXTENSIONS["C"].number
