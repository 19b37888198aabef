"""Expressions of the assembler: parsed once, evaluated in every pass.

Precedence is that of the GNU assembler, not of C: `* / % << >>` bind most, then `| & ^`, then `+ -`, then comparisons
(true is -1, but `!0` is 1), then `&&`, then `||`.  Values are signed and 64 bits wide, and wrap; `>>` shifts zeros in.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from rvhyp.isa.text.syntax import F_NUMBERS, X_NUMBERS, signed
from rvhyp.isa.word import MASK64


class Place(Protocol):
    """What an expression is evaluated in: the place it stands at, and the symbols seen from there."""

    here: int

    def symbol(self, name: str) -> int: ...
    def local(self, number: int, forward: bool) -> int: ...
    def pcrel_hi(self, target: int) -> int: ...
    def pcrel_lo(self, label: int) -> int: ...


Expression = Callable[[Place], int]

_TOKEN = re.compile(r"""\s*(?:
    (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+(?!\w)|\d[\d_]*(?![\w]))
  | (?P<local>\d+[bf])(?!\w)
  | (?P<char>'(?:\\x[0-9a-fA-F]+|\\[0-7]{1,3}|\\.|[^\\])'?)
  | (?P<name>[A-Za-z_.$][\w.$]*)
  | (?P<function>%[a-z_]+(?=\s*\())
  | (?P<operator><<|>>|&&|\|\||[=!<>]=|[-+*/%&|^~!<>()])
)""", re.VERBOSE)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "e": "\x1b"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]+)|([0-7]{1,3})|(.))", re.DOTALL)


def unescape(text: str) -> bytes:
    """The bytes of a string or character literal without its quotes: UTF-8, with C's escapes."""
    out, at = bytearray(), 0
    for m in _ESCAPE.finditer(text):
        out += text[at:m.start()].encode()
        at = m.end()
        if m[3]:
            out += ESCAPES.get(m[3], m[3]).encode()
        else:
            out.append(int(m[1] or m[2], 16 if m[1] else 8) & 0xFF)
    return bytes(out + text[at:].encode())


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ValueError("division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _shift(a: int, count: int, left: bool) -> int:
    if not 0 <= count < 64:
        raise ValueError(f"shift by {count}")
    return a << count if left else (a & MASK64) >> count


_BINARY = {
    "||": (1, lambda a, b: -bool(a or b)), "&&": (2, lambda a, b: -bool(a and b)),
    "==": (3, lambda a, b: -(a == b)), "!=": (3, lambda a, b: -(a != b)),
    "<": (3, lambda a, b: -(a < b)), "<=": (3, lambda a, b: -(a <= b)),
    ">": (3, lambda a, b: -(a > b)), ">=": (3, lambda a, b: -(a >= b)),
    "+": (4, lambda a, b: a + b), "-": (4, lambda a, b: a - b),
    "|": (5, lambda a, b: a | b), "&": (5, lambda a, b: a & b), "^": (5, lambda a, b: a ^ b),
    "*": (6, lambda a, b: a * b), "/": (6, _divide), "%": (6, lambda a, b: a - b * _divide(a, b)),
    "<<": (6, lambda a, b: _shift(a, b, True)), ">>": (6, lambda a, b: _shift(a, b, False)),
}
_UNARY = {"-": lambda a: -a, "+": lambda a: a, "~": lambda a: ~a, "!": lambda a: int(a == 0)}


def _hi(value: int) -> int:
    """The upper 20 bits as lui wants them."""
    if not -(1 << 31) <= value + 0x800 < 1 << 31:
        raise ValueError(f"%hi({value:#x}): lui and addi reach -0x80000800 to 0x7ffff7ff; use la or li")
    return value + 0x800 >> 12 & 0xFFFFF


_FUNCTIONS = {
    "%hi": lambda place, value: _hi(value),
    "%lo": lambda place, value: signed(value, 12),
    "%pcrel_hi": lambda place, value: place.pcrel_hi(value),
    "%pcrel_lo": lambda place, value: signed(place.pcrel_lo(value), 12),
}


@lru_cache(maxsize=1 << 14)
def parse_expression(text: str) -> Expression:
    """The function of a place that an expression is.  `ValueError` says what is wrong with it."""
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        m = _TOKEN.match(stripped, at)
        if not m:
            raise ValueError(f"{stripped[at:].strip()!r} cannot be part of an expression")
        tokens.append((m.lastgroup, m[m.lastgroup]))
        at = m.end()
    if not tokens:
        raise ValueError("an expression is missing")
    parser = _Parser(tokens, text.strip())
    expression = parser.binary(0)
    if parser.tokens:
        raise ValueError(f"unexpected {parser.tokens[-1][1]!r} in {text.strip()!r}")
    return expression


class _Parser:
    """Precedence climbing over the tokens, last first."""

    def __init__(self, tokens: list[tuple[str, str]], text: str):
        self.tokens, self.text = tokens[::-1], text

    def binary(self, level: int) -> Expression:
        left = self.unary()
        while self.tokens and self.tokens[-1][0] == "operator":
            rank, operation = _BINARY.get(self.tokens[-1][1], (0, None))
            if rank <= level:
                break
            self.tokens.pop()
            left = _apply(operation, left, self.binary(rank))
        return left

    def unary(self) -> Expression:
        if not self.tokens:
            raise ValueError(f"{self.text!r} ends where a value is expected")
        kind, text = self.tokens.pop()
        if kind == "number":
            return _constant(_number(text))
        if kind == "char":
            return _constant(int.from_bytes(unescape(text[1:].removesuffix("'") or "'"), "little"))
        if kind == "local":
            number, forward = int(text[:-1]), text[-1] == "f"
            return lambda place: signed(place.local(number, forward))
        if kind == "name":
            return _name(text)
        if text == "(":
            inner = self.binary(0)
            self.expect(")")
            return inner
        if text in _UNARY:
            return _apply(_UNARY[text], self.unary())
        if kind == "function":
            return self.call(text)
        raise ValueError(f"unexpected {text!r} in {self.text!r}")

    def call(self, name: str) -> Expression:
        if name not in _FUNCTIONS:
            raise ValueError(f"{name} is not known; there are {', '.join(_FUNCTIONS)}")
        self.expect("(")
        inner, function = self.binary(0), _FUNCTIONS[name]
        self.expect(")")
        return lambda place: function(place, inner(place))

    def expect(self, text: str) -> None:
        if not self.tokens or self.tokens.pop()[1] != text:
            raise ValueError(f"{text!r} is missing in {self.text!r}")


def _number(text: str) -> int:
    is_octal = len(text) > 1 and text[0] == "0" and text[1].isdigit()           # as in C and GNU
    if is_octal and set(text) & set("89"):
        raise ValueError(f"{text} is no octal number, as one that begins with 0 is")
    value = int(text, 8 if is_octal else 0)
    if value > MASK64:
        raise ValueError(f"{text} has more than 64 bits")
    return signed(value)


def _constant(value: int) -> Expression:
    return lambda place: value


def _name(name: str) -> Expression:
    if name == ".":
        return lambda place: signed(place.here)
    if name in X_NUMBERS or name in F_NUMBERS:
        raise ValueError(f"{name} is a register; an expression is expected")
    return lambda place: signed(place.symbol(name))


def _apply(operation, *operands: Expression) -> Expression:
    if len(operands) == 1:
        only, = operands
        return lambda place: signed(operation(only(place)))
    left, right = operands
    return lambda place: signed(operation(left(place), right(place)))
