"""The unit of work: a batch of programs made, run on an engine and on the oracles, and compared.

Work goes to a process, here or elsewhere, and a small result comes back; both can be pickled, and nothing else is shared.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from rvhyp.engine.coverage import FEATURES
from rvhyp.fuzz.coverage import Map
from rvhyp.fuzz.generate import Genes
from rvhyp.fuzz.guide import NOBODY, Program, Reached, breed
from rvhyp.fuzz.harness import image
from rvhyp.fuzz.layout import R_X, RECORD_SIZE, RESULT_SIZE, RESULTS, SLOT_SIZE, SLOTS
from rvhyp.fuzz.menu import REPEATS
from rvhyp.fuzz.oracles import ORACLES, Failed, Region, is_over
from rvhyp.fuzz.plan import Plan

BATCH, LONG_BATCH = 512, 64             # programs that are made at a time; where each runs for long
SLOW_BATCH = 8                          # ... where only slow oracles look at them
TURNS = BATCH * 100                     # of all programs of a batch together, but for the smallest
TABLE = Region(RESULTS, SLOTS * RESULT_SIZE)
PER_PROGRAM = 100_000                   # instructions of a program and what the harness does for it, in each turn, at most
BROKEN = 8                              # programs of a batch that do not end, which are found one by one; no more are looked for
NO_POOL = Genes.fresh(0, 0, 0)
OUR_WORDS, COMMON_WORDS = 2, 1          # of a result: what our engines agree on, what all simulators do


@dataclass(frozen=True, eq=False)
class Work:
    """Programs `first` to `first + count - 1`, bred from a pool, if it is not empty.  Or programs that are given."""

    first: int
    count: int
    pool: Genes = NO_POOL
    programs: tuple[Program, ...] = ()

    def halves(self) -> list[Work]:
        """The same in two parts."""
        half = self.count // 2
        return [Work(self.first + start, count, self.pool, self.programs[start:start + count])
                for start, count in ((0, half), (half, self.count - half))]


@dataclass
class Found:
    """A program that differs; without it where the number says all."""

    number: int
    oracle: str
    what: str = "differs"
    program: Program | None = None


@dataclass
class Result:
    """What became of some work."""

    first: int
    count: int
    retired: Counter[str] = field(default_factory=Counter)      # instructions of those programs that an oracle was asked about
    compared: Counter[str] = field(default_factory=Counter)     # such programs
    found: list[Found] = field(default_factory=list)
    reached: Reached = field(default_factory=Reached)
    programs: list[Program] = field(default_factory=list)       # those that were the first to reach something, as far as one
    sets: list[tuple[int, np.ndarray]] = field(default_factory=list)    # process knows; and what each given program reached
    given_up: int = 0                   # programs that were not compared, since too many did not end


@dataclass
class Loaded:
    """Programs ready to run: each in its slot, in increasing order."""

    slots: np.ndarray
    numbers: np.ndarray
    code: np.ndarray                    # as in Batch
    records: np.ndarray
    genes: np.ndarray | None = None     # of those that are made here ...
    given: tuple[Program, ...] = ()     # ... and the others as they came

    def __len__(self) -> int:
        return len(self.slots)

    def part(self, start: int, count: int) -> Loaded:
        """Some of them."""
        some = slice(start, start + count)
        return Loaded(self.slots[some], self.numbers[some], self.code[some], self.records[some],
                      None if self.genes is None else self.genes[some], self.given[some])

    def once(self) -> Loaded:
        """The same, each run one time only."""
        records = self.records.copy()
        records[:, R_X + REPEATS] = 1
        return replace(self, records=records)

    def image(self):
        """An image of them; slots between them are empty."""
        first, span = int(self.slots[0]), int(self.slots[-1] - self.slots[0]) + 1
        if span == len(self):
            return image(self.code.tobytes(), self.records.tobytes(), first)
        code = np.zeros((span, self.code.shape[1]), self.code.dtype)
        records = np.zeros((span, self.records.shape[1]), self.records.dtype)
        code[self.slots - first], records[self.slots - first] = self.code, self.records
        return image(code.tobytes(), records.tobytes(), first)

    def program(self, row: int) -> Program:
        """One of them, to be kept."""
        if self.given:
            return self.given[row]
        return Program(int(self.numbers[row]), int(self.slots[row]), self.code[row].tobytes(), self.records[row].tobytes(),
                       b"" if self.genes is None else self.genes[row].tobytes())

    def found(self, row: int, oracle: str, what: str = "differs") -> Found:
        """One of them differs."""
        return Found(int(self.numbers[row]), oracle, what, self.program(row))


class Bench:
    """An engine and the oracles, ready for work."""

    def __init__(self, plan: Plan, oracles: tuple[str, ...]):
        self.plan, self.maker = plan, plan.maker()
        self.engine = ORACLES[plan.engine].make(plan.isa)
        self.oracles = {name: ORACLES[name].make(plan.isa) for name in oracles}
        self.samples = not are_slow(oracles)                    # slow oracles see but some of the programs
        self._best = np.full(FEATURES, NOBODY, np.int64)        # the first programs that this process has told of

    @cached_property
    def map(self) -> Map:
        return Map()

    def run(self, work: Work) -> Result:
        """All of it."""
        programs, result = self.load(work), Result(work.first, work.count)
        for name in self.oracles:
            if not self.samples or work.programs or self._is_sampled(work.first, ORACLES[name].every):
                some = min(len(programs), ORACLES[name].slots) if self.samples else len(programs)
                self._compare(name, programs.part(0, some), result)
        if self.plan.is_covered:
            self._cover(programs, result, bool(work.programs))
        return result

    def _is_sampled(self, first: int, every: int) -> bool:
        """Whether an oracle that sees one batch of so many sees this one: not the first of all, for a short campaign's sake."""
        return every == 1 or first % BATCH == 0 and first // BATCH % every == every // 4

    def load(self, work: Work) -> Loaded:
        """The programs of some work."""
        if work.programs:
            slots, numbers = (np.array([getattr(program, name) for program in work.programs]) for name in ("slot", "number"))
            code, records = (np.frombuffer(b"".join(getattr(program, name) for program in work.programs), kind).reshape(-1, size)
                             for name, kind, size in (("code", np.uint8, SLOT_SIZE), ("record", np.uint64, RECORD_SIZE // 8)))
            return Loaded(slots, numbers, code, records, given=work.programs)
        own = Genes.fresh(self.plan.seed, work.first, work.count)
        batch = self.maker.batch(work.first, work.count, breed(own, work.pool))
        return Loaded(batch.slot + np.arange(work.count), work.first + np.arange(work.count), batch.code, batch.records,
                      batch.genes.table())

    def _results(self, runner, programs: Loaded) -> np.ndarray | str:
        """What programs leave, a row for each; or how the run ended."""
        try:
            data = runner.run(programs.image(), TABLE, self._limit(programs))
        except Failed as error:
            return str(error)
        results = np.frombuffer(data, np.uint64).reshape(SLOTS, -1)[programs.slots]
        return results if is_over(results[-1].tobytes()) else "did not end"

    def _limit(self, programs: Loaded) -> int:
        return PER_PROGRAM * (len(programs) + 1) * self.plan.repeats

    def _compare(self, name: str, programs: Loaded, result: Result) -> None:
        """Run programs on the engine and on an oracle; where they do not end, find out which does not.

        In halves; an engine that is wrong everywhere takes as long for each program as for all, so not without end.
        """
        if sum(found.what != "differs" for found in result.found) >= BROKEN:
            result.given_up += len(programs)
            return
        ours = self._results(self.engine, programs)
        failed = isinstance(ours, str)
        theirs = self._results(self.oracles[name], programs) if not failed or len(programs) == 1 else ""
        if isinstance(ours, str) or isinstance(theirs, str):
            if len(programs) > 1:
                half = len(programs) // 2
                self._compare(name, programs.part(0, half), result)
                self._compare(name, programs.part(half, len(programs) - half), result)
            elif not (isinstance(ours, str) and isinstance(theirs, str)):       # that it ends nowhere is nobody's fault
                who, how = (self.plan.engine, ours) if isinstance(ours, str) else (name, theirs)
                result.found.append(programs.found(0, name, f"{who} {how}"))
            return
        words = OUR_WORDS if ORACLES[name].is_ours else COMMON_WORDS
        different = np.nonzero((ours[:, :words] != theirs[:, :words]).any(axis=1))[0]
        result.found += [programs.found(row, name) for row in different.tolist()]
        result.compared[name] += len(programs)
        result.retired[name] += int(ours[:, 2].sum())

    def _cover(self, programs: Loaded, result: Result, is_detailed: bool) -> None:
        """Note what programs reach in their first turn; of one that does not end, nothing."""
        parts, numbers, features = [programs.once()], [], []
        while parts:
            part = parts.pop(0)
            try:
                self.engine.run(part.image(), TABLE, self._limit(part), self.map)
            except Failed:
                if len(part) > 1:
                    half = len(part) // 2
                    parts[:0] = [part.part(0, half), part.part(half, len(part) - half)]
                continue
            slots, some = self.map.log()
            order = np.argsort(slots, kind="stable")
            rows = np.searchsorted(part.slots, slots[order]).clip(max=len(part) - 1)
            own = part.slots[rows] == slots[order]          # else one ran into a slot that is empty
            numbers.append(part.numbers[rows[own]])
            features.append(some[order[own]])
        all_numbers, all_features = (np.concatenate(each or [np.zeros(0, np.int64)]) for each in (numbers, features))
        result.reached = reached = Reached.of_log(all_numbers, all_features)
        is_new = reached.first < self._best[reached.features]
        self._best[reached.features[is_new]] = reached.first[is_new]
        rows = np.searchsorted(programs.numbers, np.unique(reached.first[is_new]))
        result.programs = [programs.program(row) for row in rows.tolist()]
        if is_detailed:
            ends = np.searchsorted(all_numbers, programs.numbers, side="right")
            result.sets = list(zip(programs.numbers.tolist(), np.split(all_features, ends[:-1]), strict=True))


def batch_size(engine: str, oracles: tuple[str, ...], repeats: int) -> int:
    """Programs at a time; a power of two, so that slots do not run over."""
    if are_slow(oracles) or are_slow((engine,)):
        return SLOW_BATCH
    size = BATCH
    while size > LONG_BATCH and size * repeats > TURNS:
        size //= 2
    return size


def are_slow(oracles: tuple[str, ...]) -> bool:
    """Whether none of them can take whole batches."""
    return bool(oracles) and all(name not in ORACLES or ORACLES[name].slots < BATCH for name in oracles)
