"""What programs reach: the area in which an engine notes it (rvhyp.engine.coverage), and features by name.

A feature is a number.  Its name says the same for people and for files, since numbers change with the records they count.
"""
from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass
from functools import cache

import numpy as np

from rvhyp.engine import coverage as area
from rvhyp.fuzz.layout import CODE, SLOT_SIZE, SLOTS
from rvhyp.isa.cause import EXCEPTION_NAMES, INTERRUPT, M, S, U, cause_name, mode_name
from rvhyp.isa.csr import csr_by_number
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Kind

PER_PROGRAM = 2048                      # features of a program that the log has room for; three hundred are usual
ADDRESS_MASK = (1 << 38) - 1            # virtual addresses of code are physical ones but for the bits above
FETCH, UNKNOWN = 0, 1                   # numbers of instructions: it could not be fetched; there is none such
APART = {Kind.SYSTEM, Kind.MEMORY}      # kinds of which each instruction is a class of its own
MODES = {"M": M, "HS": S, "U": U, "VS": S | 4, "VU": U | 4}
RETIRED = "retired"


@cache
def instruction_names() -> tuple[str, ...]:
    """Names of instructions by number."""
    return ("(fetch)", "(unknown)", *INSTRUCTIONS, *COMPRESSED)


@cache
def classes() -> tuple[tuple[str, ...], bytes]:
    """Names of classes of instructions; and the class of each instruction, by number."""
    names, numbers = ["(fetch)", "(unknown)"], [FETCH, UNKNOWN]
    for name in instruction_names()[2:]:
        record = INSTRUCTIONS[COMPRESSED[name].expansion.partition(" ")[0]] if name in COMPRESSED else INSTRUCTIONS[name]
        own = record.name.split(".")[0] if record.kind in APART else record.guest or record.kind.name.lower()
        if own not in names:
            names.append(own)
        numbers.append(names.index(own))
    if len(names) > area.START or len(numbers) > 1 << area.NUMBER_BITS:
        raise ValueError("the map of coverage has no room for so many instructions")
    return tuple(names), bytes(numbers)


@cache
def short_numbers() -> bytes:
    """Numbers of all 16-bit words, two bytes each."""
    words, first = np.arange(1 << 16, dtype=np.uint32), len(instruction_names()) - len(COMPRESSED)
    numbers = np.full(1 << 16, UNKNOWN, np.uint16)
    for n, record in enumerate(COMPRESSED.values()):
        fits = words & np.uint32(record.encoding.mask) == record.encoding.match
        for mask, value in record.exceptions:
            fits &= words & np.uint32(mask) != value
        numbers[fits] = first + n
    return numbers.tobytes()


class Map:
    """Memory in which an engine notes what the programs of an image reach."""

    def __init__(self) -> None:
        sizes = (area.AREA_BYTES, len(short_numbers()), 1 << area.NUMBER_BITS, 2 * area.FEATURES, 8 * SLOTS * PER_PROGRAM)
        starts = np.cumsum([0, *((size + 63) // 64 * 64 for size in sizes)]).tolist()
        self._memory = mmap.mmap(-1, starts[-1], flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._shorts, self._classes, self._reached, self._log = starts[1:-1]
        self._memory[self._shorts:self._shorts + sizes[1]] = short_numbers()
        self._memory[self._classes:self._classes + len(classes()[1])] = classes()[1]
        self._words = np.frombuffer(self._memory, np.uint64, area.AREA_BYTES // 8)
        self._seen = np.frombuffer(self._memory, np.uint16, area.FEATURES, self._reached)
        self._end = self._log + sizes[-1]

    def clear(self) -> None:
        """Nothing has been reached."""
        self._seen[:] = 0
        self._words[:] = 0
        for place, value in ((area.LOW, CODE & ADDRESS_MASK), (area.BYTES, SLOTS * SLOT_SIZE), (area.MASK, ADDRESS_MASK),
                             (area.SHIFT, SLOT_SIZE.bit_length() - 1), (area.NEXT, self.address + self._log),
                             (area.END, self.address + self._end), (area.SHORTS, self.address + self._shorts),
                             (area.CLASSES, self.address + self._classes), (area.REACHED, self.address + self._reached)):
            self._words[place // 8] = value

    def log(self) -> tuple[np.ndarray, np.ndarray]:
        """(slots, features): each feature of each program once, in the order in which they were reached."""
        count = (int(self._words[area.NEXT // 8]) - self.address - self._log) // 8
        words = np.frombuffer(self._memory, np.uint64, count, self._log).copy()
        return ((words & np.uint64((1 << area.SLOT_BITS) - 1)).astype(np.int64),
                (words >> np.uint64(area.SLOT_BITS)).astype(np.int64))


@dataclass(frozen=True)
class Outcome:
    """An instruction retired in a mode, or trapped there."""

    instruction: str
    mode: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.instruction} in {self.mode}: {self.outcome}"


@dataclass(frozen=True)
class Trap:
    """A trap with a cause, from a mode to one."""

    cause: str
    mode: str
    to: str

    def __str__(self) -> str:
        return f"{self.cause}, from {self.mode} to {self.to}"


@dataclass(frozen=True)
class Pair:
    """A class of instructions after another (or a trap of it)."""

    before: str
    after: str
    mode: str

    def __str__(self) -> str:
        return f"{self.before}, {self.after} in {self.mode}"


@dataclass(frozen=True)
class Write:
    """A CSR written in a mode, and which of its bytes changed."""

    csr: str
    mode: str
    changed: str

    def __str__(self) -> str:
        return f"{self.csr} written in {self.mode}: {self.changed}"


Feature = Outcome | Trap | Pair | Write


def feature(number: int) -> Feature:
    """What a feature's number stands for."""
    def low(bits: int) -> int:
        nonlocal rest
        rest, value = rest >> bits, rest & (1 << bits) - 1
        return value

    def mode() -> str:
        value = low(area.MODE_BITS)
        return mode_name(value & 3, value >> 2)
    base = max(base for base in (area.OUTCOMES, area.CAUSES, area.PAIRS, area.WRITES) if base <= number)
    rest = number - base
    if base == area.OUTCOMES:
        outcome, where = low(area.OUTCOME_BITS), mode()
        return Outcome(instruction_names()[rest], where, EXCEPTION_NAMES[outcome - 1] if outcome else RETIRED)
    if base == area.CAUSES:
        to, where, code = mode(), mode(), low(area.CODE_BITS)
        return Trap(cause_name(code | INTERRUPT if rest else code), where, to)
    if base == area.PAIRS:
        where, own, before = mode(), low(area.CLASS_BITS), low(area.CLASS_BITS)
        names = classes()[0]
        return Pair("(start)" if before == area.START else names[before] + " trapped" * rest, names[own], where)
    byte, where = low(area.BYTE_BITS), mode()
    return Write(csr_by_number(rest).name, where, "unchanged" if byte == area.UNCHANGED else f"bits {8 * byte} to {8 * byte + 7}")
