"""Batches of a campaign, with what Spike makes of them: it runs once for all mutants, and what it took is kept with that."""
from __future__ import annotations

import hashlib
import resource
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rvhyp.engine import cache
from rvhyp.fuzz.batches import BATCH, COMMON_WORDS, PER_PROGRAM, TABLE
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.harness import image
from rvhyp.fuzz.layout import SLOTS
from rvhyp.fuzz.oracles import ORACLES, Failed
from rvhyp.fuzz.targets import ISA, TARGETS
from tools.mutants.engine import Image
from tools.mutants.faults import PACKAGE

SOURCES = ("fuzz", "isa")               # what programs are made of


@dataclass
class Batch:
    """Programs, which of them count (those on which our engine and Spike agree), what Spike makes of them, and what that took."""

    first: int                          # number of the first program
    image: Image
    rows: slice
    counts: np.ndarray
    expected: np.ndarray
    seconds: float                      # of the processor, for making the programs and for Spike

    def different(self, data: bytes) -> int | None:
        """The first program by which an engine that left this is found out; None if there is none."""
        rows = np.nonzero((words_of(data, self.rows) != self.expected).any(axis=1) & self.counts)[0]
        return self.first + int(rows[0]) if len(rows) else None


def words_of(data: bytes, rows: slice) -> np.ndarray:
    """What all simulators must agree on, for each program."""
    return np.frombuffer(data, np.uint64).reshape(SLOTS, -1)[rows, :COMMON_WORDS]


class Batches:
    """The batches of a seed; those that have been run are in a folder."""

    def __init__(self, seed: int, folder: Path | None = None, size: int = BATCH):
        self.seed, self.size = seed, size
        self.folder = (folder or cache.folder() / "mutants") / f"{_sources()}-{seed}-{size}"
        self.makers = {name: target.maker(seed) for name, target in TARGETS.items()}
        self.limit = PER_PROGRAM * (size + 1)
        self.runners = ORACLES["spike"].make(ISA), ORACLES["interpreter"].make(ISA)
        self.get = lru_cache(2 * len(TARGETS))(self._get)

    def _get(self, target: str, number: int) -> Batch:
        """Batch `number` of a target."""
        first = number * self.size
        begin = _seconds()
        batch = self.makers[target].batch(first, self.size)
        program = image(batch.code.tobytes(), batch.records.tobytes(), batch.slot)
        rows = slice(batch.slot, batch.slot + self.size)
        path = self.folder / f"{target}-{number}.npz"
        with cache.lock(path.with_suffix(".lock")):
            if not path.exists():
                spike, engine = self.runners
                try:
                    ours = words_of(engine.run(program, TABLE, self.limit), rows)
                    expected = words_of(spike.run(program, TABLE, self.limit), rows)
                except Failed:                  # one of its programs ends nowhere, as may be: it says nothing of mutants
                    expected = ours = np.zeros((self.size, COMMON_WORDS), np.uint64)
                counts = (ours == expected).all(axis=1) & expected.any()
                np.savez(path.with_suffix(".half.npz"), expected=expected, counts=counts, seconds=_seconds() - begin)
                path.with_suffix(".half.npz").rename(path)
        with np.load(path) as kept:
            return Batch(first, Image.of(program), rows, kept["counts"], kept["expected"], float(kept["seconds"]))

    def example(self, target: str, number: int) -> Example:
        """A program of theirs."""
        return Example.of(self.makers[target].batch(number // self.size * self.size, self.size), number)


def _seconds() -> float:
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _sources() -> str:
    paths = sorted(path for name in SOURCES for path in (PACKAGE / name).rglob("*") if path.suffix in (".py", ".S"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]
