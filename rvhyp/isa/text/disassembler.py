"""From instruction words to text."""
from __future__ import annotations

from functools import cache

from rvhyp.isa.decode import decode, is_compressed
from rvhyp.isa.text.pseudo import Pseudo, rows
from rvhyp.isa.text.syntax import (
    Operand,
    Record,
    default_of,
    format_value,
    mnemonics,
    parse_syntax,
    suffix_of,
    syntax_of,
)


def disassemble(bits: int, pc: int | None = None, aliases: bool = False) -> str:
    """The text of the instruction in the low bits of `bits`, as `assemble` reads it.

    Targets of jumps are absolute where `pc` is given, else relative to it (`.+8`).  `aliases` prefers
    pseudo-instructions (`ret` for `jalr zero, 0(ra)`).  What is no instruction, or has operands that have no name in
    assembly, is `.word` or `.half`.
    """
    decoded = decode(bits)
    if decoded is not None:
        record, values = decoded.instruction, decoded.operands
        if decoded.compressed:
            record = decoded.compressed
            values = {name: field.get(decoded.bits) for name, field in record.fields.items()}
        text = _format(record, values, pc, aliases)
        if text is not None:
            return text
    return f".half {bits & 0xFFFF:#06x}" if is_compressed(bits) else f".word {bits & 0xFFFF_FFFF:#010x}"


def _format(record: Record, values: dict[str, int], pc: int | None, aliases: bool) -> str | None:
    """Mnemonic and operands; None if some value has no text."""
    suffix = suffix_of(record, values)
    texts = {name: format_value(field, values[name], pc) for name, field in record.fields.items()}
    if suffix is None or None in texts.values():
        return None
    name = record.name + suffix
    operands = tuple(Operand(*(texts.get(part, part) for part in operand))
                     for operand in syntax_of(record)
                     if operand.field not in values or values[operand.field] != default_of(record, operand.field))
    if aliases:
        name, operands = _alias(name, operands)
    return f"{name} {', '.join(map(str, operands))}".rstrip()


def _alias(name: str, operands: tuple[Operand, ...]) -> tuple[str, tuple[Operand, ...]]:
    """The first pseudo-instruction that stands for this one, else itself."""
    texts = _parts(operands)
    for row, pattern in _shorter().get(name, ()):
        meaning = dict(zip(pattern, texts, strict=False))
        if len(pattern) == len(texts) and all(
                meaning[part] == text if part in row.variables else part == text
                for part, text in zip(pattern, texts, strict=True)):
            return row.name, tuple(Operand(*(meaning.get(part, "") for part in each)) for each in row.operands)
    return name, operands


@cache
def _shorter() -> dict[str, list[tuple[Pseudo, list[str]]]]:
    """By mnemonic, the pseudo-instructions that say in fewer operands what one instruction does; and its operands."""
    table = {}
    for row in rows():
        name, operands = row.expansion[0]
        record, _ = mnemonics()[name]
        if len(row.expansion) == 1 and len(row.variables) < len(_parts(syntax_of(record))):
            table.setdefault(name, []).append((row, _parts(parse_syntax(operands))))
    return table


def _parts(operands: tuple[Operand, ...]) -> list[str]:
    """The operands with an address as its two parts."""
    return [part for operand in operands for part in operand if part]
