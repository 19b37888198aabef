"""A way to the outside for guests, without rights on the host: libslirp, in a process of its own, at a port of the switch.

libslirp is a router in the guests' network that answers DHCP and DNS, and makes each connection of a guest one of the host's own.
What a guest sends is parsed by a C library: a fault there ends its process (`slirp.py`), and all connections, but no more.
"""
from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network

from rvhyp.machine import slirp
from rvhyp.machine.errors import BadInput
from rvhyp.machine.switch import GROUP, LONGEST, Switch

LIBRARY = "libslirp.so.0"
ROUTER, SERVER, FIRST = 2, 3, 15        # addresses in the network: the host, its DNS, the first that DHCP gives to a guest
LONGEST_PREFIX = 27                     # of a network in which there is room for them
OURS = (b"\x52\x55", b"\x52\x56")       # how the addresses begin that libslirp answers to, for IPv4 and IPv6
RESTARTS = 8                            # of a process that a guest may have brought down: each keeps all guests for some time
PATIENCE = 10                           # seconds for the process to begin, or to end
BATCH = 256                             # frames taken at once
BUFFER = 1 << 20                        # bytes between the processes, as far as the host permits


@dataclass(frozen=True)
class Forward:
    """A port of the host that leads to one of a guest."""

    udp: bool
    host: str                           # IPv4 address of the host; 0.0.0.0: all it has
    port: int
    guest: str                          # IPv4 address
    guest_port: int


@dataclass(frozen=True)
class Settings:
    """What the network is like.  `restrict`: nothing leaves it but answers to what came through `forwards`."""

    network: IPv4Network = IPv4Network("10.0.2.0/24")
    restrict: bool = False
    ipv6: bool = False
    forwards: tuple[Forward, ...] = ()

    @property
    def first_guest(self) -> str:
        """The address that DHCP gives to the guest that asks first."""
        return str(self.network[FIRST])

    def message(self) -> bytes:
        """For the process."""
        return json.dumps({
            "library": LIBRARY, "restrict": self.restrict, "ipv6": self.ipv6,
            "forwards": [asdict(each) for each in self.forwards],
            "vnetwork": str(self.network[0]), "vnetmask": str(self.network.netmask), "vhost": str(self.network[ROUTER]),
            "vnameserver": str(self.network[SERVER]), "vdhcp_start": self.first_guest}).encode()


class UserNetwork:
    """A port of `switch` with the outside behind it.

    Frames for guests come when the host has them: `descriptor` becomes readable, and `serve` takes them.  `now` gives the ticks
    at which they are sent.  `tell` takes a line if its process ends; another takes its place, some times.
    """

    def __init__(self, switch: Switch, settings: Settings | None = None, now: Callable[[], int] = lambda: 0,
                 tell: Callable[[str], object] = lambda text: None):
        """BadInput if the library is not there, or a port of the host cannot be had."""
        self._settings, self._now, self._tell = settings or Settings(), now, tell
        self._ends = 0                                  # how often the process has ended
        self._start()
        self.port = switch.plug(self._receive)

    def _start(self) -> None:
        """A process, and the link to it."""
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._link, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        with theirs:                                    # its own session: Ctrl-C and a hang-up are for us
            command = [sys.executable, "-I", "-S", slirp.__file__, str(theirs.fileno())]
            try:
                self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True,
                                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            except OSError as error:
                self._link.close()
                raise BadInput(f"its process cannot be started ({error.strerror})", "--net user") from error
        self._begin()
        self._link.setblocking(False)

    def _begin(self) -> None:
        self._link.settimeout(PATIENCE)
        try:
            self._link.send(self._settings.message())
            answer = self._link.recv(4096)
        except OSError:
            answer = b""
        if answer == slirp.READY:
            return
        how = self._end()
        if answer.startswith(slirp.MISSING):
            why = answer.removeprefix(slirp.MISSING).decode(errors="replace")
            raise BadInput(f"needs the library libslirp, version 4.1 or later ({why})", "--net user",
                           "install it: in Debian and Ubuntu the package libslirp0, elsewhere libslirp")
        raise BadInput(answer.decode(errors="replace") or f"its process has ended {how}", "--net user",
                       "give another port, or end what uses it" if answer.startswith(b"port") else "")

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when `serve` has something to do; None when the network has ended."""
        return self._link.fileno() if self._link.fileno() >= 0 else None

    def serve(self) -> bool:
        """Give guests what has come for them; whether there was anything."""
        count = 0
        while count < BATCH and self.descriptor is not None:
            try:
                frame = self._link.recv(LONGEST + 1)
            except BlockingIOError:
                break
            except OSError:
                frame = b""
            if not frame:
                self._has_ended()
                break
            self.port.send(frame, self._now())
            count += 1
        return count > 0

    def _receive(self, frame: bytes) -> bool:
        """A frame from a guest.  False if there is no room.  One that is for another guest, which the switch did not know, is not
        for us: libslirp would take it for one to the host."""
        if self.descriptor is None:
            return False
        if frame[0] & GROUP or frame[:2] in OURS:
            try:
                self._link.send(frame)
            except BlockingIOError:
                return False
            except OSError:
                self._has_ended()
                return False
        return True

    def _has_ended(self) -> None:
        """Nobody asked it to."""
        how = self._end()
        self._ends += 1
        if self._ends <= RESTARTS:
            try:
                self._start()
                self._tell(f"user network: its process has ended {how}; another has begun, connections are lost")
                return
            except BadInput as error:
                how += f", and no other begins: {error}"
        self._tell(f"user network: its process has ended {how}; the guests go on without it")

    def _end(self) -> str:
        """How it ended."""
        self._link.close()
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"

    def close(self) -> None:
        """Nothing comes or goes any more.  Idempotent."""
        if self.descriptor is not None:
            self._end()
