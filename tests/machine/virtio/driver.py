"""The driver's side of a virtio device, in Python: memory as bytes, registers by name, queues filled with anything."""
from __future__ import annotations

import struct

from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.mmio import ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, VirtioMmio
from rvhyp.machine.devices.virtio.queue import INDIRECT, NEXT, WRITE

BASE = 0x8000_0000
SIZE = 1 << 20
BUFFERS = 0x1_0000                      # offset in RAM of what is not queues


class Ram:
    """Guest RAM."""

    def __init__(self, base=BASE, size=SIZE):
        self.base, self.bytes = base, bytearray(size)

    def contains(self, gpa, size):
        return self.base <= gpa and size >= 0 and gpa + size <= self.base + len(self.bytes)

    def read(self, gpa, size):
        assert self.contains(gpa, size), f"the device reads {size} bytes at {gpa:#x}"
        return bytes(self.bytes[gpa - self.base:gpa - self.base + size])

    def write(self, gpa, data):
        assert self.contains(gpa, len(data)), f"the device writes {len(data)} bytes at {gpa:#x}"
        self.bytes[gpa - self.base:gpa - self.base + len(data)] = data


class Queue:
    """One queue as its driver has it."""

    def __init__(self, driver: Driver, index: int, size: int, at: int):
        self.driver, self.index, self.size = driver, index, size
        self.desc, self.avail, self.used = at, at + 16 * size, at + 18 * size + 8 & ~3
        self.end = self.used + 8 * size + 8
        self.available = self.seen = self.free = 0
        driver.ram.write(at, bytes(self.end - at))

    def describe(self, index, gpa, size, flags=0, following=0):
        """Write a descriptor."""
        self.driver.ram.write(self.desc + 16 * index, struct.pack("<QIHH", gpa, size, flags, following))

    def chain(self, buffers, indirect_at=None):
        """Write a chain of (gpa, size, flags).  The index of its first descriptor."""
        if indirect_at is not None:
            for number, (gpa, size, flags) in enumerate(buffers):
                more = NEXT if number + 1 < len(buffers) else 0
                self.driver.ram.write(indirect_at + 16 * number, struct.pack("<QIHH", gpa, size, flags | more, number + 1))
            buffers = [(indirect_at, 16 * len(buffers), INDIRECT)]
        indices = [(self.free + number) % self.size for number in range(len(buffers))]
        self.free = (self.free + len(buffers)) % self.size
        for number, (gpa, size, flags) in enumerate(buffers):
            is_last = number + 1 == len(buffers)
            self.describe(indices[number], gpa, size, flags | (0 if is_last else NEXT), 0 if is_last else indices[number + 1])
        return indices[0]

    def offer(self, head):
        """Make a chain available."""
        ram = self.driver.ram
        ram.write(self.avail + 4 + 2 * (self.available % self.size), struct.pack("<H", head))
        self.available = self.available + 1 & 0xFFFF
        ram.write(self.avail + 2, struct.pack("<H", self.available))

    def notify(self):
        self.driver[mmio.QUEUE_NOTIFY] = self.index

    def completed(self):
        """(head, length) of what has been used since the last call."""
        ram, done = self.driver.ram, []
        index, = struct.unpack("<H", ram.read(self.used + 2, 2))
        while self.seen != index:
            done.append(struct.unpack("<II", ram.read(self.used + 4 + 8 * (self.seen % self.size), 8)))
            self.seen = self.seen + 1 & 0xFFFF
        return done

    def request(self, *buffers, indirect_at=None):
        """Offer a chain, notify, and give the length the device wrote; None if it did not use it."""
        head = self.chain(buffers, indirect_at)
        self.offer(head)
        self.notify()
        done = self.completed()
        assert done in ([], [(head, done[0][1] if done else 0)])
        return done[0][1] if done else None


class Driver:
    """A device on a transport, and its interrupt line."""

    def __init__(self, device, ram=None):
        self.ram, self.irq, self.lines = ram or Ram(), False, []
        self.transport = VirtioMmio(device, self.ram, self.drive, self.lines.append)
        self.queues: list[Queue] = []

    def drive(self, level):
        assert level != self.irq, "the line is driven only when it changes"
        self.irq = level

    def __getitem__(self, offset):
        return self.transport.read(offset, 4)

    def __setitem__(self, offset, value):
        self.transport.write(offset, 4, value)

    def write64(self, offset, value):
        self[offset], self[offset + 4] = value & 0xFFFF_FFFF, value >> 32

    @property
    def offered(self):
        words = []
        for word in (0, 1):
            self[mmio.DEVICE_FEATURES_SEL] = word
            words.append(self[mmio.DEVICE_FEATURES])
        return words[0] | words[1] << 32

    def negotiate(self, features):
        """The start of initialization (3.1.1) up to FEATURES_OK.  Whether the device agrees."""
        self[mmio.STATUS] = 0
        self[mmio.STATUS] = ACKNOWLEDGE
        self[mmio.STATUS] = ACKNOWLEDGE | DRIVER
        for word in (0, 1):
            self[mmio.DRIVER_FEATURES_SEL] = word
            self[mmio.DRIVER_FEATURES] = features >> 32 * word & 0xFFFF_FFFF
        self[mmio.STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK
        return bool(self[mmio.STATUS] & FEATURES_OK)

    def set_up(self, index, size, at):
        """Set up one queue."""
        queue = Queue(self, index, size, at)
        self[mmio.QUEUE_SEL] = index
        self[mmio.QUEUE_NUM] = size
        for register, gpa in ((mmio.QUEUE_DESC, queue.desc), (mmio.QUEUE_DRIVER, queue.avail), (mmio.QUEUE_DEVICE, queue.used)):
            self.write64(register, gpa)
        self[mmio.QUEUE_READY] = 1
        return queue

    def start(self, features=None, size=8):
        """All of initialization, every queue with `size` descriptors."""
        assert self.negotiate(self.offered if features is None else features)
        at, self.queues = self.ram.base, []
        for index in range(len(self.transport.queues)):
            self.queues.append(self.set_up(index, size, at))
            at = self.queues[-1].end + 15 & ~15
        assert at < self.ram.base + BUFFERS
        self[mmio.STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
        return self.queues[0]

    @property
    def needs_reset(self):
        return bool(self[mmio.STATUS] & mmio.NEEDS_RESET)

    def place(self, data, offset=0):
        """Put bytes among the buffers.  Their address."""
        self.ram.write(self.ram.base + BUFFERS + offset, data)
        return self.ram.base + BUFFERS + offset


def reads(gpa, size):
    """A device-readable buffer."""
    return gpa, size, 0


def writes(gpa, size):
    """A device-writable buffer."""
    return gpa, size, WRITE
