"""From the text of one instruction to records with operands that are values or expressions."""
from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.decode import expansion_table, expansions
from rvhyp.isa.fields import Field
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Compressed
from rvhyp.isa.text.expression import Expression, parse_expression
from rvhyp.isa.text.pseudo import pseudos
from rvhyp.isa.text.source import split_operands
from rvhyp.isa.text.syntax import (
    ROUNDING_MODES,
    X_NUMBERS,
    Operand,
    Record,
    default_of,
    mnemonics,
    parse_named,
    shape_of,
    split_address,
    syntax_of,
)


class Parsed(NamedTuple):
    """An instruction: its bits, but for the fields that wait for a place to be evaluated in."""

    record: Record
    bits: int
    expressions: tuple[tuple[Field, Expression], ...]
    is_part: bool                       # of an address that another instruction completes: keeps its size


def is_mnemonic(name: str) -> bool:
    """Is it an instruction or pseudo-instruction?"""
    return name in mnemonics() or name in pseudos()


@lru_cache(maxsize=1 << 14)
def parse_instruction(mnemonic: str, text: str) -> tuple[Parsed, ...]:
    """The instruction, or what a pseudo-instruction stands for.  `ValueError` says what was expected."""
    given = [Operand(*split_address(operand) or (operand,)) for operand in split_operands(text)]
    record, suffix = mnemonics().get(mnemonic, (None, {}))
    rows, shape = pseudos().get(mnemonic, []), shape_of(given)
    if record is not None and shape_of(_wanted(record, given)) == shape:
        return _parse_record(record, suffix, given),
    for row in rows:
        if shape_of(row.operands) == shape:
            values = {}
            for operand, actual in zip(row.operands, given, strict=True):
                values[operand.field] = actual.field or "0"
                values[operand.base] = actual.base
            return tuple(parsed for each in row.expand(values) for parsed in parse_instruction(*each))

    # Nothing fits.  If one form has as many operands, say what is wrong with them.
    if record is not None and _is_near(_wanted(record, given), given):
        return _parse_record(record, suffix, given),
    for row in rows:
        if _is_near(row.operands, given):
            raise ValueError(next(f"{wanted} must be {kind}, not {str(actual)!r}" for wanted, kind, other, actual
                                  in zip(row.operands, shape_of(row.operands), shape, given, strict=True)
                                  if kind != other))
    forms = [record.operands] if record is not None else []
    forms += [", ".join(map(str, row.operands)) for row in rows]
    wanted = " or ".join(repr(form) if form else "no operands" for form in forms)
    raise ValueError(f"{mnemonic} takes {wanted}; got {text!r}" if text else f"{mnemonic} takes {wanted}; got none")


def _wanted(record: Record, given: list[Operand]) -> tuple[Operand, ...]:
    """The operands of a record, without the last if it is left out and may be."""
    wanted = syntax_of(record)
    return wanted[:-1] if len(given) < len(wanted) and default_of(record, wanted[-1].field) is not None else wanted


def _is_near(wanted: tuple[Operand, ...], given: list[Operand]) -> bool:
    """Are there as many operands, and addresses where addresses are wanted?"""
    return [bool(operand.base) for operand in wanted] == [bool(operand.base) for operand in given]


def _parse_record(record: Record, suffix: dict[str, int], given: list[Operand]) -> Parsed:
    known = {name: default_of(record, name) or 0 for name in record.fields} | suffix
    expressions = []
    for operand, actual in zip(syntax_of(record), given, strict=False):
        if operand.base in record.fields:
            known[operand.base] = parse_named(record.fields[operand.base], actual.base)
        for name, text in zip(operand, actual, strict=True):
            if name in X_NUMBERS and X_NUMBERS.get(text) != X_NUMBERS[name] or name in ROUNDING_MODES and text != name:
                raise ValueError(f"{record.name} takes {name} here, not {text!r}")
        if operand.field not in record.fields:
            if not operand.field and actual.field not in ("", "0"):
                raise ValueError(f"the address of {record.name} is a register without an offset")
            continue
        field = record.fields[operand.field]
        value = parse_named(field, actual.field)
        if value is None:
            expression = parse_expression(actual.field or "0" * bool(operand.base))
            expressions.append((field, _csr(actual.field, expression) if field.name == "csr" else expression))
            del known[field.name]
        else:
            known[field.name] = value
    bits = record.encoding.match
    for name, value in known.items():
        bits |= record.fields[name].put(value)
    is_part = any(operand.field.startswith("%") for operand in given)
    return Parsed(record, bits, tuple(expressions), is_part)


def _csr(text: str, expression: Expression) -> Expression:
    """A CSR by its number: if that is not defined, it is probably a misspelt name."""
    def number(place):
        try:
            return expression(place)
        except ValueError as error:
            raise ValueError(f"{error}, and no CSR{suggestion(text, CSR_NUMBERS)}") from None
    return number


def excepted(record: Compressed, bits: int) -> str:
    """Which operand makes this something else than the record."""
    forbidden = {**dict.fromkeys(record.nonzero, 0), **record.excluded}
    return " or ".join(f"{name} {value}" for name, value in forbidden.items() if record.fields[name].get(bits) == value)


@cache
def short_forms() -> dict[int, int]:
    """Instruction words that have a 16-bit form of C, and the first such form: c.nop, not the HINT c.li zero, 0.

    Those of Zcb are for who asks for them by name: a hart with C need not have them.
    `mv` is an addi whose short form is not its own but that of an add, as the manual suggests.
    """
    forms = {}
    others = {half for record in COMPRESSED.values() if record.extension.name != "C" for half, _ in expansions(record)}
    for half, (word,) in enumerate(struct.iter_unpack("<I", expansion_table())):
        if word and half not in others:
            forms.setdefault(word, half)
    addi, move = INSTRUCTIONS["addi"], COMPRESSED["c.mv"]
    forms |= {addi.encode(rd=rd, rs1=rs, imm=0): move.encode(rd=rd, rs2=rs)
              for rd in range(1, 32) for rs in range(1, 32)}
    return forms


def suggestion(name: str, known: Iterable[str]) -> str:
    """A question that names what may have been meant, if anything is close."""
    from difflib import get_close_matches
    close = get_close_matches(name, list(known), n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(close)}?" if close else ""
