"""Consoles that others connect to: who reads slowly loses nothing, who does not read holds up nobody."""
import os
import select
import socket

import pytest

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
        assert select.select([descriptor], [], [], 20)[0], "nothing comes"
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
