"""A campaign: batches handed to child processes, what they find confirmed, shrunk, explained and written down.

A child makes a batch, runs it on an engine and on each oracle, and sends back which programs differ.  A child that crashes or
hangs is a finding like any other: the batch is halved until the program is found.
"""
from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np

from rvhyp.engine.children import Child
from rvhyp.fuzz import differences, reproducer
from rvhyp.fuzz.checks import CHECKS, RULES, Checker
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.harness import image
from rvhyp.fuzz.layout import RESULT_SIZE, RESULTS, SLOTS
from rvhyp.fuzz.lockstep import parting
from rvhyp.fuzz.oracles import ORACLES, SECONDS, Failed, Missing, Region
from rvhyp.fuzz.shrink import differ, shrink
from rvhyp.fuzz.targets import ISA, TARGETS, Maker

BATCH, SLOW_BATCH = 512, 8              # programs that a child makes at a time; where only slow oracles look at them
TABLE = Region(RESULTS, SLOTS * RESULT_SIZE)
PER_PROGRAM = 100_000                   # instructions of a program and what the harness does for it, in each turn, at most
OUR_WORDS, COMMON_WORDS = 2, 1          # of a result: what our engines agree on, what all simulators do
SHOWN = 5                               # cases that are shrunk; of the others only the number is told


@dataclass(frozen=True)
class Plan:
    """What a campaign does."""

    target: str = "user"
    seed: int = 1
    isa: str = ISA
    engine: str = "interpreter"
    oracles: tuple[str, ...] = ("spike", "reference")
    jobs: int = 1
    examples: int | None = None
    seconds: float | None = 10
    repeats: int = 1
    corpus: str | None = None

    def maker(self) -> Maker:
        return TARGETS[self.target].maker(self.seed, self.isa, self.repeats)


@dataclass
class Case:
    """A program that differs, and what became of it."""

    target: str
    number: int
    oracle: str
    what: str = "differs"
    example: Example | None = None
    lines: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    known: str = ""


@dataclass
class Report:
    """What a campaign did and found."""

    plan: Plan
    programs: int = 0
    instructions: int = 0
    compared: Counter[str] = field(default_factory=Counter)         # programs, by oracle
    hits: Counter[str] = field(default_factory=Counter)             # known differences
    cases: list[Case] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    seconds: float = 0

    @property
    def found(self) -> list[Case]:
        """What nothing explains."""
        return [case for case in self.cases if not case.known]


class Bench:
    """In a child: an engine and the oracles, ready to compare batches."""

    def __init__(self, plan: Plan, oracles: tuple[str, ...]):
        self.plan, self.maker = plan, plan.maker()
        self.engine = ORACLES[plan.engine].make(plan.isa)
        self.oracles = {name: ORACLES[name].make(plan.isa) for name in oracles}
        self.samples = not are_slow(oracles)                    # slow oracles see but some of the programs

    def compare(self, first: int, count: int, only: str = "") -> tuple[int, int, Counter[str], list[tuple[int, str, str]]]:
        """Programs, their instructions, how many each oracle saw, and (number, oracle, what) of those that differ."""
        batch = self.maker.batch(first, count)
        compared: Counter[str] = Counter()
        found: list[tuple[int, str, str]] = []
        instructions = 0
        for name, runner in self.oracles.items():
            if only not in ("", name) or self.samples and first // BATCH % ORACLES[name].every:
                continue
            some = min(count, ORACLES[name].slots) if self.samples else count
            code, records = batch.code[:some].tobytes(), batch.records[:some].tobytes()
            results = []
            for each in (self.engine, runner):
                try:
                    limit = PER_PROGRAM * (some + 1) * self.plan.repeats
                    data = each.run(image(code, records, batch.slot), TABLE, limit)
                    results.append(np.frombuffer(data, np.uint64).reshape(SLOTS, -1)[batch.slot:batch.slot + some])
                except Failed as error:
                    results.append(str(error))
                    if some > 1:
                        break                           # its halves will tell
            if any(isinstance(each, str) for each in results):
                found += self._failing(name, first, some, results)
                continue
            words = OUR_WORDS if ORACLES[name].is_ours else COMMON_WORDS
            different = np.nonzero((results[0][:, :words] != results[1][:, :words]).any(axis=1))[0]
            found += [(first + int(n), name, "differs") for n in different]
            compared[name] += some
            instructions = max(instructions, int(results[0][:, 2].sum()))
        return count, instructions, compared, found

    def _failing(self, name: str, first: int, count: int, results: list) -> list[tuple[int, str, str]]:
        """Which program does not end; one that ends nowhere is nobody's fault."""
        if count == 1:
            if all(isinstance(each, str) for each in results):
                return []
            who, how = next((who, each) for who, each in zip((self.plan.engine, name), results, strict=True)
                            if isinstance(each, str))
            return [(first, name, f"{who} {how}")]
        half = count // 2
        parts = (first, half), (first + half, count - half)
        return [case for start, some in parts for case in self.compare(start, some, name)[3]]


def are_slow(oracles: tuple[str, ...]) -> bool:
    """Whether none of them can take whole batches."""
    return all(name not in ORACLES or ORACLES[name].slots < BATCH for name in oracles)


def _serve(connection, plan: Plan, oracles: tuple[str, ...]) -> None:
    """In a child: compare the batches that come."""
    bench = Checker(plan.target, plan.seed) if plan.target in CHECKS else Bench(plan, oracles)
    while True:
        try:
            first, count = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(bench.compare(first, count))


class Campaign:
    """Runs a plan; `progress(report)` is called with every batch that is done."""

    def __init__(self, plan: Plan, progress: Callable[[Report], object] = lambda report: None):
        self.plan, self.report, self.progress = plan, Report(plan), progress
        self.oracles = (RULES,) if plan.target in CHECKS else tuple(
            name for name in plan.oracles if name != plan.engine and self._is_there(name))

    def _is_there(self, name: str) -> bool:
        try:
            ORACLES[name].make(self.plan.isa)
        except Missing as error:
            self.report.missing[name] = str(error)
            return False
        return True

    def run(self) -> Report:
        """All of it."""
        start = time.monotonic()
        if self.oracles:
            self._hunt(start)
        cases, self.report.cases = self.report.cases, []
        for case in cases:
            self.report.cases.append(case)
            if case.what == "differs" and len(self.report.found) <= SHOWN:
                self._examine(case)
        self.report.seconds = time.monotonic() - start
        return self.report

    def _batches(self):
        """(first, count) of all batches, in order."""
        first, size = 0, SLOW_BATCH if are_slow(self.oracles) else BATCH
        while self.plan.examples is None or first < self.plan.examples:
            count = size if self.plan.examples is None else min(size, self.plan.examples - first)
            yield first, count
            first += count

    def _hunt(self, start: float) -> None:
        """Give batches to children until time or examples are over."""
        batches, again = self._batches(), deque[tuple[int, int]]()
        end = float("inf") if self.plan.seconds is None else start + self.plan.seconds
        busy: dict = {}

        def give(child: Child) -> bool:
            batch = again.popleft() if again else next(batches, None) if time.monotonic() < end else None
            if batch is None:
                child.kill()
                return False
            child.connection.send(batch)
            busy[child.connection] = child, batch, time.monotonic()
            return True
        try:
            for _ in range(self.plan.jobs):
                give(Child(_serve, self.plan, self.oracles))
            while busy:
                for connection in wait(list(busy), 1):
                    child, batch, _ = busy.pop(connection)
                    try:
                        self._done(connection.recv())
                    except (EOFError, OSError):
                        again.extend(self._broken(batch, child.how_it_ended()))
                        child = Child(_serve, self.plan, self.oracles)
                    give(child)
                for connection, (child, batch, begun) in list(busy.items()):
                    if time.monotonic() - begun > 4 * SECONDS:
                        del busy[connection]
                        child.kill()
                        again.extend(self._broken(batch, "and hangs"))
                        give(Child(_serve, self.plan, self.oracles))
        finally:
            for child, _, _ in busy.values():
                child.kill()

    def _broken(self, batch: tuple[int, int], how: str) -> list[tuple[int, int]]:
        """A child ended on a batch: its halves are tried, a single program is a finding."""
        first, count = batch
        if count == 1:
            self.report.cases.append(Case(self.plan.target, first, self.plan.engine, f"the process ended {how}"))
            return []
        return [(first, count // 2), (first + count // 2, count - count // 2)]

    def _done(self, result) -> None:
        programs, instructions, compared, found = result
        self.report.programs += programs
        self.report.instructions += instructions
        self.report.compared += compared
        self.report.cases += [Case(self.plan.target, number, oracle, what) for number, oracle, what in found]
        self.progress(self.report)

    def _examine(self, case: Case) -> None:
        """The cold loop: is it known, what is the least that shows it, why; and the files."""
        plan = self.plan
        engine, oracle = ORACLES[plan.engine].make(plan.isa), ORACLES[case.oracle].make(plan.isa)
        example = Example.of(plan.maker().batch(case.number, 1), case.number)
        case.example = example
        words = OUR_WORDS if ORACLES[case.oracle].is_ours else COMMON_WORDS
        different = partial(differ, engine, oracle, words)
        where = parting(plan.engine, case.oracle, plan.isa, example.image())
        if known := differences.find(case.oracle, where):
            case.known = known.name
            self.report.hits[known.name] += 1
            return
        if not different([example])[0]:
            case.lines = ["it differs only where it runs: not alone"]
            return
        example = case.example = shrink(example, different)
        where = parting(plan.engine, case.oracle, plan.isa, example.image())
        observations = reproducer.observe(example, engine, oracle)
        case.lines = reproducer.explanation(example, where, observations, plan.engine, case.oracle)
        if plan.corpus and observations:
            name = f"{plan.target}-{plan.seed}-{case.number}-{case.oracle}"
            case.files = list(map(str, reproducer.write(Path(plan.corpus), name, example, observations[0], plan.engine,
                                                        case.oracle, case.lines)))
