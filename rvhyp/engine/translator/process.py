"""The process that compiles, seen by the one that runs guests: asked one thing at a time, not waited for, and free to die."""
from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from rvhyp.engine.translator.worker import Product, Request

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.connection import Connection

DEATHS = 3                      # processes that may die before no other is started


class Compiler:
    """Compiles requests; a process is started when there is one.

    `is_busy` while an answer is to come; `is_dead` when nothing will be compiled any more, which harms nobody.
    """

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        self._deaths = 0
        self._owner = os.getpid()
        self.is_busy = False

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def is_dead(self) -> bool:
        return self._deaths >= DEATHS

    def ask(self, request: Request) -> None:
        """Have something compiled, unless the process is busy or dead."""
        self._leave_to_parent()
        if self.is_busy or self.is_dead:
            return
        try:
            if self._connection is None:
                self._start()
            self._connection.send(request)
            self.is_busy = True
        except OSError:
            self._died()

    def _leave_to_parent(self) -> None:
        """In a fork, the process is the parent's."""
        if os.getpid() != self._owner:
            self._process = self._connection = None
            self._owner, self.is_busy = os.getpid(), False

    def _start(self) -> None:
        import subprocess
        from multiprocessing import Pipe
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rvhyp.engine.translator", str(theirs.fileno())], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def _died(self) -> None:
        self._deaths += 1
        self.close()

    def answer(self) -> Product | None:
        """What has been made, if the answer has come: `is_busy` is False from then on.  None too if nothing could be made."""
        self._leave_to_parent()
        try:
            if not self.is_busy or not self._connection.poll():
                return None
            self.is_busy = False
            return self._connection.recv()
        except (EOFError, OSError):
            self._died()
            return None

    def wait(self, seconds: float) -> None:
        """Until there is an answer, but not for ever."""
        if self.is_busy:
            with suppress(OSError):
                self._connection.poll(seconds)

    def close(self) -> None:
        """End the process."""
        self._leave_to_parent()
        self.is_busy = False
        if self._connection:
            self._connection.close()
            self._connection = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
