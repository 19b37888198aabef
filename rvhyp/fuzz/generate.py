"""Programs for a whole batch at once, from one seed each: dishes drawn from a menu, laid out, with jumps that end.

Jumps go forward, a few dishes at most; loops count a reserved register down, and so end whatever jumps into them.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rvhyp.fuzz.layout import R_LENGTH, RECORD_WORDS, SLOT_SIZE, SLOTS
from rvhyp.fuzz.menu import COUNTER, JUMP_FORMS, OPERANDS, REPEATS, WORDS, Dish, Menu, Word, fixed
from rvhyp.fuzz.randomness import mixed, streams, words
from rvhyp.isa.instruction import INSTRUCTIONS

DISHES = 92                             # of a program, if they fit its slot
LIMIT = SLOT_SIZE - 32                  # bytes of code, before the end of the program
FARTHEST = 8                            # dishes that a jump goes over
LOOP_TURNS = (2, 3, 4, 5)
HALVES = 2                              # of a program, with at most one loop each
# Places in a program's stream of random words.
AT_DISHES, AT_OPERANDS, AT_FREE, AT_PROGRAM, AT_STATE = 0, 1_000, 2_000, 6_000, 10_000

ECALL = INSTRUCTIONS["ecall"].encode()
BLT_BACK = INSTRUCTIONS["blt"].encode(rs1=0, rs2=COUNTER, offset=0)
BLT_REPEAT = INSTRUCTIONS["blt"].encode(rs1=0, rs2=REPEATS, offset=0)

LOOP_HEADS = [Dish(f"loop {turns}", [fixed("addi", rd=COUNTER, rs1=0, imm=turns)], 0) for turns in LOOP_TURNS]
LOOP_END = Dish("loop end", [fixed("addi", rd=COUNTER, rs1=COUNTER, imm=-1), Word(BLT_BACK, 4)], 0)
_AGAIN = [fixed("addi", rd=REPEATS, rs1=REPEATS, imm=-1), Word(BLT_REPEAT, 4)]
REPEAT = Dish("repeat", _AGAIN, 0)
# A program that is run many times traps once in each turn: with that a time slice of Spike begins, so none ends within a turn.
TRAP_AND_REPEAT = Dish("ecall repeat", [fixed("ecall"), *_AGAIN], 0)


@dataclass(eq=False)
class Genes:
    """The random words that programs are made of, a row for each: who has these has the program."""

    dishes: np.ndarray                  # which dish, and how far it jumps: (programs, DISHES + 1)
    operands: np.ndarray                # of each dish
    control: np.ndarray                 # loops: (programs, HALVES)
    starts: np.ndarray                  # of the stream that the state is made from: (programs,)

    @classmethod
    def fresh(cls, seed: int, first: int, count: int) -> Genes:
        """Those of programs that depend on seed and number alone."""
        starts = streams(seed, np.arange(first, first + count, dtype=np.uint64))
        return cls(words(starts, AT_DISHES, DISHES + 1), words(starts, AT_OPERANDS, DISHES + 1),
                   words(starts, AT_PROGRAM, HALVES), starts)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which) -> Genes:
        """Those of some programs: a slice or an array of indices."""
        return Genes(self.dishes[which], self.operands[which], self.control[which], self.starts[which])

    def table(self) -> np.ndarray:
        """All words: a row for each program."""
        return np.hstack([self.dishes, self.operands, self.control, self.starts[:, None]])

    @classmethod
    def of_table(cls, table: np.ndarray) -> Genes:
        """The inverse of `table`."""
        dishes, operands, control, starts = np.split(table, np.cumsum([DISHES + 1, DISHES + 1, HALVES]), axis=1)
        return cls(dishes, operands, control, starts[:, 0])


@dataclass
class Batch:
    """Programs `first` to `first + count - 1` of a campaign; program n is in slot n modulo SLOTS."""

    first: int
    code: np.ndarray                    # bytes: (programs, SLOT_SIZE)
    records: np.ndarray                 # words: (programs, RECORD_WORDS)
    rows: np.ndarray                    # dishes by their number in the menu: (programs, DISHES + 1), -1 behind the end
    genes: Genes                        # what they are made of

    @property
    def count(self) -> int:
        return len(self.code)

    @property
    def slot(self) -> int:
        """The slot of the first program; the batch lies in one row of slots."""
        return self.first % SLOTS


def with_control(dishes: list[Dish], repeats: int = 1) -> Menu:
    """A menu with what makes loops, at its end."""
    has_reservations = any("sc." in each.name for each in dishes)
    return Menu([*dishes, *LOOP_HEADS, LOOP_END, TRAP_AND_REPEAT if repeats > 1 and has_reservations else REPEAT])


def branch_bits(distance: np.ndarray) -> np.ndarray:
    """The offset of a branch, encoded."""
    d = distance.astype(np.int64)
    return ((d >> 12 & 1) << 31 | (d >> 5 & 0x3F) << 25 | (d >> 1 & 0xF) << 8 | (d >> 11 & 1) << 7).astype(np.uint32)


def generate(menu: Menu, genes: Genes, first: int) -> Batch:
    """Code of programs from `first` on; their records are empty but for the length."""
    count = len(genes)
    if first % SLOTS + count > SLOTS:
        raise ValueError("a batch must not run over the last slot")
    rows = menu.choice[(genes.dishes & np.uint64(4095)).astype(np.int64)]
    loops = _place_loops(menu, rows, genes)
    ends = np.cumsum(menu.lengths[rows], axis=1)
    last = np.minimum((ends <= LIMIT).sum(axis=1), DISHES)      # the dish that ends the program
    every = np.arange(count)
    rows[every, last] = len(menu.dishes) - 1
    places = np.arange(DISHES + 1)[None, :]
    rows[places > last[:, None]] = -1
    lengths = np.where(rows >= 0, menu.lengths[rows], 0)
    ends = np.cumsum(lengths, axis=1)
    begins = ends - lengths
    code = np.zeros((count, SLOT_SIZE), np.uint8)
    _write_words(menu, code, rows, begins, genes, last, loops)
    size = ends[:, -1]
    halves = code.view(np.uint16)
    halves[every, size // 2], halves[every, size // 2 + 1] = ECALL & 0xFFFF, ECALL >> 16
    records = np.zeros((count, RECORD_WORDS), np.uint64)
    records[:, R_LENGTH] = size
    return Batch(first, code, records, rows, genes)


def _place_loops(menu: Menu, rows: np.ndarray, genes: Genes) -> np.ndarray:
    """Put loops into some programs, at most one in each half; gives for each dish the one that its loop begins behind."""
    count = len(rows)
    every, back = np.arange(count), np.zeros(rows.shape, np.int64)
    heads = len(menu.dishes) - 2 - len(LOOP_HEADS)
    for half, draw in enumerate(genes.control.T):
        has = (draw & np.uint64(3)) != 0
        begin = half * DISHES // HALVES + (draw >> np.uint64(2)).astype(np.int64) % 20
        end = begin + 2 + (draw >> np.uint64(12)).astype(np.int64) % 20
        turns = (draw >> np.uint64(22)).astype(np.int64) % len(LOOP_TURNS)
        rows[every[has], begin[has]] = heads + turns[has]
        rows[every[has], end[has]] = heads + len(LOOP_HEADS)
        back[every[has], end[has]] = begin[has] + 1
    return back


def _write_words(menu, code, rows, begins, genes, last, loops) -> None:
    """Encode all instructions, the first of each dish, the second, and so on."""
    halves = code.view(np.uint16)
    positions = begins.copy()
    at_program, at_dish = np.nonzero(rows >= 0)
    for number in range(WORDS):
        r = rows[at_program, at_dish]
        some = menu.counts[r] > number
        at_program, at_dish, r = at_program[some], at_dish[some], r[some]
        if not len(r):
            return
        bits = menu.bits[r, number].copy()
        draw = genes.operands[at_program, at_dish]
        for n in range(OPERANDS):
            value = (draw >> menu.draws[r, number, n]) & np.uint64(63)
            bits |= menu.values[menu.pools[r, number, n] + value.astype(np.int64)]
        free = menu.free[r, number]
        noise = mixed(draw + np.uint64(AT_FREE + number))
        free = np.where(noise >> np.uint64(63) != 0, free, 0).astype(np.uint32)
        bits = (bits & ~free) | (noise.astype(np.uint32) & free)
        here = positions[at_program, at_dish]
        bits |= _jumps(menu, r, number, here, begins, at_program, at_dish, genes.dishes, last, loops)
        size = menu.sizes[r, number]
        halves[at_program, here // 2] = bits.astype(np.uint16)
        wide = size == 4
        halves[at_program[wide], here[wide] // 2 + 1] = (bits[wide] >> np.uint32(16)).astype(np.uint16)
        positions[at_program, at_dish] += size


def _jumps(menu, r, number, here, begins, at_program, at_dish, chosen, last, loops) -> np.ndarray:
    """Encoded distances of those words that jump, 0 for the others."""
    bits = np.zeros(len(r), np.uint32)
    form = menu.jumps[r, number]
    jump = form >= 0
    p, d = at_program[jump], at_dish[jump]
    ahead = (chosen[p, d] >> np.uint64(20)).astype(np.int64) % FARTHEST
    origin = np.where(form[jump] == JUMP_FORMS.index("jalr"), begins[p, d], here[jump])
    for _ in range(FARTHEST):
        distance = np.maximum(begins[p, np.minimum(d + 1 + ahead, last[p])] - origin, 0)
        ahead -= distance > menu.farthest[form[jump]]           # over long dishes: not so many of them
    bits[jump] = menu.distances[form[jump], distance // 2]
    if number:
        end = len(menu.dishes) - 2
        for row, back in ((end, begins[at_program, loops[at_program, at_dish]]), (end + 1, np.zeros(len(r), np.int64))):
            this = (r == row) & (number == menu.counts[row] - 1)
            bits[this] |= branch_bits(back[this] - here[this])
    return bits
