"""Micro-operations: one decoded instruction in 16 bytes, made from an instruction word by compiled rules.

The first word is the host address of the handler; then come an immediate of 32 bits, and a byte each for rd, rs1, rs2 (indices of
words of the hart record) and the length of the instruction.
"""
from rvhyp.engine.tables import (
    BUCKET_BYTES,
    FORMAT_BYTES,
    FORMAT_PIECES,
    FORMAT_SIGN,
    IS_ROUNDED,
    KIND_F,
    ROW_BYTES,
    ROW_EXTENSION,
    ROW_FLAGS,
    ROW_FORMAT,
    ROW_HANDLER,
    ROW_MASK,
    ROW_MATCH,
    ROW_RD,
    ROW_RS1,
    ROW_RS2,
)
from rvhyp.hart.state import F0, SINK
from rvhyp.isa.rule import load8, load16, load32, rule, store8, store32, store64
from rvhyp.isa.word import sext32

UOP_IMM, UOP_RD, UOP_RS1, UOP_RS2, UOP_LENGTH = 8, 12, 13, 14, 15
UOP_DISPLACEMENT, UOP_DELTA = 8, 10             # of a branch within its page: bytes of uops (they fit), change of K


@rule
def handler(h, number):
    """Host address of a handler, by its number."""
    return h.code_base + sext32(load32(h.handlers + (number << 2)))


@rule
def find_row(h, insn):
    """Decode row of a 32-bit instruction word; 0 if it is none that this hart has."""
    bucket = h.decode_buckets + ((((insn >> 2) & 31) | (((insn >> 12) & 7) << 5)) * BUCKET_BYTES)
    row = h.decode_rows + load32(bucket) * ROW_BYTES
    count = load32(bucket + 4)
    while count != 0:
        if (insn & load32(row + ROW_MASK)) == load32(row + ROW_MATCH):
            return row if (h.extensions >> load8(row + ROW_EXTENSION)) & 1 else 0
        row += ROW_BYTES
        count -= 1
    return 0


@rule
def immediate(h, insn, number):
    """The immediate of a format, sign-extended to 64 bits where its field is signed."""
    layout = h.imm_formats + number * FORMAT_BYTES
    value = 0
    count = load8(layout)
    piece = layout + FORMAT_PIECES
    while count != 0:
        part = (insn >> load8(piece)) & ((1 << load8(piece + 2)) - 1)
        value |= part << load8(piece + 1)
        piece += 3
        count -= 1
    sign = load8(layout + FORMAT_SIGN)
    if sign:
        if (value >> (sign - 1)) & 1:
            value |= ~0 << sign
    return value


@rule
def operand_index(insn, at, kind):
    """What a uop holds for a five-bit operand field: an index into the hart record, or the bits themselves."""
    number = (insn >> at) & 31
    return number + F0 if kind == KIND_F else number


@rule
def write_uop(h, uop, row, insn, length):
    """Write the uop of a decoded instruction, with the handler that works wherever it stands; gives the handler's number."""
    flags = load8(row + ROW_FLAGS)
    variant = 0 if length == 2 else 1
    imm = immediate(h, insn, load8(row + ROW_FORMAT))
    if flags & IS_ROUNDED:
        rm = (insn >> 12) & 7
        variant = 1 if rm == 7 else (2 if rm == 1 else 3)
        imm = ((insn >> 27) + F0) | (rm << 8)
    number = load16(row + ROW_HANDLER + (variant << 1))
    rd = operand_index(insn, 7, load8(row + ROW_RD))
    if (load8(row + ROW_RD) != KIND_F) & (rd == 0):
        rd = SINK
    store64(uop, handler(h, number))
    store32(uop + UOP_IMM, imm)
    store8(uop + UOP_RD, rd)
    store8(uop + UOP_RS1, operand_index(insn, 15, load8(row + ROW_RS1)))
    store8(uop + UOP_RS2, operand_index(insn, 20, load8(row + ROW_RS2)))
    store8(uop + UOP_LENGTH, length)
    return number


@rule
def write_special(h, uop, number, insn, length):
    """Write a uop that stands for no instruction: `insn` is kept in place of an immediate."""
    store64(uop, handler(h, number))
    store32(uop + UOP_IMM, insn)
    store32(uop + UOP_RD, SINK | (length << 24))
    return number


@rule
def instruction_bits(low, high):
    """The bits of one instruction: 16, or 32 if the low half-word says so."""
    return low | (high << 16) if (low & 3) == 3 else low


@rule
def expanded(h, insn):
    """A 32-bit instruction word for 16 or 32 bits fetched; 0 for a 16-bit word that means nothing (or C is off)."""
    if (insn & 3) == 3:
        return insn
    return load32(h.expansions + (insn << 2)) if (h.extensions >> h.compressed_extension) & 1 else 0
