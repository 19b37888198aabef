"""Two Linux guests and U-Boot under one monitor: they reach each other, and each ends when it is told to."""
import contextlib
import hashlib
import re

import pytest

from rvhyp.guests.recipes import APPEND
from tests.cli.terminal import Session, rvhyp
from tests.guests.shell import PROMPT, Line, command

pytestmark = pytest.mark.long
LINES = b"".join(b"%d\n" % number for number in range(1, 100_001))         # of seq
# Of two guests the first serves a file until it hears from the second, which fetches it.
EXCHANGE = """#!/bin/busybox sh
export PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /sys /dev /tmp /www
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in virtio_mmio virtio_net; do modprobe $module; done
number=$(cut -d: -f6 /sys/class/net/eth0/address)
ifconfig eth0 10.0.0.$((number)) netmask 255.255.255.0 up
if [ $number = 01 ]; then
    seq 1 100000 > /www/file
    httpd -h /www
    nc -l -p 9
else
    until wget -q -O /tmp/file http://10.0.0.1/file; do sleep 0.1; done
    until sha256sum /tmp/file | nc 10.0.0.1 9; do sleep 0.1; done
fi
poweroff -f
"""


def test_two_linux_guests_and_uboot_at_once(prepared, tmp_path):
    """The first two ping each other, and one fetches a file from the other; U-Boot answers on a console of its own."""
    debian, uboot = prepared("debian"), prepared("u-boot")
    names = ["debian.1", "debian.2", "u-boot"]
    consoles = [word for name in names for word in ("--console", f"socket:{tmp_path}/{name},guest={name}")]
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(Session("run", debian, debian, uboot, "--net", *consoles, "--timeout", "500"))
        one, two, three = (stack.enter_context(Line(tmp_path / name)) for name in names)
        three.send(b"\n")                               # it stops at its prompt
        three.expect(b"=> ")
        for number, line in enumerate((one, two), 1):
            line.expect(PROMPT)
            assert command(line, b"ifconfig eth0 10.0.0.%d netmask 255.255.255.0 up" % number)[1] == 0
        for line, other in ((one, 2), (two, 1)):
            said, status = command(line, b"ping -c 1 10.0.0.%d" % other)
            assert status == 0 and b"1 packets transmitted, 1 packets received, 0% packet loss" in said
        assert command(one, b"mkdir /www; seq 1 100000 > /www/file; httpd -h /www")[1] == 0
        assert command(two, b"wget -q -O /tmp/file http://10.0.0.1/file")[1] == 0
        assert hashlib.sha256(LINES).hexdigest().encode() in command(two, b"sha256sum /tmp/file")[0]
        three.send(b"version\n")
        said = three.expect(b"=> ")
        assert b"U-Boot 20" in said and b"debian" not in said
        three.send(b"poweroff\n")
        three.expect(b"poweroff")
        assert b"\n42\n" in command(one, b"echo $((6*7))")[0]               # the others go on
        for line in (one, two):
            line.send(b"poweroff\n")
            line.expect(b"Power down")
        assert session.end() == 0


@pytest.mark.parametrize("cpus", ["1", "4"])
def test_two_linux_guests_exchange_the_same_frames_every_time(prepared, initrd_with, tmp_path, cpus):
    """And say the same, after the same number of instructions; nobody types."""
    initrd, pcap, runs = initrd_with("exchange", EXCHANGE), tmp_path / "net.pcap", []
    for _ in range(2):
        done = rvhyp("run", prepared("debian"), "debian", "--initrd", initrd, "--append", f"{APPEND} rdinit=/exchange", "--net",
                     "--pcap", str(pcap), "--cpus", cpus, "--stats", "--timeout", "300", timeout=400)
        assert done.returncode == 0, done.stderr
        runs.append((done.stdout, pcap.read_bytes(), re.search(rb"^instructions (\d+)$", done.stderr, re.MULTILINE)[1]))
    said, frames, _ = runs[0]
    assert b"debian.1 | " + hashlib.sha256(LINES).hexdigest().encode() in said and len(frames) > len(LINES)
    assert runs[0] == runs[1]
