"""Guidance: programs bred from those that reached something new, the same however many processes run them.

Programs come in generations, in order of their numbers.  Those of generation g are partly made of their own random words, as
without guidance, and partly of words of the pool: of what the generations up to g - 2 left.  So nobody waits for the batches
that run now, and a program depends on seed and number, and on what lower numbers reached; not on who ran them, or when.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rvhyp.engine.coverage import FEATURES
from rvhyp.fuzz.generate import DISHES, Genes
from rvhyp.fuzz.randomness import words

UNIT = 512                              # programs: generations are made of so many
LARGEST = 64                            # units of a generation, at most
POOL = 128                              # programs that are bred from: the newest that reached something new, and at most half
                                        # of them of a corpus
AT_GUIDE = 20_000                       # place in a program's stream of random words
BRED = 3                                # of four programs, in generations that have a pool
RATES = (16, 64, 128, 192)              # of 256 dishes (operands, apart), that are drawn anew: one of these for each program
NOBODY = np.iinfo(np.int64).max


def generation(number: int) -> int:
    """The generation of a program: one unit, one, two, four, and so on up to LARGEST units."""
    unit, last = number // UNIT, LARGEST.bit_length()
    return unit.bit_length() if unit < 2 * LARGEST else last + unit // LARGEST - 1


def end_of(generation: int) -> int:
    """The number behind the last program of a generation."""
    last = LARGEST.bit_length()
    return UNIT * (1 << generation if generation <= last else LARGEST * (generation - last + 2))


@dataclass
class Program:
    """A program as it is kept: what stands in its slot and what the harness reads, and the words that both are made of.

    Numbers below 0 are those of programs of a corpus.
    """

    number: int
    slot: int
    code: bytes
    record: bytes
    genes: bytes = b""

    @property
    def words(self) -> np.ndarray:
        return np.frombuffer(self.genes, np.uint64)


def breed(own: Genes, pool: Genes) -> Genes:
    """Programs of which some have dishes, operands, loops or the state of others; those draw all that they change."""
    if not len(pool):
        return own
    count, every = len(own), np.arange(len(own))
    draws = words(own.starts, AT_GUIDE, 8)

    def below(n: int, column: int, shift: int = 8) -> np.ndarray:
        return (draws[:, column] >> np.uint64(shift)).astype(np.int64) % n
    bred = below(4, 0) < BRED
    size = len(pool)
    one, other = (np.maximum(below(size, column), below(size, column, 40)) for column in (1, 2))    # rather the newer ones
    places = np.broadcast_to(np.arange(DISHES + 1), (count, DISHES + 1))
    begin, length, shift = below(DISHES, 3), below(48, 4), below(16, 4, 40) - 8
    length = np.where(below(2, 5) == 0, 0, length)
    spliced = (places >= begin[:, None]) & (places < (begin + length)[:, None])
    source = np.where(spliced, other[:, None], one[:, None])
    place = np.where(spliced, places + shift[:, None], places) % (DISHES + 1)
    noise, rate = words(own.starts, AT_GUIDE + 8, DISHES + 1), np.array(RATES)

    def fresh(shift: int, column: int) -> np.ndarray:
        drawn = (noise >> np.uint64(shift) & np.uint64(0xFF)).astype(np.int64)
        return (drawn < rate[below(len(RATES), column, 24)][:, None]) | ~bred[:, None]
    new_dishes, new_operands = fresh(0, 5), fresh(8, 6)
    states = np.where(below(4, 7) == 0, pool.starts[other], pool.starts[one])
    keeps = bred & (below(4, 7, 16) != 0)
    control = np.where((bred & (below(4, 6) != 0))[:, None], pool.control[one], own.control)
    return Genes(np.where(new_dishes, own.dishes, pool.dishes[source, place]),
                 np.where(new_dishes | new_operands, own.operands, pool.operands[source, place]),
                 control, np.where(keeps, states, own.starts)[every])


@dataclass
class Reached:
    """What some programs of a batch reached: each feature once, with the first program that did, and how many did."""

    features: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    first: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of_log(cls, numbers: np.ndarray, features: np.ndarray) -> Reached:
        """From programs and features in the order in which they were reached, program by program."""
        found, at, counts = np.unique(features, return_index=True, return_counts=True)
        return cls(found, numbers[at], counts)


class Guide:
    """What a campaign has reached, and the pools of its generations."""

    def __init__(self) -> None:
        self.first = np.full(FEATURES, NOBODY, np.int64)        # the lowest number of a program that reached each feature
        self.counts = np.zeros(FEATURES, np.int64)              # how many programs did
        self.programs: dict[int, Program] = {}                  # those that were the first for some feature, by number
        self._left: dict[int, int] = {}                         # programs of a generation that are still to come
        self._replays = 0
        self._pools: dict[int, Genes] = {}
        self.complete = -1                                      # generations up to this one are

    @property
    def count(self) -> int:
        """How many have been reached."""
        return int(np.count_nonzero(self.counts))

    def expect_replays(self, count: int) -> None:
        """So many programs of a corpus come first; they count as of generation 0."""
        self._replays += count

    def done(self, first: int, count: int) -> None:
        """These programs have run, or never will."""
        if first < 0:
            self._replays -= count
        else:
            which = generation(first)
            size = end_of(which) - (end_of(which - 1) if which else 0)
            self._left[which] = self._left.get(which, size) - count
        while not self._replays and self._left.get(self.complete + 1) == 0:
            self.complete += 1

    def add(self, reached: Reached, programs: list[Program]) -> None:
        """What a batch reached, with those of its programs that may be the first for some feature."""
        np.add.at(self.counts, reached.features, reached.counts)
        self.first[reached.features] = np.minimum(self.first[reached.features], reached.first)
        self.programs |= {program.number: program for program in programs}

    def credited(self, end: int = NOBODY) -> list[Program]:
        """Programs before a number that were the first for some feature, in order."""
        numbers = np.unique(self.first[self.first < end])
        return [self.programs[number] for number in numbers.tolist() if number in self.programs]

    def features(self) -> dict[int, list[int]]:
        """Of programs that were the first for some feature, these features."""
        found: dict[int, list[int]] = {}
        for number in np.nonzero(self.first < NOBODY)[0].tolist():
            found.setdefault(int(self.first[number]), []).append(number)
        return found

    def pool(self, which: int) -> Genes | None:
        """What programs of a generation are bred from; None as long as that is not known."""
        if self.complete < which - 2:
            return None
        if which not in self._pools:
            earlier = self.credited(end_of(which - 2)) if which >= 2 else []
            given = [program.words for program in earlier if program.genes and program.number < 0][-POOL // 2:]
            words_ = given + [program.words for program in earlier if program.number >= 0][len(given) - POOL:]
            table = np.array(words_) if words_ else Genes.fresh(0, 0, 0).table()
            self._pools = {key: value for key, value in self._pools.items() if key > which - 2} | {which: Genes.of_table(table)}
        return self._pools[which]
