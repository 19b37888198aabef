"""virtio-9p: files through messages, no way out of the folder, and clients that send anything."""
import errno
import os
import stat
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rvhyp.machine.devices.virtio import mmio
from rvhyp.machine.devices.virtio.folder import Folder
from rvhyp.machine.devices.virtio.p9 import Share
from rvhyp.machine.devices.virtio.p9_server import MAX_OPEN, Server
from rvhyp.machine.devices.virtio.p9_wire import HEADER, REQUESTS
from rvhyp.machine.errors import BadInput
from tests.engine.support import examples
from tests.machine.virtio.driver import BASE, BUFFERS, Driver, reads, writes
from tests.machine.virtio.hostile import SCRATCH, HostileMachine
from tests.machine.virtio.p9_client import Client, Refused, encode


def connect(folder, is_read_only=False):
    server = Server(Folder(str(folder)), is_read_only)
    client = Client(lambda request: server.answer(request, 1 << 20))
    client.start()
    return client


@pytest.fixture
def shared(tmp_path):
    """A folder with a file, a folder and links that lead out; beside it a file that nobody may reach."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "shared"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("contents")
    (folder / "sub" / "deep").write_text("deep")
    (folder / "out").symlink_to("../secret")
    (folder / "absolute").symlink_to(tmp_path)
    (folder / "up").symlink_to("..")
    return folder


@pytest.fixture
def client(shared):
    return connect(shared)


def refused(number, call, *arguments):
    with pytest.raises(Refused) as refusal:
        call(*arguments)
    assert refusal.value.errno == number


def test_reading(client, shared):
    assert client.read(b"file") == b"contents" and client.read(b"sub/deep") == b"deep"
    assert client.names(b"") == {b".": 4, b"..": 4, b"file": 8, b"sub": 4, b"out": 10, b"absolute": 10, b"up": 10}
    assert client.names(b"", count=60) == client.names(b"")
    assert client.mode(b"file") == (shared / "file").stat().st_mode
    assert client.call("readlink", client.walk(b"out")) == b"\x09\0../secret"


def test_writing(client, shared):
    client.create(b"sub", b"new", b"abc", 0o640)
    assert (shared / "sub" / "new").read_bytes() == b"abc" and stat.S_IMODE((shared / "sub" / "new").stat().st_mode) == 0o640
    client.call("mkdir", 0, b"more", 0o750, 0)
    client.call("renameat", client.walk(b"sub"), b"new", client.walk(b"more"), b"newer")
    client.call("symlink", 0, b"link", b"more/newer", 0)
    client.call("link", client.walk(b"more"), client.walk(b"file"), b"hard")
    assert (shared / "link").read_bytes() == b"abc" and (shared / "more" / "hard").samefile(shared / "file")
    client.call("unlinkat", 0, b"file", 0)
    client.call("unlinkat", client.walk(b"more"), b"hard", 0)
    refused(errno.ENOTEMPTY, client.call, "unlinkat", 0, b"more", 0x200)
    client.call("remove", client.walk(b"more/newer"))
    client.call("unlinkat", 0, b"more", 0x200)
    assert sorted(os.listdir(shared)) == ["absolute", "link", "out", "sub", "up"]


def test_attributes(client, shared):
    fid = client.walk(b"file")
    client.call("setattr", fid, 0x1 | 0x8 | 0x30 | 0x180, 0o600, 0, 0, 4, 5, 6, 7, 8)
    status = (shared / "file").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, 4)
    assert (status.st_atime_ns, status.st_mtime_ns) == (5_000_000_006, 7_000_000_008)
    refused(errno.EPERM, client.call, "setattr", fid, 0x2, 0, 4321, 0, 0, 0, 0, 0, 0)
    client.call("setattr", fid, 0x6, 0, status.st_uid, status.st_gid, 0, 0, 0, 0, 0)


def test_no_set_user_id_programs_and_no_devices(client, shared):
    client.create(b"", b"program", b"", 0o6755)
    client.call("setattr", client.walk(b"file"), 1, 0o4755, 0, 0, 0, 0, 0, 0, 0)
    assert {stat.S_IMODE((shared / name).stat().st_mode) for name in ("program", "file")} == {0o755}
    refused(errno.EPERM, client.call, "mknod", 0, b"null", stat.S_IFCHR | 0o666, 1, 3, 0)
    client.call("mknod", 0, b"plain", stat.S_IFREG | 0o644, 0, 0, 0)
    assert (shared / "plain").read_bytes() == b""


def test_a_file_removed_while_it_is_open(client, shared):
    fid = client.walk(b"file")
    client.call("lopen", fid, os.O_RDWR)
    client.call("unlinkat", 0, b"file", 0)
    client.call("setattr", fid, 0x8, 0, 0, 0, 3, 0, 0, 0, 0)
    assert client.call("read", fid, 0, 100)[4:] == b"con"
    assert struct.unpack_from("<Q", client.call("getattr", fid, 0x7FF), 49)[0] == 3


def test_fids_move_with_what_they_are_in(client):
    fid = client.walk(b"sub/deep")
    client.call("rename", client.walk(b"sub"), 0, b"moved")
    client.call("lopen", fid, os.O_RDONLY)
    assert client.call("read", fid, 0, 9)[4:] == b"deep"


# No way out.

@pytest.mark.parametrize("name", [b"..", b".", b"", b"/", b"../secret", b"/etc/passwd", b"sub/deep", b"a\0b", b"x" * 256])
def test_names_that_are_none(client, shared, name):
    before = sorted(os.listdir(shared)), sorted(os.listdir(shared.parent))
    number = errno.ENAMETOOLONG if len(name) > 255 else errno.EINVAL
    for call in (("lcreate", 0, name, 0, 0o644, 0), ("mkdir", 0, name, 0o755, 0), ("symlink", 0, name, b"x", 0),
                 ("link", 0, client.walk(b"file"), name), ("renameat", 0, b"file", 0, name), ("renameat", 0, name, 0, b"x"),
                 ("rename", client.walk(b"file"), 0, name), ("unlinkat", 0, name, 0), ("unlinkat", 0, name, 0x200),
                 ("mknod", 0, name, stat.S_IFREG, 0, 0, 0)):
        refused(number, client.call, *call)
    if name != b"..":
        refused(number, client.call, "walk", 0, 99, [name])
    assert before == (sorted(os.listdir(shared)), sorted(os.listdir(shared.parent)))


def test_dot_dot_stops_at_the_folder(client):
    client.call("walk", 0, 50, [b".."] * 16)
    assert client.call("getattr", 50, 0x7FF)[8:21] == client.call("getattr", 0, 0x7FF)[8:21]
    assert client.read(b"sub/../../../file") == b"contents"


@pytest.mark.parametrize("link", [b"out", b"absolute", b"up"])
def test_links_are_not_followed(client, shared, link):
    refused(errno.ENOENT, client.walk, link + b"/secret")          # the walk ends before the last name
    fid = client.walk(link)
    refused(errno.ELOOP, client.call, "lopen", fid, os.O_RDONLY)
    refused(errno.ENOTDIR, client.call, "walk", fid, 60, [b"secret"])
    refused(errno.ENOTDIR, client.call, "mkdir", fid, b"x", 0o755, 0)
    refused(errno.ENOTDIR, client.call, "unlinkat", fid, b"secret", 0)
    refused(errno.EOPNOTSUPP, client.call, "setattr", fid, 1, 0o777, 0, 0, 0, 0, 0, 0, 0)
    refused(errno.ELOOP, client.call, "setattr", fid, 8, 0, 0, 0, 0, 0, 0, 0, 0)
    refused(errno.ELOOP, client.call, "lcreate", client.walk(b""), link, os.O_RDWR | os.O_TRUNC, 0o644, 0)
    assert (shared.parent / "secret").read_text() == "secret"


def test_a_folder_that_becomes_a_link_is_no_way_out(client, shared):
    fid = client.walk(b"sub")
    (shared / "sub").rename(shared / "was")
    (shared / "sub").symlink_to("..")
    refused(errno.ENOTDIR, client.call, "walk", fid, 60, [b"secret"])
    refused(errno.ENOTDIR, client.call, "lcreate", fid, b"new", os.O_RDWR, 0o644, 0)
    assert not (shared.parent / "new").exists()


def test_special_files_are_not_opened(client, shared):
    os.mkfifo(shared / "pipe")
    refused(errno.EOPNOTSUPP, client.call, "lopen", client.walk(b"pipe"), os.O_RDWR)
    refused(errno.EOPNOTSUPP, client.call, "lcreate", client.walk(b""), b"pipe", os.O_RDWR, 0o644, 0)
    client.call("unlinkat", 0, b"pipe", 0)


def test_read_only(shared):
    client = connect(shared, is_read_only=True)
    assert client.read(b"file") == b"contents"
    fid = client.walk(b"file")
    for call in (("lopen", fid, os.O_RDWR), ("lopen", fid, os.O_WRONLY), ("lopen", fid, os.O_TRUNC),
                 ("remove", client.walk(b"file")), ("lcreate", 0, b"new", 0, 0o644, 0), ("mkdir", 0, b"new", 0o755, 0),
                 ("symlink", 0, b"new", b"x", 0),
                 ("mknod", 0, b"new", stat.S_IFREG, 0, 0, 0), ("link", 0, fid, b"new"), ("rename", fid, 0, b"new"),
                 ("renameat", 0, b"file", 0, b"new"), ("unlinkat", 0, b"file", 0), ("unlinkat", 0, b"sub", 0x200),
                 ("setattr", fid, 1, 0o600, 0, 0, 0, 0, 0, 0, 0)):
        refused(errno.EROFS, client.call, *call)
    client.call("lopen", fid, os.O_RDONLY)
    refused(errno.EBADF, client.call, "write", fid, 0, b"x")
    assert sorted(os.listdir(shared)) == ["absolute", "file", "out", "sub", "up"]


# Clients that do what they should not.

@pytest.mark.parametrize("number, call", [
    (errno.EBADF, ("read", 77, 0, 1)), (errno.EBADF, ("read", 0, 0, 1)), (errno.EBADF, ("write", 0, 0, b"x")),
    (errno.EBADF, ("clunk", 77)), (errno.EBADF, ("walk", 77, 78, [])), (errno.EBADF, ("fsync", 0, 0)),
    (errno.EBADF, ("readdir", 0, 0, 100)), (errno.EINVAL, ("attach", 0, 0xFFFFFFFF, b"", b"", 0)),
    (errno.EINVAL, ("walk", 0, 0xFFFFFFFF, [])), (errno.EINVAL, ("walk", 0, 5, [b"sub"] * 17)),
    (errno.EMSGSIZE, ("version", 100, b"9P2000.L")), (errno.EBUSY, ("rename", 0, 0, b"x")), (errno.EBUSY, ("remove", 0)),
    (errno.EOPNOTSUPP, ("auth", 1, b"", b"", 0)), (errno.EOPNOTSUPP, ("xattrwalk", 0, 5, b"user.x")),
    (errno.EINVAL, ("renameat", 0, b"sub", 0, b"sub/x")), (errno.EINVAL, ("symlink", 0, b"x", b"a\0b", 0)),
    (errno.EINVAL, ("setattr", 0, 0x30 | 0x180, 0, 0, 0, 0, (1 << 64) - 1, 0, 0, 0))])
def test_each_wrong_request_is_an_error(client, number, call):
    refused(number, client.call, *call)
    assert client.read(b"file") == b"contents" if call[0] != "remove" else True


def test_offsets_beyond_all_files(client):
    fid = client.walk(b"file")
    client.call("lopen", fid, os.O_RDWR)
    for offset in (1 << 63, (1 << 64) - 1, (1 << 63) - 1):
        refused(errno.EINVAL, client.call, "write", fid, offset, b"x")
    refused(errno.EINVAL, client.call, "read", fid, 1 << 63, 1)
    refused(errno.EINVAL, client.call, "setattr", fid, 8, 0, 0, 0, 1 << 63, 0, 0, 0, 0)
    assert client.read(b"file") == b"contents"


def test_open_files_are_limited_and_a_new_session_closes_them(client):
    before = len(os.listdir("/proc/self/fd"))
    fids = [client.walk(b"file") for _ in range(MAX_OPEN + 1)]
    for fid in fids[:-1]:
        client.call("lopen", fid, os.O_RDONLY)
    refused(errno.EMFILE, client.call, "lopen", fids[-1], os.O_RDONLY)
    client.start()
    assert len(os.listdir("/proc/self/fd")) == before


def test_another_version_is_unknown(client):
    assert client.call("version", 8192, b"9P2000.u")[4:] == b"\x07\0unknown"


def test_replies_fit(shared):
    (shared / "large").write_bytes(bytes(1 << 20))
    server = Server(Folder(str(shared)))
    client = Client(lambda request: server.answer(request, 4096))
    client.start()
    fid = client.walk(b"large")
    client.call("lopen", fid, 0)
    assert len(client.call("read", fid, 0, 0xFFFF_FFFF)) == 4096 - 7
    (shared / ("x" * 250)).write_bytes(b"")
    fid = client.walk(b"")
    client.call("lopen", fid, 0)
    client.call("readdir", fid, 0, 4096)
    refused(errno.EINVAL, client.call, "readdir", fid, 8, 100)


@pytest.mark.parametrize("path, words", [("none", "cannot be shared"), ("file", "is no folder")])
def test_folders_that_cannot_be_shared(tmp_path, path, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=words):
        Share(str(tmp_path / path))
    with pytest.raises(BadInput, match="tag of 300 bytes"):
        Share(str(tmp_path), "x" * 300)


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
