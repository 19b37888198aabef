"""Source text of the assembler: its statements, their parts, and errors that point at them."""
from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Line(NamedTuple):
    """One statement and where it stands; `inside` are the macro calls that led to it, innermost first."""

    name: str
    number: int
    text: str
    inside: tuple[Line, ...] = ()


class AssemblyError(Exception):
    """What is wrong with a statement: `name:line: message`, and the statement."""

    def __init__(self, message: str, line: Line):
        calls = "".join(f"\n    in the macro called at {call.name}:{call.number}: {call.text}" for call in line.inside)
        super().__init__(f"{line.name}:{line.number}: {message}\n    {line.text}{calls}")
        self.message, self.line = message, line


_LITERAL = r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^\\\n])'?"
_COMMENT = r"/\*.*?(?:\*/|\Z)|//[^\n]*|\#[^\n]*"
_PIECE = re.compile(rf"(?P<literal>{_LITERAL})|(?P<comment>{_COMMENT})|(?P<end>[;\n])", re.DOTALL)
_LABEL = re.compile(r"\s*([A-Za-z_.$][\w.$]*|\d+)\s*:(?!:)")


def statements(source: str, name: str) -> list[Line]:
    """The statements of a source without comments, blank ones left out."""
    lines, number, text, at = [], 1, "", 0

    def finish():
        stripped = text.strip()
        if stripped:
            lines.append(Line(name, number, stripped))

    for m in _PIECE.finditer(source):
        text += source[at:m.start()]
        at = m.end()
        if m["literal"]:
            text += m[0]
        elif m["comment"]:
            text += " "
            if "\n" in m[0]:                        # what stands before a comment of many lines has ended
                finish()
                text, number = "", number + m[0].count("\n")
        else:
            finish()
            text, number = "", number + (m[0] == "\n")
    text += source[at:]
    finish()
    return lines


@lru_cache(maxsize=1 << 14)
def split_statement(text: str) -> tuple[tuple[str, ...], str, str]:
    """Labels, mnemonic or directive, and the text of the operands; `name = value` is the directive `=`."""
    labels, at = [], 0
    while m := _LABEL.match(text, at):
        labels.append(m[1])
        at = m.end()
    rest = text[at:].strip()
    if m := re.match(r"([A-Za-z_.$][\w.$]*)\s*=(?!=)\s*", rest):
        return tuple(labels), "=", f"{m[1]}, {rest[m.end():]}"
    mnemonic, _, operands = re.sub(r"\s+", " ", rest, count=1).partition(" ")
    return tuple(labels), mnemonic, operands.strip()


@lru_cache(maxsize=1 << 14)
def split_operands(text: str) -> tuple[str, ...]:
    """What stands between the commas that are in no parentheses and no literal."""
    if not text.strip():
        return ()
    parts, depth, start, at = [], 0, 0, 0
    for m in re.finditer(_LITERAL + r"|[(),]", text):
        at = m.start()
        if m[0] == "(":
            depth += 1
        elif m[0] == ")":
            depth -= 1
        elif m[0] == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = m.end()
    return *parts, text[start:].strip()
