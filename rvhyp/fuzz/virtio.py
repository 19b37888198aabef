"""Virtio devices under a driver that does anything: wrong registers, rings, descriptors and requests, in any order.

Whatever it did, a device touches nothing but the guest's RAM, raises nothing, and after a reset serves a request that is right
(virtio 1.2, sections 2.1, 2.7 and 4.2).
"""
from __future__ import annotations

import random
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rvhyp.fuzz.checks import check, draws
from rvhyp.fuzz.virtio_driver import BASE, BUFFERS, SIZE, Driver, Queue, Ram, reads, writes
from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.blk import HEADER, S_OK, T_IN, Blk
from rvhyp.machine.devices.virtio.console import TRANSMIT, Console
from rvhyp.machine.devices.virtio.image import SECTOR
from rvhyp.machine.devices.virtio.p9 import Share
from rvhyp.machine.devices.virtio.rng import Rng, seeded

STEPS = 40
SECTORS = 64
TVERSION, RVERSION, NOTAG = 100, 101, 0xFFFF
REGISTERS = tuple(value for name, value in vars(mmio).items() if name.isupper() and isinstance(value, int) and value < 0x110
                  and value % 4 == 0)
NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 17, 64, 0x7F, 0xFFFF, 0x8000_0000, 0xFFFF_FFFF, BASE - 1, BASE, BASE + 8, BASE + BUFFERS,
           BASE + SIZE - 16, BASE + SIZE - 1, BASE + SIZE)


class Disk:
    """An image in memory."""

    name, is_read_only, size = "disk", False, SECTORS * SECTOR

    def __init__(self):
        self.data = bytearray(self.size)

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self.data[offset:offset + size])

    def write(self, offset: int, data: bytes) -> None:
        self.data[offset:offset + len(data)] = data

    def zero(self, offset: int, size: int, may_unmap: bool) -> None:
        self.data[offset:offset + size] = bytes(size)

    def discard(self, offset: int, size: int) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """What is shared; beside it lies what no guest may reach."""
    folder = tempfile.TemporaryDirectory(prefix="rvhyp-fuzz-")
    shared = Path(folder.name, "shared")
    (shared / "sub").mkdir(parents=True)
    (shared / "sub/file").write_bytes(b"shared")
    (shared / "link").symlink_to("../secret")
    Path(folder.name, "secret").write_bytes(b"secret")
    return folder


# Devices: each is made, and says what is wrong with its answer to a request that is right.

def _disk() -> tuple[object, Callable[[Driver], str]]:
    disk = Disk()

    def works(driver: Driver) -> str:
        disk.data[SECTOR:2 * SECTOR] = bytes(range(256)) * 2
        data, status = driver.place(bytes(SECTOR), 0x100), driver.place(b"\xFF", 0x80)
        length = driver.queues[0].request(reads(driver.place(HEADER.pack(T_IN, 0, 1)), HEADER.size), writes(data, SECTOR),
                                          writes(status, 1))
        good = driver.ram.read(data, SECTOR) == bytes(range(256)) * 2 and driver.ram.read(status, 1) == bytes([S_OK])
        return "" if length == SECTOR + 1 and good else "a sector is not read"
    return Blk(disk), works


def _rng() -> tuple[object, Callable[[Driver], str]]:
    def works(driver: Driver) -> str:
        at = driver.place(bytes(32))
        return "" if driver.queues[0].request(writes(at, 32)) == 32 and any(driver.ram.read(at, 32)) else "no random bytes come"
    return Rng(seeded(1)), works


def _console() -> tuple[object, Callable[[Driver], str]]:
    sent: list[bytes] = []

    def works(driver: Driver) -> str:
        sent.clear()
        driver.queues[TRANSMIT].request(reads(driver.place(b"hello"), 5))
        return "" if b"".join(sent) == b"hello" else "what is sent does not arrive"
    return Console(sent.append), works


def _share() -> tuple[object, Callable[[Driver], str]]:
    def works(driver: Driver) -> str:
        text = b"9P2000.L"
        body = struct.pack("<IBHIH", 13 + len(text), TVERSION, NOTAG, 8192, len(text)) + text
        reply = driver.place(bytes(64), 0x100)
        driver.queues[0].request(reads(driver.place(body), len(body)), writes(reply, 64))
        return "" if driver.ram.read(reply + 4, 1) == bytes([RVERSION]) else "no version is agreed on"
    return Share(str(Path(_folder().name, "shared")), is_read_only=True), works


DEVICES = (_disk, _rng, _console, _share)


# What the driver does.

def _number(rng: random.Random, bits: int) -> int:
    return (rng.choice(NUMBERS) if rng.random() < 0.7 else rng.getrandbits(bits)) & (1 << bits) - 1


def _register(driver: Driver, rng: random.Random) -> None:
    """A register is read or written: any, by any size."""
    at = rng.choice(REGISTERS) if rng.random() < 0.9 else rng.randrange(0x1000)
    size = 4 if rng.random() < 0.9 else rng.choice((1, 2, 8))
    if rng.random() < 0.3:
        driver.transport.read(at, size)
    else:
        driver.transport.write(at, size, _number(rng, 8 * size))


def _start(driver: Driver, rng: random.Random) -> None:
    """The right thing, so that what follows gets further."""
    driver.start(size=rng.choice((2, 4, 8)))


def _strange_start(driver: Driver, rng: random.Random) -> None:
    """All the steps, with features and one queue's place and size as they may come."""
    if not driver.negotiate(mmio.F_VERSION_1 | driver.offered & rng.getrandbits(64)):
        return
    driver[mmio.QUEUE_SEL] = rng.randrange(len(driver.transport.queues))
    driver[mmio.QUEUE_NUM] = rng.choice((1, 2, 3, 4, 8, _number(rng, 32)))
    for register in (mmio.QUEUE_DESC, mmio.QUEUE_DRIVER, mmio.QUEUE_DEVICE):
        driver.write64(register, rng.choice((BASE + 16 * rng.randrange(16), BASE + SIZE - 16, _number(rng, 64))))
    driver[mmio.QUEUE_READY] = 1
    driver[mmio.STATUS] = driver[mmio.STATUS] | mmio.DRIVER_OK
    driver[mmio.QUEUE_NOTIFY] = rng.randrange(3)


def _chain(driver: Driver, rng: random.Random) -> None:
    """Descriptors, mostly such as could be, are offered."""
    if not driver.queues:
        return
    queue = rng.choice(driver.queues)
    for index in range(queue.size):
        if rng.random() < 0.5:
            near = driver.ram.base + BUFFERS + rng.randrange(0x1000)
            queue.describe(index, near if rng.random() < 0.8 else _number(rng, 64), rng.choice((1, 16, SECTOR, _number(rng, 32))),
                           rng.choice((0, 1, 2, 3, 1, 3, rng.getrandbits(16))),
                           rng.randrange(queue.size) if rng.random() < 0.9 else _number(rng, 16))
    for _ in range(rng.randrange(1, 4)):
        queue.offer(rng.randrange(queue.size) if rng.random() < 0.95 else _number(rng, 16))
    queue.notify()


def _contents(driver: Driver, rng: random.Random) -> None:
    """What requests are made of."""
    at = rng.randrange(0x1000)
    some = struct.pack("<IIQ", rng.choice((0, 1, 4, 8, rng.getrandbits(32))), 0, rng.choice((0, 1, SECTORS, _number(rng, 64))))
    message = struct.pack("<IBH", rng.choice((7, 19, 64, _number(rng, 32))), rng.randrange(6, 128), rng.getrandbits(16))
    driver.place(rng.choice((some, message + rng.randbytes(24), rng.randbytes(16))), at)


def _ring(driver: Driver, rng: random.Random) -> None:
    """A word of a ring is overwritten."""
    if driver.queues:
        queue: Queue = rng.choice(driver.queues)
        driver.ram.write(rng.randrange(queue.desc, queue.end - 2), struct.pack("<H", _number(rng, 16)))


ACTIONS = (_register, _register, _start, _strange_start, _chain, _chain, _chain, _contents, _contents, _ring)


@check("virtio", "virtio devices under a driver that does anything; after a reset they work")
def run(seed: int, number: int) -> str:
    """Example `number`: a device, a driver's doings, a reset, a right request."""
    rng = draws(seed, number)
    make = rng.choice(DEVICES)
    device, works = make()
    driver, done = Driver(device, Ram()), []
    for _ in range(rng.randrange(1, STEPS)):
        action = rng.choice(ACTIONS)
        done.append(action.__name__[1:])
        try:
            action(driver, rng)
        except BusError:                    # an access that no register answers: the hart's own fault
            continue
    try:
        driver.start()
        wrong = works(driver)
    finally:
        device.close()
    return f"{device.name} after {', '.join(done)}: {wrong}" if wrong else ""
