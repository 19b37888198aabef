"""The directives that place and describe data: functions of the pass and their operands, registered by name."""
from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rvhyp.isa.text.assembly import STB_GLOBAL, STB_LOCAL, STB_WEAK
from rvhyp.isa.text.expression import unescape
from rvhyp.isa.word import MASK64

if TYPE_CHECKING:
    from rvhyp.isa.text.assembler import Pass

DIRECTIVES: dict[str, Callable[[Pass, tuple[str, ...]], None]] = {}
IGNORED = (".type", ".file", ".loc", ".ident", ".attribute", ".hidden", ".addrsig", ".cfi_startproc",
           ".cfi_endproc", ".cfi_def_cfa_offset", ".cfi_offset", ".cfi_restore", ".cfi_def_cfa")
SIZES = {".byte": 1, ".2byte": 2, ".half": 2, ".short": 2, ".hword": 2,
         ".4byte": 4, ".word": 4, ".long": 4, ".int": 4, ".8byte": 8, ".dword": 8, ".quad": 8}
LARGEST = 1 << 28                                   # bytes one directive may make: more is a slip of the pen
NOP, C_NOP = 0x0000_0013, 0x0001


def directive(*names: str, least: int = 0, most: int | None = None):
    """Register a directive that takes `least` to `most` operands."""
    def register(function):
        def checked(p: Pass, operands: tuple[str, ...]) -> None:
            if len(operands) < least or most is not None and len(operands) > most:
                wanted = f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"
                raise ValueError(f"{names[0]} takes {wanted} operands, not {len(operands)}")
            function(p, operands)
        for name in names:
            DIRECTIVES[name] = checked
        return function
    return register


# Sections and symbols.

for _name in (".text", ".rodata", ".data", ".bss"):
    directive(_name, most=1)(lambda p, operands, name=_name: p.switch(name))


@directive(".section", least=1, most=4)
def section(p: Pass, operands: tuple[str, ...]) -> None:
    name, flags, kind = (*operands, "", "", "")[:3]
    flags = string(flags).decode() if flags else None
    p.switch(string(name).decode() if name.startswith('"') else name, flags, kind[1:] == "nobits" if kind else None)


@directive(".pushsection", least=1, most=4)
def pushsection(p: Pass, operands: tuple[str, ...]) -> None:
    p.section_stack.append(p.section.name)
    section(p, operands)


@directive(".popsection", most=0)
def popsection(p: Pass, operands: tuple[str, ...]) -> None:
    if not p.section_stack:
        raise ValueError(".popsection without .pushsection")
    p.switch(p.section_stack.pop())


@directive(".previous", most=0)
def previous(p: Pass, operands: tuple[str, ...]) -> None:
    p.switch(p.last_section)


@directive(".globl", ".global", least=1)
def globl(p: Pass, operands: tuple[str, ...]) -> None:
    p.bindings.update(dict.fromkeys(operands, STB_GLOBAL))


@directive(".weak", least=1)
def weak(p: Pass, operands: tuple[str, ...]) -> None:
    p.bindings.update(dict.fromkeys(operands, STB_WEAK))


@directive(".local", least=1)
def local(p: Pass, operands: tuple[str, ...]) -> None:
    p.bindings.update(dict.fromkeys(operands, STB_LOCAL))


@directive(".equ", ".set", "=", least=2, most=2)
def equ(p: Pass, operands: tuple[str, ...]) -> None:
    p.assign(operands[0], p.evaluate(operands[1]))


@directive(".size", least=2, most=2)
def size(p: Pass, operands: tuple[str, ...]) -> None:
    p.sizes[operands[0]] = p.evaluate_within(operands[1], 0, MASK64)


@directive(*IGNORED)
def ignore(p: Pass, operands: tuple[str, ...]) -> None:
    """What it says matters to linkers and debuggers only."""


@directive(".option", least=1)
def option(p: Pass, operands: tuple[str, ...]) -> None:
    name = operands[0]
    if name == "push":
        p.compress.append(p.compress[-1])
    elif name == "pop":
        if len(p.compress) == 1:
            raise ValueError(".option pop without .option push")
        p.compress.pop()
    elif name in ("rvc", "norvc"):
        p.compress[-1] = name == "rvc"
    elif name not in ("relax", "norelax", "pic", "nopic", "arch"):
        raise ValueError(f"{name!r} is not an option: rvc, norvc, push, pop")


@directive(".error", most=1)
def error(p: Pass, operands: tuple[str, ...]) -> None:
    p.note(string(operands[0]).decode() if operands else ".error")


@directive(".include", least=1, most=1)
def include(p: Pass, operands: tuple[str, ...]) -> None:
    p.include(string(operands[0]).decode())


# Data.

def integers(size: int, p: Pass, operands: tuple[str, ...]) -> None:
    for operand in operands:
        p.emit(p.evaluate_within(operand, -(1 << 8 * size - 1), (1 << 8 * size) - 1), size)


for _name, _size in SIZES.items():
    directive(_name)(partial(integers, _size))


def floats(layout: str, p: Pass, operands: tuple[str, ...]) -> None:
    for operand in operands:
        value = float(operand)
        size = struct.calcsize(layout)
        nan = (1 << 8 * size - 1) - 1               # as GNU writes it
        p.append(struct.pack(layout, value) if value == value else nan.to_bytes(size, "little"))


directive(".float", ".single", least=1)(partial(floats, "<f"))
directive(".double", least=1)(partial(floats, "<d"))


def string(text: str) -> bytes:
    """The bytes of a string literal."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError(f"{text} is not a string in quotes")
    return unescape(text[1:-1])


@directive(".ascii")
def ascii_(p: Pass, operands: tuple[str, ...]) -> None:
    for operand in operands:
        p.append(string(operand))


@directive(".asciz", ".string")
def asciz(p: Pass, operands: tuple[str, ...]) -> None:
    for operand in operands:
        p.append(string(operand) + b"\0")


# Space.

def byte(p: Pass, text: str) -> bytes:
    """The byte that an expression gives."""
    return bytes([p.evaluate_within(text, -128, 255) & 0xFF])


def repeat(p: Pass, count: int, pattern: bytes) -> None:
    """Append a byte `count` times; zeros without contents cost nothing."""
    if p.section.is_nobits and pattern == b"\0":
        p.section.reserved += count
    else:
        p.append(pattern * count)


@directive(".zero", ".space", ".skip", least=1, most=2)
def space(p: Pass, operands: tuple[str, ...]) -> None:
    repeat(p, p.evaluate_within(operands[0], 0, LARGEST), byte(p, operands[1]) if len(operands) > 1 else b"\0")


@directive(".fill", least=1, most=3)
def fill(p: Pass, operands: tuple[str, ...]) -> None:
    count, size, value = (*operands, *("", "1", "0")[len(operands):])
    width = p.evaluate_within(size, 0, 8)
    pattern = (p.evaluate(value) & (1 << 8 * width) - 1).to_bytes(width, "little")
    p.append(pattern * p.evaluate_within(count, 0, LARGEST))


@directive(".align", ".p2align", least=1, most=3)
def p2align(p: Pass, operands: tuple[str, ...]) -> None:
    align(p, 1 << p.evaluate_within(operands[0], 0, 28), operands[1:])


@directive(".balign", least=1, most=3)
def balign(p: Pass, operands: tuple[str, ...]) -> None:
    alignment = p.evaluate_within(operands[0], 0, LARGEST) or 1
    if alignment & alignment - 1:
        p.note(f"alignment {alignment} is not a power of two")
        alignment = 1
    align(p, alignment, operands[1:])


def align(p: Pass, alignment: int, rest: tuple[str, ...]) -> None:
    """Fill up to a multiple of `alignment`: code with nops, unless a byte is given; nothing if it takes over `most`."""
    value, most = (*rest, "", "")[:2]
    count = -p.section.size % alignment
    p.section.alignment = max(p.section.alignment, alignment)
    if most and count > p.evaluate_within(most, 0, LARGEST):
        return
    if value or "x" not in p.section.flags:
        repeat(p, count, byte(p, value or "0"))
        return
    if count // 2 % 2:
        p.extensions.add("C")
    p.append(bytes(count % 2) + C_NOP.to_bytes(2, "little") * (count // 2 % 2))
    p.append(NOP.to_bytes(4, "little") * (count // 4))


@directive(".org", least=1, most=2)
def org(p: Pass, operands: tuple[str, ...]) -> None:
    """Go on at an address, or at an offset from the start of the section."""
    target = p.evaluate(operands[0]) & MASK64
    offset = target - p.section.address if target >= p.section.address else target
    if p.section.size <= offset <= p.section.size + LARGEST:
        repeat(p, offset - p.section.size, byte(p, operands[1]) if len(operands) > 1 else b"\0")
    else:
        p.note(f".org {offset:#x}: {p.section.name} has {p.section.size:#x} bytes already")
