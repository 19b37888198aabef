"""What programs are made of, as tables: derived from the instruction records, looked up by the generator for whole batches.

A *dish* is one or some instructions that belong together (most are a single one).  Each of its operands is drawn from a list
of values already encoded, so that making an instruction is: take the fixed bits, look up each operand, or them together.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from rvhyp.fuzz.operands import corner_values
from rvhyp.isa.fields import Field
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Compressed, Instruction, Kind

RECORDS: dict[str, Instruction | Compressed] = INSTRUCTIONS | COMPRESSED
DRAWS = 10                              # operands of a dish, six bits of a random word each
VALUES = 64                             # values that an operand is drawn from
OPERANDS = 5                            # of an instruction, at most
WORDS = 64                              # instructions of a dish, at most
POINTERS = (2, 8, 9)                    # registers that point to data, and are never written
ALIGNED = 9                             # the one that atomics use: aligned to 16 bytes
REPEATS, COUNTER, TARGET = 30, 31, 29   # registers: how often the program is repeated, a loop's counter, where a jump goes
SOURCES = tuple(range(30))
TARGETS = (0, 1, *range(3, 8), *range(10, 29))
REACH = 512                             # bytes that a jump goes forward, at most

MEMORY_KINDS = {Kind.LOAD, Kind.STORE, Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL, Kind.AMO, Kind.MEMORY}
ATOMIC_KINDS = {Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL, Kind.AMO, Kind.MEMORY}

JUMP_FORMS = ("branch", "jal", "jalr", "c.branch", "c.j")   # encodings of a distance


@dataclass
class Word:
    """One instruction of a dish: fixed bits, operands as (draw, encoded values), bits that may be anything, and its jump."""

    bits: int
    size: int
    operands: list[tuple[int, list[int]]] = field(default_factory=list)
    free: int = 0                       # bits of an immediate that are sometimes plain random
    jump: str = ""                      # one of JUMP_FORMS: the distance to another dish is encoded


@dataclass
class Dish:
    name: str
    words: list[Word]
    weight: float = 1.0


Choose = Callable[[str, Field], "Iterable[int] | None"]


def base_kind(record: Instruction | Compressed) -> Kind:
    """The kind of the instruction, or of the one that it stands for."""
    return record.kind if isinstance(record, Instruction) else INSTRUCTIONS[record.expansion.partition(" ")[0]].kind


def _spread(values: Iterable[int]) -> list[int]:
    """VALUES values, each of the given ones about as often as the others."""
    values = list(values)
    return [values[n % len(values)] for n in range(VALUES)]


def _registers(f: Field, kind: Kind, excluded: set[int]) -> list[int]:
    """Registers that an operand may be: never the reserved ones as a target, pointers as addresses."""
    name = f.name
    if f.is_float:
        candidates: Iterable[int] = range(32)
    elif name.startswith("rs1") and kind in MEMORY_KINDS:
        candidates = (ALIGNED,) if kind in ATOMIC_KINDS else POINTERS
    elif name.startswith("rd"):
        candidates = TARGETS
    else:
        candidates = SOURCES
    low, high = f.bounds
    return [n for n in candidates if low <= n <= high and n % f.step == 0 and n not in excluded]


def word_of(name: str, choose: dict[str, Iterable[int]] | None = None, first_draw: int = 0, **draws: int) -> Word:
    """An instruction with the operands that suit it.

    `choose` gives the values of some operands, `draws` the number of the draw that decides one; the others have their own.
    """
    record = RECORDS[name]
    kind = base_kind(record)
    is_memory = kind in MEMORY_KINDS
    word = Word(record.encoding.match, 2 if isinstance(record, Compressed) else 4)
    draw = first_draw
    for f in record.fields.values():
        excluded = {0} if f.name in getattr(record, "nonzero", ()) else set()
        if f.name in getattr(record, "excluded", {}):
            excluded.add(record.excluded[f.name])
        if f.name == "offset":
            word.jump = {("beq", 4): "branch", ("jal", 4): "jal"}.get((name, 4), "")
            word.jump = word.jump or ("c.j" if name == "c.j" else "c.branch" if word.size == 2 else
                                      "jal" if name == "jal" else "branch")
            continue
        if choose and f.name in choose:
            values = list(choose[f.name])
        elif f.is_register:
            values = _registers(f, kind, excluded)
        elif f.name == "rm":
            values = [7] * 9 + [0, 1, 2, 3, 4, 5]
        elif is_memory and f.name in ("imm", "uimm"):
            low, high = f.bounds
            values = [v for v in range(max(low, -64), min(high, 63) + 1, f.step) if v % 8 == 0 or v % 5 == 0]
        else:
            low, high = f.bounds
            values = [v for v in corner_values(low, high, f.step) if v not in excluded]
            if not excluded and f.name in ("imm", "uimm", "shamt"):
                word.free |= f.mask
        number = draws.get(f.name.rstrip("'"), draw)
        draw += 1
        word.operands.append((number, _spread(f.put(v) for v in values)))
    if len(word.operands) > OPERANDS or draw > DRAWS:
        raise ValueError(f"{name} has more operands than a dish can draw")
    return word


def dish(name: str, weight: float = 1.0, **choose: Iterable[int]) -> Dish:
    """A dish of one instruction."""
    return Dish(name, [word_of(name, choose)], weight)


def fixed(name: str, **operands: int) -> Word:
    """An instruction with all operands given."""
    record = RECORDS[name]
    return Word(record.encode(**operands), 2 if isinstance(record, Compressed) else 4)


def jump_table() -> tuple[np.ndarray, np.ndarray]:
    """Encoded distances by form and by half of the distance; and the greatest distance of each form."""
    b, j, i = INSTRUCTIONS["beq"].fields["offset"], INSTRUCTIONS["jal"].fields["offset"], INSTRUCTIONS["jalr"].fields["imm"]
    cb, cj = COMPRESSED["c.beqz"].fields["offset"], COMPRESSED["c.j"].fields["offset"]
    table, farthest = np.zeros((len(JUMP_FORMS), REACH // 2), np.uint32), np.zeros(len(JUMP_FORMS), np.int64)
    for form, f in enumerate((b, j, i, cb, cj)):
        farthest[form] = min(f.bounds[1] & ~1, REACH - 2)
        for half in range(farthest[form] // 2 + 1):
            table[form, half] = f.put(2 * half)
    return table, farthest


class Menu:
    """Dishes as arrays: for each dish and each of its words the fixed bits, the size, operands, free bits and the jump."""

    def __init__(self, dishes: list[Dish]):
        self.dishes = dishes
        self.names = [each.name for each in dishes]
        count = len(dishes)
        self.counts = np.array([len(each.words) for each in dishes], np.int64)
        self.bits = np.zeros((count, WORDS), np.uint32)
        self.sizes = np.zeros((count, WORDS), np.int64)
        self.free = np.zeros((count, WORDS), np.uint32)
        self.jumps = np.full((count, WORDS), -1, np.int64)
        self.draws = np.zeros((count, WORDS, OPERANDS), np.uint64)
        self.pools = np.zeros((count, WORDS, OPERANDS), np.int64)     # where an operand's values begin in `values`
        values = [np.zeros(VALUES, np.uint32)]
        for row, each in enumerate(dishes):
            for at, word in enumerate(each.words):
                self.bits[row, at], self.sizes[row, at], self.free[row, at] = word.bits, word.size, word.free
                if word.jump:
                    self.jumps[row, at] = JUMP_FORMS.index(word.jump)
                for n, (draw, encoded) in enumerate(word.operands):
                    self.draws[row, at, n], self.pools[row, at, n] = 6 * draw, VALUES * len(values)
                    values.append(np.array(encoded, np.uint32))
        self.values = np.concatenate(values)
        self.lengths = self.sizes.sum(axis=1)
        self.distances, self.farthest = jump_table()
        weights = np.array([each.weight for each in dishes])
        bounds = np.round(np.cumsum(weights) / weights.sum() * 4096).astype(np.int64)
        self.choice = np.searchsorted(bounds, np.arange(4096), side="right")
