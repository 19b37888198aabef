"""The way to the outside, without a guest: frames made by hand at its switch, sockets of the loopback on the other side."""
import contextlib
import ctypes
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from ipaddress import IPv4Network
from random import Random

import pytest

from rvhyp.machine import slirp, usernet
from rvhyp.machine.errors import BadInput
from rvhyp.machine.switch import LONGEST, Pcap, Switch
from rvhyp.machine.usernet import Forward, Settings, UserNetwork
from tests.machine.frames import ACK, IPV4, PSH, ROUTER, SYN, TCP, UDP, Machine, address, dhcp, ipv4, tcp, udp

try:
    ctypes.CDLL(usernet.LIBRARY)
    needs_libslirp = pytest.mark.skipif(False, reason="it is there")
except OSError as error:
    needs_libslirp = pytest.mark.skip(reason=f"libslirp is not installed ({error})")

LOOPBACK = "127.0.0.1"


@pytest.fixture
def outside():
    """Makes a switch with a way to the outside and machines on it."""
    with contextlib.ExitStack() as stack:
        def make(settings=None, machines=1, pcap=None):
            switch, told = Switch(pcap), []
            network = UserNetwork(switch, settings, lambda: 5, told.append)
            stack.callback(network.close)
            network.told = told
            return network, *(Machine(switch, network, number, f"10.0.2.{15 + number}") for number in range(machines))
        yield make


def listening(kind):
    host = socket.socket(socket.AF_INET, kind)
    host.bind((LOOPBACK, 0))
    host.settimeout(10)
    if kind == socket.SOCK_STREAM:
        host.listen()
    return host, host.getsockname()[1]


def free_port(kind=socket.SOCK_STREAM):
    host, port = listening(kind)
    host.close()
    return port


@needs_libslirp
def test_dhcp_gives_an_address_a_router_and_a_server_of_names(outside):
    _, machine = outside()
    machine.ip = "0.0.0.0"
    discover = udp(68, 67, dhcp(machine.mac, 1))
    machine.send(IPV4, ipv4(UDP, "0.0.0.0", "255.255.255.255", discover))
    machine.ip = "10.0.2.15"
    offer = next(each for each in iter(lambda: machine.wait(lambda frame: frame[23] == UDP), None))[42:]
    assert offer[0] == 2 and offer[16:20] == address("10.0.2.15")
    assert b"\x03\x04" + address("10.0.2.2") in offer and b"\x06\x04" + address("10.0.2.3") in offer


@needs_libslirp
def test_a_datagram_goes_out_and_its_answer_comes_back(outside):
    _, machine = outside()
    assert machine.find_router()
    host, port = listening(socket.SOCK_DGRAM)
    with host:
        machine.send_udp(ROUTER, 1000, port, b"question")
        data, origin = host.recvfrom(100)
        assert data == b"question"
        host.sendto(b"answer", origin)
        assert machine.wait_ipv4(UDP, 1000)[8:] == b"answer"


@needs_libslirp
def test_the_very_first_frame_is_answered(outside):
    """libslirp has no time before it was told to look at the clock, and what has none is out of date."""
    _, machine = outside()
    machine.router = usernet.OURS[0] + address(ROUTER)
    host, port = listening(socket.SOCK_DGRAM)
    with host:
        machine.send_udp(ROUTER, 1000, port, b"question")
        host.sendto(b"answer", host.recvfrom(100)[1])
        assert machine.wait_ipv4(UDP, 1000)[8:] == b"answer"


def talk(machine, port, connection, ours, theirs):
    """Both sides of an open connection say something; `ours` and `theirs` are what comes next."""
    machine.send_tcp(ROUTER, 1000, port, ours, theirs, ACK | PSH, b"from the guest")
    assert connection.recv(100) == b"from the guest"
    connection.sendall(b"from the host")
    assert machine.wait_ipv4(TCP, 1000, PSH)[20:] == b"from the host"


@needs_libslirp
def test_a_connection_to_the_host(outside):
    _, machine = outside()
    assert machine.find_router()
    host, port = listening(socket.SOCK_STREAM)
    with host:
        machine.send_tcp(ROUTER, 1000, port, 7, 0, SYN)
        theirs, ours = struct.unpack_from(">II", machine.wait_ipv4(TCP, 1000, SYN | ACK), 4)
        assert ours == 8
        machine.send_tcp(ROUTER, 1000, port, ours, theirs + 1, ACK)
        connection, _ = host.accept()
        with connection:
            talk(machine, port, connection, ours, theirs + 1)


def connect(machine, port):
    """The host connects to its own port; both ends, and the guest's port of the other side."""
    connection = socket.create_connection((LOOPBACK, port), 10)
    syn = machine.wait_ipv4(TCP, 1000, SYN)
    peer, theirs = struct.unpack_from(">H2xI", syn)
    machine.send_tcp(ROUTER, 1000, peer, 7, theirs + 1, SYN | ACK)
    assert machine.wait_ipv4(TCP, 1000, ACK)
    return connection, peer, theirs + 1


@needs_libslirp
@pytest.mark.parametrize("restrict", [False, True])
def test_a_connection_from_the_host_to_a_forwarded_port(outside, restrict):
    port = free_port()
    _, machine = outside(Settings(restrict=restrict, forwards=(Forward(False, LOOPBACK, port, "10.0.2.15", 1000),)))
    connection, peer, theirs = connect(machine, port)
    with connection:
        talk(machine, peer, connection, 8, theirs)


@needs_libslirp
def test_a_datagram_to_a_forwarded_port(outside):
    port = free_port(socket.SOCK_DGRAM)
    _, machine = outside(Settings(forwards=(Forward(True, LOOPBACK, port, "10.0.2.15", 1000),)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.sendto(b"question", (LOOPBACK, port))
        assert machine.wait_ipv4(UDP, 1000)[8:] == b"question"


def memory_of(process):
    """In bytes."""
    with open(f"/proc/{process.pid}/statm") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()


@needs_libslirp
def test_what_nobody_takes_is_lost_and_takes_no_memory(outside):
    port = free_port(socket.SOCK_DGRAM)
    network, machine = outside(Settings(forwards=(Forward(True, LOOPBACK, port, "10.0.2.15", 1000),)))
    assert machine.find_router()
    before = memory_of(network._process)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        for _ in range(20_000):
            host.sendto(bytes(1400), (LOOPBACK, port))
    assert machine.find_router() and machine.wait_ipv4(UDP, 1000)
    assert memory_of(network._process) - before < 8 << 20


@needs_libslirp
def test_what_is_restricted_reaches_nobody(outside):
    _, machine = outside(Settings(restrict=True))
    assert machine.find_router()
    host, port = listening(socket.SOCK_DGRAM)
    with host:
        machine.send_udp(ROUTER, 1000, port, b"question")
        assert machine.find_router()                            # that has been dealt with
        host.setblocking(False)
        with pytest.raises(BlockingIOError):
            host.recv(100)


@needs_libslirp
def test_another_network(outside):
    _, machine = outside(Settings(IPv4Network("192.168.7.0/27")))
    machine.ip = "192.168.7.15"
    machine.arp(1, bytes(6), address("192.168.7.2"))
    assert machine.wait(lambda frame: frame[28:32] == address("192.168.7.2"))


@needs_libslirp
def test_frames_for_another_guest_do_not_go_out(outside):
    """libslirp takes each address of its network that it does not know for the host's loopback."""
    _, first, second = outside(machines=2)
    host, port = listening(socket.SOCK_DGRAM)
    with host:
        first.router = second.mac                               # which the switch has not seen yet
        first.send_udp(second.ip, 1000, port, b"for the other guest")
        assert len(second.got) == 1 and first.find_router()
        host.setblocking(False)
        with pytest.raises(BlockingIOError):
            host.recv(100)


@needs_libslirp
def test_the_pcap_file_has_what_goes_both_ways(outside, tmp_path):
    pcap = Pcap(str(tmp_path / "pcap"))
    _, machine = outside(pcap=pcap)
    assert machine.find_router()
    pcap.close()
    assert (tmp_path / "pcap").stat().st_size == 24 + 2 * 16 + 60 + 64


@needs_libslirp
def test_the_router_of_ipv6_makes_itself_known_when_its_timer_says_so():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(10)
        network = slirp.Network(theirs, json.loads(Settings(ipv6=True).message()))
        (timer,) = network._timers.values()
        assert timer[2] > time.monotonic_ns() // 1_000_000
        network._call_due()
        assert not select.select([ours], [], [], 0)[0]
        timer[2] = 0                                            # it is due; else in some minutes
        network._call_due()
        advertisement = ours.recv(LONGEST)
        assert advertisement[12:14] == b"\x86\xDD" and advertisement[54] == 134 and timer[2] > 0


# What goes wrong.

def test_without_the_library_there_is_one_message_that_says_the_package(monkeypatch):
    monkeypatch.setattr(usernet, "LIBRARY", "libslirp-that-is-not-there.so.0")
    with pytest.raises(BadInput, match=r"needs the library libslirp, .*not-there.*package libslirp0"):
        UserNetwork(Switch())


def test_a_library_that_lacks_functions_is_too_old(monkeypatch):
    monkeypatch.setattr(usernet, "LIBRARY", "libc.so.6")
    with pytest.raises(BadInput, match=r"version 4.1 or later .*slirp_new"):
        UserNetwork(Switch())


def test_a_host_that_starts_no_process(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(BadInput, match=r"cannot be started \(No such file"):
        UserNetwork(Switch())


def test_a_process_that_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(BadInput, match="its process has ended with status 1"):
        UserNetwork(Switch())


@needs_libslirp
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_is_taken(kind):
    host, port = listening(kind)
    with host, pytest.raises(BadInput, match=rf"port {port} of {LOOPBACK} cannot be used \(Address already in use\); give"):
        UserNetwork(Switch(), Settings(forwards=(Forward(kind == socket.SOCK_DGRAM, LOOPBACK, port, "10.0.2.15", 1),)))


@needs_libslirp
def test_a_port_that_another_run_forwards(outside):
    for udp_ in (False, True):
        forwards = (Forward(udp_, LOOPBACK, free_port(), "10.0.2.15", 1),)
        outside(Settings(forwards=forwards))
        with pytest.raises(BadInput, match="cannot be used"):
            UserNetwork(Switch(), Settings(forwards=forwards))


@needs_libslirp
def test_a_process_that_dies_and_whose_port_is_taken_meanwhile(outside):
    port = free_port()
    network, machine = outside(Settings(forwards=(Forward(False, LOOPBACK, port, "10.0.2.15", 1),)))
    network._process.kill()
    network._process.wait()
    with socket.create_server((LOOPBACK, port)):
        assert not machine.find_router()
    assert len(network.told) == 1 and "no other begins" in network.told[0] and "cannot be used" in network.told[0]


@needs_libslirp
def test_when_its_process_dies_the_others_go_on(outside):
    network, machine, other = outside(machines=2)
    for _ in range(usernet.RESTARTS):
        assert machine.find_router()
        network._process.kill()
        network._process.wait()
        assert not network.serve()
    assert machine.find_router()
    assert set(network.told) == {"user network: its process has ended by SIGKILL; another has begun, connections are lost"}
    network._process.kill()
    network._process.wait()
    assert not machine.find_router()
    assert network.told[-1] == "user network: its process has ended by SIGKILL; the guests go on without it"
    assert len(network.told) == usernet.RESTARTS + 1 and network.descriptor is None and not network.serve()
    machine.send_udp(other.ip, 1, 2, b"still there")
    assert len(other.got) > 1


PARENT = """
import sys, time
from rvhyp.machine.switch import Switch
from rvhyp.machine.usernet import UserNetwork
network = UserNetwork(Switch())
print(network._process.pid, flush=True)
time.sleep(60)
"""


@needs_libslirp
def test_its_process_ends_with_a_run_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}/exe"):               # of a zombie that is gone
        assert time.monotonic() < end
        time.sleep(0.01)


def frames(random):
    """Ever worse ones: random, of a kind that is looked at, and packets with one byte wrong or cut off."""
    for _ in range(2000):
        size = random.choice((0, 1, 20, 46, 100, 1500, LONGEST - 14))
        kind = random.choice((0x0800, 0x0806, 0x86DD, 0x88F8, random.randrange(1 << 16)))
        yield kind, random.randbytes(size)
        port = random.choice((53, 67, 69, 9))
        packet = bytearray(random.choice((ipv4(UDP, "10.0.2.15", ROUTER, udp(1, port, random.randbytes(size))),
                                          ipv4(TCP, "10.0.2.15", "10.0.2.99", tcp(1, port, 1, 1, random.randrange(256))))))
        packet[random.randrange(len(packet))] = random.randrange(256)
        yield IPV4, bytes(packet[:random.choice((len(packet), random.randrange(len(packet)), LONGEST - 14))])[:LONGEST - 14]


@needs_libslirp
def test_a_hostile_guest_stops_nothing(outside):
    """It may bring libslirp down, whose next process then answers."""
    network, machine = outside(Settings(restrict=True, ipv6=True))
    for number, (kind, payload) in enumerate(frames(Random(1))):
        if number % 50 == 0:
            assert machine.find_router(1) or machine.find_router(), f"before frame {number}: {network.told}"
        machine.send(kind, payload)
    assert machine.find_router(1) or machine.find_router(), network.told


@needs_libslirp
def test_a_guest_that_opens_many_sockets_uses_up_none_of_ours(outside):
    _, machine = outside()
    assert machine.find_router()
    before = set(os.listdir("/proc/self/fd"))
    host, port = listening(socket.SOCK_DGRAM)
    with host:
        for number in range(2000):
            machine.send_udp(ROUTER, 1000 + number, port, b"x")
            if number % 50 == 0:
                assert machine.find_router()
    assert machine.find_router() and len(os.listdir("/proc/self/fd")) == len(before)
