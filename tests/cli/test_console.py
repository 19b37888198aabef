"""The console of a guest: at a terminal, with its escape key; in files, at a pseudo-terminal, a socket, or nowhere."""
import os
import signal
import socket
import termios
import time

import pytest

from rvhyp import assemble
from tests.cli.terminal import PtySession, Session, rvhyp
from tests.cli.test_run import refused
from tests.processes import wait_until

# Says that it runs, then what it is sent, until that is "q"; its status is the number of bytes.
PARROT = """_start:
    li s0, 0x10000000
    li s1, 0
    li t0, '>'
    sb t0, 0(s0)
1:  lbu t0, 5(s0)
    andi t0, t0, 1
    beqz t0, 1b
    lbu a0, 0(s0)
    addi s1, s1, 1
    sb a0, 0(s0)
    li t0, 'q'
    bne a0, t0, 1b
    slli s1, s1, 16
    li t0, 0x3333
    or s1, s1, t0
    li t0, 0x100000
    sw s1, 0(t0)
    j .
"""
DEAF = """_start: li a7, 1
    li a0, '>'
    ecall
    j .
"""


@pytest.fixture
def guest(tmp_path):
    def guest(source=PARROT, name="parrot"):
        path = tmp_path / f"{name}.elf"
        path.write_bytes(assemble(source, 0x8020_0000).to_elf())
        return str(path)
    return guest


# At a terminal.

def test_keys_go_to_the_guest_as_they_are_typed(guest):
    """Ctrl-C, Ctrl-Z, Ctrl-D and Ctrl-S too, each once and without echo of the host's."""
    with PtySession("run", guest()) as session:
        session.expect(b">")
        session.send(b"a\r\x03\x1a\x04\x13\x11\x7f\xffq")
        assert session.expect(b"q") == b"a\r\x03\x1a\x04\x13\x11\x7f\xffq"
        assert session.end() == 10


def test_the_terminal_is_raw_while_the_guest_runs_and_then_what_it_was(guest):
    with PtySession("run", guest()) as session:
        session.expect(b">")
        flags = session.mode()[3]
        assert not flags & (termios.ICANON | termios.ECHO | termios.ISIG)
        session.send(b"q")
        assert session.end() == 1


def test_escape_key(guest):
    with PtySession("run", guest()) as session:
        session.expect(b">")
        session.send(b"\x01\x01")
        session.expect(b"\x01")                         # itself, once
        session.send(b"\x01h")
        assert b"Ctrl-A x" in session.process.stderr.read(60)
        session.send(b"\x01?")
        assert b"Ctrl-A" in session.process.stderr.read(200)
        session.send(b"\x01s")
        while b"instructions" not in session.process.stderr.read(4096):
            pass
        session.send(b"z")
        session.expect(b"z")                            # Ctrl-A x ends the run at once: what was typed with it may be lost
        session.send(b"\x01x")
        assert session.end() == 0


@pytest.mark.parametrize("options", [(), ("--realtime",)])
@pytest.mark.parametrize("source", [DEAF, DEAF.replace("j .", "wfi\n j .")])
def test_escape_key_of_a_guest_that_reads_nothing(guest, source, options):
    with PtySession("run", guest(source), *options) as session:
        session.expect(b">")
        session.send(b"anything\x01X")
        assert session.end() == 0


# A shell with one job: "stop", "bg" and "fg" are what it is told, and it says when it is done.  Without one, nobody could let a
# stopped job go on, and so it would not stop.
SHELL = """
import os, signal, subprocess, sys, termios
os.close(os.open(os.ttyname(0), os.O_RDWR))             # the terminal of this session
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def job():
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
process = subprocess.Popen(sys.argv[1:], preexec_fn=job)
for line in os.fdopen(int(os.environ["ORDERS"])):
    order = line.strip()
    if order == "stop":
        os.kill(process.pid, signal.SIGTSTP)
    if order in ("stop", "stopped"):
        status = os.waitpid(process.pid, os.WUNTRACED)[1]
        assert os.WIFSTOPPED(status), status
        os.tcsetpgrp(0, os.getpgrp())
    elif order == "end":
        sys.exit(process.wait())
    else:
        if order == "fg":
            os.tcsetpgrp(0, process.pid)
        os.kill(process.pid, signal.SIGCONT)
    print("done", order, file=sys.stderr, flush=True)
"""


def test_a_stopped_job_gives_the_terminal_back_and_has_it_again_in_the_foreground(guest):
    read, write = os.pipe()
    with PtySession("run", guest(), shell=SHELL, pass_fds=[read], env=os.environ | {"ORDERS": str(read)}) as session:
        def order(text):
            os.write(write, text + b"\n")
            assert session.process.stderr.readline() == b"done " + text + b"\n"

        def is_raw():
            return not session.mode()[3] & termios.ICANON

        session.expect(b">")
        raw = session.mode()
        for _ in range(2):
            order(b"stop")
            assert session.mode() == session.before
            order(b"fg")
            assert wait_until(is_raw) and session.mode() == raw
        session.send(b"a\x01z")
        order(b"stopped")
        assert session.mode() == session.before
        order(b"bg")                                    # it goes on until there is something that it would read
        assert session.mode() == session.before
        session.send(b"b\n")
        order(b"stopped")
        assert session.mode() == session.before
        order(b"fg")
        assert wait_until(is_raw)
        session.send(b"q")
        session.expect(b"q")
        os.write(write, b"end\n")
        assert session.end() == 4
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_terminal_is_restored_after_a_signal(guest, number, status):
    with PtySession("run", guest()) as session:
        session.expect(b">")
        session.process.send_signal(number)
        assert session.end() == status


def test_the_terminal_is_restored_when_the_monitor_stops_the_guest():
    with PtySession("run", "badaccess") as session:
        assert session.end() == 3


def test_the_terminal_is_restored_at_a_limit(guest):
    with PtySession("run", guest(), "--timeout", "1") as session:
        session.expect(b">")
        assert session.end() == 124


def ignore_hang_up():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_terminal_that_goes_ends_the_run_at_most(guest):
    """With SIGHUP, or, if that is ignored as under nohup, as input that ended."""
    for before in (None, ignore_hang_up):
        with PtySession("run", guest(), "--timeout", "1", preexec_fn=before) as session:
            session.expect(b">")
            session.hang_up()
            assert session.process.wait(20) in (129, 124)
            said = session.process.stderr.read()
            assert b"Traceback" not in said and b"internal error" not in said


def test_under_nohup_the_other_guests_go_on_when_a_terminal_goes(guest, tmp_path):
    path = str(tmp_path / "console")
    options = ["--console", f"socket:{path},guest=other", "--timeout", "60"]
    with PtySession("run", guest(), guest(name="other"), *options, preexec_fn=ignore_hang_up) as session:
        session.expect(b">")
        session.hang_up()
        with connect(path) as client:
            assert talk(lambda: client.recv(100), client.sendall, b"ab", b"ab")
        assert session.process.poll() is None
        session.process.terminate()
        assert session.process.wait(20) == 143


# Elsewhere.

def test_files_and_nothing(guest, tmp_path):
    done = rvhyp("run", "hello", guest(DEAF, "deaf"), "--console", f"file:{tmp_path}/hello.txt,guest=hello", "--console", "none",
                 "--timeout", "1")
    assert done.stdout == b"" and b"Hello" in (tmp_path / "hello.txt").read_bytes()


def test_several_guests_of_which_one_has_the_terminal(guest, tmp_path):
    path = guest()
    with PtySession("run", path, "hello", "--console", f"file:{tmp_path}/hello.txt,guest=hello") as session:
        session.expect(b">")                            # no prefix: it is alone there
        session.send(b"abq")
        session.expect(b"abq")
        assert session.end() == 3
    assert b"Hello" in (tmp_path / "hello.txt").read_bytes()


def talk(read, write, text, until):
    write(text)
    seen, end = b"", time.monotonic() + 20
    while until not in seen:
        assert time.monotonic() < end, seen
        seen += read()
    return seen


def test_pty(guest):
    with Session("run", guest(), "--console", "pty") as session:
        line = session.process.stderr.readline().decode()
        assert line.startswith("rvhyp: the console of parrot is /dev/")
        fd = os.open(line.split()[-1], os.O_RDWR | os.O_NOCTTY)
        assert talk(lambda: os.read(fd, 100), lambda data: os.write(fd, data), b"\x01ab", b"ab")
        os.close(fd)
        fd = os.open(line.split()[-1], os.O_RDWR | os.O_NOCTTY)         # who left comes back
        os.write(fd, b"cq")
        assert session.end() == 5
        os.close(fd)


def connect(path):
    end = time.monotonic() + 20
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client
        except OSError:
            client.close()
            assert time.monotonic() < end
            time.sleep(0.05)


def test_socket(guest, tmp_path):
    path = str(tmp_path / "console")
    with Session("run", guest(), "--console", f"socket:{path}") as session:
        with connect(path) as client:
            assert talk(lambda: client.recv(100), client.sendall, b"ab", b"ab")
        with connect(path) as client:
            assert talk(lambda: client.recv(100), client.sendall, b"cd", b"cd")
            refused(rvhyp("run", "hello", "--console", f"socket:{path}"), "console of another run")
            client.sendall(b"q")
            assert session.end() == 5
    assert not os.path.exists(path)


def test_a_socket_that_a_killed_run_left(guest, tmp_path):
    path = str(tmp_path / "console")
    left = socket.socket(socket.AF_UNIX)
    left.bind(path)
    left.close()
    assert rvhyp("run", "hello", "--console", f"socket:{path}").returncode == 0
    assert not os.path.exists(path)


@pytest.mark.parametrize("kind", ["pty", "socket:{path}"])
def test_who_does_not_read_does_not_hold_up_the_guest(guest, tmp_path, kind):
    path = str(tmp_path / "console")
    talker = guest("_start: li s0, 100000\n li t0, 0x10000000\n li t1, 'x'\n1: sb t1, 0(t0)\n addi s0, s0, -1\n bnez s0, 1b\n"
                   " li t0, 0x100000\n li t1, 0x5555\n sw t1, 0(t0)\n j .\n", "talker")
    with Session("run", talker, "--console", kind.format(path=path)) as session:
        client = connect(path) if "socket" in kind else None
        assert session.end() == 0
        if client:
            client.close()


@pytest.mark.parametrize("console, said", [
    ("tty", "is no console"), ("file:", "is no console"), ("none,guest=nobody", "there is no guest"),
    ("hello=none", "is no console"), ("none,nobody", "what may follow is guest="),
    ("file:/nowhere/at/all", "cannot write"),
    ("socket:/nowhere/at/all", "no socket can be made"), ("socket:/tmp", "no socket"), ("socket:" + "x" * 200, "no socket")])
def test_what_is_no_console(console, said):
    refused(rvhyp("run", "hello", "--console", console), said)


def test_nothing_is_left_of_a_console_when_something_else_is_wrong(tmp_path):
    path = str(tmp_path / "console")
    result = rvhyp("run", "hello", "--console", f"socket:{path}", "--disk", "none.img")
    assert result.returncode == 2 and b"none.img: no such file" in result.stderr and not os.path.exists(path)


def test_consoles_that_several_guests_cannot_share(tmp_path):
    refused(rvhyp("run", "hello", "tasks", "--console", f"file:{tmp_path}/x"), "for several guests")
    refused(rvhyp("run", "hello", "--console", "none", "--console", "pty"), "two consoles")


# Time.

SLEEPER = """_start:
    rdtime s0
    li t0, 5000000              # half a second
    add s0, s0, t0
    li a7, 0x54494D45
    li a6, 0
    mv a0, s0
    ecall
    li t0, 32
    csrw sie, t0
1:  wfi
    rdtime t0
    bltu t0, s0, 1b
    li a7, 8
    ecall
"""


@pytest.mark.parametrize("option", ["--realtime", "--threads"])
def test_real_time_is_the_hosts(guest, option):
    start = time.monotonic()
    assert rvhyp("run", guest(SLEEPER, "sleeper"), option).returncode == 0
    assert time.monotonic() - start >= 0.5


@pytest.mark.parametrize("option", ["--realtime", "--threads"])
def test_input_wakes_a_guest_that_sleeps_in_real_time(option):
    with Session("run", "echo", option) as session:
        session.send(b"one\n")
        session.expect(b"one")
        session.send(b"quit\n")
        session.expect(b"bye")
        assert session.end() == 0
