"""Runs the command line as a user does: in a process of its own."""
from __future__ import annotations

import os
import select
import subprocess
import sys
import time

COMMAND = [sys.executable, "-m", "rvhyp"]


def rvhyp(*arguments: str, input: bytes = b"", timeout: float = 120, **more) -> subprocess.CompletedProcess:
    """Run to the end; output as bytes."""
    return subprocess.run([*COMMAND, *arguments], input=input, capture_output=True, timeout=timeout, **more)


class Session:
    """A running command whose console is talked to through pipes."""

    def __init__(self, *arguments: str, **more):
        self.process = subprocess.Popen([*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0, **more)
        self.seen = b""

    def expect(self, text: bytes, timeout: float = 60) -> bytes:
        """Wait until the console shows a text; gives what came up to its end."""
        end = time.monotonic() + timeout
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not come; the console shows {self.seen[-500:]!r}"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"the console ended before {text!r}: {self.seen[-500:]!r}, {self.process.stderr.read()!r}"
                self.seen += data
        found, _, self.seen = self.seen.partition(text)
        return found + text

    def send(self, text: bytes) -> None:
        self.process.stdin.write(text)

    def end(self, timeout: float = 60) -> int:
        """Wait for the end; the exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


class PtySession(Session):
    """A running command at a terminal of its own: what a person types and sees.  `terminal` is its other side."""

    def __init__(self, *arguments: str, shell: str = "", **more):
        """`shell` is a program in Python that runs the command, which it finds in its arguments."""
        import pty
        import termios
        self.master, self.terminal = pty.openpty()
        self.before = termios.tcgetattr(self.terminal)
        before = [sys.executable, "-c", shell] if shell else []
        self.process = subprocess.Popen([*before, *COMMAND, *arguments], stdin=self.terminal, stdout=self.terminal,
                                        stderr=subprocess.PIPE, start_new_session=True, bufsize=0, **more)
        self.process.stdout = open(self.master, "rb", 0, closefd=False)
        self.seen = b""

    def send(self, text: bytes) -> None:
        os.write(self.master, text)

    def mode(self) -> list:
        """How the terminal is set."""
        import termios
        return termios.tcgetattr(self.terminal)

    def end(self, timeout: float = 60) -> int:
        """Wait for the end; the exit status.  The terminal must be what it was."""
        try:
            status = self.process.wait(timeout)
            assert self.mode() == self.before
            return status
        finally:
            self.process.kill()

    def hang_up(self) -> None:
        """The terminal goes, as when its window is closed."""
        os.close(self.terminal)
        os.close(self.master)
        self.master = self.terminal = -1

    def __exit__(self, *exception):
        super().__exit__(*exception)
        for each in (self.master, self.terminal):
            if each >= 0:
                os.close(each)
