"""What a run is told about its tests by two files: rules, how each is to be run; and which are expected to fail.

    [[rule]]                            # several may match: what later ones say counts
    name = "rv64mi-p-*"                 # a glob, as of --select
    isa = "rv64imafdc_zicsr"
    set = { misaligned = "trap" }       # choices, as in a file for --config
    memory = "256M"
    max-instructions = 1_000_000
    timeout = 5                         # seconds
    check = '(?P<name>.+): (ok|(?P<failed>wrong))'  # a line of its console like this is a check (rvhyp.conformance.checks)
    end = "done"                        # and its last line is like this
    skip = "why"                        # or this: do not run it

    [[expected]]
    name = "rv64ui-p-ma_data"           # a glob
    reason = "misaligned accesses trap"
    date = 2026-01-31                   # since when it is known
"""
from __future__ import annotations

import datetime
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rvhyp.conformance import tables
from rvhyp.conformance.checks import legal_check, legal_pattern
from rvhyp.conformance.discover import Test
from rvhyp.conformance.result import Result, Status
from rvhyp.conformance.runner import Config
from rvhyp.isa.configuration import Configuration, checked
from rvhyp.machine.board import DEFAULT_MEMORY, Board
from rvhyp.machine.errors import BadInput

DEFAULT_RULES = Path(__file__).with_name("rules.toml")     # of the public suites
UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def _memory(value: object) -> int:
    match = re.fullmatch(r"(\d{1,20})([KMGT]?)", value) if isinstance(value, str) else None
    if not match:
        raise ValueError('a size like "64M"')
    return int(match[1]) << UNITS[match[2]]


def _choices(value: object) -> dict:
    if not isinstance(value, dict):
        raise ValueError("a table of choices like { geilen = 5 }")
    try:
        return checked(value)
    except ValueError as error:
        raise tables.Refused(str(error)) from error


def _date(value: object) -> datetime.date:
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise ValueError("a date like 2026-01-31, without quotation marks")
    return value


RULE = {"name": tables.text, "isa": tables.text, "memory": _memory, "set": _choices, "max-instructions": tables.count,
        "timeout": tables.positive, "check": lambda value: legal_check(tables.text(value)),
        "end": lambda value: legal_pattern(tables.text(value)), "skip": tables.text}
EXPECTED = {"name": tables.text, "reason": tables.text, "date": _date}


@dataclass(frozen=True)
class Rule:
    """`settings` are fields of Config."""

    name: str
    settings: dict


class Rules:
    """How each test is to be run."""

    def __init__(self, rules: Sequence[Rule] = (), path: str = ""):
        self._rules, self._path = rules, path

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Rules:
        """BadInput if the file is not one of rules."""
        rules = []
        for number, table in enumerate(tables.read_tables(path, "rule", RULE), 1):
            if "name" not in table:
                raise BadInput(f"rule {number} has no name", os.fspath(path), 'say which tests it is for: name = "rv64ui-*"')
            name = table.pop("name")
            rules.append(Rule(name, {key.replace("-", "_"): value for key, value in table.items()}))
        return cls(rules, os.fspath(path))

    def check_machines(self, engine: str, choices: Mapping[str, object] | None = None) -> None:
        """BadInput for the first rule with a machine that cannot be built; `choices` are those of the command line."""
        for rule in self._rules:
            try:
                Board(rule.settings.get("memory", DEFAULT_MEMORY), rule.settings.get("isa", Config.isa), engine,
                      choices=rule.settings.get("set", {}) | dict(choices or {}))
            except BadInput as error:
                raise BadInput(f"rule for {rule.name}: {error.what}", self._path, error.do) from error

    def config(self, test: Test, choices: Mapping[str, object] | None = None, **overrides) -> Config:
        """The defaults, changed by each rule that matches, then by the choices and the overrides that are not None."""
        settings: dict = {"set": {}}
        for rule in self._rules:
            if test.matches(rule.name):
                settings |= rule.settings | {"set": settings["set"] | rule.settings.get("set", {})}
        chosen = Configuration(settings.pop("set") | dict(choices or {}))
        settings |= {key: value for key, value in overrides.items() if value is not None}
        return Config(**settings, choices=chosen)


@dataclass(frozen=True)
class Expected:
    """Tests known to fail."""

    name: str
    reason: str
    date: datetime.date

    def __str__(self) -> str:
        return f"{self.reason} ({self.date})"


class Verdict(Enum):
    """What a result means for the run."""

    AS_IT_SHOULD = "as it should"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTED = "unexpected"


class Expectations:
    """The tests that are expected to fail."""

    def __init__(self, expected: Sequence[Expected] = ()):
        self._expected = expected

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Expectations:
        """BadInput if the file is not one of expected failures, each with name, reason and date."""
        expected = []
        for number, table in enumerate(tables.read_tables(path, "expected", EXPECTED), 1):
            for key in EXPECTED:
                if key not in table:
                    raise BadInput(f"expected {number} ({table.get('name', 'no name')}) has no {key}", os.fspath(path),
                                   "give name, reason and date")
            expected.append(Expected(**table))
        return cls(expected)

    def find(self, result: Result) -> Expected | None:
        """What is known of a test's failing."""
        test = Test(result.name, result.path)
        return next((expected for expected in self._expected if test.matches(expected.name)), None)

    def verdict(self, result: Result) -> Verdict:
        """A test that passes although it is expected to fail is unexpected.  A crash of ours, and a file that cannot be run,
        are never expected.
        """
        if not result.status.was_run:
            return Verdict.AS_IT_SHOULD
        is_expected = self.find(result) is not None
        if result.status is Status.PASS:
            return Verdict.UNEXPECTED if is_expected else Verdict.AS_IT_SHOULD
        if is_expected and result.status in (Status.FAIL, Status.TRAP, Status.TIMEOUT):
            return Verdict.EXPECTED_FAILURE
        return Verdict.UNEXPECTED
