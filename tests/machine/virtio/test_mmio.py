"""The transport, register by register, and what every kind of hostile queue does to a device: its end, until it is reset."""
import struct

import pytest

from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.mmio import (
    ACKNOWLEDGE,
    CONFIG_CHANGE,
    DRIVER,
    DRIVER_OK,
    F_VERSION_1,
    FEATURES_OK,
    NEEDS_RESET,
    USED_BUFFER,
)
from rvhyp.machine.devices.virtio.queue import F_EVENT_IDX, F_INDIRECT_DESC, INDIRECT, NEXT, WRITE
from tests.machine.virtio.driver import BASE, BUFFERS, SIZE, Driver, reads, writes

ALL = F_VERSION_1 | F_INDIRECT_DESC | F_EVENT_IDX
UP = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK


class Echo(VirtioDevice):
    """Gives back what it reads."""

    device_id, name, features, queue_sizes = 42, "echo", 1 << 3, (8, 256)
    config = bytes(range(1, 13))

    def __init__(self):
        self.resets = 0

    def notify(self, index):
        queue = self.transport.queues[index]
        for chain in queue.chains():
            queue.push(chain, chain.write(chain.read(0, chain.readable_size)))

    def reset(self):
        self.resets += 1


@pytest.fixture
def driver():
    return Driver(Echo())


@pytest.fixture
def queue(driver):
    return driver.start()


# Registers.

def test_identity(driver):
    assert [driver[at] for at in range(0, 16, 4)] == [0x74726976, 2, 42, 0x48565652]
    assert driver.offered == ALL | 1 << 3
    driver[mmio.DEVICE_FEATURES_SEL] = 2
    assert driver[mmio.DEVICE_FEATURES] == 0


def test_queue_sizes(driver):
    assert driver[mmio.QUEUE_NUM_MAX] == 8
    driver[mmio.QUEUE_SEL] = 1
    assert driver[mmio.QUEUE_NUM_MAX] == 256
    driver[mmio.QUEUE_SEL] = 2
    assert driver[mmio.QUEUE_NUM_MAX] == driver[mmio.QUEUE_READY] == 0
    driver[mmio.QUEUE_READY] = 1
    assert driver[mmio.QUEUE_READY] == 0 and not driver.needs_reset


def test_there_is_no_shared_memory(driver):
    assert [driver[at] for at in (0xB0, 0xB4, 0xB8, 0xBC)] == [0xFFFF_FFFF] * 4


@pytest.mark.parametrize("offset, size", [(0, 1), (0, 8), (2, 4), (0x70, 2), (0x100, 3), (0x102, 4), (0x101, 2)])
def test_accesses_that_fault(driver, offset, size):
    with pytest.raises(BusError):
        driver.transport.read(offset, size)
    with pytest.raises(BusError):
        driver.transport.write(offset, size, 0)


@pytest.mark.parametrize("offset, size, value", [(0, 1, 1), (2, 2, 0x0403), (4, 4, 0x08070605), (0, 8, 0x0807060504030201),
                                                 (8, 8, 0x0C0B0A09), (12, 1, 0), (0xEF8, 8, 0)])
def test_configuration_by_size(driver, offset, size, value):
    assert driver.transport.read(mmio.CONFIG + offset, size) == value


def test_write_only_registers_read_0_and_read_only_ones_stay(driver):
    for at in (mmio.DEVICE_FEATURES_SEL, mmio.DRIVER_FEATURES, mmio.QUEUE_SEL, mmio.QUEUE_NUM, mmio.QUEUE_NOTIFY, mmio.QUEUE_DESC,
               mmio.INTERRUPT_ACK, 0x8, 0xFC):
        before = driver[at]
        driver[at] = 0x5A5A
        assert driver[at] == before


def test_configuration_generation(driver):
    driver.start()
    before = driver[mmio.CONFIG_GENERATION]
    driver.transport.config_changed()
    assert driver[mmio.CONFIG_GENERATION] != before
    assert driver.irq and driver[mmio.INTERRUPT_STATUS] == CONFIG_CHANGE


# Status and features.

@pytest.mark.parametrize("features, agrees", [(ALL, True), (F_VERSION_1, True), (F_VERSION_1 | 1 << 3, True), (0, False),
                                              (F_INDIRECT_DESC, False), (F_VERSION_1 | 1, False), (F_VERSION_1 | 1 << 35, False)])
def test_features_ok_stays_only_for_offered_features_and_version_1(driver, features, agrees):
    assert driver.negotiate(features) is agrees


def test_features_are_fixed_once_ok(driver):
    assert driver.negotiate(F_VERSION_1)
    driver[mmio.DRIVER_FEATURES_SEL] = 0
    driver[mmio.DRIVER_FEATURES] = 0x2000_0000
    assert driver.transport.features == F_VERSION_1


def test_status_bits_are_not_cleared_and_needs_reset_is_the_devices(driver):
    driver[mmio.STATUS] = ACKNOWLEDGE
    driver[mmio.STATUS] = DRIVER | NEEDS_RESET
    assert driver[mmio.STATUS] == ACKNOWLEDGE | DRIVER


def test_driver_ok_without_features_ok(driver):
    driver[mmio.STATUS] = ACKNOWLEDGE | DRIVER | DRIVER_OK
    assert driver.needs_reset and "FEATURES_OK" in driver.transport.trouble


def test_nothing_is_used_before_driver_ok(driver):
    assert driver.negotiate(F_VERSION_1)
    queue = driver.set_up(0, 8, BASE)
    assert queue.request(reads(driver.place(b"ab"), 2), writes(driver.place(b"", 64), 2)) is None
    driver[mmio.STATUS] = UP
    queue.notify()
    assert queue.completed() == [(0, 2)]


def test_reset(driver, queue):
    assert queue.request(reads(driver.place(b"ab"), 2), writes(driver.place(b"", 64), 2)) == 2
    assert driver.irq
    resets = driver.transport.device.resets
    driver[mmio.STATUS] = 0
    assert not driver.irq and driver[mmio.STATUS] == driver[mmio.INTERRUPT_STATUS] == driver[mmio.QUEUE_READY] == 0
    assert driver.transport.device.resets == resets + 1 and driver.transport.features == 0


# Queues.

@pytest.mark.parametrize("indirect", [False, True])
def test_a_request_cut_into_any_buffers(driver, queue, indirect):
    text = b"virtqueue"
    source, target = driver.place(text), driver.place(bytes(20), 64)
    table = driver.place(b"", 256) if indirect else None
    assert queue.request(reads(source, 1), reads(source + 1, 3), reads(source + 4, 5), writes(target, 2), writes(target + 2, 7),
                         writes(target + 12, 4), indirect_at=table) == 9
    assert driver.ram.read(target, 16) == text + bytes(7)
    assert driver.irq and driver[mmio.INTERRUPT_STATUS] == USED_BUFFER
    driver[mmio.INTERRUPT_ACK] = USED_BUFFER
    assert not driver.irq


def test_direct_descriptors_before_an_indirect_one(driver, queue):
    source, target, table = driver.place(b"abcd"), driver.place(bytes(8), 64), driver.place(b"", 256)
    driver.ram.write(table, struct.pack("<QIHH", source + 2, 2, NEXT, 1) + struct.pack("<QIHH", target, 8, WRITE, 0))
    queue.describe(3, source, 2, NEXT, 5)
    queue.describe(5, table, 32, INDIRECT | WRITE)          # 2.7.5.3.2: its WRITE flag is ignored
    queue.offer(3)
    queue.notify()
    assert queue.completed() == [(3, 4)] and driver.ram.read(target, 5) == b"abcd\0"


def test_indices_wrap(driver):
    queue = driver.start(F_VERSION_1)
    source, target = driver.place(b"x"), driver.place(bytes(1), 64)
    head = queue.chain([reads(source, 1), writes(target, 1)])
    for _ in range(8):
        queue.offer(head)
    for index in range(8, 0x1_0009, 8):
        driver.ram.write(queue.avail + 2, struct.pack("<H", index & 0xFFFF))
        queue.notify()
    assert driver.ram.read(queue.used + 2, 2) == b"\x08\0" and not driver.needs_reset


def test_no_interrupt_flag(driver):
    queue = driver.start(F_VERSION_1)
    driver.ram.write(queue.avail, b"\1\0")
    assert queue.request(reads(driver.place(b"ab"), 2)) == 0
    assert not driver.irq
    driver.ram.write(queue.avail, b"\0\0")
    assert queue.request(reads(driver.place(b"ab"), 2)) == 0
    assert driver.irq


def test_event_index(driver, queue):
    """2.7.7: an interrupt when the used index passes used_event; 2.7.10: avail_event says which chain is waited for."""
    used_event, avail_event = queue.avail + 4 + 2 * queue.size, queue.used + 4 + 8 * queue.size
    driver.ram.write(used_event, b"\2\0")
    seen = []
    for number in range(5):
        queue.request(reads(driver.place(b"ab"), 2))
        seen.append(driver.irq)
        driver[mmio.INTERRUPT_ACK] = USED_BUFFER
        assert driver.ram.read(avail_event, 2) == bytes((number + 1, 0))
    assert seen == [False, False, True, False, False]


def test_a_queue_can_be_taken_back_and_set_up_again(driver, queue):
    queue.request(reads(driver.place(b"ab"), 2))
    driver[mmio.QUEUE_SEL] = 0
    driver[mmio.QUEUE_READY] = 0
    assert driver[mmio.QUEUE_READY] == 0
    assert queue.request(reads(driver.place(b"ab"), 2)) is None
    again = driver.set_up(0, 4, BASE)
    assert again.request(reads(driver.place(b"ab"), 2)) == 0


# Hostile drivers.

def bad_chains():
    """(what is said of it, descriptors by index); the chain starts at 0, memory is read at BASE + BUFFERS."""
    here, end, table = BASE + BUFFERS, BASE + SIZE, BASE + BUFFERS + 0x1000
    return [
        ("descriptor 8 of", {0: (here, 4, NEXT, 8)}),
        ("descriptor 65535 of", {0: (here, 4, NEXT, 65535)}),
        ("more than 8 descriptors", {0: (here, 4, NEXT, 0)}),
        ("more than 8 descriptors", {0: (here, 4, NEXT, 1), 1: (here, 4, NEXT, 2), 2: (here, 4, NEXT, 1)}),
        ("0 bytes", {0: (here, 0, 0, 0)}),
        ("0 bytes", {0: (here, 4, NEXT, 1), 1: (here, 0, WRITE, 0)}),
        ("not all in RAM", {0: (end - 3, 4, 0, 0)}),
        ("not all in RAM", {0: (BASE - 1, 4, 0, 0)}),
        ("not all in RAM", {0: (here, 0xFFFF_FFFF, 0, 0)}),
        ("not all in RAM", {0: ((1 << 64) - 2, 4, WRITE, 0)}),
        ("not all in RAM", {0: (0, 4, WRITE, 0)}),
        ("behind a device-writable", {0: (here, 4, WRITE | NEXT, 1), 1: (here, 4, 0, 0)}),
        ("table of 0 bytes", {0: (table, 0, INDIRECT, 0)}),
        ("table of 15 bytes", {0: (table, 15, INDIRECT, 0)}),
        ("table of 40 bytes", {0: (table, 40, INDIRECT, 0)}),
        ("not all in RAM", {0: (end - 16, 32, INDIRECT, 0)}),
        ("not all in RAM", {0: (0, 16, INDIRECT, 0)}),
        ("with a next one", {0: (table, 16, INDIRECT | NEXT, 1), 1: (here, 4, 0, 0)}),
        ("inside another", {0: (BASE, 128, INDIRECT, 0)}),                          # the descriptor table itself
    ]


@pytest.mark.parametrize("what, descriptors", bad_chains())
def test_a_chain_that_no_driver_may_make_ends_the_device_until_its_reset(driver, queue, what, descriptors):
    for index, descriptor in descriptors.items():
        queue.describe(index, *descriptor)
    before = bytes(driver.ram.bytes[BUFFERS:])
    queue.offer(0)
    queue.notify()
    assert driver.needs_reset and driver.irq and driver[mmio.INTERRUPT_STATUS] == CONFIG_CHANGE
    assert queue.completed() == [] and driver.ram.bytes[BUFFERS:] == before
    assert len(driver.lines) == 1 and what in driver.lines[0] and driver.lines[0] == driver.transport.trouble
    queue.notify()
    driver[mmio.STATUS] = UP
    assert queue.completed() == [] and driver.needs_reset
    queue = driver.start()
    assert not driver.needs_reset and queue.request(reads(driver.place(b"ab"), 2)) == 0


def test_a_chain_as_long_as_the_queue_is_allowed_and_one_more_is_not(driver, queue):
    at = driver.place(bytes(64))
    assert queue.request(*[reads(at, 1)] * 8) == 0
    assert queue.request(*[reads(at, 1)] * 8, indirect_at=at + 256) == 0
    assert queue.request(*[reads(at, 1)] * 9, indirect_at=at + 256) is None
    assert driver.needs_reset


def test_indirect_tables_need_their_feature(driver):
    queue = driver.start(F_VERSION_1)
    at = driver.place(bytes(64))
    assert queue.request(reads(at, 1), indirect_at=at + 256) is None
    assert "VIRTIO_F_INDIRECT_DESC" in driver.transport.trouble


def test_an_indirect_table_that_loops(driver, queue):
    table, here = driver.place(bytes(64)), driver.place(b"x", 128)
    driver.ram.write(table, struct.pack("<QIHH", here, 1, NEXT, 1) + struct.pack("<QIHH", here, 1, NEXT, 0))
    queue.describe(0, table, 32, INDIRECT)
    queue.offer(0)
    queue.notify()
    assert "more than 8" in driver.transport.trouble


@pytest.mark.parametrize("head", [8, 9, 0xFFFF])
def test_a_head_out_of_range(driver, queue, head):
    queue.offer(head)
    queue.notify()
    assert driver.needs_reset and queue.completed() == []


@pytest.mark.parametrize("index, is_wrong", [(8, False), (9, True), (0x8000, True), (0xFFFF, True)])
def test_the_available_index_runs_ahead_at_most_by_the_queues_size(driver, queue, index, is_wrong):
    queue.describe(0, driver.place(b"x"), 1)
    driver.ram.write(queue.avail + 2, struct.pack("<H", index))
    queue.notify()
    assert driver.needs_reset is is_wrong
    assert len(queue.completed()) == (0 if is_wrong else index)


def test_what_was_served_before_the_fault_is_used_and_told(driver, queue):
    queue.offer(queue.chain([reads(driver.place(b"x"), 1)]))
    queue.offer(8)
    queue.notify()
    assert queue.completed() == [(0, 0)]
    assert driver[mmio.INTERRUPT_STATUS] == USED_BUFFER | CONFIG_CHANGE


@pytest.mark.parametrize("register, value", [
    (mmio.QUEUE_NUM, 0), (mmio.QUEUE_NUM, 3), (mmio.QUEUE_NUM, 16), (mmio.QUEUE_NUM, 0xFFFF_FFFF),
    (mmio.QUEUE_DESC, BASE + 8), (mmio.QUEUE_DRIVER, BASE + 1), (mmio.QUEUE_DEVICE, BASE + 2),
    (mmio.QUEUE_DESC, 0), (mmio.QUEUE_DESC, BASE + SIZE - 112), (mmio.QUEUE_DRIVER, BASE + SIZE - 20),
    (mmio.QUEUE_DEVICE, BASE + SIZE - 68), (mmio.QUEUE_DEVICE + 4, 0xFFFF_FFFF)])
def test_a_queue_that_cannot_be(driver, register, value):
    assert driver.negotiate(F_VERSION_1)
    for at, start in ((mmio.QUEUE_NUM, 8), (mmio.QUEUE_DESC, BASE), (mmio.QUEUE_DRIVER, BASE + 256),
                      (mmio.QUEUE_DEVICE, BASE + 512)):
        driver[at] = start
    driver[register] = value
    assert not driver.needs_reset
    driver[mmio.QUEUE_READY] = 1
    assert driver.needs_reset and driver[mmio.QUEUE_READY] == 0
    assert not driver.irq, "before DRIVER_OK there is nobody to tell"
    assert driver.start().request(reads(driver.place(b"x"), 1)) == 0


@pytest.mark.parametrize("register", [mmio.QUEUE_NUM, mmio.QUEUE_DESC, mmio.QUEUE_DESC + 4, mmio.QUEUE_DRIVER,
                                      mmio.QUEUE_DEVICE + 4])
def test_a_queue_changed_while_it_is_ready(driver, queue, register):
    driver[mmio.QUEUE_SEL] = 1
    driver[register] = 4
    assert driver.needs_reset and "while it is ready" in driver.transport.trouble


def test_other_queues_and_unknown_ones_are_left_alone(driver, queue):
    driver[mmio.QUEUE_NOTIFY] = 2
    driver[mmio.QUEUE_NOTIFY] = 0xFFFF_FFFF
    assert not driver.needs_reset


def test_trouble_is_told_a_few_times_and_the_last_is_kept(driver):
    for head in range(8, 28):
        queue = driver.start()
        queue.offer(head)
        queue.notify()
    assert len(driver.lines) == 3 and "descriptor 27" in driver.transport.trouble
