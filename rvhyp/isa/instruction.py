"""The record of an instruction, and the one registry from which everything else derives.

    instruction = Extension("M", "multiplication and division").instruction

    @instruction("mulh rd, rs1, rs2", "0000001 rs2 rs1 001 rd 0110011")
    def mulh(rs1, rs2):
        return mulhs(rs1, rs2)

The body says what the instruction computes, as a pure function of words.  Its parameter names say what it wants:
operand fields (`rs1`, `imm`: their value, registers read; `rs1_field`: the register number itself), `pc`, or what the
shell of its kind provides: `value` (LOAD: the bytes read, zero-extended), `old` (AMO, CSR: the value
before), `fp` (FP: the floating-point unit), `hart` (SYSTEM, MEMORY: the rules of `rvhyp.hart`).  Everything that instructions
of one kind have in common (reading registers, writing rd, x0, traps, the pc) is the shell's, once per engine.

A compressed instruction has no meaning of its own: it expands to another one.
"""
from __future__ import annotations

import dis
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

from rvhyp.isa.fields import Encoding, parse_encoding


class Kind(Enum):
    """Which shell an instruction runs in, and so what its body returns."""

    ALU = auto()                # the value of rd
    BRANCH = auto()             # the condition
    JAL = auto()                # no body
    JALR = auto()               # the target
    LOAD = auto()               # the value of rd or fd, from `value`
    STORE = auto()              # no body: the low bytes of rs2 or fs2
    LOAD_RESERVED = auto()      # as LOAD
    STORE_CONDITIONAL = auto()  # as STORE
    AMO = auto()                # the new value in memory, from `old` and rs2
    CSR = auto()                # the new value of the CSR, from `old` and the source operand
    MEMORY = auto()             # a rule of the hart that accesses memory, called by name
    SYSTEM = auto()             # a rule of the hart that may change anything, called by name
    FENCE = auto()              # nothing: memory is strongly ordered here
    FP = auto()                 # the value of fd or rd


@dataclass(eq=False)
class Instruction:
    name: str                               # as in assembly: "amoadd.w"
    operands: str                           # as in assembly: "rd, rs2, (rs1)"
    encoding: Encoding
    kind: Kind
    body: Callable | None
    extension: Extension
    size: int = 0                           # bytes accessed in memory, or width in bytes of an AMO
    guest: str = ""                         # "", "hlv", "hlvx": two-stage access made from outside the guest
    exceptions: tuple[tuple[int, int], ...] = ()        # (mask, value): words of this encoding that are a special case's

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the body's parameters, but for those with a default (constants of a family of instructions)."""
        if self.body is None:
            return ()
        code = self.body.__code__
        return code.co_varnames[:code.co_argcount - len(self.body.__defaults__ or ())]

    @property
    def fields(self):
        return self.encoding.fields

    @property
    def has_rounding_mode(self) -> bool:
        return "rm" in self.fields

    def encode(self, **operands: int) -> int:
        """The instruction word; operands by field name, registers by number.  `ValueError` if one does not fit."""
        if operands.keys() != self.fields.keys():
            raise ValueError(f"{self.name} wants operands {', '.join(self.fields)}; got {', '.join(operands)}")
        bits = self.encoding.match
        for name, value in operands.items():
            bits |= self.fields[name].put(value)
        return bits

    def matches(self, bits: int) -> bool:
        if bits & self.encoding.mask != self.encoding.match:
            return False
        return all(bits & mask != value for mask, value in self.exceptions)


@dataclass(eq=False)
class Compressed:
    """A 16-bit instruction: `expansion` is the instruction it stands for, over its own fields."""

    name: str
    operands: str
    encoding: Encoding
    expansion: str
    extension: Extension
    nonzero: tuple[str, ...] = ()           # fields that may not be 0
    excluded: dict[str, int] = field(default_factory=dict)      # field: value it may not have

    @property
    def fields(self):
        return self.encoding.fields

    @cached_property
    def exceptions(self) -> tuple[tuple[int, int], ...]:
        """(mask, value): words of this encoding that are something else, or nothing."""
        values = {**dict.fromkeys(self.nonzero, 0), **self.excluded}
        return tuple((self.fields[name].mask, self.fields[name].put(value)) for name, value in values.items())

    matches, encode = Instruction.matches, Instruction.encode

    def expand(self, bits: int) -> int:
        """The 32-bit instruction word that a matching 16-bit word stands for."""
        name, _, rest = self.expansion.partition(" ")
        operands = {}
        for part in filter(None, rest.split(",")):
            key, _, value = part.strip().partition("=")
            operands[key] = int(value) if value.lstrip("-").isdigit() else self.fields[value].get(bits)
        return INSTRUCTIONS[name].encode(**operands)


INSTRUCTIONS: dict[str, Instruction] = {}
COMPRESSED: dict[str, Compressed] = {}
EXTENSIONS: dict[str, Extension] = {}


class Extension:
    """A named set of instructions (the manual's name) that can be switched off as a whole.

    `when` says which names of an ISA string it takes, if not its own: those of several extensions that share instructions
    ("zbb or zbkb"), or of extensions that only together have them ("zfhmin and d").
    """

    def __init__(self, name: str, title: str, when: str = ""):
        self.name, self.title = name, title
        self.alternatives = [each.split(" and ") for each in (when or name.lower()).split(" or ")]
        self.number = len(EXTENSIONS)
        EXTENSIONS[name] = self

    def is_on(self, names: Iterable[str]) -> bool:
        """Whether the names of an ISA string include it."""
        return any(set(each) <= set(names) for each in self.alternatives)

    def instruction(self, syntax: str, encoding: str, kind: Kind = Kind.ALU, size: int = 0, guest: str = "", of: str = ""):
        """Register an instruction; decorates its body (or is called with None where its kind has none).

        `of` names one that this is a special case of, defined before: words of both encodings are this one.
        """
        name, _, operands = syntax.partition(" ")

        def register(body):
            if body is not None:
                _refuse_control_flow(name, body)
            record = Instruction(name, operands.strip(), parse_encoding(encoding), kind, body, self, size, guest)
            if of:
                INSTRUCTIONS[of].exceptions += ((record.encoding.mask, record.encoding.match),)
            _refuse_overlap(record)
            INSTRUCTIONS[name] = record
            return body
        return register

    def compressed(self, syntax: str, encoding: str, expansion: str, nonzero: tuple[str, ...] = (), **excluded: int):
        """Register a 16-bit instruction by its expansion, e.g. "addi rd=rd, rs1=rd, imm=imm"."""
        name, _, operands = syntax.partition(" ")
        record = Compressed(name, operands.strip(), parse_encoding(encoding), expansion, self, nonzero, excluded)
        _refuse_overlap(record)
        COMPRESSED[name] = record


_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_OPCODE = {16: 0xE003, 32: 0x7F}        # bits that every encoding of a width fixes (Unprivileged ISA, "Base Instruction Formats")
_alike: dict[tuple[int, int], list[Instruction | Compressed]] = {}      # by width and opcode: only these can overlap


def _refuse_control_flow(name: str, body: Callable) -> None:
    """A body is traced once for all values: an `if` in it would silently fix one branch."""
    if not _JUMPS.isdisjoint(body.__code__.co_code[::2]):
        raise TypeError(f"the body of {name} branches on a value; use select()")


def _refuse_overlap(record) -> None:
    e = record.encoding
    if record.name in INSTRUCTIONS or record.name in COMPRESSED:
        raise ValueError(f"{record.name} is defined twice")
    opcode = _OPCODE[e.width]
    if e.mask & opcode != opcode:
        raise ValueError(f"the encoding of {record.name} does not fix its opcode")
    alike = _alike.setdefault((e.width, e.match & opcode), [])
    for other in alike:
        o = other.encoding
        common = e.mask & o.mask
        if e.match & common == o.match & common and not _excepted(record, other):
            raise ValueError(f"the encoding of {record.name} overlaps that of {other.name}")
    alike.append(record)


def _excepted(record, other) -> bool:
    """Does one of the two except every word that both encodings cover?"""
    fixed, bits = record.encoding.mask | other.encoding.mask, record.encoding.match | other.encoding.match
    return any(mask & ~fixed == 0 and bits & mask == value
               for each in (record, other) for mask, value in each.exceptions)


_OPERAND = re.compile(r"[a-z]+\d?'?")


def operand_names(operands: str) -> list[str]:
    """Field names in the order assembly writes them."""
    return _OPERAND.findall(operands)
