"""Operand fields of an instruction word, read from encodings written as the manual writes them.

An encoding is a row of tokens from bit 31 (or 15) down to bit 0::

    imm[11:5] rs2 rs1 011 imm[4:0] 0100011        sd
    offset[20|10:1|11|19:12] rd 1101111           jal
    000 imm[5] rd imm[4:0] 01                     c.addi

`0` and `1` are fixed bits.  Register fields have the names of the manual; `fd fs1 fs2 fs3` are the same bits
naming floating-point registers, a trailing `'` is a three-bit field (x8..x15).  Immediates say which of their
bits stand where.  `imm` and `offset` are signed, all other fields are unsigned; `offset` is relative to the pc.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

REGISTERS = {"rd", "rs1", "rs2", "rs3", "fd", "fs1", "fs2", "fs3"}
SIGNED = {"imm", "offset"}
FIXED_WIDTH = {"rm": 3, "aq": 1, "rl": 1}
X_NAMES = ("zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 "
           "s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6").split()
F_NAMES = ("ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 "
           "fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11").split()


@dataclass(frozen=True)
class Field:
    """One operand: `pieces` are (low bit in the word, low bit in the value, width)."""

    name: str
    pieces: tuple[tuple[int, int, int], ...]

    @cached_property
    def is_register(self) -> bool:
        return self.name.rstrip("'") in REGISTERS

    @cached_property
    def is_float(self) -> bool:
        return self.is_register and self.name.startswith("f")

    @cached_property
    def is_short(self) -> bool:
        """A three-bit register field: x8..x15."""
        return self.name.endswith("'")

    @cached_property
    def width(self) -> int:
        """Bits of the value, counted from bit 0."""
        return max(low + width for _, low, width in self.pieces)

    @cached_property
    def step(self) -> int:
        """Values are multiples of this."""
        return 1 << min(low for _, low, _ in self.pieces)

    @cached_property
    def is_signed(self) -> bool:
        return self.name in SIGNED

    @cached_property
    def mask(self) -> int:
        return sum((1 << width) - 1 << at for at, _, width in self.pieces)

    def get(self, bits: int) -> int:
        """The value in an instruction word: a register number or an immediate, sign-extended where signed."""
        value = 0
        for at, low, width in self.pieces:
            value |= (bits >> at & (1 << width) - 1) << low
        if self.is_signed and value >> self.width - 1:
            value -= 1 << self.width
        return value + 8 if self.is_short else value

    def put(self, value: int) -> int:
        """The bits of a value; `ValueError` says which values fit."""
        stored = value - 8 if self.is_short else value
        bits = 0
        for at, low, width in self.pieces:
            bits |= (stored >> low & (1 << width) - 1) << at
        if self.get(bits) != value:
            low, high = self.bounds
            what = f", a multiple of {self.step}" if self.step > 1 else ""
            raise ValueError(f"{self.name} {value} does not fit: {low} to {high}{what}")
        return bits

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        if self.is_short:
            return 8, 15
        top = (1 << self.width) - self.step
        return (-(1 << self.width - 1), (1 << self.width - 1) - self.step) if self.is_signed else (0, top)


_TOKEN = re.compile(r"([01]+)|([a-z]+\d?'?)(?:\[([\d:|]+)\])?")


@dataclass(frozen=True)
class Encoding:
    """Fixed bits (`mask`, `match`), the width in bits, and the operand fields by name."""

    text: str
    width: int
    mask: int
    match: int
    fields: dict[str, Field]


def parse_encoding(text: str) -> Encoding:
    """Read an encoding row.  `ValueError` if it is malformed or not 16 or 32 bits wide."""
    parts = []                                          # (width, fixed bits or None, name, [(low, width)])
    for token in text.split():
        m = _TOKEN.fullmatch(token)
        if not m:
            raise ValueError(f"encoding {text!r}: bad token {token!r}")
        fixed, name, pieces = m.groups()
        if fixed:
            parts.append((len(fixed), fixed, None, None))
        elif pieces:
            spans = []
            for piece in pieces.split("|"):
                high, _, low = piece.partition(":")
                low = int(low or high)
                spans.append((low, int(high) - low + 1))
            parts.append((sum(w for _, w in spans), None, name, spans))
        else:
            width = FIXED_WIDTH.get(name, 3 if name.endswith("'") else 5)
            parts.append((width, None, name, [(0, width)]))
    total = sum(width for width, *_ in parts)
    if total not in (16, 32):
        raise ValueError(f"encoding {text!r}: {total} bits")
    at, mask, match, fields = total, 0, 0, {}
    for width, fixed, name, spans in parts:
        if fixed:
            at -= width
            mask |= (1 << width) - 1 << at
            match |= int(fixed, 2) << at
            continue
        for low, size in spans:
            at -= size
            fields[name] = (*fields.get(name, ()), (at, low, size))
    return Encoding(text, total, mask, match, {name: Field(name, pieces) for name, pieces in fields.items()})
