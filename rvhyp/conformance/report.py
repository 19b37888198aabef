"""A finished run, as lines of text and as JSON."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rvhyp.conformance.expectations import Expectations, Verdict
from rvhyp.conformance.result import Result, Status


@dataclass(frozen=True)
class Report:
    """`results` are those of all tests found, in order of their names; `seconds` what the run took."""

    results: list[Result]
    expectations: Expectations
    seconds: float

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """By name of the test."""
        return {result.name: self.expectations.verdict(result) for result in self.results}

    @property
    def unexpected(self) -> list[Result]:
        return [result for result in self.results if self.verdicts[result.name] is Verdict.UNEXPECTED]

    @property
    def is_good(self) -> bool:
        """Nothing unexpected."""
        return not self.unexpected

    @property
    def instructions(self) -> int:
        return sum(result.instructions for result in self.results)

    @property
    def groups(self) -> dict[str, Counter[Status]]:
        """How many results of each status, by group."""
        groups: dict[str, Counter[Status]] = {}
        for result in self.results:
            groups.setdefault(result.group, Counter())[result.status] += 1
        return dict(sorted(groups.items()))

    @property
    def totals(self) -> Counter[Status]:
        return Counter(result.status for result in self.results)

    # Text.

    def line(self, result: Result) -> str:
        """One line on one result."""
        verdict, expected = self.verdicts[result.name], self.expectations.find(result)
        text = f"{result.name}: {result.verdict}"
        if verdict is Verdict.EXPECTED_FAILURE:
            return f"{text}, as expected: {expected}"
        if result.status is Status.PASS and expected:
            return f"{text}, but expected to fail: {expected}; take it off the list"
        lines = result.detail.strip().splitlines()
        return f"{text}, {lines[-1]}" if lines else text

    def lines(self, is_verbose: bool = False) -> list[str]:
        """A line for each test that did not simply pass; or for each that was selected."""
        return [line for result in self.results
                if result.status is not Status.NOT_SELECTED
                and (is_verbose or result.status is not Status.PASS or self.verdicts[result.name] is Verdict.UNEXPECTED)
                for line in (self.line(result), *(f"  trace: {file}" for file in result.trace))]

    def summary(self) -> str:
        """One line on all."""
        parts = [f"{count} {status.value}" for status, count in _in_order(self.totals)]
        verdicts = Counter(self.verdicts.values())
        if verdicts[Verdict.EXPECTED_FAILURE]:
            parts.append(f"{verdicts[Verdict.EXPECTED_FAILURE]} failed as expected")
        parts.append(f"{len(self.unexpected)} unexpected" if self.unexpected else "nothing unexpected")
        tests = f"{len(self.results)} test{'s' * (len(self.results) != 1)}"
        return f"{tests}: {', '.join(parts)}; {self.instructions:,} instructions in {self.seconds:.2f} s"

    def group_table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows: counts by group, a column for each status that there is."""
        statuses = [status for status, _ in _in_order(self.totals)]
        rows = [[group or "-", *(str(counts[status] or "") for status in statuses), str(sum(counts.values()))]
                for group, counts in self.groups.items()]
        return ["group", *(status.value for status in statuses), "all"], rows

    # Files.

    def to_json(self) -> dict:
        """The run as a JSON document."""
        return {
            "passed": self.is_good,
            "totals": _counts(self.totals),
            "unexpected": [result.name for result in self.unexpected],
            "groups": {group: _counts(counts) for group, counts in self.groups.items()},
            "instructions": self.instructions,
            "seconds": round(self.seconds, 6),
            "tests": [self._test_to_json(result) for result in self.results],
        }

    def _test_to_json(self, result: Result) -> dict:
        expected = self.expectations.find(result)
        return {
            "name": result.name, "path": result.path, "group": result.group,
            "status": result.status.value, "number": result.number,
            "unexpected": self.verdicts[result.name] is Verdict.UNEXPECTED,
            "expected_failure": expected and {"reason": expected.reason, "date": expected.date.isoformat()},
            "instructions": result.instructions, "seconds": round(result.seconds, 6),
            "detail": result.detail, "output": result.output, "trace": list(result.trace) or None,
        }


def _in_order(counts: Counter[Status]) -> Iterable[tuple[Status, int]]:
    """Those that there are, in the order of Status."""
    return [(status, counts[status]) for status in Status if counts[status]]


def _counts(counts: Counter[Status]) -> dict[str, int]:
    return {status.value: counts[status] for status in Status}
