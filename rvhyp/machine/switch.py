"""An Ethernet switch between virtual machines, and what it carries as a pcap file.

A frame is delivered in the moment it is sent.  Guests take turns on one hart, so frames come in the order of virtual time, and
the same run carries the same frames every time.
"""
from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from rvhyp.machine.clock import TICK, TIMEBASE
from rvhyp.machine.errors import BadInput

HEADER, LONGEST = 14, 1518              # bytes of a frame: addresses and type; the most, with a VLAN tag
GROUP = 1                               # bit of an address's first byte: many, or all
KNOWN = 256                             # addresses remembered of one port, so that no guest can fill the memory of the host
NANOSECOND_PCAP, ETHERNET = 0xA1B2_3C4D, 1


def mac_of(guest: int) -> bytes:
    """The address of guest number `guest`, from 0: 02:00:00:00:00:01 is the first, locally administered."""
    return bytes((2, 0, 0, 0)) + (guest + 1).to_bytes(2, "big")


class Pcap:
    """A file of frames as tcpdump and Wireshark read it, with times in nanoseconds of virtual time since the start."""

    def __init__(self, path: str):
        """BadInput if it cannot be written."""
        self.path, self.trouble = path, ""
        try:
            self._file: BinaryIO = open(path, "wb")
        except OSError as error:
            raise BadInput(f"cannot write it: {error.strerror}", path) from error
        self._try(struct.pack("<IHHiIII", NANOSECOND_PCAP, 2, 4, 0, 0, LONGEST, ETHERNET))

    def write(self, ticks: int, frame: bytes) -> None:
        """A frame that was sent at that tick.  Once the file cannot be written, nothing more goes there."""
        seconds, rest = divmod(ticks, TIMEBASE)
        self._try(struct.pack("<IIII", seconds & 0xFFFF_FFFF, rest * TICK, len(frame), len(frame)) + frame)

    def _try(self, data: bytes) -> None:
        if self.trouble:
            return
        try:
            self._file.write(data)
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}; it ends there"

    def close(self) -> None:
        """Idempotent."""
        try:
            self._file.close()
        except OSError as error:
            self.trouble = self.trouble or f"{self.path}: {error.strerror}; its end is missing"


class Port:
    """Where a machine is plugged in.  `receive(frame)` is how it gets frames; False: it had no room."""

    def __init__(self, switch: Switch, receive: Callable[[bytes], bool]):
        self._switch, self.receive = switch, receive
        self.sent = self.received = self.dropped = self.refused = 0     # refused: no frame at all, or too long

    def send(self, frame: bytes, ticks: int = 0) -> None:
        """Send a frame, without its check sequence."""
        if HEADER <= len(frame) <= LONGEST:
            self.sent += 1
            self._switch.forward(self, frame, ticks)
        else:
            self.refused += 1


class Switch:
    """A learning switch."""

    def __init__(self, pcap: Pcap | None = None):
        self.ports: list[Port] = []
        self.pcap = pcap
        self._known: dict[bytes, Port] = {}
        self._learned: dict[Port, int] = {}

    def plug(self, receive: Callable[[bytes], bool]) -> Port:
        """A new port."""
        port = Port(self, receive)
        self.ports.append(port)
        return port

    def forward(self, origin: Port, frame: bytes, ticks: int) -> None:
        """To the port where its destination was seen last; to all others if it is for many, or was not seen."""
        if self.pcap:
            self.pcap.write(ticks, frame)
        self._learn(frame[6:12], origin)
        known = None if frame[0] & GROUP else self._known.get(frame[:6])
        for port in self.ports if known is None else (known,):
            if port is origin:
                continue
            if port.receive(frame):
                port.received += 1
            else:
                port.dropped += 1

    def _learn(self, address: bytes, port: Port) -> None:
        before = self._known.get(address)
        if address[0] & GROUP or before is port or self._learned.get(port, 0) >= KNOWN:
            return
        if before is not None:
            self._learned[before] -= 1
        self._known[address] = port
        self._learned[port] = self._learned.get(port, 0) + 1

    def close(self) -> str:
        """Nothing is sent any more.  What went wrong with the pcap file, once; "" if nothing."""
        pcap, self.pcap = self.pcap, None
        if pcap is None:
            return ""
        pcap.close()
        return pcap.trouble
