"""virtio-9p through the device, with clients that send anything."""
import os
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rvhyp.fuzz.virtio_driver import BASE, BUFFERS, Driver, reads, writes
from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.p9 import Share
from rvhyp.machine.devices.virtio.p9_wire import HEADER, REQUESTS
from tests.engine.support import examples
from tests.machine.virtio.hostile import SCRATCH, HostileMachine
from tests.machine.virtio.p9_client import Client, Refused, connect, encode

# Through the device.

class P9Driver(Driver):
    def __init__(self, folder):
        super().__init__(Share(str(folder), "tag"))
        self.start()

    def send(self, request, room=0x8000):
        at = self.place(request)
        self.queues[0].request(reads(at, 7), reads(at + 7, len(request) - 7), writes(at + 0x4000, 11), writes(at + 0x400B, room))
        size, = struct.unpack("<I", self.ram.read(at + 0x4000, 4))
        return self.ram.read(at + 0x4000, size)


def test_the_device(shared):
    driver = P9Driver(shared)
    assert driver.transport.device.config == b"\3\0tag" and driver.offered & 1
    client = Client(driver.send)
    client.start()
    client.create(b"", b"new", b"z" * 5000)
    assert (shared / "new").read_bytes() == client.read(b"new") == b"z" * 5000


@pytest.mark.parametrize("out, room", [(6, 11), (7, 10), (20, 10)])
def test_no_room_for_a_header_or_an_error_is_the_drivers_fault(shared, out, room):
    driver = P9Driver(shared)
    at = driver.place(encode("version", 8192, b"9P2000.L"))
    assert driver.queues[0].request(reads(at, out), writes(at + 0x1000, room)) is None and driver.needs_reset
    driver.start()
    Client(driver.send).start()


@pytest.mark.parametrize("size", [0, 6, 8, 0xFFFF_FFFF])
def test_a_size_that_is_not_the_messages(shared, size):
    driver = P9Driver(shared)
    request = struct.pack("<I", size) + encode("version", 8192, b"9P2000.L")[4:]
    assert HEADER.unpack_from(driver.send(request))[1] == 7
    Client(driver.send).start()


def test_a_reset_closes_files(shared):
    driver = P9Driver(shared)
    client = Client(driver.send)
    client.start()
    client.call("lopen", client.walk(b"file"), 0)
    count = len(os.listdir("/proc/self/fd"))
    driver[mmio.STATUS] = 0
    assert len(os.listdir("/proc/self/fd")) == count - 1


# Any messages.

names = st.sampled_from([b"a", b"b", b"sub", b"link", b"..", b".", b"", b"a/b", b"../secret", b"\0", b"x" * 256])
fids = st.one_of(st.integers(0, 4), st.just(0xFFFF_FFFF))
numbers = st.one_of(st.sampled_from((0, 1, 2, 0x241, 0x200, 0o644, 0x7FF, 1 << 31)), st.integers(0, (1 << 32) - 1))
bigs = st.one_of(st.integers(0, 40), st.integers(0, (1 << 64) - 1))
STRATEGIES = {"b": st.integers(0, 255), "h": st.integers(0, 65535), "w": st.one_of(fids, numbers), "d": bigs,
              "s": st.one_of(names, st.sampled_from([b"/", b"/etc", b"../..", b"9P2000.L"])), "n": st.lists(names, max_size=18),
              "t": st.binary(max_size=20)}
messages = st.sampled_from(sorted(REQUESTS)).flatmap(lambda kind: st.tuples(
    st.just(REQUESTS[kind][0]), st.tuples(*[STRATEGIES[letter] for letter in REQUESTS[kind][1]])))


def test_any_messages_are_answered_and_stay_in_the_folder():
    @examples(150)
    @given(st.lists(st.one_of(messages, messages, st.binary(min_size=7, max_size=40)), max_size=25))
    def check(requests):
        with tempfile.TemporaryDirectory() as top:
            (Path(top) / "secret").write_text("secret")
            (Path(top) / "shared" / "sub").mkdir(parents=True)
            (Path(top) / "shared" / "link").symlink_to("..")
            client = connect(Path(top) / "shared")
            for request in requests:
                if isinstance(request, bytes):
                    assert HEADER.unpack_from(client.send(request))[1] in (7, *(kind + 1 for kind in REQUESTS))
                else:
                    try:
                        client.call(request[0], *request[1])
                    except Refused as refusal:
                        assert refusal.errno
            assert sorted(os.listdir(top)) == ["secret", "shared"] and (Path(top) / "secret").read_text() == "secret"
            client.start()
            assert b"." in client.names(b"")
    check()


class Machine(RuleBasedStateMachine):
    """A tree in a dict beside the one on the host: files as bytes, folders as None, links as text."""

    some = st.sampled_from([b"a", b"b", b"c"])
    places = st.lists(some, min_size=1, max_size=3).map(tuple)

    def __init__(self):
        super().__init__()
        self.top = tempfile.TemporaryDirectory()
        self.root = Path(self.top.name) / "shared"
        self.root.mkdir()
        (Path(self.top.name) / "secret").write_text("secret")
        self.client, self.tree = connect(self.root), {(): None}

    def teardown(self):
        self.client.call("version", 8192, b"9P2000.L")
        self.top.cleanup()

    def is_folder(self, place):
        return place in self.tree and self.tree[place] is None

    def attempt(self, may, call):
        """Whether it was done, which must be as the model says."""
        try:
            call()
        except Refused:
            assert not may
        else:
            assert may
        return may

    @rule(place=places, data=st.binary(max_size=30))
    def create(self, place, data):
        may = self.is_folder(place[:-1]) and place not in self.tree
        if self.attempt(may, lambda: self.client.create(b"/".join(place[:-1]), place[-1], data)):
            self.tree[place] = data

    @rule(place=places)
    def mkdir(self, place):
        may = self.is_folder(place[:-1]) and place not in self.tree
        if self.attempt(may, lambda: self.client.call("mkdir", self.client.walk(b"/".join(place[:-1])), place[-1], 0o755, 0)):
            self.tree[place] = None

    @rule(place=places, to=st.sampled_from(["..", "../secret", "/", "a", "b/c"]))
    def symlink(self, place, to):
        may = self.is_folder(place[:-1]) and place not in self.tree
        if self.attempt(may, lambda: self.client.call("symlink", self.client.walk(b"/".join(place[:-1])), place[-1],
                                                      to.encode(), 0)):
            self.tree[place] = to

    @rule(place=places)
    def remove(self, place):
        may = place in self.tree and not any(other[:-1] == place for other in self.tree)
        if self.attempt(may, lambda: self.client.call("remove", self.client.walk(b"/".join(place)))):
            del self.tree[place]

    @rule(old=places, new=places)
    def rename(self, old, new):
        """Onto nothing; what may be replaced by what is the host's business."""
        if new in self.tree:
            return
        may = old in self.tree and self.is_folder(new[:-1]) and new[:len(old)] != old
        if self.attempt(may, lambda: self.client.call("renameat", self.client.walk(b"/".join(old[:-1])), old[-1],
                                                      self.client.walk(b"/".join(new[:-1])), new[-1])):
            self.tree = {new + place[len(old):] if place[:len(old)] == old else place: what for place, what in self.tree.items()}

    @rule(place=places)
    def read(self, place):
        def check():
            assert self.client.read(b"/".join(place)) == self.tree[place]
        self.attempt(isinstance(self.tree.get(place), bytes), check)

    @rule(place=places)
    def listing(self, place):
        def check():
            assert set(self.client.names(b"/".join(place))) == {b".", b".."} | {
                other[-1] for other in self.tree if other and other[:-1] == place}
        self.attempt(self.is_folder(place), check)

    @invariant()
    def the_host_has_the_same_tree(self):
        found = {}
        for path in [self.root, *self.root.rglob("*")]:
            found[tuple(part.encode() for part in path.relative_to(self.root).parts)] = (
                os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes())
        assert found == self.tree
        assert sorted(os.listdir(self.top.name)) == ["secret", "shared"]


class Hostile(HostileMachine):
    """Sessions that are begun through any buffers, between things that no driver may do."""

    wrongs = (*HostileMachine.wrongs, "no reply")
    answer = encode("version", 8192, b"9P2000.L")[:4] + b"\x65\1\0" + encode("version", 8192, b"9P2000.L")[7:]

    def make(self):
        self.folder = tempfile.TemporaryDirectory()
        self.offered = []
        return Share(self.folder.name)

    def teardown(self):
        self.device.close()
        self.folder.cleanup()

    def forget(self):
        self.offered = []

    def good(self):
        request = encode("version", 8192, b"9P2000.L")
        self.driver.ram.write(SCRATCH, request)
        return [reads(SCRATCH, 7), reads(SCRATCH + 7, len(request) - 7), writes(SCRATCH + 64, 11), writes(SCRATCH + 128, 64)]

    def bad(self, kind, data):
        return self.good()[:2] if kind == "no reply" else super().bad(kind, data)

    @precondition(lambda self: not self.is_dead and not self.offered)
    @rule(data=st.data())
    def version(self, data):
        request, at = encode("version", 8192, b"9P2000.L"), BASE + BUFFERS
        self.driver.ram.write(at, request + bytes(200))
        self.offered = [self.queue.chain(self.cut(data, at, 0, len(request)) + self.cut(data, at + 64, 2, 64))]
        self.queue.offer(self.offered[0])

    def settle(self):
        self.queue.notify()
        assert self.queue.completed() == [(head, len(self.answer)) for head in self.offered]
        if self.offered:
            assert self.driver.ram.read(BASE + BUFFERS + 64, len(self.answer)) == self.answer
        self.offered = []


TestDriver = Hostile.TestCase
TestDriver.settings = examples(30)
TestClient = Machine.TestCase
TestClient.settings = examples(40)
