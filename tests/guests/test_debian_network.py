"""Two Linux guests and U-Boot under one monitor: they reach each other, and each ends when it is told to."""
import contextlib
import hashlib

import pytest

from tests.cli.terminal import Session
from tests.guests.shell import PROMPT, Line, command

pytestmark = pytest.mark.long


def test_two_linux_guests_and_uboot_at_once(prepared, tmp_path):
    """The first two ping each other, and one fetches a file from the other; U-Boot answers on a console of its own."""
    debian, uboot = prepared("debian"), prepared("u-boot")
    names = ["debian.1", "debian.2", "u-boot"]
    consoles = [word for name in names for word in ("--console", f"{name}=socket:{tmp_path}/{name}")]
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
        lines = b"".join(b"%d\n" % number for number in range(1, 100_001))
        assert hashlib.sha256(lines).hexdigest().encode() in command(two, b"sha256sum /tmp/file")[0]
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
