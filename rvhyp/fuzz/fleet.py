"""Many machines: the work of a campaign goes to the workers of a Dask scheduler, which may come, die and come back.

A worker does its work in a process of its own, so that a program which ends that takes no worker with it; work whose worker dies
is done by another.
"""
from __future__ import annotations

import hashlib
import logging
import queue
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

import rvhyp
from rvhyp.fuzz.batches import Result, Work
from rvhyp.fuzz.crew import HANGS, Done, Gone, Unable, serve
from rvhyp.fuzz.plan import Plan
from rvhyp.machine.errors import BadInput

PATIENCE = 10.0                         # seconds that a scheduler may take to answer
FIRST = 600.0                           # ... and a worker's process to be ready: it may have to compile the core
AHEAD = 2                               # pieces of work for each thread of a worker, so that none waits
LIVES = 8                               # how often workers may die of the same work
LOOK = 1.0                              # seconds between looks at who is there
ALONE = 60.0                            # seconds that a campaign waits for a first worker, or for one to come back


@cache
def sources() -> str:
    """A digest of this package: all that take part must have the same, or programs would not be the same everywhere."""
    root, digest = Path(rvhyp.__file__).parent, hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".S", ".toml")):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class Stale(Exception):
    """A worker has another version of this package."""


def is_foreign(error: Exception) -> bool:
    """Whether somebody could not read what a campaign sends: the package is not there, or another version of it."""
    return isinstance(error, ImportError | AttributeError) or "deserializ" in str(error)


# In a worker.

class Separate:
    """A process that does work of one plan.  It is started anew, not forked: a worker has threads."""

    def __init__(self, plan: Plan, oracles: tuple[str, ...]):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([sys.executable, "-m", "rvhyp.fuzz.fleet"], stdin=theirs, stdout=subprocess.DEVNULL)
        theirs.close()
        self.job, self.connection, self.is_ready = (plan, oracles), Connection(ours.detach()), False
        self.connection.send(self.job)

    def do(self, work: Work) -> Result | Unable | str:
        """The result; or how the process ended."""
        try:
            self.connection.send(work)
            if self.connection.poll(HANGS if self.is_ready else HANGS + FIRST):
                self.is_ready = True
                return self.connection.recv()
            how = "and hangs"
        except (EOFError, OSError):
            code = self.process.wait()
            how = f"by signal {-code}" if code < 0 else f"with status {code}"
        self.end()
        return how

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()


_of_thread = threading.local()


def do(key: str, plan: Plan, oracles: tuple[str, ...], work: Work) -> Result | Unable | str:
    """A piece of work, in a thread of a worker.  `Stale` if the worker has other sources than the campaign."""
    if key != sources():
        raise Stale(f"the worker on {socket.gethostname()} has another rvhyp ({rvhyp.__version__}, sources {sources()[:12]})")
    separate = getattr(_of_thread, "separate", None)
    if separate is None or separate.process.poll() is not None or separate.job != (plan, oracles):
        if separate is not None:
            separate.end()
        separate = _of_thread.separate = Separate(plan, oracles)
    return separate.do(work)


# Where the campaign is.

class Fleet:
    """The workers of a scheduler.  BadInput if there is no such scheduler."""

    task = staticmethod(do)

    def __init__(self, plan: Plan, oracles: tuple[str, ...], address: str):
        try:
            from distributed import Client
        except ImportError as error:
            raise BadInput("--scheduler needs Dask", do="pip install 'rvhyp[fleet]' brings it") from error
        for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)      # what happens to workers is no news here
        try:
            self.client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"no scheduler answers at {address!r}", "--scheduler",
                           "start one with `dask scheduler`, workers with `dask worker ADDRESS`, and give its address") from error
        self.plan, self.oracles, self.address = plan, oracles, address
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        self._works: dict = {}                  # by future
        self._deaths: Counter[int] = Counter()  # by the work's first program
        self._threads, self._looked, self._seen = 0, 0.0, time.monotonic()

    @property
    def busy(self) -> int:
        return len(self._works)

    def has_room(self) -> bool:
        """Whether a worker could do more; those that come later are noticed.  `Gone` if there has been none for a while."""
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._threads, self._looked = sum(self._ask(self.client.nthreads).values()), now
        if self._threads:
            self._seen = now
        elif now - self._seen > ALONE:
            raise Gone(f"the scheduler at {self.address} has had no worker for {ALONE:.0f} s")
        return self.busy < AHEAD * max(self._threads, 1)

    def _ask(self, question):
        """Something of the scheduler; `Gone` if it does not answer."""
        try:
            return question()
        except Exception as error:              # of the many that the end of a scheduler leads to
            raise Gone(f"the scheduler at {self.address} is gone ({type(error).__name__}: {error})") from error

    def give(self, work: Work) -> None:
        future = self._ask(lambda: self.client.submit(self.task, sources(), self.plan, self.oracles, work, pure=False))
        self._works[future] = work
        future.add_done_callback(self._done.put)

    def wait(self, seconds: float) -> list[Done]:
        """What is done by then, at the latest.  `Gone` if the scheduler is, BadInput if a worker cannot take part."""
        from distributed import KilledWorker
        done: list[Done] = []
        try:
            future = self._done.get(timeout=seconds)
        except queue.Empty:
            if self.client.status != "running":
                raise Gone(f"the scheduler at {self.address} is gone") from None
            return done
        work = self._works.pop(future)
        try:
            done.append(Done(work, future.result(timeout=PATIENCE)))
        except KilledWorker:                    # Dask gives up on what has seen workers die, for whatever reason
            self._deaths[work.first] += 1
            if self._deaths[work.first] < LIVES:
                self.give(work)
            else:
                done.append(Done(work, "with all workers that tried"))
        except Exception as error:
            if isinstance(error, Stale) or is_foreign(error):
                raise BadInput(str(error).partition(". ")[0], "--scheduler",
                               "scheduler and workers need the same rvhyp as this one, with its extra fleet") from error
            if self.client.status == "running" and future.status == "error":
                raise
            raise Gone(f"the scheduler at {self.address} is gone ({type(error).__name__})") from error
        return done

    def close(self) -> None:
        try:
            self.client.cancel(list(self._works))
            self.client.close(timeout=PATIENCE)
        except Exception as error:
            logging.getLogger(__name__).debug("closing: %s", error)


def main() -> None:
    """The process of a `Separate`: its pipe is where standard input would be."""
    connection = Connection(0)
    plan, oracles = connection.recv()
    serve(connection, plan, oracles)


if __name__ == "__main__":
    main()
