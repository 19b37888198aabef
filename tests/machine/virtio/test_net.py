"""virtio-net: frames between cards on a switch, and a driver that does right and wrong things with a model beside it."""
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rvhyp.fuzz.virtio_driver import BASE, BUFFERS, Driver, reads, writes
from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.net import HEADER, RECEIVE, TO_GUEST, TRANSMIT, WAITING, Net
from rvhyp.machine.switch import LONGEST, Switch, mac_of
from tests.engine.support import examples
from tests.machine.virtio.hostile import SCRATCH, HostileMachine

ROOM = 0x600                            # between receive buffers
HEAD = bytes(HEADER)
FIRST = mac_of(0)


def frame(to=b"\xFF" * 6, origin=FIRST, size=60):
    return (to + origin + b"\x88\xB5").ljust(size, b"f")


class Card(Driver):
    """A card with its driver up."""

    def __init__(self, switch, number=0):
        super().__init__(Net(switch, mac_of(number)))
        self.start()

    @property
    def port(self):
        return self.transport.device.port

    def offer(self, count, size=LONGEST + HEADER, offset=0):
        """Make receive buffers available; the places of the buffers by descriptor."""
        queue, places = self.queues[RECEIVE], {}
        for number in range(count):
            at = BASE + BUFFERS + ROOM * (number + offset)
            places[queue.chain([writes(at, size)])] = at
            queue.offer(queue.free - 1 & queue.size - 1)
        queue.notify()
        return places

    def send(self, data, header=HEAD, cut=None):
        """The length used; None if it was not taken."""
        at = self.place(header + data, 0x8000)
        size = len(header + data)
        buffers = [reads(at, size)] if cut is None else [reads(at, cut), reads(at + cut, size - cut)]
        return self.queues[TRANSMIT].request(*buffers)

    def received(self, places):
        """Frames with their headers."""
        return [self.ram.read(places[head], length) for head, length in self.queues[RECEIVE].completed()]


@pytest.fixture
def pair():
    switch = Switch()
    return Card(switch, 0), Card(switch, 1)


def test_the_configuration_has_the_address_and_a_link(pair):
    for number, card in enumerate(pair):
        assert bytes(card.transport.read(0x100 + n, 1) for n in range(6)) == mac_of(number)
        assert card.transport.read(0x106, 2) == 1
        assert card[mmio.DEVICE_ID] == 1


@pytest.mark.parametrize("cut", [None, 1, HEADER, HEADER + 20])
def test_a_frame_arrives_with_an_empty_header_and_an_interrupt(pair, cut):
    places = pair[1].offer(2)
    assert pair[0].send(frame(), cut=cut) == 0
    assert pair[1].received(places) == [TO_GUEST + frame()] and pair[1].irq
    assert (pair[0].port.sent, pair[1].port.received) == (1, 1)


def test_frames_wait_for_buffers_in_their_order_and_the_rest_is_dropped(pair):
    for number in range(WAITING + 3):
        pair[0].send(frame(size=60 + number))
    assert pair[1].port.dropped == 3
    sizes = []
    for _ in range(WAITING // 8):
        places = pair[1].offer(8)
        sizes += [len(data) - HEADER for data in pair[1].received(places)]
    assert sizes == [60 + number for number in range(WAITING)]


def test_nobody_receives_without_a_driver_and_a_reset_forgets_what_waited(pair):
    pair[0].send(frame())
    pair[1].start()
    assert pair[1].received(pair[1].offer(1)) == []
    pair[1][mmio.STATUS] = 0
    pair[0].send(frame())
    assert pair[1].port.dropped == 1


@pytest.mark.parametrize("size", [0, 13, LONGEST + 1, 4000])
def test_what_is_no_frame_is_taken_and_goes_nowhere(pair, size):
    places = pair[1].offer(1)
    assert pair[0].send(frame(size=4000)[:size]) == 0
    assert pair[1].received(places) == [] and pair[0].port.refused == 1 and not pair[0].needs_reset


def test_a_chain_of_gigabytes_is_refused_without_reading_it(pair):
    at = pair[0].place(HEAD)
    sizes = []
    read = pair[0].ram.read
    pair[0].ram.read = lambda gpa, size: sizes.append(size) or read(gpa, size)
    assert pair[0].queues[TRANSMIT].request(*[reads(at, 0xE_0000)] * 8) == 0
    assert pair[0].port.refused == 1 and sum(sizes) < 4096


@pytest.mark.parametrize("header", [b"\1" + bytes(11), b"\0\1" + bytes(10), bytes(11)])
def test_a_header_that_was_not_negotiated_ends_the_device(pair, header):
    assert pair[0].send(frame() if len(header) == HEADER else b"", header) is None and pair[0].needs_reset


@pytest.mark.parametrize("buffer", [reads(SCRATCH, 2000), writes(SCRATCH, 40)])
def test_a_receiver_that_breaks_a_rule_is_its_own_trouble(pair, buffer):
    queue = pair[1].queues[RECEIVE]
    queue.offer(queue.chain([buffer]))
    assert pair[0].send(frame()) == 0
    assert pair[1].needs_reset and not pair[0].needs_reset and queue.completed() == []
    assert pair[0].send(frame()) == 0 and pair[1].port.dropped == 1


class Machine(HostileMachine):
    """A driver on a switch with one other port; the model has what waits for it and the buffers it has offered."""

    hostile_queue = TRANSMIT
    wrongs = (*HostileMachine.wrongs, "writable", "header")

    def make(self):
        self.switch, self.out = Switch(), []
        device = Net(self.switch, mac_of(0))
        self.other = self.switch.plug(lambda data: self.out.append(data) or True)
        return device

    def forget(self):
        self.waiting, self.buffers, self.sending, self.expected = [], [], [], []

    def good(self):
        self.driver.ram.write(SCRATCH, bytes(80))
        return [reads(SCRATCH, 20), reads(SCRATCH + 20, 60)]

    def bad(self, kind, data):
        if kind == "writable":
            return [*self.good(), writes(SCRATCH, 1)]
        if kind == "header":
            self.driver.ram.write(SCRATCH, data.draw(st.sampled_from((b"\1", b"\0\3"))) + bytes(80))
            return [reads(SCRATCH, data.draw(st.integers(2, 80)))]
        return super().bad(kind, data)

    @precondition(lambda self: not self.is_dead and len(self.sending) < 2)
    @rule(data=st.data(), size=st.integers(1, 100), to=st.sampled_from((b"\xFF" * 6, mac_of(0), mac_of(1))))
    def send(self, data, size, to):
        queue, at = self.driver.queues[TRANSMIT], BASE + BUFFERS + 0x400 * len(self.sending)
        content = HEAD + frame(to, mac_of(0), 100)[:size]
        self.driver.ram.write(at, content)
        head = queue.chain(self.cut(data, at, 0, len(content)))
        queue.offer(head)
        self.sending.append((head, content[HEADER:]))

    @precondition(lambda self: not self.is_dead and len(self.buffers) < 2)
    @rule(data=st.data(), size=st.integers(112, 1600))
    def offer(self, data, size):
        queue, at = self.driver.queues[RECEIVE], BASE + BUFFERS + 0x1000 + 0x800 * (queue_place := self.place())
        head = queue.chain(self.cut(data, at, 2, size))
        queue.offer(head)
        self.buffers.append((head, at, queue_place))

    def place(self):
        return next(n for n in range(3) if all(n != used for _, _, used in self.buffers))

    @rule(size=st.integers(14, 100))
    def arrive(self, size):
        content = frame(mac_of(0), mac_of(1), 100)[:size]
        dropped = self.driver.transport.device.port.dropped
        self.other.send(content)
        assert self.driver.transport.device.port.dropped - dropped == self.is_dead
        if not self.is_dead:
            self.waiting.append(content)
            self.check_received()

    def check_received(self):
        done = self.driver.queues[RECEIVE].completed()
        assert len(done) == min(len(self.waiting), len(self.buffers))
        for head, length in done:
            expected, at, _ = self.buffers.pop(0)
            content = TO_GUEST + self.waiting.pop(0)
            assert (head, length) == (expected, len(content)) and self.driver.ram.read(at, length) == content

    def settle(self):
        """`settle` of the transmit queue only; receive buffers that are offered are taken by what waits."""
        del self.out[:]
        queue = self.driver.queues[TRANSMIT]
        queue.notify()
        assert queue.completed() == [(head, 0) for head, _ in self.sending]
        sent = [content for _, content in self.sending if len(content) >= 14 and content[:6] != mac_of(0)]
        own = [content for _, content in self.sending if len(content) >= 14 and content[:6] == mac_of(0)]
        assert [content for content in self.out if content[:6] != mac_of(0)] == sent and len(self.out) <= len(sent) + len(own)
        self.sending = []
        self.driver.queues[RECEIVE].notify()
        self.check_received()


TestDriver = Machine.TestCase
TestDriver.settings = examples(60)
