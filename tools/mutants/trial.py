"""One mutant: built, and run on batch after batch until it is found out or its time is over."""
from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rvhyp.engine import cache
from rvhyp.fuzz.batches import BATCH, TABLE
from rvhyp.fuzz.layout import RAM_SIZE
from rvhyp.fuzz.targets import ISA, TARGETS
from tools.mutants.batches import Batches
from tools.mutants.engine import BUILD_SECONDS, RUN_SECONDS, Built, Ended, Process
from tools.mutants.faults import Fault

NOT_BUILT, SAME_CODE, NOT_RUN, FOUND, CRASH, HANG, SURVIVED = (
    "does not build", "same code", "never run here", "found", "crash", "hang", "survived")


@dataclass
class Result:
    """What became of a mutant."""

    fault: Fault | None
    outcome: str = SURVIVED
    target: str = ""                    # where it was found
    tried: dict[str, int] = field(default_factory=dict)         # batches by target
    seconds: float = 0                  # of the processor, that a campaign would have taken: programs, Spike, the engine
    built: float = 0                    # ... that its core took
    why: str = ""
    program: int | None = None          # by which it was found

    def line(self) -> str:
        """For people."""
        where = f"{self.target}, batch {sum(self.tried.values())}" if self.target else f"{sum(self.tried.values())} batches"
        what = f"{self.fault}: {self.fault.diff()}" if self.fault else "without a fault"
        return f"{self.outcome:14} {self.seconds:6.1f} s  {where:24} {what}{self.why and '  # ' + self.why}"


class Trials:
    """What mutants have in common: the batches, and what our package without a fault is."""

    def __init__(self, seed: int, folder: Path | None = None, size: int = BATCH):
        self.batches = Batches(seed, folder, size)
        self._kept = tempfile.TemporaryDirectory(prefix="rvhyp-mutants-")
        base = Path(self._kept.name, "base")
        base.mkdir()
        process = Process(base, None, cache.folder())
        self.base: Built = process.ask(BUILD_SECONDS, "build", ISA, RAM_SIZE)
        process.end()
        self.kept = process.cache

    @cached_property
    def code_that_runs(self) -> tuple[str, Path]:
        """What runs of our package on this hart, and a cache with what it is made from."""
        folder = Path(self._kept.name, "constants")
        folder.mkdir()
        process = Process(folder, None, folder)
        code = process.ask(BUILD_SECONDS, "code_that_runs", ISA, RAM_SIZE, self.base.words)
        process.end()
        return code, process.cache

    def run(self, fault: Fault | None, seconds: float) -> Result:
        """A mutant, or the package without a fault, for some seconds of the processor."""
        result = Result(fault)
        with tempfile.TemporaryDirectory(prefix="rvhyp-mutant-") as folder:
            process = Process(Path(folder), fault, self.kept)
            try:
                self._try(result, process, seconds)
            finally:
                process.end()
        return result

    def _try(self, result: Result, process: Process, seconds: float) -> None:
        try:
            built = process.ask(BUILD_SECONDS, "build", ISA, RAM_SIZE)
        except Ended as error:
            result.why = str(error)
            result.outcome = CRASH if result.why.startswith("ended by SIG") else NOT_BUILT     # compiled, it made a hart
            return
        result.built = built.seconds
        if result.fault and built.code == self.base.code:
            result.outcome = SAME_CODE
            return
        number = 0
        while result.seconds < seconds:
            for target in TARGETS:
                if self._is_found(result, process, target, number):
                    return
            if number == 0 and result.fault and self._is_never_run(result.fault):
                result.outcome = NOT_RUN
                return
            number += 1

    def _is_found(self, result: Result, process: Process, target: str, number: int) -> bool:
        batch = self.batches.get(target, number)
        result.tried[target] = result.tried.get(target, 0) + 1
        result.seconds += batch.seconds
        if not batch.counts.any():
            return False
        try:
            answer = process.ask(RUN_SECONDS, "run", batch.image, tuple(TABLE), self.batches.limit)
        except Ended as error:
            result.why = str(error)
            result.outcome = HANG if result.why == "hang" else CRASH
        else:
            result.seconds += answer.seconds
            if answer.failure:
                result.outcome, result.why = HANG, answer.failure
            else:
                result.program = batch.different(answer.data)
                if result.program is None:
                    return False
                result.outcome = FOUND
        result.target = target
        return True

    def _is_never_run(self, fault: Fault) -> bool:
        """Whether it is only in what this hart, as it is configured, never runs."""
        code, kept = self.code_that_runs
        with tempfile.TemporaryDirectory(prefix="rvhyp-mutant-") as folder:
            process = Process(Path(folder), fault, kept)
            try:
                return process.ask(BUILD_SECONDS, "code_that_runs", ISA, RAM_SIZE, self.base.words) == code
            except Ended:
                return False
            finally:
                process.end()
