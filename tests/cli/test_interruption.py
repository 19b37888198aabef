"""Ctrl-C and SIGTERM end a command at any moment, with a word on what it was doing; nothing is left behind."""
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from rvhyp import assemble
from rvhyp.engine import cache
from tests.cli.terminal import COMMAND, Session, rvhyp
from tests.processes import children_of, is_gone, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
BOUND = 1                               # second; a tenth is wanted, and on an idle host it is a hundredth
WAITING = b"rvhyp: another process is compiling the core; waiting for it\n"
COMPILING = b"rvhyp: compiling the core for this processor; this happens once\n"
HELLO = "_start: li a7, 1\n li a0, 'x'\n ecall\n"            # each guest says that it runs
WAITS = HELLO + "1: wfi\n j 1b\n"
# Instructions that take long: each store makes the interpreter decode a whole page anew.
SLOW = HELLO + "la t0, 2f\n lw t1, 0(t0)\n1: sw t1, 0(t0)\n2: beqz zero, 1b\n .rept 1000\n addi a0, a0, 1\n .endr\n j 1b\n"
TALKS = HELLO + "j _start\n"


def start(*arguments, **more) -> subprocess.Popen:
    """A command in a session of its own, so that a signal to its group reaches nobody else."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([*COMMAND, *map(str, arguments)], start_new_session=True, bufsize=0, **pipes, **more)


def end(process, number=signal.SIGINT, send=os.kill) -> str:
    """Send a signal; the process, all its children too, must end at once, with that signal's status.  What stderr then says."""
    children = children_of(process.pid)
    begin = time.monotonic()
    send(process.pid, number)
    try:
        status = process.wait(60)
        assert time.monotonic() - begin < BOUND
        assert status == STATUS[number]
        assert wait_until(lambda: all(map(is_gone, children)), BOUND)
        return process.stderr.read().decode()
    finally:
        kill(process.pid, *children)
        process.communicate()


def kill(*pids):
    """End what is left."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def guest(tmp_path):
    """The file of a guest made from source."""
    def guest(source):
        path = tmp_path / "guest.elf"
        path.write_bytes(assemble(source, 0x8020_0000).to_elf())
        return path
    return guest


# While the core is compiled.

@pytest.fixture
def without_core(warm_cache):
    """The environment of a command that must link the core, and its cache folder."""
    core, = warm_cache.glob("core-*")
    core.unlink()
    return os.environ | {"RVHYP_CACHE": str(warm_cache)}, warm_cache


@pytest.mark.parametrize("seconds", [0, 0.4, 1.2, 2.5])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_while_rules_are_compiled(tmp_path, seconds, send):
    """Ctrl-C at a terminal goes to all processes of the group, other signals to one."""
    process = start("run", "hello", env=os.environ | {"RVHYP_CACHE": str(tmp_path / "empty")})
    assert process.stderr.readline() == COMPILING
    assert wait_until(lambda: children_of(process.pid), 10)
    time.sleep(seconds)
    text = end(process, send=send)
    assert text.startswith("rvhyp: interrupted while compiling the core: part ") and text.count("\n") == 1, text


@pytest.mark.parametrize(("seconds", "number"), [(0.1, signal.SIGTERM), (0.8, signal.SIGINT), (2, signal.SIGTERM)])
def test_while_the_core_is_linked(without_core, seconds, number):
    """Optimising is one native call of some seconds."""
    environment, folder = without_core
    process = start("demo", env=environment)
    assert process.stderr.readline() == COMPILING
    assert wait_until(lambda: children_of(process.pid), 10)
    time.sleep(seconds)
    text = end(process, number)
    assert "ed while compiling the core: part " in text and text.count("\n") == 1, text
    names = {path.name.partition("-")[0] for path in folder.iterdir()}
    assert names == {"core.lock", "rules"}, "nothing half done is left"


def test_an_interrupted_build_is_done_again(without_core):
    """Also after a kill in the middle of writing a file."""
    environment, folder = without_core
    process = start("run", "hello", env=environment)
    assert process.stderr.readline() == COMPILING
    end(process)
    key = cache.source_key()
    (folder / f"core-{key}half").write_bytes(b"half a file")
    result = rvhyp("run", "hello", env=environment)
    assert result.returncode == 0 and COMPILING in result.stderr
    names = {path.name for path in folder.iterdir() if not path.name.startswith(("rules-", "objects-"))}
    assert names == {f"core-{key}", "core.lock"}
    assert rvhyp("run", "hello", env=environment).stderr == b""


def test_children_die_with_a_parent_that_is_killed(without_core):
    environment, folder = without_core
    process = start("run", "hello", env=environment)
    assert process.stderr.readline() == COMPILING
    assert wait_until(lambda: children_of(process.pid), 10)
    children = children_of(process.pid)
    process.kill()
    try:
        assert wait_until(lambda: all(map(is_gone, children)), BOUND)
    finally:
        kill(*children)
        process.communicate()
    with open(folder / "core.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)        # BlockingIOError: somebody still holds it


def test_while_it_waits_for_another_process_that_compiles(without_core):
    environment, folder = without_core
    with cache.lock(folder / "core.lock"):
        process = start("run", "hello", env=environment)
        assert process.stderr.readline() == WAITING
        assert end(process) == "rvhyp: interrupted while loading the core\n"


# While guests run.

@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("engine", ["interpreter", "reference"])
def test_a_guest_that_computes(engine, number):
    with Session("run", "badloop", "--engine", engine) as session:
        session.expect(b"looping")
        time.sleep(0.5)
        text = end(session.process, number)
    assert text.splitlines()[1].startswith("rvhyp: guest badloop: hart 0 in VS-mode at ") and "bad_loop" in text


@pytest.mark.parametrize("options", [(), ("--threads",)])
@pytest.mark.parametrize("source", [WAITS, SLOW, TALKS])
def test_a_guest_that_waits_or_is_slow_or_talks_to_nobody(guest, source, options):
    """`TALKS` fills the pipe of its console, and the monitor waits in a write."""
    process = start("run", guest(source), *options)
    assert process.stdout.read(1) == b"x"
    time.sleep(0.3)
    assert "guest guest: hart 0 in VS-mode at 0x8020" in end(process)


def test_a_bare_program(guest):
    process = start("bare", guest("_start: li t0, 0x10000000\n li t1, 'x'\n sb t1, 0(t0)\n1: j 1b\n"), "--memory", "16M")
    assert process.stdout.read(1) == b"x"
    time.sleep(0.1)
    assert end(process).startswith("rvhyp: interrupted while running, in M-mode at pc 0x8020")


@pytest.mark.parametrize("options", [(), ("--threads",)])
def test_several_guests(options):
    process = start("run", "badloop", "badloop", *options)
    process.stdout.readline()
    time.sleep(0.3)
    assert [line.split(":")[1] for line in end(process).splitlines()[1:]] == [" guest badloop.1", " guest badloop.2"]


def test_nobody_reads_what_it_says():
    """A full pipe for stderr does not keep the process."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    try:
        while True:
            os.write(writable, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writable, True)
    process = subprocess.Popen([*COMMAND, "run", "badloop"], stdout=subprocess.PIPE, stderr=writable, bufsize=0)
    try:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(BOUND) == 130
    finally:
        process.kill()
        process.communicate()
        os.close(readable)
        os.close(writable)


@pytest.mark.parametrize("number", STATUS)
def test_the_terminal_is_restored(number):
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen([*COMMAND, "run", "badloop"], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        seen = b""
        while b"looping" not in seen:
            seen += os.read(process.stdout.fileno(), 4096)
        assert termios.tcgetattr(slave)[3] & termios.ECHO == 0
        end(process, number)
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


# Before, and not at all.

@pytest.mark.parametrize("seconds", [0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.12])
def test_while_it_starts(seconds):
    """From the first line of ours on, imports too."""
    code = "import os; from rvhyp.cli import interruption; interruption.catch(); os.write(1, b'.')\n" \
           "from rvhyp.__main__ import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, "run", "badloop"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.read(process.stdout.fileno(), 1)
    time.sleep(seconds)
    assert end(process).startswith("rvhyp: interrupted while ")


def test_an_ignored_sigint_stays_ignored():
    """As a shell starts jobs in the background, and nohup."""
    process = subprocess.Popen(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND, "run", "badloop"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.read(process.stdout.fileno(), 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    end(process, signal.SIGTERM)
