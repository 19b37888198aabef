"""Child processes that end with us: they leave Ctrl-C to the parent, are killed once they are not wanted, and die if it does."""
from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait

ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM}
PR_SET_PDEATHSIG = 1
_fork = multiprocessing.get_context("fork")     # a child has what this process has loaded


class ChildFailed(Exception):
    """A child ended without an answer; the message says how."""


def available_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Child:
    """A process that runs `serve(connection, *arguments)` and ends; `connection` is our end of the pipe.

    OSError if the host can start no more.
    """

    def __init__(self, serve: Callable, *arguments):
        """The process must not see an ending signal before it has said what these mean to it."""
        self.connection, theirs = _fork.Pipe()
        self._process = _fork.Process(target=_begin, args=(os.getpid(), serve, theirs, *arguments), daemon=True)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()

    def how_it_ended(self) -> str:
        """`by SIGKILL` or `with status 1`, of a process that has closed its pipe."""
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"

    def kill(self) -> None:
        """End the process at once: it has nothing to lose."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def end_with(parent: int, how: int = signal.SIGKILL) -> None:
    """In a child, at its start: it gets a signal when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, how)
        if os.getppid() != parent:
            os._exit(1)


def _begin(parent: int, serve: Callable, connection: Connection, *arguments) -> None:
    """In the child: Ctrl-C reaches every process of the terminal, the parent acts on it; and we die with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    end_with(parent)
    serve(connection, *arguments)


def call_in_children(calls: list[tuple], workers: int) -> Iterator[object]:
    """Results of calls (a function and its arguments) as they come, made by some children, which end when this does.

    An exception of a call is raised here; `ChildFailed` if a child dies.
    """
    waiting = deque(calls)
    crew: list[Child] = []

    def give(child: Child) -> None:
        with suppress(OSError):                 # it died: `recv` will find out
            child.connection.send(waiting.popleft())
    try:
        for _ in range(min(workers, len(calls))):
            crew.append(Child(_answer))
            give(crew[-1])
        busy = {child.connection: child for child in crew}
        while busy:
            for connection in wait(list(busy)):
                child = busy[connection]
                try:
                    is_good, result = child.connection.recv()
                except (EOFError, OSError) as error:
                    raise ChildFailed(child.how_it_ended()) from error
                if not is_good:
                    raise result
                if waiting:
                    give(child)
                else:
                    del busy[connection]
                yield result
    finally:
        for child in crew:
            child.kill()


def _answer(connection: Connection) -> None:
    """In a child: make the calls that come, until nobody sends any."""
    while True:
        try:
            function, *arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            connection.send((True, function(*arguments)))
        except Exception as error:
            connection.send((False, error))


def kill_all() -> None:
    """End every child of this process, wherever it stands; nobody waits until the host has cleared it away."""
    for process in multiprocessing.active_children():
        process.kill()
