"""Consoles that others connect to: who reads slowly loses nothing, who does not read holds up nobody."""
import os
import resource
import select
import socket

import pytest

from rvhyp.machine.console import FD_SETSIZE, Input, wait_for_input
from rvhyp.machine.lines import BACKLOG, Pty, Socket

SAID = b"".join(b"%d\n" % number for number in range(2000))


@pytest.fixture(params=["socket", "pty"])
def line_and_reader(request, tmp_path):
    """A line, and a function that reads what has come to its other side."""
    if request.param == "socket":
        line, client = Socket(str(tmp_path / "console")), socket.socket(socket.AF_UNIX)
        client.connect(line.name)
        descriptor = client.fileno()
    else:
        line = Pty()
        descriptor = os.open(line.name, os.O_RDWR | os.O_NOCTTY)

    def read():
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(20_000), "nothing comes"
        return os.read(descriptor, 65536)

    yield line, read
    line.close()
    client.close() if request.param == "socket" else os.close(descriptor)


def test_who_reads_late_loses_nothing(line_and_reader):
    """Though a Unix socket is full after a few hundred single bytes."""
    line, read = line_and_reader
    for byte in SAID:
        line(bytes((byte,)))
    got = b""
    while len(got) < len(SAID):
        line.read()                                     # as for every look at what is typed
        got += read()
    assert got == SAID


def test_who_does_not_read_loses_what_is_said_last(line_and_reader):
    line, read = line_and_reader
    for _ in range(8 * BACKLOG // len(SAID)):
        line(SAID)
    got = b""
    while not got.endswith(b"end\n"):
        got += read()
        if b"end" not in got:
            line(b"end\n")
    assert BACKLOG < len(got) and (SAID * 100).startswith(got[:BACKLOG])


def test_who_connects_next_gets_nothing_of_the_last(tmp_path):
    line = Socket(str(tmp_path / "console"))
    first = socket.socket(socket.AF_UNIX)
    first.connect(line.name)
    for _ in range(20):
        line(SAID)
    first.close()
    line(b"lost\n")
    with socket.socket(socket.AF_UNIX) as second:
        second.connect(line.name)
        line(b"hello\n")
        assert second.recv(100) == b"hello\n"
    line.close()


@pytest.fixture
def many_descriptors():
    """So many files are open that the next is beyond what select(2) takes."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FD_SETSIZE + 100:
        pytest.skip("the host does not let a process open so many files")
    opened = [os.open("/dev/null", os.O_RDWR)]
    while opened[-1] < FD_SETSIZE:
        opened.append(os.dup(opened[0]))
    yield
    for descriptor in opened:
        os.close(descriptor)


def test_a_line_works_however_many_files_are_open(many_descriptors, line_and_reader):
    """As those that guests have opened in shared folders."""
    line, read = line_and_reader
    assert line.descriptor >= FD_SETSIZE
    assert line.read() == b""                           # who connects is let in
    line(SAID)
    got = b""
    while len(got) < len(SAID):
        line.read()
        got += read()
    assert got == SAID


def test_who_is_waited_for_is_heard_however_many_files_are_open(many_descriptors):
    here, there = socket.socketpair()
    with here, there:
        source = Input(here.fileno())
        assert source.descriptor >= FD_SETSIZE and source.read() == b""
        there.send(b"x")
        wait_for_input([source], 20)
        assert source.read() == b"x" and source.is_open
