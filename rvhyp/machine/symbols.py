"""Names of addresses: the symbol table of an ELF file, read when somebody first asks (System V ABI, chapter 4)."""
from __future__ import annotations

import struct
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

SYMBOL = struct.Struct("<IBBHQQ")
STT_FUNC = 2                            # types up to this name places: no type, object, function
STB_LOCAL = 0
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
MAX_NAME = 4096


class Symbol(NamedTuple):
    """`va` is where it is, unless it `is_absolute`: then it is just a number."""

    name: str
    va: int
    is_local: bool
    is_absolute: bool


class Symbols:
    """The symbols of a program loaded `bias` bytes above where it was linked.

    Damage costs the symbols it touches, no more: names outside the string table or without an end are left out, and
    names that add up to many times their table (each the tail of another) end the reading.
    """

    def __init__(self, table: bytes = b"", strings: bytes = b"", bias: int = 0):
        self._table, self._strings, self._bias = table, strings, bias

    @cached_property
    def _all(self) -> list[Symbol]:
        symbols = []
        budget = 4 * len(self._strings)
        whole = len(self._table) // SYMBOL.size * SYMBOL.size
        for start, info, _, section, value, _ in SYMBOL.iter_unpack(self._table[:whole]):
            if info & 0xF > STT_FUNC or section == SHN_UNDEF:
                continue
            end = self._strings.find(b"\0", start, start + MAX_NAME)
            if end <= start or self._strings.startswith((b"$", b".L"), start):      # `$x`: mapping symbols (psABI)
                continue
            budget -= end - start
            if budget < 0:
                break
            is_absolute = section == SHN_ABS
            va = value if is_absolute else value + self._bias & (1 << 64) - 1
            symbols.append(Symbol(self._strings[start:end].decode(errors="replace"), va,
                                  info >> 4 == STB_LOCAL, is_absolute))
        return symbols

    @cached_property
    def by_name(self) -> dict[str, int]:
        """Values by name; of several of one name the first, but a global one before local ones."""
        values: dict[str, int] = {}
        for symbol in sorted(self._all, key=lambda symbol: symbol.is_local):
            values.setdefault(symbol.name, symbol.va)
        return values

    @cached_property
    def _by_address(self) -> tuple[list[int], list[str]]:
        """Addresses in order, and the one name each is known by: global before local, then the first."""
        names: dict[int, str] = {}
        for symbol in sorted(self._all, key=lambda symbol: symbol.is_local):
            if not symbol.is_absolute:
                names.setdefault(symbol.va, symbol.name)
        addresses = sorted(names)
        return addresses, [names[va] for va in addresses]

    def nearest(self, va: int) -> tuple[str, int] | None:
        """The last symbol at or before `va`, and the distance in bytes."""
        addresses, names = self._by_address
        at = bisect_right(addresses, va) - 1
        return (names[at], va - addresses[at]) if at >= 0 else None
