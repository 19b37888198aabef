"""virtio-9p: files through messages, and no way out of the folder."""
import errno
import os
import stat
import struct

import pytest

from rvhyp.machine.devices.virtio.folder import Folder
from rvhyp.machine.devices.virtio.p9 import Share
from rvhyp.machine.devices.virtio.p9_server import MAX_OPEN, Server
from rvhyp.machine.errors import BadInput
from tests.machine.virtio.p9_client import Client, Refused, connect


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
