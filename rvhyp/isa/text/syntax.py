"""Operands as assembly writes them: what both the assembler and the disassembler know of a record's syntax.

A record says `"rd, imm(rs1)"`; everything else follows from the fields named there.  Three things differ between the
value in a field and its text: `imm` of an upper immediate counts pages of 4 KiB, `offset` is written as the address it
leads to, and `aq rl fm` are suffixes of the mnemonic.  Fields that the syntax does not name are 0.
"""
from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.fields import F_NAMES, REGISTERS, X_NAMES, Field
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Compressed, Instruction
from rvhyp.isa.rv_zfa import CONSTANTS
from rvhyp.isa.word import MASK64

CSR_NAMES = {number: name for name, number in CSR_NUMBERS.items()}
X_NUMBERS = {name: n for n, name in enumerate(X_NAMES)} | {f"x{n}": n for n in range(32)} | {"fp": 8}
F_NUMBERS = {name: n for n, name in enumerate(F_NAMES)} | {f"f{n}": n for n in range(32)}
ROUNDING_MODES = {"rne": 0, "rtz": 1, "rdn": 2, "rup": 3, "rmm": 4, "dyn": 7}
ROUNDING_NAMES = {mode: name for name, mode in ROUNDING_MODES.items()}
FENCE_LETTERS = "wroi"                              # bit 0 to bit 3 of pred and succ
SUFFIXES = {"": {}, ".aq": {"aq": 1}, ".rl": {"rl": 1}, ".aqrl": {"aq": 1, "rl": 1}, ".tso": {"fm": 8}}
EXACT = {"fcvt.d.s", "fcvt.d.w", "fcvt.d.wu", "fcvt.s.h", "fcvt.d.h"}     # they round nothing: rne is the default, not dyn
PAGE = 1 << 12

# What names a register in a text, a record or a pseudo-instruction, and of which kind.
INTEGER, FLOAT, EXPRESSION, ADDRESS = "an integer register", "a floating-point register", "an expression", "an address"
KINDS = {**dict.fromkeys(X_NUMBERS, INTEGER), **dict.fromkeys(F_NUMBERS, FLOAT)}
KINDS |= {name: FLOAT if name[0] == "f" else INTEGER
          for field in (*REGISTERS, "rs", "rt", "fs", "ft") for name in (field, field + "'")}

Record = Instruction | Compressed


class Operand(NamedTuple):
    """What stands between commas: `field`, `field(base)` or `(base)`; a fixed register is itself: `uimm(sp)`."""

    field: str = ""
    base: str = ""

    def __str__(self) -> str:
        return self.field + f"({self.base})" * bool(self.base)


def parse_syntax(text: str) -> tuple[Operand, ...]:
    """The operands of "rd, imm(rs1)"."""
    operands = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        field, _, base = part.partition("(")
        operands.append(Operand(field, base.rstrip(")")))
    return tuple(operands)


def split_address(text: str) -> tuple[str, str] | None:
    """`("8", "sp")` of "8(sp)"; None if the text does not end in a register in parentheses."""
    m = _ADDRESS.match(text)
    return (m[1].strip(), m[2]) if m and m[2] in X_NUMBERS else None


_ADDRESS = re.compile(r"(.*)\(\s*(\w+)\s*\)$", re.DOTALL)


@cache
def syntax_of(record: Record) -> tuple[Operand, ...]:
    """The operands of a record, parsed once."""
    return parse_syntax(record.operands)


def default_of(record: Record, name: str) -> int | None:
    """The value of an operand that need not be written; None where it must be."""
    return ROUNDING_MODES["rne" if record.name in EXACT else "dyn"] if name == "rm" else None


def shape_of(operands: Iterable[Operand]) -> tuple[str, ...]:
    """What kind of thing each operand is."""
    return tuple(ADDRESS if base else KINDS.get(field, EXPRESSION) for field, base in operands)


def signed(value: int, width: int = 64) -> int:
    """The low bits of a value as a two's-complement number."""
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)


def is_upper(field: Field) -> bool:
    """An immediate in pages, as that of lui."""
    return field.step == PAGE


@cache
def mnemonics() -> dict[str, tuple[Record, dict[str, int]]]:
    """Every mnemonic of a record: the record, and the fields that a suffix sets."""
    table = {}
    for record in (*INSTRUCTIONS.values(), *COMPRESSED.values()):
        for suffix, values in SUFFIXES.items():
            if values.keys() <= record.fields.keys():
                table[record.name + suffix] = record, values
    return table


# From values to text.

def format_value(field: Field, value: int, pc: int | None) -> str | None:
    """The text of one operand; None for a value that assembly has no name for."""
    if field.is_register:
        return (F_NAMES if field.is_float else X_NAMES)[value]
    if field.name == "offset":
        return hex(pc + value & MASK64) if pc is not None else f".{value:+d}"
    if field.name == "csr":
        return CSR_NAMES.get(value) or hex(value)
    if field.name == "rm":
        return ROUNDING_NAMES.get(value)
    if field.name in ("pred", "succ"):
        return "".join(FENCE_LETTERS[bit] for bit in (3, 2, 1, 0) if value >> bit & 1) or "0"
    if field.name == "constant":
        return str(CONSTANTS[value])
    return hex(value // PAGE & 0xFFFFF) if is_upper(field) else str(value)


def suffix_of(record: Record, values: dict[str, int]) -> str | None:
    """The suffix of the mnemonic; None if fields that the syntax does not show have values it cannot express."""
    shown = {name for operand in syntax_of(record) for name in (operand.field, operand.base)}
    hidden = {name: value for name, value in values.items() if value and name not in shown}
    for suffix, meaning in SUFFIXES.items():
        if meaning == hidden:
            return suffix
    return None


# From text to values.

def parse_register(field: Field, text: str) -> int:
    """The number of a register of the field's kind."""
    kind, wanted, other = (FLOAT, F_NUMBERS, X_NUMBERS) if field.is_float else (INTEGER, X_NUMBERS, F_NUMBERS)
    number = wanted.get(text)
    if number is None:
        hint = " (that is one of the other kind)" if text in other else ""
        raise ValueError(f"{field.name.rstrip(chr(39))} must be {kind}, not {text!r}{hint}")
    if field.is_short and not 8 <= number <= 15:
        names = (F_NAMES if field.is_float else X_NAMES)[8:16]
        raise ValueError(f"{text} cannot be used here: a three-bit field names one of {', '.join(names)}")
    return number


def parse_named(field: Field, text: str) -> int | None:
    """The value of an operand that has names of its own, or None where it is an expression."""
    if field.is_register:
        return parse_register(field, text)
    if field.name == "csr":
        return CSR_NUMBERS.get(text)
    if field.name == "rm":
        if text not in ROUNDING_MODES:
            raise ValueError(f"{text!r} is not a rounding mode: {', '.join(ROUNDING_MODES)}")
        return ROUNDING_MODES[text]
    if field.name in ("pred", "succ"):
        if text == "0":
            return 0
        if not text or set(text) - set(FENCE_LETTERS) or len(set(text)) < len(text):
            raise ValueError(f"{text!r} is not a set of accesses: letters of iorw, or 0")
        return sum(1 << FENCE_LETTERS.index(letter) for letter in text)
    if field.name == "constant":
        return _constant_number(text)
    return None


def _constant_number(text: str) -> int:
    """The number of a constant of FLI, written as a decimal number or by name."""
    names = list(map(str, CONSTANTS))
    try:
        return names.index(text if text in names else str(float(text)))
    except ValueError:
        raise ValueError(f"{text!r} is not a constant of fli: {', '.join(names)}") from None


def stored_value(record: Record, field: Field, value: int, pc: int) -> int:
    """The field's value for what an expression written in its place amounts to; `ValueError` if it does not fit."""
    low, high = field.bounds
    if field.name == "offset":
        offset, target = signed(value - pc), hex(value & MASK64)
        if offset % field.step:
            raise ValueError(f"target {target} is not a multiple of {field.step} bytes away ({offset})")
        excess = max(low - offset, offset - high)
        if excess > 0:
            raise ValueError(f"target {target} is {offset:+d} bytes away, {excess} beyond the reach of {record.name} "
                             f"({low} to {high})")
        return offset
    if is_upper(field):
        low, high = low // PAGE, high // PAGE
        page = value - (1 << 20) if 1 << 19 <= value < 1 << 20 else value
        if not low <= page <= high:
            raise ValueError(f"{value:#x} does not fit: {low:#x} to {high:#x}, or {low & 0xFFFFF:#x} to 0xfffff")
        return page * PAGE
    if not low <= value <= high or value % field.step:
        multiple = f", a multiple of {field.step}" if field.step > 1 else ""
        raise ValueError(f"{value} does not fit: {field.name} is {low} to {high}{multiple}")
    return value
