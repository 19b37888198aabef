"""What every stateful test of a device does beside its own rules: resets, and things that no driver may do."""
import struct

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rvhyp.fuzz.virtio_driver import BASE, BUFFERS, SIZE, Driver
from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.mmio import F_VERSION_1
from rvhyp.machine.devices.virtio.queue import F_EVENT_IDX, F_INDIRECT_DESC

SCRATCH = BASE + BUFFERS + 0xC000       # where wrong things are; a machine's own requests are below
RING = F_INDIRECT_DESC | F_EVENT_IDX

words = st.one_of(st.sampled_from((0, 1, 15, 16, 0xFFFF_FFFF, BASE, BASE + SIZE, BASE + BUFFERS)), st.integers(0, 0xFFFF_FFFF))


class HostileMachine(RuleBasedStateMachine):
    """A driver of `device`; `features` of its type are accepted.  It knows whether the device waits for a reset: `is_dead`.

    `settle` notifies of all that was offered and compares it with the model; `good` is a request that is right, as buffers;
    `hostile_queue` is the queue that wrong things go to.
    """

    features = 0
    hostile_queue = 0
    wrongs = ("head", "outside", "endless", "ahead", "live", "order", "empty")

    def __init__(self):
        super().__init__()
        self.device = self.make()
        self.driver = Driver(self.device)

    def make(self):
        raise NotImplementedError

    def settle(self):
        raise NotImplementedError

    def good(self):
        raise NotImplementedError

    def forget(self):
        """The driver starts anew."""

    @initialize(ring=st.sampled_from((0, F_INDIRECT_DESC, F_EVENT_IDX, RING)), size=st.sampled_from((8, 16)))
    def boot(self, ring, size):
        limit = min(queue.maximum for queue in self.driver.transport.queues)
        self.ring = ring
        self.queue = self.driver.start(self.features | F_VERSION_1 | ring, min(size, limit))
        self.is_dead = False
        self.forget()

    @rule(ring=st.sampled_from((0, F_INDIRECT_DESC, F_EVENT_IDX)), size=st.sampled_from((8, 32)))
    def reset(self, ring, size):
        self.boot(ring, size)

    @rule()
    def notify(self):
        if not self.is_dead:
            self.settle()
            return
        for queue in self.driver.queues:
            queue.notify()
            assert queue.completed() == []

    @rule()
    def acknowledge(self):
        self.driver[mmio.INTERRUPT_ACK] = self.driver[mmio.INTERRUPT_STATUS]
        assert not self.driver.irq

    @rule(offset=st.sampled_from((mmio.DEVICE_FEATURES_SEL, mmio.DRIVER_FEATURES_SEL, mmio.DRIVER_FEATURES, mmio.INTERRUPT_ACK, 0,
                                  0x60, 0xFC, 0x100, 0x104, 0x120, 0xFF8)), value=words)
    def harmless_writes(self, offset, value):
        self.driver[offset] = value

    @invariant()
    def the_device_waits_for_a_reset_only_after_a_wrong_thing(self):
        if hasattr(self, "is_dead"):
            assert self.driver.needs_reset is self.is_dead

    def cut(self, data, gpa, flags, size):
        """Buffers of `size` bytes at gpa, in at most three parts."""
        points = sorted({0, size, *data.draw(st.lists(st.integers(0, size), max_size=2))})
        return [(gpa + start, stop - start, flags) for start, stop in zip(points, points[1:], strict=False)]

    @precondition(lambda self: not self.is_dead)
    @rule(data=st.data())
    def wrong(self, data):
        kind = data.draw(st.sampled_from(self.wrongs))
        if kind == "live":
            self.driver[mmio.QUEUE_SEL] = self.hostile_queue
            register = data.draw(st.sampled_from((mmio.QUEUE_NUM, mmio.QUEUE_DESC, mmio.QUEUE_DRIVER + 4, mmio.QUEUE_DEVICE)))
            self.driver[register] = data.draw(words)
            self.is_dead = True
            return
        self.settle()                           # else the model has to say which descriptors are overwritten
        queue = self.driver.queues[self.hostile_queue]
        if kind == "head":
            queue.offer(data.draw(st.integers(queue.size, 0xFFFF)))
        elif kind == "ahead":
            ahead = data.draw(st.integers(queue.size + 1, 0xFFFF))
            self.driver.ram.write(queue.avail + 2, struct.pack("<H", queue.available + ahead & 0xFFFF))
        elif kind == "endless":
            links = data.draw(st.lists(st.integers(0, 7), min_size=8, max_size=8))
            for index, following in enumerate(links):
                queue.describe(index, SCRATCH, 1, 1, following)
            queue.offer(links[0])
        else:
            queue.offer(queue.chain(self.bad(kind, data)))
        queue.notify()
        assert queue.completed() == []
        self.is_dead = True

    def bad(self, kind, data):
        """Buffers of which one is wrong, in a request that is right otherwise."""
        good = self.good()
        if kind == "outside":
            size = data.draw(st.integers(1, 0xFFFF_FFFF))
            gpa = data.draw(st.one_of(st.integers(0, BASE - 1), st.integers(max(0, BASE + SIZE - size + 1), (1 << 64) - 1)))
            at = data.draw(st.integers(0, len(good) - 1))
            return [*good[:at], (gpa, size, good[at][2]), *good[at + 1:]]
        if kind == "empty":
            at = data.draw(st.integers(0, len(good) - 1))
            return [*good[:at], (SCRATCH, 0, good[at][2]), *good[at:]]
        assert kind == "order"
        return [(SCRATCH, 1, 2), (SCRATCH, 1, 0)]
