"""Statements that are about statements: macros, repetition, conditions."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rvhyp.isa.text.source import Line, split_operands, split_statement

if TYPE_CHECKING:
    from rvhyp.isa.text.assembler import Pass

DEPTH_LIMIT = 64
CLOSERS = {".macro": ".endm", ".rept": ".endr", ".irp": ".endr"}


def block(lines: list[Line], at: int, opener: str) -> tuple[list[Line], int]:
    """The statements from `at` to the one that closes `opener`, and the index after that."""
    closer, depth = CLOSERS[opener], 1
    for end in range(at, len(lines)):
        mnemonic = split_statement(lines[end].text)[1]
        if mnemonic == closer:
            depth -= 1
        elif CLOSERS.get(mnemonic) == closer:
            depth += 1
        if depth == 0:
            return lines[at:end], end + 1
    raise ValueError(f"{opener} has no {closer}")


# Macros and repetition.

class Macro(NamedTuple):
    """`.macro name a, b=default, c:req, rest:vararg` and its body."""

    name: str
    parameters: tuple[tuple[str, str, str], ...]    # (name, "req", "vararg" or "", default)
    body: list[Line]

    @classmethod
    def define(cls, header: str, body: list[Line]) -> Macro:
        """From the text after `.macro`."""
        m = re.match(r"([\w.$]+)\s*,?\s*(.*)$", header)
        if not m:
            raise ValueError(f".macro wants a name, not {header!r}")
        parameters = []
        for text in split_operands(m[2]) if "," in m[2] else m[2].split():
            p = re.fullmatch(r"(\w+)(?::(req|vararg))?(?:\s*=\s*(.*))?", text)
            if not p:
                raise ValueError(f"{text!r} is not a macro parameter")
            parameters.append((p[1], p[2] or "", unquoted(p[3] or "")))
        return cls(m[1], tuple(parameters), body)

    def bind(self, operands: str) -> dict[str, str]:
        """The text of each parameter in a call: by position or `name=text`, without the quotes around it."""
        names = [name for name, _, _ in self.parameters]
        values, given, position = {}, list(split_operands(operands)), 0
        while given:
            m = re.fullmatch(r"(\w+)\s*=(?!=)\s*(.*)", given[0])
            if m and m[1] in names:
                values[m[1]] = unquoted(m[2])
                given.pop(0)
                continue
            if position == len(names):
                raise ValueError(f"macro {self.name} takes {len(names)} arguments; {given[0]!r} is one more")
            if self.parameters[position][1] == "vararg":
                values[names[position]] = ", ".join(given)
                break
            values[names[position]] = unquoted(given.pop(0))
            position += 1
        for name, kind, default in self.parameters:
            if not values.get(name):
                if kind == "req":
                    raise ValueError(f"macro {self.name} wants a value for {name}")
                values[name] = default
        return values

    def expand(self, operands: str, call: Line, count: int) -> list[Line]:
        """The body of one call; `count` is what `\\@` becomes."""
        return substitute(self.body, self.bind(operands) | {"@": str(count)}, call)


def unquoted(text: str) -> str:
    """An argument in quotes, which may have commas and spaces, without them."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


_REFERENCE = re.compile(r"\\(\(\)|@|\w+)")


def substitute(body: list[Line], values: dict[str, str], call: Line) -> list[Line]:
    """The body with `\\name` replaced; `\\()` is nothing: it ends a name."""
    inside = (call, *call.inside)
    if len(inside) > DEPTH_LIMIT:
        raise ValueError(f"blocks are nested more than {DEPTH_LIMIT} deep")

    def text_of(m):
        return "" if m[1] == "()" else values.get(m[1], m[0])
    return [Line(name, number, _REFERENCE.sub(text_of, text) if "\\" in text else text, inside)
            for name, number, text, _ in body]


def macro(p: Pass, operands: str, body: list[Line]) -> None:
    defined = Macro.define(operands, body)
    p.macros[defined.name] = defined


def rept(p: Pass, operands: str, body: list[Line]) -> None:
    copy = substitute(body, {}, p.line)
    for _ in range(p.evaluate_within(operands, 0, 1 << 20)):
        p.run(copy)


def irp(p: Pass, operands: str, body: list[Line]) -> None:
    name, *values = split_operands(operands) or ("",)
    call = p.line
    for value in values:
        p.run(substitute(body, {name: unquoted(value)}, call))


BLOCKS: dict[str, Callable[[Pass, str, list[Line]], None]] = {".macro": macro, ".rept": rept, ".irp": irp}


# Conditions.

CONDITIONS = {
    ".if": lambda p, operands: p.evaluate(operands) != 0,
    ".ifdef": lambda p, operands: operands in p.symbols,
    ".ifndef": lambda p, operands: operands not in p.symbols,
    ".ifb": lambda p, operands: not operands,
    ".ifnb": lambda p, operands: bool(operands),
    ".elseif": lambda p, operands: p.evaluate(operands) != 0,
    ".else": None,
    ".endif": None,
}


class Condition(NamedTuple):
    """An open `.if`: is its current branch taken, and may a later one still be?"""

    line: Line
    is_true: bool
    may_follow: bool


class Conditions:
    """The `.if`s around a place."""

    def __init__(self):
        self.open: list[Condition] = []

    @property
    def are_true(self) -> bool:
        return not self.open or self.open[-1].is_true

    def do(self, mnemonic: str, operands: str, p: Pass) -> None:
        """Open, change or close one."""
        if mnemonic.startswith(".if"):
            is_true = self.are_true and CONDITIONS[mnemonic](p, operands)
            self.open.append(Condition(p.line, is_true, self.are_true and not is_true))
            return
        if not self.open:
            raise ValueError(f"{mnemonic} without .if")
        if mnemonic == ".endif":
            self.open.pop()
            return
        line, _, may_follow = self.open.pop()
        is_true = may_follow and (mnemonic == ".else" or CONDITIONS[mnemonic](p, operands))
        self.open.append(Condition(line, is_true, may_follow and not is_true))
