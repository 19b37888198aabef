"""rvhyp run --disk, --net, --rng, --virtio-console: what reaches the guest, and every kind of bad input."""
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from rvhyp import assemble
from rvhyp.machine.devices.virtio.image import Overlay, RawImage
from tests.cli.terminal import Session, rvhyp
from tests.cli.test_run import refused
from tests.monitor.guest import BASE, EXIT
from tests.monitor.test_network import NIC
from tests.monitor.test_virtio import DRIVER


@pytest.fixture
def guest(tmp_path):
    path = tmp_path / "driver.elf"
    path.write_bytes(assemble("_start:\n" + DRIVER + EXIT, BASE).to_elf())
    return str(path)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk,1.img"
    path.write_bytes(bytes(512) + b"\x29" + bytes(511))
    return path


def named(path):
    return str(path).replace(",", ",,")


def test_a_disk_is_written_and_an_overlay_leaves_it_alone(guest, disk, tmp_path):
    for number in (1, 2):
        result = rvhyp("run", guest, "--disk", f"{named(disk)},overlay={tmp_path}/over")
        assert result.returncode == 0, result.stderr
        assert disk.read_bytes()[512] == 0x29
        assert (tmp_path / "over").read_bytes()[8192 + 512] == 0x29 + number
    assert rvhyp("run", guest, "--disk", named(disk)).returncode == 0
    assert disk.read_bytes()[512] == 0x2A


def test_a_read_only_disk_is_not_written(guest, disk):
    assert rvhyp("run", guest, "--disk", f"{named(disk)},ro").returncode == 1
    assert disk.read_bytes()[512] == 0x29


@pytest.mark.parametrize("option, words", [
    ("none.img", ["none.img: no such file"]), (",ro", ["names no file"]), ("{disk},rw", ["'rw'", "ro, overlay=..., guest=..."]),
    ("{disk},ro,ro", ["given twice"]), ("{disk},overlay=", ["'overlay='"]), ("{disk},ro,overlay=x", ["and has an overlay"]),
    ("{disk},guest=b", ["no guest 'b'", "hello"]), ("/", ["is a directory"]), ("{disk},overlay={disk}", ["in use"]),
    ("{disk},overlay=no/over", ["no/over: cannot be made (No such file or directory); give another file for the overlay"])])
def test_bad_disks(disk, option, words):
    refused(rvhyp("run", "hello", "--disk", option.format(disk=named(disk))), *words)
    assert disk.read_bytes()[512] == 0x29


def test_a_disk_in_use_and_one_of_two_guests(guest, disk):
    with open(disk) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused(rvhyp("run", guest, "--disk", named(disk)), "disk,1.img: is in use")
    refused(rvhyp("run", "hello", guest, "--disk", named(disk)), "does not say which guest", "hello, driver")
    result = rvhyp("run", "hello", guest, "--disk", f"{named(disk)},guest=driver", "--json", "-")
    assert result.returncode == 0, result.stderr
    assert [each["devices"] for each in json.loads(result.stdout)["guests"]] == [[], []]
    assert disk.read_bytes()[512] == 0x2A


def test_a_seed_that_is_none():
    refused(rvhyp("run", "hello", "--rng", "x"), "--rng", "give a number, or host")


def test_devices_are_in_the_tree(tmp_path):
    result = rvhyp("run", "hello", "--rng", "5", "--virtio-console", "--dump-dtb", str(tmp_path / "tree"))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "tree").read_bytes().count(b"virtio,mmio\0") == 2


def test_a_network_between_guests_and_its_pcap_file(tmp_path):
    path, pcap = tmp_path / "nic.elf", tmp_path / "net.pcap"
    path.write_bytes(assemble("_start:\n" + NIC + EXIT, BASE).to_elf())
    results = [rvhyp("run", str(path), str(path), "--net", "--pcap", str(pcap), "--stats", "--json", "-") for _ in range(2)]
    assert results[0].returncode == 0 and results[0].stdout == results[1].stdout, results[0].stderr
    nothing = {"sent": 0, "received": 0, "dropped": 0, "refused": 0}
    guests = json.loads(results[0].stdout)["guests"]
    assert [each["net"] for each in guests] == [[nothing | {"sent": 1}], [nothing | {"received": 1}]]
    assert len(pcap.read_bytes()) == 24 + 16 + 60
    assert b"frames  sent  received  dropped  refused\nnic.1      1         0        0        0\n" in results[0].stderr


def test_a_pcap_file_that_cannot_be(tmp_path):
    refused(rvhyp("run", "hello", "--pcap", str(tmp_path / "x")), "there is no network", "--net")
    refused(rvhyp("run", "hello", "--net", "--pcap", str(tmp_path / "no" / "x")), "cannot write it")
    result = rvhyp("run", "hello", "--net", "--pcap", "/dev/full")
    assert result.returncode == 0 and b"/dev/full: No space left on device" in result.stderr


# What was flushed is there whatever becomes of the process.

WRITER = DRIVER[:DRIVER.index("    li   a0, 0                  # read sector 1")] + """
    li   s2, 0
again:
    addi s2, s2, 1
    li   t0, DATA
    sd   s2, 0(t0)
    li   a0, 1                  # write the number to sector 1
    li   a1, 1
    jal  request
    li   a0, 4                  # flush
    jal  request
    li   t0, 0x10000000
    li   t1, '.'
    sb   t1, 0(t0)              # and say so
    j    again
""" + DRIVER[DRIVER.index("request: "):]


@pytest.mark.parametrize("kind", ["raw", "overlay"])
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.long)])
def test_what_a_guest_has_flushed_survives_kill_9(tmp_path, disk, kind, kills):
    guest, over = tmp_path / "writer.elf", str(tmp_path / "over")
    guest.write_bytes(assemble("_start:\n" + WRITER + EXIT, BASE).to_elf())
    option = named(disk) + (f",overlay={over}" if kind == "overlay" else "")
    random = Random(kills)
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-m", "rvhyp", "run", str(guest), "--disk", option], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE)
        try:
            said = len(process.stdout.read(random.randint(1, 60)))
        finally:
            process.kill()
        said += len(process.stdout.read())
        process.wait()
        image = Overlay(str(disk), over) if kind == "overlay" else RawImage(str(disk))
        number = int.from_bytes(image.read(512, 8), "little")
        image.close()
        assert said > 0 and said <= number <= said + 1


UNFLUSHED = WRITER.replace("    li   a0, 4                  # flush\n    jal  request\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_guest_has_written_is_kept_when_a_signal_ends_the_run(tmp_path, disk, number):
    """In an overlay too, of which the table is only written when it is flushed."""
    guest, over = tmp_path / "writer.elf", str(tmp_path / "over")
    guest.write_bytes(assemble("_start:\n" + UNFLUSHED + EXIT, BASE).to_elf())
    with Session("run", str(guest), "--disk", f"{named(disk)},overlay={over}") as session:
        session.expect(b".....")
        session.process.send_signal(number)
        said = 5 + len(session.seen + session.process.stdout.read())
        assert session.end() == 128 + number
    image = Overlay(str(disk), over)
    assert said <= int.from_bytes(image.read(512, 8), "little") <= said + 1
    image.close()


def test_a_pcap_file_is_whole_when_a_signal_ends_the_run(tmp_path):
    path, pcap = tmp_path / "nic.elf", tmp_path / "net.pcap"
    path.write_bytes(assemble("_start:\n" + NIC + EXIT, BASE).to_elf())
    with Session("run", str(path), "badloop", "--net", "--pcap", str(pcap)) as session:
        session.expect(b"looping")
        time.sleep(0.5)                                         # by then its frame has been sent
        session.process.terminate()
        assert session.end() == 143
    assert len(pcap.read_bytes()) == 24 + 16 + 60


def test_a_disk_that_is_truncated_gives_one_line_and_the_guests_go_on(tmp_path, disk):
    guest = tmp_path / "writer.elf"
    guest.write_bytes(assemble("_start:\n" + WRITER + EXIT, BASE).to_elf())
    os.truncate(disk, 1 << 20)          # a write that is under way at that moment makes the file a bit longer again
    with Session("run", str(guest), "echo", "--disk", f"{named(disk)},guest=writer", "--console", "none,guest=writer") as session:
        session.expect(b"quit")
        os.truncate(disk, 512)
        assert session.process.stderr.readline() == (b"rvhyp: guest writer: virtio-blk: disk,1.img: the file is shorter than it "
                                                     b"was: was it truncated?\n")
        session.send(b"still here\n")
        session.expect(b"still here")
        session.process.terminate()
        assert session.end() == 143
        assert session.process.stderr.read().count(b"truncated") == 0
    assert disk.stat().st_size <= 1024


@pytest.mark.parametrize("option, words", [
    ("{folder}/none,tag=b", ["none: cannot be shared (No such file"]), ("{folder}/disk,,1.img,tag=b", ["is no folder"]),
    ("{folder},tag=a,tag=b", ["given twice"]), ("{folder}", ["two folders with the tag share"]),
    ("{folder},tag=" + "x" * 256, ["a tag of 256 bytes"]), ("{folder},overlay=x", ["ro, tag=..., guest=..."])])
def test_bad_shares(tmp_path, disk, option, words):
    refused(rvhyp("run", "hello", "--share", str(tmp_path), "--share", option.format(folder=tmp_path)), *words)
