"""Programs that do not end at the first failed check but report each on the console, as riscv-hyp-tests does."""
from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
LONGEST_LINE, MOST_CHECKS = 1000, 10_000    # a program that prints endlessly must not cost memory without end


@dataclass(frozen=True)
class Check:
    """One check, as the program reported it; `detail` is the line after one that failed."""

    name: str
    passed: bool
    detail: str = ""


class Checks:
    """A console that finds the checks in what a program prints, and passes everything on to `output`.

    A line that `check` matches is a check: its group `name` says which, and it failed if its group `failed` took part.  The
    program came to its end if `end` matches the last line.
    """

    def __init__(self, check: str, end: str, output: Callable[[bytes], object]):
        self._check, self._end, self._output = re.compile(check), re.compile(end), output
        self._rest, self._last, self._is_after_failure = b"", "", False
        self._names: Counter[str] = Counter()
        self.found: list[Check] = []

    def __call__(self, data: bytes) -> None:
        self._output(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LONGEST_LINE:]
        for line in lines:
            self._line(COLOURS.sub("", line[-LONGEST_LINE:].decode(errors="replace")).strip())

    def _line(self, line: str) -> None:
        is_after_failure, self._is_after_failure = self._is_after_failure, False
        self._last = line or self._last
        if match := self._check.fullmatch(line):
            if len(self.found) < MOST_CHECKS:
                self._add(match["name"].strip(), match["failed"] is None)
        elif is_after_failure and line:
            self.found[-1] = replace(self.found[-1], detail=line)

    def _add(self, name: str, passed: bool) -> None:
        """A check; one with the name of an earlier one gets a number."""
        self._names[name] += 1
        again = self._names[name]
        self.found.append(Check(name if again == 1 else f"{name} ({again})", passed))
        self._is_after_failure = not passed

    @property
    def missing(self) -> str:
        """What a program that made its checks would have printed and this one did not; nothing, if all is there."""
        if not self.found:
            return f"no line of its console is a check: none matches {self._check.pattern!r}"
        if not self._end.fullmatch(self._last):
            return f"it stopped after {len(self.found)} checks: its last line does not match {self._end.pattern!r}"
        return ""


def legal_check(value: str) -> str:
    """A pattern of checks; ValueError says what it must be."""
    pattern = legal_pattern(value)
    if missing := {"name", "failed"} - re.compile(pattern).groupindex.keys():
        raise ValueError(f"a regular expression with the groups name and failed; {missing.pop()} is missing")
    return pattern


def legal_pattern(value: str) -> str:
    """A regular expression; ValueError if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")             # it may mean something else one day: that is no message of ours
            re.compile(value)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    return value
