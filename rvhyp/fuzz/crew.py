"""Who does the work of a campaign: processes here, or workers elsewhere (fleet.py)."""
from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import NamedTuple, Protocol

from rvhyp.engine.children import Child
from rvhyp.fuzz.batches import Bench, Result, Work
from rvhyp.fuzz.checks import CHECKS, Checker
from rvhyp.fuzz.oracles import SECONDS
from rvhyp.fuzz.plan import Plan

HANGS = 4 * SECONDS                     # work that takes longer will not end
TICK = 0.5                              # seconds between looks


@dataclass(frozen=True)
class Unable:
    """A process could not begin; the text is Python's traceback."""

    text: str


class Done(NamedTuple):
    """Work and its result; or what became of the process that was to do it."""

    work: Work
    result: Result | Unable | str


class Crew(Protocol):
    """Does work, some at a time, in any order."""

    busy: int                           # how much is not done

    def has_room(self) -> bool: ...
    def give(self, work: Work) -> None: ...
    def wait(self, seconds: float) -> list[Done]: ...
    def close(self) -> None: ...


class Gone(Exception):
    """A crew will do no more; the message says why."""


def serve(connection: Connection, plan: Plan, oracles: tuple[str, ...]) -> None:
    """In a process that does the work that comes."""
    try:
        bench = Checker(plan.target, plan.seed) if plan.target in CHECKS else Bench(plan, oracles)
    except Exception:
        connection.send(Unable(traceback.format_exc()))
        return
    while True:
        try:
            work = connection.recv()
        except (EOFError, OSError):
            return
        try:
            result: Result | str = bench.run(work)
        except Exception as error:              # our own bug, and a finding: which program is it?
            result = f"by {type(error).__name__}: {error}"
        connection.send(result)


def _call(connection: Connection, function: Callable, argument) -> None:
    """In a process that has one thing to do."""
    try:
        answer = function(argument)
    except Exception as error:
        answer = f"by {type(error).__name__}: {error}"
    connection.send(answer)


def ask(function: Callable, argument, seconds: float, progress: Callable[[], object] = lambda: None):
    """What a function makes of something, in a process of its own; or how that ended, as a text."""
    child, end = Child(_call, function, argument), time.monotonic() + seconds
    try:
        while not child.connection.poll(TICK):
            progress()
            if time.monotonic() > end:
                return "and hangs"
        return child.connection.recv()
    except (EOFError, OSError):
        return child.how_it_ended()
    finally:
        child.kill()


class Children:
    """Processes of this machine: each does one piece of work at a time.  They begin with what this one has loaded."""

    def __init__(self, plan: Plan, oracles: tuple[str, ...], jobs: int):
        self.plan, self.oracles, self.jobs = plan, oracles, jobs
        self._idle: list[Child] = []
        self._working: dict = {}                # by connection: the child, its work, since when

    @property
    def busy(self) -> int:
        return len(self._working)

    def has_room(self) -> bool:
        return self.busy < self.jobs

    def give(self, work: Work) -> None:
        child = self._idle.pop() if self._idle else Child(serve, self.plan, self.oracles)
        child.connection.send(work)
        self._working[child.connection] = child, work, time.monotonic()

    def wait(self, seconds: float) -> list[Done]:
        """What is done by then, at the latest."""
        done = []
        for connection in wait(list(self._working), seconds):
            child, work, _ = self._working.pop(connection)
            try:
                done.append(Done(work, connection.recv()))
                self._idle.append(child)
            except (EOFError, OSError):
                done.append(Done(work, child.how_it_ended()))
        for connection, (child, work, begun) in list(self._working.items()):
            if time.monotonic() - begun > HANGS:
                del self._working[connection]
                child.kill()
                done.append(Done(work, "and hangs"))
        return done

    def close(self) -> None:
        for child in (*(child for child, *_ in self._working.values()), *self._idle):
            child.kill()
