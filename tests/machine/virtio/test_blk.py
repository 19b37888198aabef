"""virtio-blk: requests, and a driver that does right and wrong things with a model that says what must happen."""
import struct

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rvhyp.fuzz.virtio_driver import BASE, BUFFERS, SIZE, Driver, reads, writes
from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.blk import (
    F_DISCARD,
    F_FLUSH,
    F_RO,
    F_WRITE_ZEROES,
    S_IOERR,
    S_OK,
    S_UNSUPP,
    T_DISCARD,
    T_FLUSH,
    T_GET_ID,
    T_IN,
    T_OUT,
    T_WRITE_ZEROES,
    Blk,
)
from rvhyp.machine.devices.virtio.mmio import F_VERSION_1
from rvhyp.machine.devices.virtio.queue import F_INDIRECT_DESC
from tests.engine.support import examples
from tests.machine.virtio.hostile import SCRATCH, HostileMachine, words

SECTORS = 16
DATA, STATUS = 0x1000, 0x9000           # among the buffers


class Memory:
    """An image in memory that counts its flushes, and fails when told to."""

    def __init__(self, is_read_only=False):
        self.name, self.size, self.is_read_only = "disk.img", SECTORS * 512, is_read_only
        self.bytes = bytearray(range(256)) * (self.size // 256)
        self.flushes, self.is_broken = 0, False

    def check(self):
        if self.is_broken:
            raise OSError(5, "Input/output error")

    def read(self, offset, size):
        self.check()
        assert 0 <= offset and offset + size <= self.size
        return bytes(self.bytes[offset:offset + size])

    def write(self, offset, data):
        self.check()
        assert not self.is_read_only and 0 <= offset and offset + len(data) <= self.size
        self.bytes[offset:offset + len(data)] = data

    def zero(self, offset, size, may_unmap):
        self.write(offset, bytes(size))

    def discard(self, offset, size):
        self.write(offset, b"D" * size)

    def flush(self):
        self.check()
        self.flushes += 1

    def close(self):
        pass


class Disk(Driver):
    """A block device and requests for it."""

    def __init__(self, image=None, features=None):
        self.image = image or Memory()
        super().__init__(Blk(self.image))
        self.start(features)

    def ask(self, kind, sector=0, out=b"", room=0):
        """(status, data, length used) of a request; None if it was not used."""
        header = self.place(struct.pack("<IIQ", kind, 0, sector) + out)
        self.place(bytes(room), DATA)
        self.place(b"\xFF", STATUS)
        data = [writes(BASE + BUFFERS + DATA, room)] if room else []
        length = self.queues[0].request(reads(header, 16 + len(out)), *data, writes(BASE + BUFFERS + STATUS, 1))
        if length is None:
            return None
        return self.ram.read(BASE + BUFFERS + STATUS, 1)[0], self.ram.read(BASE + BUFFERS + DATA, room), length


@pytest.fixture
def disk():
    return Disk()


def test_configuration(disk):
    assert disk[mmio.CONFIG] == SECTORS and disk[mmio.CONFIG + 4] == 0
    assert disk[mmio.CONFIG + 8] == 1 << 18 and disk[mmio.CONFIG + 12] == 254 and disk[mmio.CONFIG + 20] == 512
    assert not disk.offered & F_RO and Disk(Memory(is_read_only=True)).offered & F_RO


def test_read_write_flush_identity(disk):
    assert disk.ask(T_IN, 1, room=1024) == (S_OK, bytes(range(256)) * 4, 1025)
    assert disk.ask(T_OUT, 15, out=b"z" * 512) == (S_OK, b"", 1)
    assert disk.image.bytes[-513:] == b"\xFF" + b"z" * 512
    assert disk.image.flushes == 0
    assert disk.ask(T_FLUSH) == (S_OK, b"", 1) and disk.image.flushes == 1
    assert disk.ask(T_GET_ID, room=20) == (S_OK, b"disk.img".ljust(20, b"\0"), 21)


@pytest.mark.parametrize("kind, sector, size", [
    (T_IN, 16, 512), (T_IN, 15, 1024), (T_IN, 0, 513), (T_IN, 0, 1), (T_IN, 1 << 55, 512), (T_IN, (1 << 64) - 1, 512),
    (T_OUT, 16, 512), (T_OUT, 15, 1024), (T_OUT, 0, 500), (T_OUT, (1 << 64) - 1, 512)])
def test_what_is_not_on_the_disk_is_an_error_of_the_request(disk, kind, sector, size):
    before = bytes(disk.image.bytes)
    status, data, length = disk.ask(kind, sector, out=bytes(size) if kind == T_OUT else b"", room=size if kind == T_IN else 0)
    assert status == S_IOERR and data == bytes(len(data)) and length == (0 if kind == T_IN else 1)
    assert disk.image.bytes == before and not disk.needs_reset


ERASE = {T_DISCARD: (F_DISCARD, b"D"), T_WRITE_ZEROES: (F_WRITE_ZEROES, b"\0")}


@pytest.mark.parametrize("kind", ERASE)
def test_sectors_are_erased(disk, kind):
    before, value = bytes(disk.image.bytes), ERASE[kind][1]
    assert disk.ask(kind, out=struct.pack("<QII", 3, 2, 0)) == (S_OK, b"", 1)
    assert disk.image.bytes == before[:1536] + value * 1024 + before[2560:] and disk.image.flushes == 0
    assert disk.ask(kind, out=struct.pack("<QII", 16, 0, 0))[0] == S_OK
    assert disk.ask(kind, out=struct.pack("<QII", 0, 1, 1))[0] == (S_OK if kind == T_WRITE_ZEROES else S_UNSUPP)    # unmap


@pytest.mark.parametrize("kind", ERASE)
@pytest.mark.parametrize("segment, status", [
    (struct.pack("<QII", 0, 1, 2), S_UNSUPP), (struct.pack("<QII", 0, 1, 1 << 31), S_UNSUPP),
    (struct.pack("<QII", 15, 2, 0), S_IOERR), (struct.pack("<QII", 17, 0, 0), S_IOERR),
    (struct.pack("<QII", (1 << 64) - 1, 1, 0), S_IOERR), (struct.pack("<QII", 0, (1 << 32) - 1, 0), S_IOERR),
    (b"", S_IOERR), (bytes(15), S_IOERR), (bytes(32), S_IOERR)])
def test_what_cannot_be_erased_is_an_error_of_the_request(disk, kind, segment, status):
    before = bytes(disk.image.bytes)
    assert disk.ask(kind, out=segment) == (status, b"", 1)
    assert disk.image.bytes == before and not disk.needs_reset


@pytest.mark.parametrize("kind", ERASE)
def test_the_most_that_is_erased_at_once(disk, kind):
    disk.image.size, disk.image.check = 1 << 40, lambda: None
    disk.image.zero = disk.image.discard = lambda *sizes: None
    most, alignment = (disk[mmio.CONFIG + at] for at in ((36, 44) if kind == T_DISCARD else (48, 44)))
    assert alignment == 8 and disk[mmio.CONFIG + 40] == disk[mmio.CONFIG + 52] == 1
    assert disk.ask(kind, out=struct.pack("<QII", 8, most, 0))[0] == S_OK
    assert disk.ask(kind, out=struct.pack("<QII", 8, most + 1, 0))[0] == S_IOERR


@pytest.mark.parametrize("kind", ERASE)
def test_what_was_not_negotiated_is_unsupported_and_a_read_only_disk_does_not_offer_it(kind):
    feature = ERASE[kind][0]
    assert Disk(features=F_VERSION_1).ask(kind, out=struct.pack("<QII", 0, 1, 0))[0] == S_UNSUPP
    assert Disk().offered & feature and not Disk(Memory(is_read_only=True)).offered & feature


@pytest.mark.parametrize("kind", ERASE)
def test_without_the_flush_feature_sectors_are_erased_on_disk(kind):
    disk = Disk(features=F_VERSION_1 | ERASE[kind][0])
    assert disk.ask(kind, out=struct.pack("<QII", 0, 1, 0))[0] == S_OK and disk.image.flushes == 1


@pytest.mark.parametrize("kind", [2, 5, 12, 14, 0xFFFF_FFFF])
def test_an_unknown_type_is_unsupported(disk, kind):
    assert disk.ask(kind) == (S_UNSUPP, b"", 1)


def test_a_read_only_disk_is_not_written():
    disk = Disk(Memory(is_read_only=True))
    assert disk.ask(T_OUT, 0, out=bytes(512))[0] == S_IOERR
    assert disk.ask(T_IN, 0, room=512)[0] == S_OK and disk.ask(T_FLUSH)[0] == S_OK


def test_an_error_of_the_host_is_an_error_of_the_request_and_told(disk):
    disk.image.is_broken = True
    assert disk.ask(T_IN, 0, room=512)[0] == disk.ask(T_OUT, 0, out=bytes(512))[0] == disk.ask(T_FLUSH)[0] == S_IOERR
    assert disk.lines == ["virtio-blk: disk.img: Input/output error"]
    disk.image.is_broken = False
    assert disk.ask(T_IN, 0, room=512)[0] == S_OK and not disk.needs_reset


def test_without_the_flush_feature_a_write_is_on_disk_when_it_is_complete():
    disk = Disk(features=F_VERSION_1)
    assert disk.ask(T_OUT, 0, out=bytes(512))[0] == S_OK and disk.image.flushes == 1


@pytest.mark.parametrize("buffers", [
    [reads(BASE + BUFFERS, 16)], [reads(BASE + BUFFERS, 15), writes(BASE + BUFFERS + STATUS, 1)],
    [writes(BASE + BUFFERS + STATUS, 1)]])
def test_no_room_for_header_or_status_is_the_drivers_fault(disk, buffers):
    disk.place(bytes(32))
    assert disk.queues[0].request(*buffers) is None
    assert disk.needs_reset and "header" in disk.transport.trouble


def test_a_request_may_not_take_for_ever(disk):
    """The same buffer again and again would read the disk for hours; the longest request is 63.5 MiB."""
    disk.image.size = 1 << 40
    disk.image.read = None
    header = disk.place(struct.pack("<IIQ", T_IN, 0, 0))
    big = [writes(BASE + BUFFERS + 0x1000, SIZE - BUFFERS - 0x1000)] * 100
    table = disk.place(b"", 0x100)
    disk.queues[0].size = disk.transport.queues[0].size = 128
    assert disk.queues[0].request(reads(header, 16), *big, writes(BASE + BUFFERS + STATUS, 1), indirect_at=table) == 0


# A driver that does right and wrong things.

class Machine(HostileMachine):
    """Requests in any cut, direct or not.  The model: the bytes on the disk, and what each request must give."""

    features = F_FLUSH | F_WRITE_ZEROES
    wrongs = (*HostileMachine.wrongs, "no status")

    def make(self):
        self.image = Memory()
        self.model, self.offered = bytearray(self.image.bytes), []
        self.checks = []                        # (gpa, bytes) that requests must have left there
        return Blk(self.image)

    def forget(self):
        self.offered, self.next_place, self.described = [], 0, 0

    def good(self):
        self.driver.ram.write(SCRATCH, struct.pack("<IIQ", T_OUT, 0, 0) + b"w" * 512)
        return [reads(SCRATCH, 16), reads(SCRATCH + 16, 512), writes(SCRATCH + 0x1000, 1)]

    def bad(self, kind, data):
        return self.good()[:2] if kind == "no status" else super().bad(kind, data)

    @precondition(lambda self: not self.is_dead and len(self.offered) < 2)
    @rule(data=st.data(), kind=st.sampled_from((T_IN, T_IN, T_OUT, T_OUT, T_FLUSH, T_GET_ID, T_WRITE_ZEROES, 3)),
          sector=st.integers(0, SECTORS),
          size=st.one_of(st.sampled_from((0, 512, 1024, 2048)), st.integers(0, 1500)), is_indirect=st.booleans())
    def offer(self, data, kind, sector, size, is_indirect):
        """Make a request available, and note what must come of it."""
        at = BASE + BUFFERS + 0x4000 * self.next_place
        self.next_place = (self.next_place + 1) % 3
        payload, room = b"", size
        if kind == T_OUT:
            payload, room = data.draw(st.binary(min_size=size, max_size=size)), 0
        elif kind == T_WRITE_ZEROES:
            payload, room = struct.pack("<QII", sector, size // 512, data.draw(st.integers(0, 2))), 0
        self.driver.ram.write(at, struct.pack("<IIQ", kind, 0, sector) + payload)
        self.driver.ram.write(at + 0x1000, b"\xEE" * (room + 1))
        buffers = (self.cut(data, at, 0, 16 + len(payload)) + self.cut(data, at + 0x1000, 2, room + 1))
        table = at + 0x3000 if is_indirect and self.ring & F_INDIRECT_DESC else None
        count = 1 if table else len(buffers)
        if self.described + count > self.queue.size:
            return                              # it would write over descriptors that the device has not seen
        self.described += count
        head = self.queue.chain(buffers, table)
        self.queue.offer(head)
        self.offered.append((head, at, kind, sector * 512, payload, room))

    def settle(self):
        expected = [(head, self.outcome(*rest)) for head, *rest in self.offered]
        self.queue.notify()
        assert self.queue.completed() == expected
        self.offered, self.described = [], 0

    def outcome(self, at, kind, offset, payload, room):
        """What the model says of a request: the length used; what must be in memory is checked after the notification."""
        size, status, contents = len(payload) or room, S_OK, b""
        fits = size % 512 == 0 and offset + size <= len(self.model)
        if kind == T_IN and fits:
            contents = bytes(self.model[offset:offset + size])
        elif kind == T_OUT and fits:
            self.model[offset:offset + size] = payload
        elif kind in (T_IN, T_OUT):
            status = S_IOERR
        elif kind == T_WRITE_ZEROES:
            _, count, flags = struct.unpack("<QII", payload)
            if flags > 1 or offset + 512 * count > len(self.model):
                status = S_UNSUPP if flags > 1 else S_IOERR
            else:
                self.model[offset:offset + 512 * count] = bytes(512 * count)
        elif kind == T_GET_ID:
            contents = b"disk.img".ljust(20, b"\0")[:room]
        elif kind != T_FLUSH:
            status = S_UNSUPP
        written = len(contents)
        self.checks.append((at + 0x1000, contents + b"\xEE" * (room - written) + bytes((status,))))
        return written + (written == room)

    @invariant()
    def memory_is_as_the_model_says(self):
        for gpa, contents in self.checks:
            assert self.driver.ram.read(gpa, len(contents)) == contents
        self.checks.clear()
        assert self.image.bytes == self.model


class Noise(RuleBasedStateMachine):
    """Any writes to registers and rings: the device lives, only ever touches RAM, and a reset brings it back."""

    def __init__(self):
        super().__init__()
        self.disk = Driver(Blk(Memory()))
        self.disk.start()

    @rule(offset=st.sampled_from(sorted(Driver(Blk(Memory())).transport._writers)), value=words)
    def register(self, offset, value):
        self.disk[offset] = value

    @rule(at=st.integers(0, 0x180), data=st.binary(min_size=1, max_size=16))
    def rings(self, at, data):
        self.disk.ram.write(BASE + at, data)

    @rule(index=st.integers(0, 7), gpa=st.one_of(words, st.integers(BASE, BASE + SIZE)), flags=st.integers(0, 7),
          size=st.one_of(words, st.integers(0, 600)), following=st.integers(0, 8), available=st.integers(0, 9))
    def plausible(self, index, gpa, size, flags, following, available):
        queue = self.disk.queues[0]
        queue.describe(index, gpa, size, flags, following)
        self.disk.ram.write(queue.avail + 2, struct.pack("<H", available))
        self.disk[mmio.QUEUE_NOTIFY] = 0

    @rule()
    def start_again(self):
        queue = self.disk.start()
        header = self.disk.place(struct.pack("<IIQ", T_IN, 0, 0))
        assert queue.request(reads(header, 16), writes(header + 0x1000, 513)) == 513


TestDriver = Machine.TestCase
TestDriver.settings = examples(120)
TestNoise = Noise.TestCase
TestNoise.settings = examples(60)
