"""virtio-console: what is sent, what is received when there is room, and a driver that does right and wrong things."""
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.console import RECEIVE, TRANSMIT, Console
from rvhyp.machine.devices.virtio.mmio import F_VERSION_1
from tests.engine.support import examples
from tests.machine.virtio.driver import BASE, BUFFERS, SIZE, Driver, reads, writes
from tests.machine.virtio.hostile import SCRATCH, HostileMachine


class Terminal(Driver):
    def __init__(self):
        self.sent = bytearray()
        super().__init__(Console(self.sent.extend))
        self.start(F_VERSION_1)
        self.queues[TRANSMIT].request(reads(self.place(b">"), 1))
        self[mmio.INTERRUPT_ACK] = 1
        self.sent.clear()


@pytest.fixture
def terminal():
    return Terminal()


def test_transmit(terminal):
    at = terminal.place(b"hello, world")
    assert terminal.queues[TRANSMIT].request(reads(at, 5), reads(at + 5, 7)) == 0
    assert terminal.sent == b"hello, world"


def test_input_waits_for_buffers_and_buffers_for_input(terminal):
    console, queue, at = terminal.transport.device, terminal.queues[RECEIVE], terminal.place(bytes(64))
    console.receive(b"abcdef")
    assert console.waiting == 6 and not terminal.irq
    assert queue.request(writes(at, 2), writes(at + 2, 2)) == 4 and terminal.ram.read(at, 5) == b"abcd\0"
    assert queue.request(writes(at, 4)) == 2 and console.waiting == 0
    assert queue.request(writes(at + 8, 4)) is None
    terminal[mmio.INTERRUPT_ACK] = 1
    console.receive(b"g")
    assert terminal.irq and [length for _, length in queue.completed()] == [1] and terminal.ram.read(at + 8, 2) == b"g\0"


def test_input_before_the_driver_is_up_is_not_lost():
    console = Console(print)
    driver = Driver(console)
    console.receive(b"early")
    queue = driver.start()
    assert queue.request(writes(driver.place(bytes(8)), 8)) is None, "it waits until the guest has sent something"
    driver.queues[TRANSMIT].request(reads(driver.place(b">", 64), 1))
    assert [length for _, length in queue.completed()] == [5]


def test_emergency_write(terminal):
    terminal[mmio.STATUS] = 0
    terminal[mmio.CONFIG + 8] = ord("!")
    terminal[mmio.CONFIG + 4] = ord("?")
    assert terminal.sent == b"!"


@pytest.mark.parametrize("index, buffers", [
    (TRANSMIT, [writes(BASE + BUFFERS, 1)]), (TRANSMIT, [reads(BASE + BUFFERS, 1), writes(BASE + BUFFERS, 1)]),
    (RECEIVE, [reads(BASE + BUFFERS, 1)]), (TRANSMIT, [reads(BASE + BUFFERS, SIZE - BUFFERS)] * 2)])
def test_buffers_that_do_not_belong(terminal, index, buffers):
    terminal.transport.device.receive(b"x")
    assert terminal.queues[index].request(*buffers) is None
    assert terminal.needs_reset and not terminal.sent
    terminal.start()
    terminal.queues[TRANSMIT].request(reads(BASE + BUFFERS, 1))
    assert terminal.queues[RECEIVE].request(writes(BASE + BUFFERS, 1)) == 1


class Machine(HostileMachine):
    """The model: bytes that are still to come, buffers that wait for them, and all that was sent."""

    hostile_queue = TRANSMIT

    def make(self):
        self.sent, self.model_sent = bytearray(), bytearray()
        self.pending, self.buffers, self.got = bytearray(), [], bytearray()
        return Console(self.sent.extend)

    def forget(self):
        self.buffers, self.offered, self.slot, self.has_spoken = [], [], 0, False

    def good(self):
        return [reads(SCRATCH, 4), reads(SCRATCH + 8, 4)]

    @precondition(lambda self: not self.is_dead and len(self.offered) < 2)
    @rule(data=st.data(), text=st.binary(min_size=1, max_size=40))
    def send(self, data, text):
        at = BASE + BUFFERS + 0x100 * len(self.offered)
        self.driver.ram.write(at, text)
        queue = self.driver.queues[TRANSMIT]
        head = queue.chain(self.cut(data, at, 0, len(text)))
        queue.offer(head)
        self.offered.append((head, text))

    @precondition(lambda self: not self.is_dead and len(self.buffers) < 4)
    @rule(size=st.integers(1, 20), is_told=st.booleans())
    def give_a_buffer(self, size, is_told):
        queue, at = self.driver.queues[RECEIVE], BASE + BUFFERS + 0x4000 + 0x100 * self.slot
        self.slot = (self.slot + 1) % 8
        head = queue.chain([writes(at, size)])
        queue.offer(head)
        self.buffers.append((head, at, size))
        if is_told:
            queue.notify()
            self.take()

    @rule(text=st.binary(max_size=30))
    def type(self, text):
        self.pending += text
        self.device.receive(text)
        if not self.is_dead:
            self.take()

    def take(self):
        """What the model fills, the device has filled."""
        expected = []
        while self.has_spoken and self.pending and self.buffers:
            head, at, size = self.buffers.pop(0)
            text = bytes(self.pending[:size])
            del self.pending[:size]
            assert self.driver.ram.read(at, len(text)) == text
            expected.append((head, len(text)))
        assert self.driver.queues[RECEIVE].completed() == expected

    def settle(self):
        for queue in self.driver.queues:
            queue.notify()
        self.has_spoken = self.has_spoken or bool(self.offered)
        self.take()
        assert self.driver.queues[TRANSMIT].completed() == [(head, 0) for head, _ in self.offered]
        self.model_sent += b"".join(text for _, text in self.offered)
        self.offered = []

    @rule(value=st.integers(0, 255))
    def emergency(self, value):
        self.driver.transport.write(mmio.CONFIG + 8, 1, value)
        self.model_sent.append(value)

    @invariant()
    def all_is_sent(self):
        assert self.sent == self.model_sent and self.device.waiting == len(self.pending)


TestDriver = Machine.TestCase
TestDriver.settings = examples(60)
