"""A campaign: batches handed to processes, what they find confirmed, shrunk, explained and written down.

A process makes a batch, runs it on an engine and on each oracle, and sends back which programs differ and what they reach.  One
that crashes or hangs is a finding like any other: the batch is halved until the program is found.
"""
from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rvhyp.fuzz.batches import BATCH, BROKEN, NO_POOL, Bench, Found, Result, Work, batch_size
from rvhyp.fuzz.checks import CHECKS, RULES
from rvhyp.fuzz.corpus import Corpus, Entry, replays
from rvhyp.fuzz.crew import HANGS, Children, Crew, Gone, Unable, ask
from rvhyp.fuzz.examine import examine
from rvhyp.fuzz.guide import NOBODY, end_of, generation
from rvhyp.fuzz.oracles import ORACLES, Missing
from rvhyp.fuzz.plan import Case, Plan, Report
from rvhyp.machine.errors import BadInput

SHOWN = 5                               # cases that are shrunk; of the others only the number is told
WRITTEN = 100                           # cases whose programs a corpus gets


class Campaign:
    """Runs a plan; `progress(report)` is called with every batch that is done."""

    def __init__(self, plan: Plan, progress: Callable[[Report], object] = lambda report: None):
        if is_check := plan.target in CHECKS:                   # has no programs that could be bred or kept
            plan = replace(plan, guided=False, measures=False, corpus=None)
        self.plan, self.report, self.progress = plan, Report(plan), progress
        self.oracles = (RULES,) if is_check else tuple(
            name for name in plan.oracles if name != plan.engine and self._is_there(name))
        self._again: deque[Work] = deque()                      # halves of work that did not end well ...
        self._crashes: Counter[int] = Counter()                 # ... and programs that were found so, by batch
        self._given_up: Counter[int] = Counter()                # programs that nobody compared, by generation
        self._last = NOBODY                                     # programs from this number on are too many
        self._replays: deque[Work] = deque()                    # programs of the corpus, before new ones
        self._names: dict[int, str] = {}                        # files of a corpus by the numbers of their programs
        self._corpus = Corpus(plan.corpus, plan.target) if plan.corpus else None
        self._sets: dict[str, set[int]] = {}                    # what the program of each file reaches
        self._kept = 0                                          # the corpus has what lower numbers were the first to reach
        self._coming, self._batch = 0, batch_size(plan.engine, self.oracles, plan.repeats)

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
        shown = 0
        for case in self.report.cases:
            if shown < SHOWN and case.what == "differs" and case.program:
                self._examine(case)
                shown += not case.known
        self.report.seconds = time.monotonic() - start
        return self.report

    def replay(self) -> dict[str, set[int]]:
        """Run the programs of the corpus alone: what each file's reaches, of those that did not end their process."""
        self._hunt(0)
        return self._sets

    def _hunt(self, start: float) -> None:
        """Give work to a crew until time or examples are over."""
        ORACLES[self.plan.engine].make(self.plan.isa)           # a core that must be built is built here: children have none
        self._load_corpus()
        end = float("inf") if self.plan.seconds is None else start + self.plan.seconds
        crew = self._crew()
        try:
            while self._give(crew, end) or crew.busy:
                for work, result in crew.wait(1):
                    if isinstance(result, Unable):
                        raise RuntimeError(f"a process of the campaign cannot begin\n{result.text}")
                    if isinstance(result, str):
                        self._broken(work, result)
                    else:
                        self._done(result)
        except Gone as error:
            self.report.messages.append(f"{error}; what was found until then is here")
        finally:
            crew.close()
        cases = [case for case in self.report.cases if case.number < self._last]
        self.report.cases = sorted(cases, key=lambda case: case.number)     # the same with any number of processes
        self._keep(NOBODY)
        if self._replays:
            self.report.messages.append(f"time was over before {sum(work.count for work in self._replays):,} programs of the "
                                        "corpus had run again")

    def _crew(self) -> Crew:
        if self.plan.scheduler:
            from rvhyp.fuzz.fleet import Fleet
            return Fleet(self.plan, self.oracles, self.plan.scheduler)
        return Children(self.plan, self.oracles, self.plan.jobs)

    def _give(self, crew: Crew, end: float) -> bool:
        """Give a crew all the work it can take; False if none was to be given."""
        given = False
        while crew.has_room():
            work = self._next(time.monotonic() < end)
            if work is None:
                break
            crew.give(work)
            given = True
        return given

    def _next(self, there_is_time: bool) -> Work | None:
        """What is to be done next; None if nothing is, or what it is depends on what still runs."""
        if self._again:
            return self._again.popleft()
        if self._last < NOBODY:
            return None
        if self._replays:
            return self._replays.popleft() if there_is_time else None
        count = self._batch if self.plan.examples is None else min(self._batch, self.plan.examples - self._coming)
        if count <= 0 or not there_is_time:
            return None
        pool = self.report.guide.pool(generation(self._coming)) if self.plan.guided else NO_POOL
        if pool is None:
            return None
        self._coming += count
        return Work(self._coming - count, count, pool)

    def _broken(self, work: Work, how: str) -> None:
        """A child ended on some work: its halves are tried, a single program is a finding."""
        batch = work.first // BATCH
        if self._crashes[batch] >= BROKEN:
            self._leave(work.first, work.count)
            return
        if work.count > 1:
            self._again.extendleft(reversed(work.halves()))
            return
        self._crashes[batch] += 1
        how = f"the process ended {how}"
        self._found(Found(work.first, RULES, how) if self.plan.target in CHECKS else
                    Bench(self.plan, ()).load(work).found(0, self.plan.engine, how))
        self._are_done(work.first, 1)

    def _leave(self, first: int, count: int) -> None:
        """These programs are not looked at: too many beside them end their process."""
        self._given_up[generation(max(first, 0))] += count
        self._are_done(first, count)

    def _done(self, result: Result) -> None:
        report = self.report
        report.programs += result.count
        report.replayed += result.count if result.first < 0 else 0
        report.instructions += max(result.retired.values(), default=0)
        report.compared += result.compared
        for found in result.found:
            self._found(found)
        self._sets |= {self._names[number]: set(features.tolist()) for number, features in result.sets}
        report.guide.add(result.reached, result.programs)
        self._given_up[generation(max(result.first, 0))] += result.given_up
        self._are_done(result.first, result.count)
        self.progress(report)

    def _are_done(self, first: int, count: int) -> None:
        """Programs have run, or never will; with those of a generation it is seen whether more are of use."""
        guide = self.report.guide
        before = guide.complete
        guide.done(first, count)
        if guide.complete == before:
            return
        self._keep(end_of(guide.complete))
        for which in range(before + 1, guide.complete + 1):     # in another order each would be the last
            self._see(which)

    def _see(self, which: int) -> None:
        """Whether more than half of the programs are found until the end of a generation."""
        end = end_of(which)
        found = {case.number for case in self.report.cases if 0 <= case.number < end}
        lost = sum(self._given_up[each] for each in range(which + 1))
        if 2 * (len(found) + lost) > end and self._last == NOBODY:
            self._last = end
            self.report.messages.append(
                f"{len(found):,} of the first {end:,} programs of {self.plan.target} differ or do not end"
                + f", {lost:,} more were not looked at" * (lost > 0) + ": the campaign ends here, for more would say the same")

    def _found(self, found: Found) -> None:
        """A program differs: the corpus has it before anything else happens."""
        self.report.cases.append(Case(self.plan.target, found.number, found.oracle, found.what, found.program,
                                      entry=self._names.get(found.number, "")))
        if self._corpus and found.program and found.number >= 0 and len(self.report.cases) <= WRITTEN:
            self._write(self.plan.entry(found.program, (), found.oracle, found.what))

    # The corpus.

    def _load_corpus(self) -> None:
        """The programs of the corpus are the first work."""
        if self._corpus is None:
            return
        entries, self.report.messages = self._corpus.read()
        usable = {name: entry for name, entry in entries.items()
                  if (entry.isa, entry.repeats) == (self.plan.isa, self.plan.repeats)}
        if others := len(entries) - len(usable):
            self.report.messages.append(f"{self._corpus.folder}: {others} programs are for another --isa or --repeats; "
                                        "they are left alone")
        groups, self._names = replays(usable, self.plan.maker().menu)
        for group in groups:
            for some in (tuple(group[at:at + self._batch]) for at in range(0, len(group), self._batch)):
                self._replays.append(Work(some[0].number, len(some), programs=some))
        self.report.guide.expect_replays(len(usable))

    def _write(self, entry: Entry) -> bool:
        """Write a program; a corpus that takes none is no reason to end a campaign that may have found something."""
        try:
            return self._corpus is not None and self._corpus.write(entry)
        except BadInput as error:
            self.report.messages.append(f"{error}; nothing more is kept")
            self._corpus = None
            return False

    def _keep(self, end: int) -> None:
        """Write the programs before a number that were the first to reach something."""
        if self._corpus is not None:
            features = self.report.guide.features()
            for program in self.report.guide.credited(end):
                if program.number >= self._kept:
                    self.report.kept += self._write(self.plan.entry(program, features[program.number]))
            self._kept = end

    # The cold loop.

    def _examine(self, case: Case) -> None:
        """Find out about a case in a process of its own: a variant of a program that shows a bug may show a worse one."""
        self.report.stage = f"program {case.number} is made smaller"
        answer = ask(partial(examine, self.plan), case, HANGS, lambda: self.progress(self.report))
        self.report.stage = ""
        if isinstance(answer, str):
            case.lines = [f"as it was found: the process that made it smaller ended {answer}"]
        else:
            vars(case).update(vars(answer))
        if case.known:
            self.report.hits[case.known] += 1
            self._forget(case)
        elif self.plan.is_bred(case.program):
            origin = f"is {self._corpus.folder / self.plan.entry(case.program).name}" if self._corpus else "stands in --json"
            case.lines.append(f"it was bred from others; what makes it again, alone, {origin}")

    def _forget(self, case: Case) -> None:
        """What is known need not be kept, but for what it reached."""
        if self._corpus and case.program and not case.entry:
            entry = self.plan.entry(case.program, self.report.guide.features().get(case.number, ()))
            self._corpus.remove(entry.name)
            if entry.features:
                self._write(entry)
