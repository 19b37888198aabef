"""What a campaign is to do, and what it did."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rvhyp.fuzz.corpus import Entry
from rvhyp.fuzz.coverage import feature
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.generate import Genes
from rvhyp.fuzz.guide import Guide, Program
from rvhyp.fuzz.targets import ISA, TARGETS, Maker


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
    guided: bool = False                # breed programs from those that reached something new
    measures: bool = False              # note what programs reach, if only for a report
    scheduler: str = ""                 # address of a Dask scheduler, whose workers do the work

    @property
    def is_covered(self) -> bool:
        """Whether it is noted what programs reach."""
        return self.guided or self.measures or self.corpus is not None

    def is_bred(self, program: Program) -> bool:
        """Whether a program of this campaign has words of others: it follows from seed and number only by way of these."""
        return program.number >= 0 and program.genes != Genes.fresh(self.seed, program.number, 1).table().tobytes()

    def entry(self, program: Program, features: Iterable[int] = (), oracle: str = "", what: str = "") -> Entry:
        """A program as a corpus keeps it, with why."""
        return Entry(self.target, self.isa, self.repeats, self.seed, program.number, program.slot, program.code, program.record,
                     program.genes, tuple(str(feature(number)) for number in features), oracle, what)

    def maker(self) -> Maker:
        return TARGETS[self.target].maker(self.seed, self.isa, self.repeats)


@dataclass
class Case:
    """A program that differs, and what became of it."""

    target: str
    number: int
    oracle: str
    what: str = "differs"
    program: Program | None = None      # None where the number says all
    example: Example | None = None
    lines: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    known: str = ""
    entry: str = ""                     # the file of a corpus that it is, if it is one


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
    guide: Guide = field(default_factory=Guide)                     # what was reached
    replayed: int = 0                                               # programs of a corpus
    kept: int = 0                                                   # programs written to it
    messages: list[str] = field(default_factory=list)               # on files that cannot be used
    seconds: float = 0
    stage: str = ""                     # what is going on, if no programs run

    @property
    def found(self) -> list[Case]:
        """What nothing explains."""
        return [case for case in self.cases if not case.known]
