"""Prepared guests on disk: there as a whole, or not at all."""
import errno
import os

import pytest

from rvhyp.guests import store
from rvhyp.guests.store import Manifest
from rvhyp.machine.errors import BadInput


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RVHYP_CACHE", str(tmp_path))
    return tmp_path / "guests"


def build(kernel=b"kernel", **more):
    def into(folder):
        (folder / "Image").write_bytes(kernel)
        return Manifest("Image", **more)
    return into


def test_what_is_made_is_found():
    store.make("debian", build(append="quiet", packages=("linux 6.12",)))
    path, manifest = store.find("debian")
    assert (path / "Image").read_bytes() == b"kernel" and manifest == Manifest("Image", append="quiet", packages=("linux 6.12",))
    assert store.prepared() == ["debian"] and store.find("other") is None


def test_a_new_one_takes_the_place_of_the_old(folder):
    store.make("debian", build(b"old"))
    store.make("debian", build(b"new"))
    assert (folder / "debian/Image").read_bytes() == b"new"
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["debian"]


@pytest.mark.parametrize("stop", [BadInput("no network"), KeyboardInterrupt()])
def test_half_made_ones_are_never_seen(folder, stop):
    def fail(where):
        (where / "Image").write_bytes(b"half")
        assert store.prepared() == []
        raise stop

    with pytest.raises(type(stop)):
        store.make("debian", fail)
    assert store.find("debian") is None and not [path for path in folder.iterdir() if path.is_dir()]
    store.make("debian", build())
    with pytest.raises(type(stop)):
        store.make("debian", lambda where: (_ for _ in ()).throw(stop))
    assert store.find("debian")                         # the old one is still there


def test_what_a_killed_process_left_is_removed(folder):
    (folder / ".debian.x.new/unpacked").mkdir(parents=True)
    (folder / ".debian.x.new/unpacked").chmod(0)
    store.make("debian", build())
    assert not (folder / ".debian.x.new").exists()


def test_a_full_disk_is_one_message(folder):
    def full(where):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(where / "Image"))

    with pytest.raises(BadInput, match="cannot write it: No space left on device; free some space"):
        store.make("debian", full)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kernel": "Image", "what": 1}', '{"kernel": 5}'])
def test_a_damaged_guest_is_one_message(folder, text):
    store.make("debian", build())
    (folder / "debian/guest.json").write_text(text)
    with pytest.raises(BadInput, match="rvhyp guests prepare debian"):
        store.find("debian")


def test_a_guest_that_lacks_a_file_is_one_message(folder):
    store.make("debian", build())
    (folder / "debian/Image").unlink()
    with pytest.raises(BadInput, match=r"Image: is missing; rvhyp guests prepare debian"):
        store.find("debian")
