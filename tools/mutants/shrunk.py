"""How small the counterexamples are that a campaign shows: the first program that finds a mutant, shrunk as a campaign does."""
from __future__ import annotations

import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rvhyp.fuzz.batches import COMMON_WORDS
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.layout import RAM_SIZE
from rvhyp.fuzz.oracles import ORACLES, Failed, Region
from rvhyp.fuzz.reproducer import values_left_by
from rvhyp.fuzz.shrink import differ, shrink
from rvhyp.fuzz.targets import ISA
from tools.mutants.engine import BUILD_SECONDS, Ended, Image, Process
from tools.mutants.faults import Fault
from tools.mutants.trial import FOUND, Trials

HANGS = 10                              # seconds: a batch of variants that takes longer will not end


@dataclass
class Shrunk:
    """A counterexample, and what it took."""

    fault: Fault
    target: str
    before: Example
    after: Example
    seconds: float                      # of the processor
    wall: float

    @property
    def changed_csrs(self) -> list[str]:
        return [name for name, value in self.after.csrs.items() if value]

    def line(self) -> str:
        """For people."""
        after = self.after
        return (f"{self.target:16} {len(self.before.lines):4} -> {len(after.lines):2} instructions, {len(after.pokes):2} pokes, "
                f"{len(self.changed_csrs):2} CSRs, {self.seconds:5.1f} s of the processor, {self.wall:5.1f} s  "
                f"{self.fault}: {self.fault.diff()}")

    def program(self) -> list[str]:
        """What is left, for people."""
        after = self.after
        state = {f"x{n}": value for n, value in enumerate(after.x)} | {f"f{n}": value for n, value in enumerate(after.f)}
        state |= after.csrs | {f"[{address:#x}]": value for address, value in after.pokes}
        return [*(f"    {line}" for line in after.lines),
                "    " + ", ".join(f"{name} {value:#x}" for name, value in state.items() if value)]


class Mutant:
    """An engine with a fault, as what runs images.  Its process begins anew if an image ends it."""

    def __init__(self, fault: Fault, kept: Path):
        self.fault, self.kept, self.seconds = fault, kept, 0.0
        self._process: Process | None = None
        self._folder: tempfile.TemporaryDirectory | None = None

    def run(self, image, region: Region, instructions: int) -> bytes:
        if self._process is None:
            self._folder = tempfile.TemporaryDirectory(prefix="rvhyp-mutant-")
            self._process = Process(Path(self._folder.name), self.fault, self.kept)
            self._process.ask(BUILD_SECONDS, "build", ISA, RAM_SIZE)
        try:
            answer = self._process.ask(HANGS, "run", Image.of(image), tuple(region), instructions)
        except Ended as error:
            self.end()
            raise Failed(str(error)) from None
        self.seconds += answer.seconds
        if answer.failure:
            raise Failed(answer.failure)
        return answer.data

    def end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._folder.cleanup()
            self._process = None


def shrunk(trials: Trials, fault: Fault, seconds: float) -> Shrunk | None:
    """The counterexample of a fault; None if no program differs within some seconds of the processor, or only among others."""
    result = trials.run(fault, seconds)
    if result.outcome != FOUND:
        return None
    before = trials.batches.example(result.target, result.program)
    mutant, spike = Mutant(fault, trials.kept), ORACLES["spike"].make(ISA)
    try:
        different = partial(differ, mutant, spike, COMMON_WORDS)
        if not different([before])[0]:          # with that its core is built
            return None
        begun, begin, mutant.seconds = time.monotonic(), _seconds(), 0.0
        after = shrink(before, different, partial(values_left_by, mutant))
        return Shrunk(fault, result.target, before, after, _seconds() + mutant.seconds - begin, time.monotonic() - begun)
    finally:
        mutant.end()


def _seconds() -> float:
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def in_any_order(faults: list[Fault], seed: int) -> list[Fault]:
    """Faults are drawn area by area: the first of these are of all."""
    return random.Random(seed).sample(faults, len(faults))


def medians(cases: Iterable[Shrunk]) -> list[str]:
    """Of all of them."""
    cases = list(cases)
    if not cases:
        return ["nothing was found that could be shrunk"]
    before, after = [len(each.before.lines) for each in cases], [len(each.after.lines) for each in cases]
    lines = [f"{len(cases)} counterexamples, {statistics.median(before):g} instructions in the median: "
             f"{statistics.median(after):g} after shrinking, {max(after)} at most"]
    for what, values in (("seconds of the processor", [each.seconds for each in cases]),
                         ("seconds", [each.wall for each in cases]),
                         ("pokes", [len(each.after.pokes) for each in cases]),
                         ("CSRs that are not 0", [len(each.changed_csrs) for each in cases])):
        lines.append(f"{what}: median {statistics.median(values):.3g}, at most {max(values):.3g}")
    return lines
