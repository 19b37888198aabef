"""Consoles that others connect to: a pseudo-terminal, a Unix socket.  Nobody who does not read holds up a guest."""
from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from rvhyp.machine.console import CHUNK, Input, can_read, can_write
from rvhyp.machine.errors import BadInput

BACKLOG = 1 << 16                       # bytes that are kept for who reads slowly: of single ones a Unix socket takes few
PATIENCE = 0.2                          # seconds that a full line is waited for, once, until something is read from it


class Line(Input):
    """A console's two directions: called with bytes it sends them; `read` as for `Input`.  It is never at its end."""

    is_piped = False
    is_open = True

    def __init__(self):
        super().__init__(None)
        self._backlog, self._is_stuck = bytearray(), False

    def __call__(self, data: bytes) -> None:
        """Send.  What finds no room is kept, up to a limit; the rest is lost if nobody reads for a while, or nobody is there."""
        self._backlog += data
        self._push()
        if len(self._backlog) > BACKLOG:
            self._push_waiting(BACKLOG)
            del self._backlog[BACKLOG:]

    def _push(self) -> None:
        """Send what there is room for."""
        while self._backlog:
            try:
                sent = self._send(self._backlog)
            except BlockingIOError:
                return
            except OSError:
                self._hang_up()
                sent = 0
            if not sent:
                self._backlog.clear()
                return
            del self._backlog[:sent]
            self._is_stuck = False

    def _push_waiting(self, left: int) -> None:
        """Send until no more than that is left, or nobody reads."""
        while len(self._backlog) > left and not self._is_stuck:
            self._is_stuck = not can_write(self.descriptor, PATIENCE)
            self._push()

    def read(self, timeout: float = 0) -> bytes:
        self._push()
        try:
            if not can_read([self.descriptor], timeout):
                return b""
            return self._receive()
        except BlockingIOError:
            return b""
        except OSError:
            self._hang_up()
            return b""

    def _send(self, data: bytes | bytearray) -> int: ...

    def _receive(self) -> bytes: ...

    def _hang_up(self) -> None:
        """The other side has gone."""

    def close(self) -> None:
        """Leave nothing behind."""


class Pty(Line):
    """A pseudo-terminal; programs connect to the terminal `name`."""

    def __init__(self):
        import tty
        super().__init__()
        try:
            self.descriptor, self._slave = os.openpty()         # it stays open here, so that who leaves may come back
        except OSError as error:
            raise BadInput(f"the host has no pseudo-terminal ({error.strerror})", "--console pty") from error
        self.name = os.ttyname(self._slave)
        tty.setraw(self._slave)
        os.set_blocking(self.descriptor, False)

    def _send(self, data: bytes | bytearray) -> int:
        return os.write(self.descriptor, data)

    def _receive(self) -> bytes:
        return os.read(self.descriptor, CHUNK)

    def close(self) -> None:
        self._push_waiting(0)
        os.close(self.descriptor)
        os.close(self._slave)


class Socket(Line):
    """A Unix socket; one program at a time may connect to its path, and another when that has gone."""

    def __init__(self, path: str):
        """BadInput if the path is taken by another run, is something else, or cannot be bound."""
        super().__init__()
        self.name, self._peer = path, None
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._free(path)
            self._listener.bind(path)
            self._listener.listen(1)
        except (OSError, ValueError) as error:
            self._listener.close()
            raise BadInput(f"no socket can be made there ({getattr(error, 'strerror', None) or error})", path,
                           "give another path") from error
        self._inode = os.stat(path).st_ino

    @staticmethod
    def _free(path: str) -> None:
        """Remove the socket that a run which was killed has left."""
        if not os.path.lexists(path):
            return
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise BadInput("is there already, and no socket", path, "give another path")
        with socket.socket(socket.AF_UNIX) as other:
            try:
                other.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
                return
        raise BadInput("is the console of another run", path, "give another path")

    @property
    def descriptor(self) -> int:
        """What becomes readable: who is connected, or wants to be."""
        return (self._peer or self._listener).fileno()

    @descriptor.setter
    def descriptor(self, value: None) -> None:
        """There is none of its own."""

    def _accept(self) -> None:
        self._peer, _ = self._listener.accept()
        self._peer.setblocking(False)
        self._is_stuck = False

    def _send(self, data: bytes | bytearray) -> int:
        if self._peer is None:
            if not can_read([self._listener.fileno()]):
                return 0                # nobody there
            self._accept()
        return self._peer.send(data)

    def _receive(self) -> bytes:
        if self._peer is None:
            self._accept()
            return b""
        data = self._peer.recv(CHUNK)
        if not data:
            self._hang_up()
        return data

    def _hang_up(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None
            self._backlog.clear()

    def close(self) -> None:
        self._push_waiting(0)
        self._hang_up()
        self._listener.close()
        with suppress(OSError):
            if os.stat(self.name).st_ino == self._inode:
                os.unlink(self.name)
