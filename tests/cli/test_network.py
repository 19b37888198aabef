"""rvhyp run --net: what its words mean, and what is said of those that mean nothing."""
import json
import socket
from ipaddress import IPv4Network

import pytest

from rvhyp import assemble
from rvhyp.cli.network import user_settings
from rvhyp.machine.errors import BadInput
from rvhyp.machine.usernet import Forward, Settings
from tests.cli.terminal import rvhyp
from tests.cli.test_run import refused
from tests.machine.test_usernet import needs_libslirp
from tests.monitor.guest import BASE, EXIT
from tests.monitor.test_network import NIC


@pytest.mark.parametrize("text, settings", [
    (None, None), ("switch", None), ("user", Settings()), ("user,restrict=on,ipv6=on", Settings(restrict=True, ipv6=True)),
    ("user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-10.0.2.16:5353",
     Settings(forwards=(Forward(False, "127.0.0.1", 2222, "10.0.2.15", 22),
                        Forward(True, "0.0.0.0", 53, "10.0.2.16", 5353)))),
    ("user,net=192.168.0.0/16,hostfwd=::8080-:80,restrict=off",
     Settings(IPv4Network("192.168.0.0/16"), forwards=(Forward(False, "0.0.0.0", 8080, "192.168.0.15", 80),)))])
def test_what_it_means(text, settings):
    assert user_settings(text) == settings


@pytest.mark.parametrize("text, words", [
    ("bridge", "'bridge' is no kind of network.*switch or user"), ("switch,ipv6=on", "nothing can follow switch"),
    ("user,smb=x", r"'smb=x'.*net=\.\.\., restrict=\.\.\., ipv6=\.\.\., hostfwd=\.\.\."), ("user,ipv6=yes", "ipv6=on or"),
    ("user,restrict=on,restrict=on", "given twice"), ("user,net=10.0.2.1/24", "is no network.*host bits set"),
    ("user,net=10.0.0.0/28", "a network of 16 addresses"), ("user,net=fec0::/64", "is no network"),
    ("user,hostfwd=22", "hostfwd=22 is no forwarding; hostfwd=tcp:127.0.0.1:2222-:22 "),
    ("user,hostfwd=tcp::0-:22", "no port 0"), ("user,hostfwd=tcp::22-:65536", "no port 65536"),
    ("user,hostfwd=tcp:localhost:1-:2", "'localhost'"),
    ("user,hostfwd=udp::1-10.0.3.1:2", r"10\.0\.3\.1 is not in .*10\.0\.2\.0/24")])
def test_what_means_nothing(text, words):
    with pytest.raises(BadInput, match=words):
        user_settings(text)


def test_what_is_said_of_a_network_that_cannot_be():
    refused(rvhyp("run", "hello", "--net", "user,smb=x"), "--net: 'smb=x' in 'user,smb=x'")


@needs_libslirp
def test_a_port_of_the_host_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(rvhyp("run", "hello", "--net", f"user,hostfwd=tcp:127.0.0.1:{port}-:22"),
                f"port {port} of 127.0.0.1 cannot be used (Address already in use); give another port")


def test_net_needs_no_word_behind_it(tmp_path):
    path = tmp_path / "nic.elf"
    path.write_bytes(assemble("_start:\n" + NIC + EXIT, BASE).to_elf())
    for words in (["--net", str(path), str(path)], [str(path), "--net", "switch", str(path)], [str(path), str(path), "--net"]):
        assert rvhyp("run", *words).returncode == 0


@needs_libslirp
def test_frames_to_the_outside_are_counted(tmp_path):
    path = tmp_path / "nic.elf"
    path.write_bytes(assemble("_start:\n" + NIC + EXIT, BASE).to_elf())
    result = rvhyp("run", str(path), "--net", "user", "--stats", "--json", "-")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["outside"] == {"sent": 0, "received": 1, "dropped": 0, "refused": 0}
    assert b"\n(outside)     0         1        0        0\n" in result.stderr
