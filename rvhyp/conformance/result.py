"""What became of one test."""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from rvhyp.conformance.checks import Check

ENVIRONMENT = re.compile(r"(.+?)-(?:p|v|pm|pt)-")      # riscv-tests: <group>-<environment>-<test>


class Status(Enum):
    """How a test ended."""

    PASS = "pass"
    FAIL = "fail"                       # it said so, or it ended in a way that proves nothing
    TRAP = "trap"                       # an exception that it did not handle
    TIMEOUT = "timeout"                 # a limit, or it waits for ever
    CRASH = "crash"                     # our own bug
    ERROR = "error"                     # a file that cannot be run as a test
    SKIP = "skip"                       # not for this machine, or a rule says so
    NOT_SELECTED = "not-selected"

    @property
    def was_run(self) -> bool:
        return self not in (Status.SKIP, Status.NOT_SELECTED)


@dataclass(frozen=True)
class Result:
    """`number` is the test case that failed, if it said which; `detail` why, and where; `output` the end of its console; `checks`
    what it reported there, of a program that reports checks; `trace` the files that a failure left, or why they could not be
    written.
    """

    name: str
    path: str
    status: Status
    number: int | None = None
    instructions: int = 0
    seconds: float = 0.0
    detail: str = ""
    output: str = ""
    checks: tuple[Check, ...] = ()
    program: str = ""                   # of a check
    trace: tuple[str, ...] = ()

    def parts(self) -> list[Result]:
        """The result of the program, and one of each check that it reported, named `PROGRAM: CHECK`."""
        return [replace(self, checks=())] + [
            Result(f"{self.name}: {check.name}", self.path, Status.PASS if check.passed else Status.FAIL,
                   detail=check.detail, program=self.name) for check in self.checks]

    @property
    def group(self) -> str:
        """`rv64ui` of `rv64ui-p-add`; the program of a check; the folder of other names, or nothing."""
        if self.program:
            return self.program
        folder, _, base = self.name.rpartition("/")
        match = ENVIRONMENT.match(base)
        return match[1] if match else folder

    @property
    def verdict(self) -> str:
        """The status as text: `pass`, `fail(3)`."""
        return self.status.value if self.number is None else f"{self.status.value}({self.number})"
