"""Rules: functions with control flow over words, compiled once by Numba and callable as plain Python.

A rule's arguments and result are words; what has no result returns 0 or nothing.  It may use `if`, `while`, integer
literals, module constants, `BitField`s, the word vocabulary, the memory primitives below and other rules: nothing
else, so that compiled and plain meaning agree.  Literals need no type: the compiler gives every one of them 64
unsigned bits (`rvhyp.engine.compile`), as `Word` does here.  Its first parameter, `h`, is the hart record: `h.mstatus`
and `h.x[3]` are words in it, read and written in place.
"""
from __future__ import annotations

import ctypes
from collections.abc import Callable

from rvhyp.isa.word import Word, u64

RULES: dict[str, Callable] = {}


def rule(function: Callable) -> Callable:
    """Register a rule under its name, which is also its symbol in the compiled core."""
    name = function.__name__
    if name in RULES:
        raise ValueError(f"rule {name} is defined twice, in {RULES[name].__module__} and {function.__module__}")
    RULES[name] = function
    return function


class BitField:
    """A field of a register: `MSTATUS_MPP.get(h.mstatus)`; `put` gives the register's new value."""

    __slots__ = ("shift", "width", "mask", "name")

    def __init__(self, name: str, low: int, high: int | None = None):
        self.name, self.shift = name, low
        self.width = (low if high is None else high) - low + 1
        self.mask = (1 << self.width) - 1 << low

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


def host_flags() -> Word:
    """The accrued exception flags of the host's floating-point unit, as fflags.  Plain Python uses no host unit: 0."""
    return u64(0)


def set_host_mode(rounding) -> None:
    """Clear the host unit's flags and set its rounding mode (an frm of 0 to 3).  Nothing to do in plain Python."""


PRIMITIVES = (load8, load16, load32, load64, store8, store16, store32, store64, host_flags, set_host_mode)
