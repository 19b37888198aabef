"""The host's side of a console: where a guest's output goes and its input comes from."""
from __future__ import annotations

import math
import os
import select
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

CHUNK = 4096
FD_SETSIZE = 1024                       # select(2) takes descriptors below this, poll(2) all, but rounds times to milliseconds
LONGEST_LINE = 4096


def can_read(descriptors: Sequence[int], seconds: float = 0) -> bool:
    """Whether one of them can be read now, or within so many seconds.  OSError or ValueError if one is closed."""
    return _is_ready(descriptors, (), seconds)


def can_write(descriptor: int, seconds: float = 0) -> bool:
    """As `can_read`, for writing."""
    return _is_ready((), (descriptor,), seconds)


def _is_ready(reads: Sequence[int], writes: Sequence[int], seconds: float) -> bool:
    if max((*reads, *writes), default=0) < FD_SETSIZE:
        return any(select.select(reads, writes, (), seconds))
    poll = select.poll()
    for descriptors, event in ((reads, select.POLLIN), (writes, select.POLLOUT)):
        for descriptor in descriptors:
            poll.register(descriptor, event)
    return bool(poll.poll(math.ceil(seconds * 1000)))


class Output:
    """Bytes to a file descriptor, in order; output to a closed pipe, or a terminal that has gone, is dropped."""

    def __init__(self, descriptor: int = 1):
        self._descriptor = descriptor
        self._open = True

    def __call__(self, data: bytes) -> None:
        while data and self._open:
            try:
                data = data[os.write(self._descriptor, data):]
            except BlockingIOError:
                can_write(self._descriptor, 1)
            except OSError:                         # a closed pipe, a terminal that has gone
                self._open = False


class Prefixed:
    """Lines of one of several guests: each gets a prefix, and only whole lines are passed on, or pieces of very long ones."""

    def __init__(self, prefix: str, write: Callable[[bytes], object]):
        self._prefix, self._write, self._line = prefix.encode(), write, b""

    def __call__(self, data: bytes) -> None:
        *lines, self._line = (self._line + data.replace(b"\r", b"")).split(b"\n")
        for line in lines:
            self._write(self._prefix + line + b"\n")
        if len(self._line) > LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        """Pass on a last line without its end."""
        if self._line:
            self(b"\n")


class Input:
    """Bytes from a file descriptor, taken when the guest asks for them, without waiting unless told to."""

    def __init__(self, descriptor: int | None = 0):
        self.descriptor = descriptor

    @property
    def is_open(self) -> bool:
        return self.descriptor is not None

    @property
    def is_piped(self) -> bool:
        """Whether there is input, and nobody types it."""
        return self.descriptor is not None and not os.isatty(self.descriptor)

    def read(self, timeout: float = 0) -> bytes:
        """What is there now, or comes within `timeout` seconds; b"" if nothing, or at the end."""
        if self.descriptor is None:
            return b""
        try:
            if not can_read([self.descriptor], timeout):
                return b""
            data = os.read(self.descriptor, CHUNK)
        except (OSError, ValueError):
            data = b""
        if not data:
            self.descriptor = None
        return data


class Link(Protocol):
    """Something else of the host that guests hear from, as a network: `serve` gives them what has come, without waiting."""

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when something has come; None if nothing will any more."""

    def serve(self) -> object: ...


def wait_for_input(sources: Iterable[Input | Link], seconds: float) -> None:
    """Sleep so long, or until there is something to read."""
    descriptors = [each.descriptor for each in sources if each.descriptor is not None]
    try:
        can_read(descriptors, seconds)
    except (OSError, ValueError):
        return                                          # reading it will say what is the matter


class Terminal:
    """While used as a context, a terminal gives keys as they are typed and does not echo.

    Ctrl-C still interrupts, unless it `is_raw`: then all keys are the guest's.  What is no terminal is left alone.
    """

    def __init__(self, descriptor: int = 0, is_raw: bool = False):
        self._descriptor, self._is_raw, self._saved = descriptor, is_raw, None

    def __enter__(self):
        if os.isatty(self._descriptor):
            import termios
            self._saved = termios.tcgetattr(self._descriptor)
            self.take()
        return self

    @property
    def is_ours(self) -> bool:
        """Whether it is a terminal, and this process one of those that it is there for now: no job in the background."""
        try:
            return self._saved is not None and os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:                                 # it has gone, or controls another session
            return False

    def take(self) -> None:
        """Put it in our mode, at the start and after `restore`."""
        import termios
        with suppress(termios.error):                   # it has gone
            mode = termios.tcgetattr(self._descriptor)
            mode[0] &= ~termios.ICRNL
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            if self._is_raw:                            # but for OPOST: not all guests end lines with CR LF
                mode[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR | termios.IGNCR
                             | termios.IXON)
                mode[3] &= ~(termios.ISIG | termios.IEXTEN)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)

    def restore(self) -> None:
        """Make the terminal what it was."""
        if self._saved is not None:
            import termios
            with suppress(termios.error):               # it has gone
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._saved)

    def __exit__(self, *exception):
        self.restore()
