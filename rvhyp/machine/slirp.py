"""A process of its own around libslirp: Ethernet frames of guests on a socket, ordinary sockets of the host on the other side.

It runs as a program, `python slirp.py DESCRIPTOR`, and uses nothing of rvhyp (`usernet.py` starts it): what a guest sends is
parsed by a C library, and what goes wrong there ends this process, and the network, but neither the guests nor the monitor.

DESCRIPTOR is one end of a SOCK_SEQPACKET pair.  The first message there is what to do, in JSON; the answer is READY, or what is
wrong; then each message is a frame.  It ends when the other end is closed.
"""
from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p

READY = b"ready"
MISSING = b"missing"                    # followed by why the library cannot be loaded
LONGEST = 1518                          # bytes of a frame
MTU = 1500
CONFIG_VERSION = 1                      # of SlirpConfig: all that is needed here, and every library since 4.1 takes it
BACKLOG = 1024                          # frames kept for guests; while there are any, nothing is taken from the host's sockets
BATCH = 64                              # frames taken from guests between two looks at the host's sockets
LONGEST_WAIT = 1000                     # milliseconds
SOCKETS, MEMORY = 512, 1 << 30          # descriptors and bytes of this process, whatever guests do
LINES_TOLD = 3
POLL_EVENTS = {1: select.POLLIN, 2: select.POLLOUT, 4: select.POLLPRI, 8: select.POLLERR, 16: select.POLLHUP}   # SLIRP_POLL_*


class InAddr(Structure):
    _fields_ = [("words", c_uint32)]


class In6Addr(Structure):
    _fields_ = [("words", c_uint32 * 4)]


TimerCallback = CFUNCTYPE(None, c_void_p)
AddPoll = CFUNCTYPE(c_int, c_int, c_int, c_void_p)
GetEvents = CFUNCTYPE(c_int, c_int, c_void_p)
GlibLog = CFUNCTYPE(None, c_char_p, c_int, c_char_p, c_void_p)


class Callbacks(Structure):
    """SlirpCb; later fields are for later versions of SlirpConfig."""

    _fields_ = [("send_packet", CFUNCTYPE(ctypes.c_ssize_t, c_void_p, c_size_t, c_void_p)),
                ("guest_error", CFUNCTYPE(None, c_char_p, c_void_p)),
                ("clock_get_ns", CFUNCTYPE(ctypes.c_int64, c_void_p)),
                ("timer_new", CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p)),
                ("timer_free", CFUNCTYPE(None, c_void_p, c_void_p)),
                ("timer_mod", CFUNCTYPE(None, c_void_p, ctypes.c_int64, c_void_p)),
                ("register_poll_fd", CFUNCTYPE(None, c_int, c_void_p)),
                ("unregister_poll_fd", CFUNCTYPE(None, c_int, c_void_p)),
                ("notify", CFUNCTYPE(None, c_void_p)),
                ("later", c_void_p * 8)]


class Config(Structure):
    """SlirpConfig, as of its version 1."""

    _fields_ = [("version", c_uint32), ("restricted", c_int), ("in_enabled", c_bool), ("vnetwork", InAddr), ("vnetmask", InAddr),
                ("vhost", InAddr), ("in6_enabled", c_bool), ("vprefix_addr6", In6Addr), ("vprefix_len", c_uint8),
                ("vhost6", In6Addr), ("vhostname", c_char_p), ("tftp_server_name", c_char_p), ("tftp_path", c_char_p),
                ("bootfile", c_char_p), ("vdhcp_start", InAddr), ("vnameserver", InAddr),
                ("vnameserver6", In6Addr), ("vdnssearch", POINTER(c_char_p)),
                ("vdomainname", c_char_p), ("if_mtu", c_size_t), ("if_mru", c_size_t), ("disable_host_loopback", c_bool),
                ("enable_emu", c_bool), ("later", c_void_p * 8)]


def ipv4(text: str) -> InAddr:
    return InAddr.from_buffer_copy(socket.inet_pton(socket.AF_INET, text))


def ipv6(text: str) -> In6Addr:
    return In6Addr.from_buffer_copy(socket.inet_pton(socket.AF_INET6, text))


class Refused(Exception):
    """What is wrong, as a message for the other end."""


def load(name: str) -> ctypes.CDLL:
    """The library, with the types of what is used of it.  Refused if it is not there."""
    try:
        library = ctypes.CDLL(name, use_errno=True)
        library.slirp_new.argtypes, library.slirp_new.restype = [POINTER(Config), POINTER(Callbacks), c_void_p], c_void_p
        library.slirp_input.argtypes, library.slirp_input.restype = [c_void_p, c_char_p, c_int], None
        library.slirp_pollfds_fill.argtypes = [c_void_p, POINTER(c_uint32), AddPoll, c_void_p]
        library.slirp_pollfds_poll.argtypes = [c_void_p, c_int, GetEvents, c_void_p]
        library.slirp_pollfds_fill.restype = library.slirp_pollfds_poll.restype = None
        library.slirp_add_hostfwd.argtypes = [c_void_p, c_int, InAddr, c_int, InAddr, c_int]
    except (OSError, AttributeError) as error:          # AttributeError: too old
        raise Refused(MISSING + str(error).encode()) from error
    return library


class Network:
    """libslirp with `link` to the guests.  `what` is `usernet.Settings.message`."""

    def __init__(self, link: socket.socket, what: dict):
        """Refused if the library, or a port, cannot be had."""
        self._link, self._told = link, 0
        self._backlog: deque[bytes] = deque()
        self._timers: dict[int, list] = {}              # number: callback, its argument, when it is due in milliseconds
        self._watched: list[tuple[int, int]] = []       # what libslirp waits for: descriptor, events
        self._events: dict[int, int] = {}               # what came
        self._library = load(what["library"])
        self._fill, self._give = AddPoll(self._add_poll), GetEvents(self._get_events)
        self._callbacks = self._make_callbacks()
        self._config = Config(version=CONFIG_VERSION, restricted=what["restrict"], in_enabled=True, in6_enabled=what["ipv6"],
                              vprefix_addr6=ipv6("fec0::"), vprefix_len=64, vhost6=ipv6("fec0::2"), vnameserver6=ipv6("fec0::3"),
                              vhostname=b"rvhyp", if_mtu=MTU, if_mru=MTU,
                              **{key: ipv4(what[key]) for key in ("vnetwork", "vnetmask", "vhost", "vdhcp_start", "vnameserver")})
        self._slirp = self._library.slirp_new(byref(self._config), byref(self._callbacks), None)
        if not self._slirp:
            raise Refused(b"libslirp cannot work with these settings")
        for each in what["forwards"]:
            if self._library.slirp_add_hostfwd(self._slirp, each["udp"], ipv4(each["host"]), each["port"], ipv4(each["guest"]),
                                               each["guest_port"]) < 0:
                raise Refused(f"port {each['port']} of {each['host']} cannot be used "
                              f"({os.strerror(ctypes.get_errno())})".encode())
        self._library.slirp_pollfds_poll(self._slirp, 0, self._give, None)      # it looks at the clock, as yet 0

    # What libslirp calls.  None of them may raise: ctypes would only print it.

    def _make_callbacks(self) -> Callbacks:
        calls = {"send_packet": self._send_packet, "guest_error": lambda text, _: self._tell(text),
                 "clock_get_ns": lambda _: time.monotonic_ns(), "timer_new": self._timer_new,
                 "timer_free": lambda timer, _: self._timers.pop(timer, None), "timer_mod": self._timer_mod,
                 "register_poll_fd": lambda *_: None, "unregister_poll_fd": lambda *_: None, "notify": lambda _: None}
        types = dict(field[:2] for field in Callbacks._fields_)
        return Callbacks(**{name: types[name](call) for name, call in calls.items()})

    def _send_packet(self, data: int, size: int, _: object) -> int:
        if size <= LONGEST and len(self._backlog) < BACKLOG:        # else it is lost, as on any network
            self._backlog.append(ctypes.string_at(data, size))
            self._flush()
        return size

    def _timer_new(self, callback: int, argument: int | None, _: object) -> int:
        number = max(self._timers, default=0) + 1
        self._timers[number] = [TimerCallback(callback), argument, None]
        return number

    def _timer_mod(self, timer: int, due: int, _: object) -> None:
        if timer in self._timers:
            self._timers[timer][2] = due

    def _add_poll(self, descriptor: int, events: int, _: object) -> int:
        self._watched.append((descriptor, sum(mine for theirs, mine in POLL_EVENTS.items() if events & theirs)))
        return len(self._watched) - 1

    def _get_events(self, index: int, _: object) -> int:
        came = self._events.get(self._watched[index][0], 0) if 0 <= index < len(self._watched) else 0
        return sum(theirs for theirs, mine in POLL_EVENTS.items() if came & mine)

    def _tell(self, text: bytes | None) -> None:
        """A line for people; a guest can give cause for as many as it likes."""
        self._told += 1
        if self._told <= LINES_TOLD:
            with suppress(OSError):
                os.write(2, b"rvhyp: user network: " + (text or b"").strip()[:200] + b"\n")

    # The loop.

    def run(self) -> None:
        """Until the other end is closed.  What libslirp logs, through glib, becomes lines of ours."""
        log = GlibLog(lambda domain, level, text, _: self._tell(text))
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libglib-2.0.so.0").g_log_set_default_handler(log, None)
        while True:
            self._watched.clear()
            timeout = c_uint32(LONGEST_WAIT)
            self._library.slirp_pollfds_fill(self._slirp, byref(timeout), self._fill, None)
            self._events = self._poll(min(timeout.value, LONGEST_WAIT, self._until_due()))
            if not self._take():
                return
            self._library.slirp_pollfds_poll(self._slirp, 0, self._give, None)     # last: it sends what waited for ARP
            self._call_due()
            self._flush()

    def _poll(self, milliseconds: float) -> dict[int, int]:
        poll = select.poll()
        poll.register(self._link, select.POLLIN | (select.POLLOUT if self._backlog else 0))
        for descriptor, events in self._watched if not self._backlog else ():
            poll.register(descriptor, events)
        return dict(poll.poll(milliseconds))

    def _until_due(self) -> int:
        """Milliseconds until the next timer."""
        now = time.monotonic_ns() // 1_000_000
        return max(0, min((due - now for *_, due in self._timers.values() if due is not None), default=LONGEST_WAIT))

    def _call_due(self) -> None:
        now = time.monotonic_ns() // 1_000_000
        for timer in list(self._timers.values()):
            callback, argument, due = timer
            if due is not None and due <= now:
                timer[2] = None
                callback(argument)

    def _flush(self) -> None:
        """To the guests, as much as there is room for."""
        with suppress(OSError):                         # no room, or nobody there: `_take` will see that
            while self._backlog:
                self._link.send(self._backlog[0])
                self._backlog.popleft()

    def _take(self) -> bool:
        """Frames of the guests.  False if there will be no more."""
        try:
            for _ in range(BATCH):
                frame = self._link.recv(LONGEST + 1)
                if not frame:
                    return False
                self._library.slirp_input(self._slirp, frame, len(frame))
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


def limit() -> None:
    """What guests can make this process use up is bounded, and its memory, which has what they said, is written nowhere."""
    for what, most in ((resource.RLIMIT_NOFILE, SOCKETS), (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def main() -> None:
    link = socket.socket(fileno=int(sys.argv[1]))
    what = json.loads(link.recv(1 << 16) or b"null")
    if what is None:
        return
    limit()
    try:
        network = Network(link, what)
    except Refused as refused:
        link.send(refused.args[0])
        return
    link.send(READY)
    link.setblocking(False)
    network.run()


if __name__ == "__main__":
    main()
