"""Rules: functions with control flow over words, compiled once by Numba and callable as plain Python.

A rule's arguments and result are words; what has no result returns 0 or nothing.  It may use `if`, `while`, integer
literals, module constants, `BitField`s, the word vocabulary, the memory primitives below and other rules: nothing
else, so that compiled and plain meaning agree.  Literals need no type: the compiler gives every one of them 64
unsigned bits (`rvhyp.engine.compile`), as `Word` does here.  Its first parameter, `h`, is the hart record: `h.mstatus`
and `h.x[3]` are words in it, read and written in place.
"""
from __future__ import annotations

import ast
import ctypes
import inspect
import textwrap
import time
import weakref
from collections.abc import Callable
from functools import cached_property

from rvhyp.isa.word import Word, u64

RULES: dict[str, Rule | Dispatch] = {}


class Rule:
    """A rule as plain Python: every literal and module constant in it is a word, as it is when compiled."""

    def __init__(self, function: Callable):
        self.function = function
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self.parameters: tuple[str, ...] = function.__code__.co_varnames[:function.__code__.co_argcount]

    def tree(self) -> ast.FunctionDef:
        """The syntax tree of the definition, without decorators and docstring."""
        definition = ast.parse(textwrap.dedent(inspect.getsource(self.function))).body[0]
        definition.decorator_list = []
        first = definition.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            definition.body = definition.body[1:] or [ast.Pass()]
        return definition

    @cached_property
    def plain(self) -> Callable:
        """The function over words, made when it is first called."""
        module = ast.Module([_Literals().visit(self.tree())], [])
        scope = {name: u64(value) if type(value) is int else value for name, value in self.function.__globals__.items()}
        scope["u64"] = u64
        exec(compile(ast.fix_missing_locations(module), inspect.getsourcefile(self.function), "exec"), scope)
        return scope[self.__name__]

    def __call__(self, *arguments):
        result = self.plain(*(u64(a) if isinstance(a, int) and type(a) is not Word else a for a in arguments))
        return result if type(result) is Word else u64(result or 0)


class _Literals(ast.NodeTransformer):
    """Makes every integer literal a word."""

    def visit_Constant(self, node):
        if type(node.value) is not int:
            return node
        return ast.copy_location(ast.Call(ast.Name("u64", ast.Load()), [node], []), node)


def rule(function: Callable) -> Rule:
    """Register a rule under its name, which is also its symbol in the compiled core."""
    name = function.__name__
    if name in RULES:
        raise ValueError(f"rule {name} is defined twice, in {RULES[name].__module__} and {function.__module__}")
    RULES[name] = Rule(function)
    return RULES[name]


class Dispatch:
    """A rule that calls one of several rules of the same parameters, chosen by its last argument, from 1."""

    def __init__(self, name: str, functions: list[Rule]):
        self.__name__, self.__module__, self.functions = name, functions[0].__module__, functions
        self.parameters = (*functions[0].parameters, "choice")
        RULES[name] = self

    def __call__(self, *arguments):
        return self.functions[arguments[-1] - 1](*arguments[:-1])

    def number(self, function: Rule | None) -> int:
        """The number that chooses a function; 0 for None."""
        return self.functions.index(function) + 1 if function else 0


class BitField:
    """A field of a register: `MSTATUS_MPP.get(h.mstatus)`; `put` gives the register's new value."""

    __slots__ = ("shift", "width", "mask", "name")

    def __init__(self, name: str, low: int, high: int | None = None):
        self.name, self.shift = name, low
        self.width = (low if high is None else high) - low + 1
        self.mask = u64((1 << self.width) - 1 << low)

    def get(self, register):
        """The field's value, shifted down to bit 0."""
        return (register >> self.shift) & (self.mask >> self.shift)

    def put(self, register, value):
        """The register with the field replaced by the low bits of `value`."""
        return (register & ~self.mask) | ((u64(value) << self.shift) & self.mask)

    def __repr__(self):
        return f"BitField({self.name}, {self.shift}, {self.shift + self.width - 1})"


# Memory primitives: host addresses, little-endian, any alignment.

_u8, _u16, _u32, _u64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64


def load8(address) -> Word:
    """The byte at a host address."""
    return u64(_u8.from_address(address).value)


def load16(address) -> Word:
    """Two bytes at a host address."""
    return u64(_u16.from_address(address).value)


def load32(address) -> Word:
    """Four bytes at a host address."""
    return u64(_u32.from_address(address).value)


def load64(address) -> Word:
    """Eight bytes at a host address."""
    return u64(_u64.from_address(address).value)


def store8(address, value) -> None:
    """Write the low byte of `value` at a host address."""
    _u8.from_address(address).value = value & 0xFF


def store16(address, value) -> None:
    """Write the low two bytes of `value` at a host address."""
    _u16.from_address(address).value = value & 0xFFFF


def store32(address, value) -> None:
    """Write the low four bytes of `value` at a host address."""
    _u32.from_address(address).value = value & 0xFFFF_FFFF


def store64(address, value) -> None:
    """Write eight bytes at a host address."""
    _u64.from_address(address).value = value


def compare_and_set64(address, old, new) -> Word:
    """Replace eight aligned bytes at a host address if they are `old`: 1 if they were, else 0.  Compiled, it is one step."""
    if load64(address) != old:
        return u64(0)
    store64(address, new)
    return u64(1)


def compare_and_set32(address, old, new) -> Word:
    """As `compare_and_set64`, of four aligned bytes."""
    if load32(address) != old & 0xFFFF_FFFF:
        return u64(0)
    store32(address, new)
    return u64(1)


def compare_and_set128(address, old_low, old_high, new_low, new_high) -> Word:
    """As `compare_and_set64`, of sixteen aligned bytes."""
    if load64(address) != old_low or load64(address + 8) != old_high:
        return u64(0)
    store64(address, new_low)
    store64(address + 8, new_high)
    return u64(1)


def barrier() -> None:
    """What was read and written before is so for other threads of the host before what follows."""


RECORDS = weakref.WeakValueDictionary()         # hart records of this process, by address


def record(address):
    """The hart record at a host address, to pass to rules of another hart."""
    return RECORDS[int(address)]


def host_flags() -> Word:
    """The accrued exception flags of the host's floating-point unit, as fflags.  Plain Python uses no host unit: 0."""
    return u64(0)


def set_host_mode(rounding) -> None:
    """Clear the host unit's flags and set its rounding mode (an frm of 0 to 3).  Nothing to do in plain Python."""


def host_nanoseconds(clock) -> Word:
    """The host's monotonic clock; `clock` is the address of its clock_gettime."""
    return u64(time.monotonic_ns())


PRIMITIVES = (load8, load16, load32, load64, store8, store16, store32, store64, compare_and_set32, compare_and_set64,
              compare_and_set128, barrier, record, host_flags, set_host_mode, host_nanoseconds)
