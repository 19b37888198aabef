"""Hypothesis strategies for RISC-V, derived from the records of instructions and CSRs.  They shrink to readable assembly.

    from hypothesis import given
    from rvhyp.fuzz import strategies as rv

    @given(rv.programs(), rv.machine_states())
    def test_something(program, state): ...

Wants Hypothesis: `pip install rvhyp[fuzz]`.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from rvhyp.fuzz.menu import POINTERS, RECORDS, TARGETS, base_kind
from rvhyp.fuzz.operands import FLOATS, INTEGERS, corner_values
from rvhyp.isa.csr import CSRS
from rvhyp.isa.fields import Field
from rvhyp.isa.instruction import Compressed, Instruction, Kind
from rvhyp.isa.text import disassemble

PAGE = 4096
MODES = {"M": (3, 0), "HS": (1, 0), "U": (0, 0), "VS": (1, 1), "VU": (0, 1)}
STRAIGHT = {Kind.ALU, Kind.FP, Kind.LOAD, Kind.STORE, Kind.AMO, Kind.FENCE}
MEMORY = {Kind.LOAD, Kind.STORE, Kind.AMO, Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL, Kind.MEMORY}
LEVELS = {8: 3, 9: 4, 10: 5}                    # of Sv39, Sv48, Sv57
V, R, W, X, U, G, A, D = (1 << n for n in range(8))
FULL = V | R | W | X | U | A | D


@dataclass(frozen=True)
class Word:
    """An instruction: its record and operands by field name."""

    name: str
    operands: tuple[tuple[str, int], ...]

    @property
    def record(self) -> Instruction | Compressed:
        return RECORDS[self.name]

    @property
    def bits(self) -> int:
        return self.record.encode(**dict(self.operands))

    def to_bytes(self) -> bytes:
        """As it lies in memory."""
        return self.bits.to_bytes(2 if isinstance(self.record, Compressed) else 4, "little")

    def __str__(self) -> str:
        return disassemble(self.bits)


@dataclass(frozen=True)
class Program:
    """Instructions in a row; what branches goes forward, so it ends."""

    words: tuple[Word, ...]

    def to_bytes(self) -> bytes:
        return b"".join(word.to_bytes() for word in self.words)

    def __str__(self) -> str:
        return "\n".join(map(str, self.words))


def integers64() -> st.SearchStrategy[int]:
    """64-bit words: small numbers, corners, anything."""
    return st.one_of(st.integers(0, 15), st.sampled_from(INTEGERS), st.integers(0, (1 << 64) - 1))


def floats(*widths: int) -> st.SearchStrategy[int]:
    """Contents of f registers: numbers of these formats (16, 32, 64; all of them), NaN-boxed but for some."""
    boxes = {width: (1 << 64) - (1 << width) if width < 64 else 0 for width in (16, 32, 64)}
    chosen = widths or (64, 32, 16)
    return st.one_of(*(each for width in chosen for each in (
        st.sampled_from(FLOATS[width]), st.integers(0, (1 << width) - 1).map(lambda bits, box=boxes[width]: box | bits))))


def operands(f: Field, kind: Kind, excluded: Iterable[int] = ()) -> st.SearchStrategy[int]:
    """Values of an operand field: registers that a program may use, corners of immediates and whatever fits."""
    low, high = f.bounds
    if f.is_register:
        usual: Iterable[int] = range(32)
        if not f.is_float:
            usual = TARGETS if f.name.startswith("rd") else POINTERS if f.name.startswith("rs1") and kind in MEMORY else range(30)
        values = [n for n in usual if low <= n <= high and n % f.step == 0 and n not in excluded]
        return st.sampled_from(values)
    if f.name == "rm":
        return st.sampled_from((7, 0, 1, 2, 3, 4))
    if f.name == "csr":
        return st.sampled_from(sorted(row.number for row in CSRS.values()))
    if f.name == "offset":
        return st.integers(2, 8).map(lambda halves: min(2 * halves, high))
    corners = [value for value in corner_values(low, high, f.step) if value not in excluded]
    simplest = sorted(corners, key=lambda value: (abs(value), value < 0))
    anything = st.integers(-(-low // f.step), high // f.step).map(lambda n: n * f.step).filter(lambda n: n not in set(excluded))
    return st.one_of(st.sampled_from(simplest), anything)


def instruction(name: str, **fixed: int) -> st.SearchStrategy[Word]:
    """An instruction of a name; `fixed` gives some of its operands."""
    record = RECORDS[name]
    nonzero = getattr(record, "nonzero", ())

    def excluded(f: Field) -> set[int]:
        other = getattr(record, "excluded", {}).get(f.name)
        return ({0} if f.name in nonzero else set()) | ({other} if other is not None else set())
    parts = {f.name: st.just(fixed[f.name]) if f.name in fixed else operands(f, base_kind(record), excluded(f))
             for f in record.fields.values()}
    words = st.fixed_dictionaries(parts).map(lambda values: Word(name, tuple(values.items())))
    return words.filter(lambda word: record.matches(word.bits))


def names(kinds: Iterable[Kind] | None = None) -> list[str]:
    """Names of all instructions, or of those of some kinds, the oldest extensions first: that is what examples shrink to."""
    wanted = None if kinds is None else set(kinds)
    return [name for name, record in RECORDS.items() if wanted is None or base_kind(record) in wanted]


def instructions(kinds: Iterable[Kind] | None = None) -> st.SearchStrategy[Word]:
    """Any instruction, or any of some kinds."""
    return st.sampled_from(names(kinds)).flatmap(_any_of)


@cache
def _any_of(name: str) -> st.SearchStrategy[Word]:
    return instruction(name)


def programs(max_size: int = 30, kinds: Iterable[Kind] = STRAIGHT, branches: bool = True) -> st.SearchStrategy[Program]:
    """Straight lines of instructions, with branches a little forward among them."""
    wanted = names(kinds)
    one = st.sampled_from([*wanted, *names([Kind.BRANCH]) * (1 + len(wanted) // 32)] if branches else wanted).flatmap(_any_of)
    return st.lists(one, min_size=1, max_size=max_size).map(lambda words: Program(tuple(words)))


def csr_values(name: str) -> st.SearchStrategy[int]:
    """Values to write to a CSR: nothing, all that can be written, single fields, anything."""
    mask = CSRS[name].writable or (1 << 64) - 1
    bits = [1 << n for n in range(64) if mask >> n & 1]
    return st.one_of(st.just(0), st.sampled_from(bits), st.just(mask), integers64())


@dataclass(frozen=True)
class Leaf:
    """A page-table entry that maps a page: where in the table of its level, what frame, with what bits."""

    va: int
    pa: int
    bits: int
    level: int = 0

    @property
    def entry(self) -> int:
        return (self.pa >> 12 << 10 | self.bits) & (1 << 64) - 1


@dataclass(frozen=True)
class Tables:
    """Words of memory that make up a page table, and the value of satp or vsatp that leads to it."""

    mode: int
    root: int
    words: tuple[tuple[int, int], ...]
    leaves: tuple[Leaf, ...]

    @property
    def atp(self) -> int:
        return self.mode << 60 | self.root >> 12


@st.composite
def page_tables(draw, at: int, frames: Iterable[int], vas: Iterable[int], modes: Iterable[int] = (8, 9, 10)) -> Tables:
    """A table at `at` that maps some of the pages `vas` to some of the frames: mostly valid, sometimes odd or broken."""
    mode, frames = draw(st.sampled_from(tuple(modes))), tuple(frames)
    words: dict[int, int] = {}
    tables = {(): at}                           # by the indices that lead there
    leaves: list[Leaf] = []
    usual = st.sampled_from((FULL, FULL & ~U, FULL & ~W & ~D, FULL & ~D, FULL & ~A))
    for va in vas:
        if not draw(st.booleans()):
            continue
        leaves.append(Leaf(va, draw(st.sampled_from(frames)), draw(st.one_of(usual, usual, st.integers(0, 255))),
                           draw(st.sampled_from((0, 0, 0, 0, 1)))))
    leaves.sort(key=lambda leaf: -leaf.level)   # a page takes the place of a large one that it lies in
    for leaf in leaves:
        va = leaf.va
        path: tuple[int, ...] = ()
        for level in range(LEVELS[mode] - 1, leaf.level, -1):
            entry = tables[path] + 8 * (va >> 12 + 9 * level & 511)
            path += (va >> 12 + 9 * level & 511,)
            if path not in tables:
                tables[path] = at + PAGE * len(tables)
                words[entry] = tables[path] >> 12 << 10 | V
        words[tables[path] + 8 * (va >> 12 + 9 * leaf.level & 511)] = leaf.entry
    return Tables(mode, at, tuple(words.items()), tuple(leaves))


@dataclass(frozen=True)
class State:
    """A hart: its mode, registers, CSRs."""

    mode: str
    x: tuple[int, ...]
    f: tuple[int, ...]
    csrs: tuple[tuple[str, int], ...]

    @property
    def prv(self) -> int:
        return MODES[self.mode][0]

    @property
    def v(self) -> int:
        return MODES[self.mode][1]


def machine_states(modes: Iterable[str] = tuple(MODES), csrs: Iterable[str] = ()) -> st.SearchStrategy[State]:
    """A hart in any of some modes, with values in all registers and in some CSRs."""
    return st.builds(
        State, st.sampled_from(tuple(modes)), st.tuples(st.just(0), *[integers64()] * 31), st.tuples(*[floats()] * 32),
        st.tuples(*(st.tuples(st.just(name), csr_values(name)) for name in csrs)))


@dataclass(frozen=True)
class Event:
    """An interrupt line that changes after so many instructions."""

    after: int
    bit: int
    level: bool


def interrupt_schedules(longest: int = 1000, bits: Iterable[int] = (1, 3, 5, 7, 9, 11)) -> st.SearchStrategy[list[Event]]:
    """Changes of interrupt bits of mip in the course of a run."""
    event = st.builds(Event, st.integers(0, longest), st.sampled_from(tuple(bits)), st.booleans())
    return st.lists(event, max_size=8).map(lambda events: sorted(events, key=lambda each: each.after))
