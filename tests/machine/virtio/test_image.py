"""Disk images: raw files and overlays, locks, and every file that cannot be one."""
import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.fuzz.virtio_driver import Driver
from rvhyp.machine.devices.virtio import erase
from rvhyp.machine.devices.virtio.blk import Blk
from rvhyp.machine.devices.virtio.image import CLUSTER, Overlay, RawImage
from rvhyp.machine.errors import BadInput
from tests.engine.support import examples

SIZE = 5 * CLUSTER + 512                # the last cluster is not whole


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(range(251)) * (SIZE // 251 + 1))
    os.truncate(path, SIZE)
    return str(path)


def refused(make, *words):
    with pytest.raises(BadInput) as refusal:
        make()
    for word in words:
        assert word in str(refusal.value), str(refusal.value)


def test_raw(disk):
    image = RawImage(disk)
    assert (image.name, image.size, image.is_read_only) == ("disk.img", SIZE, False)
    image.write(512, b"x" * 512)
    image.flush()
    assert image.read(511, 514) == bytes((511 % 251,)) + b"x" * 512 + bytes((1024 % 251,))
    image.close()
    assert open(disk, "rb").read()[512:1024] == b"x" * 512


@pytest.mark.parametrize("size, words", [(0, ["is empty"]), (1, ["1 bytes", "512"]), (513, ["truncate -s 1024"])])
def test_sizes_that_no_disk_has(tmp_path, size, words):
    path = tmp_path / "odd.img"
    path.write_bytes(bytes(size))
    refused(lambda: RawImage(str(path)), "odd.img", *words)
    RawImage(str(_grown(path)), is_read_only=True)              # and the refused one is not locked any more


def _grown(path):
    os.truncate(path, 1024)
    RawImage(str(path)).close()
    return path


def test_files_that_cannot_be_opened(tmp_path, disk):
    refused(lambda: RawImage(str(tmp_path / "none")), "none: no such file")
    refused(lambda: RawImage(str(tmp_path)), "is a directory")
    refused(lambda: RawImage(str(tmp_path), is_read_only=True), "is a directory")
    os.mkfifo(tmp_path / "pipe")
    refused(lambda: RawImage(str(tmp_path / "pipe")), "no ordinary file")
    refused(lambda: RawImage(disk + "/x"), "Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_without_permission(disk):
    os.chmod(disk, 0o400)
    refused(lambda: RawImage(disk), "may not be written", ",ro")
    RawImage(disk, is_read_only=True)
    os.chmod(disk, 0)
    refused(lambda: RawImage(disk, is_read_only=True), "may not be read")


def test_one_writes_or_many_read(disk, tmp_path):
    writer = RawImage(disk)
    refused(lambda: RawImage(disk), "in use")
    refused(lambda: RawImage(disk, is_read_only=True), "in use")
    refused(lambda: Overlay(disk, str(tmp_path / "over")), "disk.img", "in use")
    writer.close()
    readers = [RawImage(disk, is_read_only=True), RawImage(disk, is_read_only=True), Overlay(disk, str(tmp_path / "over"))]
    refused(lambda: RawImage(disk), "in use")
    refused(lambda: Overlay(disk, str(tmp_path / "over")), "over", "in use")
    refused(lambda: Overlay(disk, disk), "in use")
    for reader in readers:
        reader.close()
    RawImage(disk).close()


def test_a_file_truncated_while_it_is_used_gives_errors_and_is_not_filled_up(disk):
    image = RawImage(disk)
    os.truncate(disk, 1024)
    assert len(image.read(0, 1024)) == 1024
    for access in (lambda: image.read(1024, 512), lambda: image.read(512, 1024), lambda: image.write(4096, bytes(512))):
        with pytest.raises(OSError):
            access()
    assert os.stat(disk).st_size == 1024


def test_once_a_flush_has_failed_all_later_ones_fail(disk, monkeypatch):
    image = RawImage(disk)

    def fail(descriptor):
        raise OSError(5, "Input/output error")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError):
            image.flush()
    with pytest.raises(OSError):
        image.flush()


# Overlays.

def test_an_overlay_leaves_its_image_alone(disk, tmp_path):
    before = open(disk, "rb").read()
    overlay = Overlay(disk, str(tmp_path / "over"))
    overlay.write(SIZE - 512, b"e" * 512)
    overlay.write(CLUSTER - 512, b"x" * 1024)
    overlay.close()
    assert open(disk, "rb").read() == before
    overlay = Overlay(disk, str(tmp_path / "over"))
    assert overlay.read(0, SIZE) == before[:CLUSTER - 512] + b"x" * 1024 + before[CLUSTER + 512:SIZE - 512] + b"e" * 512
    overlay.close()


def test_an_overlay_is_refused_if_it_is_none_or_anothers(disk, tmp_path):
    over = str(tmp_path / "over")
    for contents in (b"x", bytes(CLUSTER), b"rvhyp overlay 2\n" + bytes(CLUSTER)):
        (tmp_path / "over").write_bytes(contents)
        refused(lambda: Overlay(disk, over), "over: is no overlay")
        assert (tmp_path / "over").read_bytes() == contents
    os.unlink(over)
    Overlay(disk, over).close()
    size = os.stat(over).st_size
    os.truncate(over, size - 1)
    refused(lambda: Overlay(disk, over), "another image")
    os.truncate(over, size)
    Overlay(disk, over).close()
    os.utime(disk, ns=(1, 1))
    refused(lambda: Overlay(disk, over), "has changed since")
    refused(lambda: Overlay(disk, str(tmp_path / "none" / "over")), "cannot be made", "another file for the overlay")
    refused(lambda: Overlay(disk, str(tmp_path)), "is a directory")


def test_what_was_flushed_is_kept_when_the_run_ends_without_a_word(disk, tmp_path):
    overlay = Overlay(disk, str(tmp_path / "over"))
    overlay.write(0, b"a" * 512)
    overlay.flush()
    overlay.write(0, b"b" * 512)
    overlay.write(2 * CLUSTER, b"c" * 512)
    killed = (tmp_path / "over").read_bytes()
    overlay.close()
    (tmp_path / "over").write_bytes(killed)
    again = Overlay(disk, str(tmp_path / "over"))
    assert again.read(0, 512) in (b"a" * 512, b"b" * 512)
    assert again.read(2 * CLUSTER, 512) in (b"c" * 512, open(disk, "rb").read()[2 * CLUSTER:2 * CLUSTER + 512])


def test_clusters_are_on_disk_before_the_table_says_so(disk, tmp_path, monkeypatch):
    overlay, order = Overlay(disk, str(tmp_path / "over")), []
    write, sync = os.pwrite, os.fdatasync
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: order.append("table" if at == CLUSTER else "data")
                        or write(fd, data, at))
    monkeypatch.setattr(os, "fdatasync", lambda fd: order.append("sync") or sync(fd))
    overlay.write(0, bytes(512))
    overlay.flush()
    overlay.write(0, bytes(512))
    overlay.flush()
    assert order == ["data", "sync", "table", "sync", "data", "sync"]


operations = st.lists(st.tuples(st.sampled_from(("read", "write", "write", "flush", "reopen", "zero", "discard")),
                                st.integers(0, SIZE // 512 - 1), st.integers(1, 20), st.integers(0, 255)), max_size=12)


def test_an_overlay_is_a_disk(tmp_path):
    """Like an array of bytes that starts as the image."""
    path, start = tmp_path / "disk.img", bytes(range(256)) * (SIZE // 256)
    path.write_bytes(start)

    @examples(60)
    @given(operations)
    def check(steps):
        over = tmp_path / "over"
        over.unlink(missing_ok=True)
        overlay, model = Overlay(str(path), str(over)), bytearray(start)
        for kind, sector, sectors, value in steps:
            at, size = 512 * sector, min(512 * sectors, SIZE - 512 * sector)
            if kind == "write":
                overlay.write(at, bytes((value,)) * size)
                model[at:at + size] = bytes((value,)) * size
            elif kind == "zero":
                overlay.zero(at, size, may_unmap=value < 128)
                model[at:at + size] = bytes(size)
            elif kind == "discard":
                overlay.discard(at, size)
                for each in range(at, at + size, 512):
                    if overlay.read(each, 512) == bytes(512):           # zeros, or as before
                        model[each:each + 512] = bytes(512)
            elif kind == "flush":
                overlay.flush()
            elif kind == "reopen":
                overlay.close()
                overlay = Overlay(str(path), str(over))
            assert overlay.read(at, size) == model[at:at + size]
        assert overlay.read(0, SIZE) == model
        overlay.close()
    check()
    assert path.read_bytes() == start


FAR = 64 * CLUSTER


@pytest.fixture(params=["raw", "overlay"])
def full(tmp_path, request):
    """An image all of which takes room on the host, and the file that does."""
    path, over = tmp_path / "full.img", tmp_path / "over"
    path.write_bytes(b"x" * 2 * FAR)
    if request.param == "raw":
        return RawImage(str(path)), path
    image = Overlay(str(path), str(over))
    image.write(0, b"y" * 2 * FAR)
    image.flush()
    return image, over


def room(file):
    return os.stat(file).st_blocks * 512


@pytest.mark.parametrize("is_discard", [False, True])
def test_what_is_erased_takes_no_room(full, is_discard):
    image, file = full
    size, before = os.stat(file).st_size, room(file)
    if is_discard:
        image.discard(CLUSTER, FAR)
    else:
        image.zero(CLUSTER, FAR, may_unmap=True)
    image.flush()
    assert image.read(CLUSTER, FAR) == bytes(FAR)
    assert 0 not in image.read(0, CLUSTER) + image.read(CLUSTER + FAR, CLUSTER)
    if room(file) == before:
        pytest.skip("the file system of the tests makes no holes")
    assert room(file) <= before - FAR + CLUSTER and os.stat(file).st_size == size
    image.close()


def test_zeros_that_may_not_unmap_take_room(full):
    image, file = full
    before = room(file)
    image.zero(CLUSTER, FAR, may_unmap=False)
    image.flush()
    assert image.read(CLUSTER, FAR) == bytes(FAR) and room(file) >= before
    image.close()


@pytest.mark.parametrize("may_unmap", [False, True])
def test_zeros_are_written_where_the_file_system_cannot_make_holes(full, monkeypatch, may_unmap):
    image, _ = full
    monkeypatch.setattr(erase, "_fallocate", lambda *_: errno.EOPNOTSUPP)
    monkeypatch.setattr(erase, "CHUNK", 1000)
    image.zero(512, FAR, may_unmap)
    assert image.read(512, FAR) == bytes(FAR) and 0 not in image.read(0, 512) + image.read(512 + FAR, 512)
    image.close()


def test_erasing_a_truncated_file_does_not_fill_it_up(disk):
    image = RawImage(disk)
    os.truncate(disk, 1024)
    for each in (lambda: image.discard(0, 4096), lambda: image.zero(512, 512, may_unmap=False)):
        with pytest.raises(OSError, match="truncated"):
            each()
    assert os.stat(disk).st_size == 1024


def test_what_the_host_cannot_erase_is_an_error(disk, monkeypatch):
    image = RawImage(disk)
    monkeypatch.setattr(erase, "_fallocate", lambda *_: errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        image.zero(0, 512, may_unmap=False)


def test_what_an_overlay_loses_at_its_end_is_told(disk, tmp_path, monkeypatch):
    device = Blk(Overlay(disk, str(tmp_path / "over")))
    driver = Driver(device)
    device.image.write(0, bytes(512))

    def fail(descriptor):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fdatasync", fail)
    device.close()
    assert driver.lines == ["virtio-blk: disk.img: what was written last is lost: No space left on device"]
    RawImage(disk).close()
