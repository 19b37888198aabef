"""What Linux wrote to a disk and synced is there whatever becomes of rvhyp: kill -9, a truncated image."""
import os
import re
import shutil
import subprocess
import time
from random import Random

import pytest

from rvhyp.guests.recipes import APPEND
from rvhyp.machine.devices.virtio.image import Overlay, RawImage
from tests.cli.terminal import Session
from tests.guests.shell import PROMPT, Line, command

needs_e2fsprogs = pytest.mark.skipif(not all(map(shutil.which, ("mkfs.ext4", "e2fsck", "debugfs"))),
                                     reason="e2fsprogs is not installed")
pytestmark = [pytest.mark.long, needs_e2fsprogs]

# Writes file after file, and says which are on the disk.  Linux hands `first=` on to the first process.
WRITER = """#!/bin/busybox sh
export PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /dev /mnt
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
for module in virtio_mmio virtio_blk ext4; do modprobe $module; done
echo mounting
mount -t ext4 /dev/vda /mnt || poweroff -f
n=$first
while :; do
    seq $n $((n + 2000)) > /mnt/$n
    sync
    echo "synced $n"
    n=$((n + 1))
done
"""
SYNCED = re.compile(rb"^synced (\d+)\r?\n", re.MULTILINE)


def contents(number):
    """Of the file with that number."""
    return b"".join(b"%d\n" % line for line in range(number, number + 2001))


@pytest.fixture
def disk(tmp_path):
    """An empty ext4 file system."""
    path = tmp_path / "disk.img"
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(path)], check=True)
    return path


def check(image, folder):
    """Repair a file system: nothing may be beyond repair.  Its files are then in a folder."""
    repaired = subprocess.run(["e2fsck", "-fy", str(image)], capture_output=True, text=True)
    assert repaired.returncode in (0, 1), repaired.stdout
    again = subprocess.run(["e2fsck", "-fn", str(image)], capture_output=True, text=True)
    assert again.returncode == 0, again.stdout
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump / {folder}", str(image)], check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["raw", "overlay"])
def test_what_linux_has_synced_survives_kill_9(disk, initrd_with, tmp_path, kind):
    """At 20 moments, over as many boots: while it mounts, while it writes.  The guest repairs the overlay, e2fsck the image."""
    initrd, over, flat = initrd_with("writer", WRITER), tmp_path / "over", tmp_path / "flat.img"
    option = f"{disk},overlay={over}" if kind == "overlay" else str(disk)
    random, synced = Random(kind), set()
    for _ in range(20):
        first = max(synced, default=0) + 1
        with Session("run", "debian", "--disk", option, "--initrd", initrd, "--append", f"{APPEND} rdinit=/writer first={first}",
                     "--timeout", "300") as session:
            seen = session.expect(b"mounting", 200)
            for _ in range(random.choice((0, 1, 1, 2, 3, 5, 8, 13))):
                seen += session.expect(b"\nsynced ")
            time.sleep(random.uniform(0, 0.3))
            session.process.kill()
            seen += session.seen + session.process.stdout.read()
        assert b"Oops" not in seen and b"EXT4-fs error" not in seen and b"I/O error" not in seen
        synced |= set(map(int, SYNCED.findall(seen)))
        image = disk
        if kind == "overlay":
            image = flat
            opened = Overlay(str(disk), str(over))
            flat.write_bytes(opened.read(0, opened.size))
            opened.close()
        check(image, tmp_path / "files")
        for number in synced:
            assert (tmp_path / "files" / str(number)).read_bytes() == contents(number)
    assert len(synced) >= 20


def test_a_disk_that_is_truncated_under_linux(prepared, disk, tmp_path):
    """I/O errors for who uses it, one line that says why, nothing that fills it up again; another guest goes on."""
    with Session("run", prepared("debian"), "echo", "--disk", f"{disk},guest=debian", "--console",
                 f"socket:{tmp_path}/console,guest=debian", "--timeout", "300") as session, Line(tmp_path / "console") as line:
        line.expect(PROMPT)
        assert command(line, b"mount -t ext4 /dev/vda /mnt && seq 1 1000 > /mnt/file && sync")[1] == 0
        os.truncate(disk, 1 << 20)
        assert command(line, b"dd if=/dev/zero of=/mnt/more bs=1M count=4 conv=fsync")[1] != 0
        assert command(line, b"dd if=/dev/vda of=/dev/null bs=1M skip=32 count=1")[1] != 0
        assert b"\n42\n" in command(line, b"echo $((6*7))")[0]
        session.send(b"still here\n")
        session.expect(b"still here")
        line.send(b"poweroff -f\n")
        line.expect(b"Power down")
        session.send(b"quit\n")
        assert session.end() == 0
        said = session.process.stderr.read()
    assert said.count(b"disk.img: the file is shorter than it was: was it truncated?") == 1, said
    assert said.count(b"disk.img: the file ends too early: was it truncated?") == 1 and b"debian" in said
    assert disk.stat().st_size == 1 << 20


@pytest.mark.parametrize("kind", ["raw", "overlay"])
def test_what_linux_trims_takes_no_room_on_the_host(prepared, disk, tmp_path, kind):
    over = tmp_path / "over"
    option, file = (f"{disk}", disk) if kind == "raw" else (f"{disk},overlay={over}", over)
    with Session("run", prepared("debian"), "--disk", option, "--timeout", "300") as session:
        session.expect(PROMPT)
        assert command(session, b"date -s 2026-01-01; mount -t ext4 /dev/vda /mnt")[1] == 0         # e2fsck distrusts 1970
        assert command(session, b"dd if=/dev/urandom of=/mnt/file bs=1M count=24 conv=fsync")[1] == 0
        full = file.stat().st_blocks * 512
        assert full > 24 << 20
        assert command(session, b"seq 1 1000 > /mnt/kept; rm /mnt/file; sync; fstrim /mnt; sync")[1] == 0
        session.send(b"poweroff\n")
        session.expect(b"Power down")
        assert session.end() == 0
    assert file.stat().st_blocks * 512 < full - (20 << 20)
    image = Overlay(str(disk), str(over)) if kind == "overlay" else RawImage(str(disk))
    flat = tmp_path / "flat.img"
    flat.write_bytes(image.read(0, image.size))
    image.close()
    check(flat, tmp_path / "files")
    assert (tmp_path / "files" / "kept").read_bytes() == b"".join(b"%d\n" % number for number in range(1, 1001))
