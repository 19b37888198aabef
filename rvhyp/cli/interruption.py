"""Ctrl-C, SIGTERM, and SIGHUP of a terminal that goes: say what was going on, leave the terminal as it was found, and end, at any
moment.  SIGTSTP and SIGCONT: give the terminal back, and take it again.

The handler itself ends the process.  An exception would have to find its way out through imports, finalisers and whatever else
was running, and some of these swallow it.
"""
from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvhyp.machine.console import Terminal

ENDINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
CHUNK = select.PIPE_BUF

Describe = Callable[[], list[str]]
_going_on: list[tuple[Describe, Callable[[], object]]] = [(lambda: ["starting"], lambda: None)]


def catch() -> None:
    """From now on; a signal that is ignored, as SIGINT is by a job in the background, stays so."""
    for number in ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextmanager
def during(describe: Describe, leave: Callable[[], object] = lambda: None) -> Iterator[None]:
    """While used as a context, this is going on: `describe()` gives what (after "interrupted while ...") and lines that say more;
    `leave()` makes the terminal what it was.
    """
    _going_on.append((describe, leave))
    try:
        yield
    finally:
        _going_on.pop()


@contextmanager
def stoppable(terminal: Terminal) -> Iterator[None]:
    """While used as a context, who stops this process (SIGTSTP) finds the terminal as it was; it is ours again after SIGCONT.

    In the background (bg) it is not.
    """
    def stop(number: int, frame: object) -> None:
        if terminal.is_ours:
            terminal.restore()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)            # here it stops
        signal.signal(signal.SIGTSTP, stop)
        go_on(number, frame)                            # also where nobody could let it go on, and so it did not stop

    def go_on(number: int, frame: object) -> None:
        if terminal.is_ours:
            terminal.take()

    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    if before[signal.SIGTSTP] is not signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, stop)
    signal.signal(signal.SIGCONT, go_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: object) -> None:
    try:
        for each in ENDINGS:
            signal.signal(each, signal.SIG_IGN)
        with suppress(Exception):               # not imported: there are none
            sys.modules["rvhyp.engine.children"].kill_all()
        what: list[str] = []
        for describe, leave in reversed(_going_on):
            with suppress(Exception):           # something is half done: we end all the same
                leave()
                what = what or describe()
        heading, *more = what
        _write([f"{ENDINGS[number]} while {heading}", *more])
    finally:
        os._exit(128 + number)


def _write(lines: list[str]) -> None:
    """To stderr, past its buffer, which the handler may have interrupted; and only as far as somebody reads."""
    data = "".join(f"rvhyp: {line}\n" for line in lines).encode()
    with suppress(OSError):
        while data and select.select([], [2], [], 0)[1]:
            data = data[os.write(2, data[:CHUNK]):]
