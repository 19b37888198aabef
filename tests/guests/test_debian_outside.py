"""A Linux guest with a way to the outside: it is given an address, fetches a file from the host, and the host comes in."""
import functools
import hashlib
import http.server
import threading
import urllib.request

import pytest

from rvhyp.guests.initramfs import UDHCPC, UDHCPC_SCRIPT
from tests.cli.terminal import Session
from tests.guests.shell import PROMPT, command
from tests.machine.test_usernet import LOOPBACK, free_port, needs_libslirp

pytestmark = pytest.mark.long
FILE = b"".join(b"%d\n" % number for number in range(1_000_000))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """An HTTP server on the loopback, with a file `numbers`; its port."""
    (tmp_path / "numbers").write_bytes(FILE)
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), functools.partial(Quiet, directory=tmp_path)) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


@needs_libslirp
@pytest.mark.parametrize("cpus", ["1", "4"])
def test_a_guest_reaches_the_host_and_the_host_the_guest(prepared, initrd_with, server, cpus):
    port, initrd = free_port(), initrd_with(UDHCPC, UDHCPC_SCRIPT)
    with Session("run", prepared("debian"), "--initrd", initrd, "--cpus", cpus, "--net",
                 f"user,hostfwd=tcp:{LOOPBACK}:{port}-:80", "--timeout", "300") as session:
        session.expect(PROMPT)
        assert command(session, b"udhcpc -n -q")[1] == 0
        said = command(session, b"cat /etc/resolv.conf; ip addr; ip route")[0]
        assert b"nameserver 10.0.2.3\n" in said and b"inet 10.0.2.15/24 " in said and b"default via 10.0.2.2 dev eth0" in said
        assert command(session, b"wget -q -O /tmp/numbers http://10.0.2.2:%d/numbers" % server)[1] == 0
        assert hashlib.sha256(FILE).hexdigest().encode() in command(session, b"sha256sum /tmp/numbers")[0]
        assert command(session, b"httpd -h /tmp")[1] == 0
        assert urllib.request.urlopen(f"http://{LOOPBACK}:{port}/numbers", timeout=120).read() == FILE
        session.send(b"poweroff -f\n")
        session.expect(b"Power down")
        assert session.end() == 0
