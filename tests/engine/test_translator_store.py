"""Translated code on disk: what is damaged, torn or not ours is not run; processes share it; it does not grow without end."""
import os
import resource
import signal
import subprocess
import sys

import pytest

from rvhyp.engine.translator import hot, store
from rvhyp.engine.translator.hot import HotPages
from rvhyp.engine.translator.store import Store
from rvhyp.engine.translator.worker import Demands, Product

PAGE = bytes(range(256)) * 16
OTHER = bytes(4096)
DEMANDS = Demands(0b1011, 0)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RVHYP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def product(slot: int = 3, code: bytes = b"\xc3") -> Product:
    return Product([slot], [(slot, slot + 4)], PAGE[2 * slot:2 * slot + 8], code, 0, 2)


def path():
    return Store()._records.path


def test_what_was_added_is_found_for_the_same_page_and_demands():
    Store().add(PAGE, DEMANDS, product())
    assert Store().find(PAGE, DEMANDS) == [product()]
    assert Store().find(OTHER, DEMANDS) == []
    assert Store().find(PAGE, Demands(0b1111, 0)) == Store().find(PAGE, Demands(0b1011, 1)) == []


def test_the_bytes_of_the_page_are_compared_not_only_their_checksum(monkeypatch):
    monkeypatch.setattr(store.zlib, "crc32", lambda data, start=0: 7)
    Store().add(PAGE, DEMANDS, product())
    assert Store().find(PAGE, DEMANDS) and not Store().find(OTHER, DEMANDS)


def test_a_region_is_found_though_the_page_has_changed_elsewhere():
    Store().add(PAGE, DEMANDS, product())
    assert Store().find(PAGE[:-8] + bytes(8), DEMANDS) == [product()]
    assert Store().find(PAGE[:8] + bytes(8) + PAGE[16:], DEMANDS) == []


def test_a_damaged_record_is_left_out_and_the_others_serve():
    for code in (b"\xc3" * 40, b"\xc3" * 50):
        Store().add(PAGE, DEMANDS, product(code=code))
    data = bytearray(path().read_bytes())
    at = data.index(b"\xc3" * 40)
    data[at] ^= 1
    path().write_bytes(data)
    assert Store().find(PAGE, DEMANDS) == [product(code=b"\xc3" * 50)]


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_record_is_left_out(cut):
    Store().add(PAGE, DEMANDS, product())
    Store().add(PAGE, DEMANDS, product(5))
    os.truncate(path(), path().stat().st_size - cut)
    assert Store().find(PAGE, DEMANDS) == [product()]


@pytest.mark.parametrize("length", [0, 3, 1 << 31, 0xFFFF_FFFF])
def test_lengths_that_make_no_sense_end_the_file(length):
    Store().add(PAGE, DEMANDS, product())
    data = bytearray(path().read_bytes())
    data[store.DIGEST:store.DIGEST + 4] = length.to_bytes(4, "little")
    path().write_bytes(data)
    assert len(Store()) == 0


def test_files_of_others_are_not_used():
    Store().add(PAGE, DEMANDS, product())
    path().chmod(0o644)
    assert len(Store()) == 0
    path().chmod(0o600)
    assert len(Store()) == 1
    elsewhere = path().with_name("elsewhere")
    path().rename(elsewhere)
    path().symlink_to(elsewhere)
    assert len(Store()) == 0


def test_the_file_and_its_folder_are_private(folder):
    Store().add(PAGE, DEMANDS, product())
    assert (path().stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_file_that_grows_too_large_begins_anew(monkeypatch):
    Store().add(PAGE, DEMANDS, product())
    one = path().stat().st_size
    monkeypatch.setattr(store, "LIMIT", 3 * one)
    before = Store()
    for slot in (4, 5, 6):
        Store().add(PAGE, DEMANDS, product(slot))
    assert Store().find(PAGE, DEMANDS) == [product(6)]
    assert before.find(PAGE, DEMANDS) == [product()]            # who had it open goes on with what it was


def test_files_of_other_versions_are_removed(folder):
    Store().add(PAGE, DEMANDS, product())
    old = folder / "regions-0123"
    old.write_bytes(b"")
    path().unlink()
    Store().add(PAGE, DEMANDS, product())
    assert not old.exists() and len(Store()) == 1


def test_a_folder_that_cannot_be_written_to_is_no_trouble(monkeypatch, tmp_path):
    monkeypatch.setenv("RVHYP_CACHE", "/proc/nowhere")
    Store().add(PAGE, DEMANDS, product())
    assert Store().find(PAGE, DEMANDS) == []


def test_processes_write_at_the_same_time(folder):
    script = ("from tests.engine.test_translator_store import *\n"
              "for slot in range(100): Store().add(PAGE, DEMANDS, product(slot, bytes(3000)))\n")
    writers = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    found = Store().find(PAGE, DEMANDS)
    assert len(found) == 300 and {each.entries[0] for each in found} == set(range(100))


def test_a_full_disk_leaves_no_half_record():
    Store().add(PAGE, DEMANDS, product())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path().stat().st_size
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, limits[1]))
    try:
        Store().add(PAGE, DEMANDS, product(7))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    Store().add(PAGE, DEMANDS, product(9))
    assert Store().find(PAGE, DEMANDS) == [product(), product(9)]


def test_hot_pages_are_kept_the_hottest_first_and_without_what_was_translated():
    run = HotPages()
    for slot, looks in ((3, 5), (40, 2)):
        for _ in range(looks):
            run.note(PAGE, slot, DEMANDS, lambda: [3, 4, 40])
    run.note(OTHER, 9, DEMANDS, lambda: [9])
    run.drop(PAGE, product(3))
    run.save()
    first, second = hot.kept()
    assert (first.page, dict(first.looks), first.decoded, first.demands) == (PAGE, {40: 2}, [3, 4, 40], DEMANDS)
    assert (second.page, dict(second.looks)) == (OTHER, {9: 1})


def test_warm_translates_what_is_kept_once():
    from rvhyp.isa.text import assemble
    code = bytes(assemble("loop: addi a0, a0, 1\nbne a0, a1, loop\n", 0).sections[0].data)
    page = code + bytes(4096 - len(code))
    demands = Demands((1 << 64) - 1, 0)
    run, seen = HotPages(), []
    run.note(page, 2, demands, lambda: [0, 2])
    run.save()
    assert hot.warm(lambda done, total: seen.append((done, total))) == 1
    assert seen == [(0, 1), (1, 1)]
    assert [each.entries for each in Store().find(page, demands)] == [[0]]
    assert hot.warm(lambda done, total: None) == 0
