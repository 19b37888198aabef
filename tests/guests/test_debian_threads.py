"""Linux whose harts run at the same time, each on a thread of the host."""
import hashlib
import re
import subprocess

import pytest

from rvhyp.guests import rootfs, store
from tests.cli.terminal import rvhyp
from tests.guests.test_debian import BUSY, COMMANDS, at_the_shell
from tests.guests.test_debian_network import EXCHANGE, LINES

pytestmark = pytest.mark.long


@pytest.mark.parametrize("cpus", ["1", "2", "4"])
@pytest.mark.parametrize("name", ["debian", "debian-sid"])
def test_linux_boots_works_and_powers_off(prepared, name, cpus):
    for _ in range(3):
        done = rvhyp("run", prepared(name), "--cpus", cpus, "--threads", "--timeout", "300", input=COMMANDS, timeout=400)
        assert done.returncode == 0, done.stderr
        text = done.stdout.replace(b"\r", b"")
        for line in (b"\nriscv64\n" + cpus.encode() + b"\n", b"\n42\n", b"\text4\n"):
            assert line in text
        assert b"reboot: Power down" in text
        assert not re.search(b"Oops|Call Trace|BUG|stall|hung task", text)


@pytest.mark.parametrize("cpus", ["2", "4"])
def test_shells_that_start_processes_all_the_time(prepared, initrd_with, cpus):
    """Page tables, translations and code of processes change on all harts at once."""
    busy = BUSY.replace("-lt 50", "-lt 400").replace("work & work & wait", "work & work & work & wait; echo all do''ne")
    initrd = initrd_with("busy", busy)
    done = rvhyp("run", prepared("debian"), "--initrd", initrd, "--cpus", cpus, "--threads", "--timeout", "400", "--append",
                 "console=ttyS0 cryptomgr.notests rdinit=/busy", timeout=500)
    assert done.returncode == 0, done.stderr
    assert b"all done" in done.stdout
    assert not re.search(b"Oops|Call Trace|BUG|stall|segfault|signal", done.stdout), done.stdout


def test_two_guests_exchange_a_file(prepared, initrd_with):
    done = rvhyp("run", prepared("debian"), "debian", "--initrd", initrd_with("exchange", EXCHANGE), "--append",
                 "console=ttyS0 cryptomgr.notests rdinit=/exchange", "--net", "--cpus", "2", "--threads", "--timeout", "300",
                 timeout=400)
    assert done.returncode == 0, done.stderr
    assert b"debian.1 | " + hashlib.sha256(LINES).hexdigest().encode() in done.stdout


def test_a_root_file_system_is_clean_afterwards(prepared, tmp_path):
    source, image = store.folder() / prepared("debian-root") / "root.ext4", tmp_path / "root.ext4"
    subprocess.run(["cp", "--sparse=always", str(source), str(image)], check=True)
    options = ("--cpus", "2", "--threads")
    _, said = at_the_shell(image, b"cp -r /usr/share /root/a & cp -r /usr/share /root/b & wait; sync",
                           b"diff -r /root/a /root/b && diff -r /usr/share /root/a && echo the sa''me", options=options)
    assert b"\nthe same\n" in said
    checked = subprocess.run([rootfs.find_tool("e2fsck", "e2fsprogs"), "-fn", str(image)], capture_output=True)
    assert checked.returncode == 0, checked.stdout
