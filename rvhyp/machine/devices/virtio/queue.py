"""Split virtqueues (virtio 1.2, section 2.7), walked for a driver that is not trusted.

Each queue is three parts of guest memory: the descriptor table, the available ring that the driver writes, and the used ring that
the device writes.  Every index, address and length in them may be anything: a walk is bounded by the queue's size, and finds all
that is wrong before the device sees the chain.
"""
from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Protocol

NEXT, WRITE, INDIRECT = 1, 2, 4         # VIRTQ_DESC_F_*
NO_INTERRUPT = 1                        # VIRTQ_AVAIL_F_NO_INTERRUPT
F_INDIRECT_DESC, F_EVENT_IDX = 1 << 28, 1 << 29
MAX_SIZE = 32768
MAX_CHAIN = 1 << 32                     # bytes of all buffers of a chain (2.7.5.1)
DESCRIPTOR = Struct("<QIHH")            # address, length, flags, next
USED = Struct("<II")                    # id, length

Buffer = tuple[int, int]                # guest-physical address, bytes


class DriverError(Exception):
    """The driver broke a rule of the specification: the device does nothing more until it is reset (2.1.2)."""


class GuestRam(Protocol):
    """What a device has of its guest: RAM by guest-physical address."""

    def contains(self, gpa: int, size: int) -> bool: ...

    def read(self, gpa: int, size: int) -> bytes: ...

    def write(self, gpa: int, data: bytes | memoryview) -> None: ...


def pieces(buffers: list[Buffer], offset: int, size: int) -> Iterator[Buffer]:
    """The parts of `buffers` that are bytes `offset` to `offset + size - 1` of them, or up to their end."""
    for gpa, length in buffers:
        if offset < length:
            part = min(length - offset, size)
            if not part:
                return
            yield gpa + offset, part
            size -= part
            offset = 0
        else:
            offset -= length


class Chain:
    """One descriptor chain: buffers the device reads, then buffers it writes, all of them in RAM and none of them empty.

    How a driver cuts a request into buffers means nothing (2.6.4): both kinds are read and written as one run of bytes.
    """

    __slots__ = ("_memory", "head", "readable", "readable_size", "writable", "writable_size")

    def __init__(self, memory: GuestRam, head: int, readable: list[Buffer], writable: list[Buffer]):
        self._memory, self.head, self.readable, self.writable = memory, head, readable, writable
        self.readable_size = sum(size for _, size in readable)
        self.writable_size = sum(size for _, size in writable)

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` device-readable bytes from `offset` on.  A chain may have 4 GiB: ask for what is needed."""
        return b"".join([self._memory.read(*piece) for piece in pieces(self.readable, offset, size)])

    def write(self, data: bytes | memoryview, offset: int = 0) -> int:
        """Fill the device-writable bytes from `offset` on.  How many of `data` there was room for."""
        view, done = memoryview(data), 0
        for gpa, size in pieces(self.writable, offset, len(view)):
            self._memory.write(gpa, view[done:done + size])
            done += size
        return done


class SplitQueue:
    """A virtqueue of at most `maximum` descriptors.  `size`, `desc`, `avail` and `used` are the driver's, until `enable`."""

    def __init__(self, memory: GuestRam, maximum: int):
        if not 1 <= maximum <= MAX_SIZE or maximum & maximum - 1:
            raise ValueError(f"a split virtqueue has a power of two of descriptors, at most {MAX_SIZE}, not {maximum}")
        self._memory, self.maximum = memory, maximum
        self.reset()

    def reset(self) -> None:
        """As before the driver set it up."""
        self.size = self.desc = self.avail = self.used = 0
        self.features = 0               # as negotiated
        self.is_ready = False
        self._restart()

    def _restart(self) -> None:
        self._next = self._used = self._signalled = 0           # free-running indices: 16 bits

    def enable(self) -> None:
        """The driver is done setting it up.  DriverError if its size or a place is none (2.7)."""
        if not 1 <= self.size <= self.maximum or self.size & self.size - 1:
            raise DriverError(f"a queue of {self.size} descriptors: a power of two up to {self.maximum} is allowed")
        for name, gpa, align, size in (("descriptor table", self.desc, 16, 16 * self.size),
                                       ("available ring", self.avail, 2, 6 + 2 * self.size),
                                       ("used ring", self.used, 4, 6 + 8 * self.size)):
            if gpa % align:
                raise DriverError(f"the {name} at {gpa:#x} is not aligned to {align} bytes")
            if not self._memory.contains(gpa, size):
                raise DriverError(f"the {name}, {size} bytes at {gpa:#x}, is not all in RAM")
        self.is_ready = True
        self._restart()

    def disable(self) -> None:
        """The driver takes it back."""
        self.is_ready = False

    # Chains that the driver made available.

    def pop(self) -> Chain | None:
        """The next chain; None if there is none.  DriverError if it is none that a driver may make."""
        available = self._half(self.avail + 2)
        waiting = available - self._next & 0xFFFF
        if not waiting:
            return None
        if waiting > self.size:
            raise DriverError(f"the available index went from {self._next} to {available} in a queue of {self.size}")
        chain = self._walk(self._half(self.avail + 4 + 2 * (self._next % self.size)))
        self._next = self._next + 1 & 0xFFFF
        return chain

    def chains(self) -> Iterator[Chain]:
        """The chains there are, at most as many as the queue has descriptors."""
        for _ in range(self.size):
            chain = self.pop()
            if chain is None:
                return
            yield chain

    def _walk(self, head: int) -> Chain:
        """Follow a chain: at most `size` descriptors, those of an indirect table counted (2.7.5)."""
        readable: list[Buffer] = []
        writable: list[Buffer] = []
        table, entries, index = self.desc, self.size, head
        is_indirect, total, left = False, 0, self.size
        while True:
            if index >= entries:
                raise DriverError(f"descriptor {index} of a table that has {entries}")
            if not left:
                raise DriverError(f"a chain of more than {self.size} descriptors")
            left -= 1
            gpa, length, flags, following = DESCRIPTOR.unpack(self._memory.read(table + 16 * index, 16))
            if flags & INDIRECT:
                self._check_table(gpa, length, flags, is_indirect)
                table, entries, index, is_indirect, left = gpa, length // 16, 0, True, left + 1
                continue
            if not length or not self._memory.contains(gpa, length):
                raise DriverError(f"a buffer of {length} bytes at {gpa:#x}" + (", not all in RAM" if length else ""))
            total += length
            if total > MAX_CHAIN:
                raise DriverError(f"a chain of more than {MAX_CHAIN} bytes")
            if flags & WRITE:
                writable.append((gpa, length))
            elif writable:
                raise DriverError("a device-readable buffer behind a device-writable one")
            else:
                readable.append((gpa, length))
            if not flags & NEXT:
                return Chain(self._memory, head, readable, writable)
            index = following

    def _check_table(self, gpa: int, length: int, flags: int, is_nested: bool) -> None:
        """An indirect table is the last of its chain, and whole descriptors in RAM (2.7.5.3).  Its WRITE flag means nothing."""
        if not self.features & F_INDIRECT_DESC:
            raise DriverError("an indirect descriptor, and VIRTIO_F_INDIRECT_DESC was not negotiated")
        if is_nested:
            raise DriverError("an indirect table inside another")
        if flags & NEXT:
            raise DriverError("an indirect descriptor with a next one")
        if not length or length % 16:
            raise DriverError(f"an indirect table of {length} bytes: descriptors have 16")
        if not self._memory.contains(gpa, length):
            raise DriverError(f"an indirect table of {length} bytes at {gpa:#x}, not all in RAM")

    # What goes back.

    def push(self, chain: Chain, written: int) -> None:
        """The device is done with a chain, and wrote its first `written` device-writable bytes (2.7.8.2)."""
        self._memory.write(self.used + 4 + 8 * (self._used % self.size), USED.pack(chain.head, written))
        self._used = self._used + 1 & 0xFFFF
        self._memory.write(self.used + 2, self._used.to_bytes(2, "little"))

    def ask_for_more(self) -> None:
        """Under VIRTIO_F_EVENT_IDX: have the driver notify when it makes the next chain available (2.7.10)."""
        if self.features & F_EVENT_IDX:
            self._memory.write(self.used + 4 + 8 * self.size, self._next.to_bytes(2, "little"))

    def take_interrupt(self) -> bool:
        """Whether the driver wants an interrupt for what was pushed since the last call (2.7.7, 2.7.10)."""
        pushed = self._used - self._signalled & 0xFFFF
        if not pushed:
            return False
        if not self.features & F_EVENT_IDX:
            self._signalled = self._used
            return not self._half(self.avail) & NO_INTERRUPT
        event = self._half(self.avail + 4 + 2 * self.size)
        self._signalled = self._used
        return self._used - event - 1 & 0xFFFF < pushed

    def _half(self, gpa: int) -> int:
        return int.from_bytes(self._memory.read(gpa, 2), "little")
