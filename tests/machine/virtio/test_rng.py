"""virtio-rng: the same bytes for the same seed, and a driver that does right and wrong things."""
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rvhyp.machine.devices.virtio.rng import LONGEST, Rng, seeded
from tests.engine.support import examples
from tests.machine.virtio.driver import BASE, BUFFERS, Driver, reads, writes
from tests.machine.virtio.hostile import SCRATCH, HostileMachine


@pytest.mark.parametrize("cut", [(1,), (7, 32, 64, 33), (96,), (100, 1)])
def test_a_seed_gives_one_stream_however_it_is_cut(cut):
    source = seeded(5)
    assert b"".join(map(source, cut)) == seeded(5)(sum(cut))
    assert seeded(6)(64) != seeded(5)(64)


def test_a_request_is_filled_up_to_a_limit():
    driver = Driver(Rng(seeded(1)))
    queue, at = driver.start(), driver.place(bytes(0x2_0000))
    assert queue.request(writes(at, 3), writes(at + 3, 5)) == 8
    assert driver.ram.read(at, 8) == seeded(1)(8)
    assert queue.request(writes(at, 0x2_0000)) == LONGEST
    assert queue.request(reads(at, 1), writes(at, 4)) is None and driver.needs_reset


def test_a_reset_does_not_start_the_stream_again():
    driver = Driver(Rng(seeded(1)))
    first = driver.start().request(writes(driver.place(bytes(8)), 8)), driver.ram.read(BASE + BUFFERS, 8)
    second = driver.start().request(writes(driver.place(bytes(8)), 8)), driver.ram.read(BASE + BUFFERS, 8)
    assert first[0] == second[0] == 8 and first[1] + second[1] == seeded(1)(16)


class Machine(HostileMachine):
    """The model: a stream of its own with the same seed."""

    wrongs = (*HostileMachine.wrongs, "readable")

    def make(self):
        self.model, self.offered = seeded(9), []
        return Rng(seeded(9))

    def forget(self):
        self.offered = []

    def good(self):
        return [writes(SCRATCH, 4), writes(SCRATCH + 8, 4)]

    def bad(self, kind, data):
        return [reads(SCRATCH, 4)] if kind == "readable" else super().bad(kind, data)

    @precondition(lambda self: not self.is_dead and len(self.offered) < 2)
    @rule(data=st.data(), size=st.integers(1, 300))
    def offer(self, data, size):
        at = BASE + BUFFERS + 0x1000 * len(self.offered)
        head = self.queue.chain(self.cut(data, at, 2, size))
        self.queue.offer(head)
        self.offered.append((head, at, size))

    def settle(self):
        self.queue.notify()
        assert self.queue.completed() == [(head, size) for head, _, size in self.offered]
        for _, at, size in self.offered:
            assert self.driver.ram.read(at, size) == self.model(size)
        self.offered = []


TestDriver = Machine.TestCase
TestDriver.settings = examples(40)
