"""rvhyp run, bare, demo: what a user sees, and every kind of bad input."""
import json
import os
import struct
import time

import pytest

from rvhyp import assemble
from rvhyp.machine.clock import EPOCH
from tests.cli.terminal import Session, rvhyp


def elf(source="_start: j .\n", base=0x8020_0000):
    return bytearray(assemble(source, base).to_elf())


def refused(result, *words):
    """One clear message, status 2, no traceback."""
    text = result.stderr.decode()
    assert result.returncode == 2, text
    assert text.startswith("rvhyp: ") and text.count("\n") == 1, text
    assert "Traceback" not in text
    for word in words:
        assert word in text, text


def test_hello():
    result = rvhyp("run", "hello")
    assert result.returncode == 0, result.stderr
    assert b"Hello from a guest!" in result.stdout


def test_tasks_under_sv39_with_timer_interrupts():
    result = rvhyp("run", "tasks", "--stats")
    assert result.returncode == 0, result.stderr
    assert b"their results are right" in result.stdout
    assert b"exits by cause" in result.stderr


def test_selftest():
    result = rvhyp("run", "selftest")
    assert result.returncode == 0, result.stdout
    assert b" 0 failed" in result.stdout


@pytest.mark.parametrize("options", [(), ("--threads",)])
def test_smp(options):
    result = rvhyp("run", "smp", "--cpus", "3", *options)
    assert result.returncode == 0, result.stdout
    assert b"3 hart" in result.stdout


def test_guests_on_threads():
    """Each guest's own status and counts, as without."""
    result = rvhyp("run", "selftest", "tasks", "smp", "--threads", "--json", "-")
    assert result.returncode == 0, result.stderr
    guests = json.loads(result.stdout)["guests"]
    assert [(each["status"], each["why"]) for each in guests] == [(0, "shutdown")] * 3
    assert all(each["instructions"] > 1000 and each["exits"]["ecall from VS-mode"] for each in guests)


def test_limits_of_guests_on_threads():
    for options in (("--max-instructions", "1000000"), ("--timeout", "0.5")):
        result = rvhyp("run", "badloop", "badloop", "--threads", *options)
        assert result.returncode == 124 and b"guest badloop.2: hart 0 in VS-mode at " in result.stderr, result.stderr


@pytest.mark.parametrize("options, words", [(("--log-commits", "log"), ("--threads", "--log-commits")),
                                            (("--engine", "reference"), ("--threads", "plain Python"))])
def test_what_threads_do_not_go_with(tmp_path, options, words):
    refused(rvhyp("run", "hello", "--threads", *options, cwd=tmp_path), *words)
    assert not list(tmp_path.iterdir())


def test_demo_boots_three_guests_and_counts_their_exits():
    result = rvhyp("demo")
    text = result.stdout.decode()
    assert result.returncode == 0, text
    for guest in ("hello", "tasks", "selftest"):
        assert any(line.startswith(guest) and " | " in line for line in text.splitlines())
    header, *rows = text[text.index("exits by cause"):].splitlines()
    assert header.split()[3:] == ["hello", "tasks", "selftest"]
    table = {row.rsplit(None, 3)[0]: [int(n) for n in row.rsplit(None, 3)[1:]] for row in rows[:-1]}
    assert sum(table.pop("instructions")) == int(rows[-1].split()[0])
    served, everything = table.pop("without Python"), table.pop("all")
    assert [sum(column) for column in zip(*table.values(), strict=True)] == everything
    assert served[0] == 0 and 0 < served[1] < everything[1]             # hello sets no timer, tasks does
    assert all(count > 0 for count in table["ecall from VS-mode"])


def test_piped_input_is_delivered_when_the_guest_asks():
    result = rvhyp("run", "echo", input=b"one\ntwo\nquit\n")
    assert result.returncode == 0, result.stderr
    assert b"one" in result.stdout and b"two" in result.stdout and b"bye" in result.stdout


def test_json():
    result = rvhyp("run", "hello", "tasks", "--json", "-")
    assert result.returncode == 0
    document = json.loads(result.stdout)
    assert [guest["name"] for guest in document["guests"]] == ["hello", "tasks"]
    assert document["status"] == 0 and document["instructions"] > 1000


def test_guest_that_makes_a_mistake():
    result = rvhyp("run", "badaccess")
    assert result.returncode == 3
    for word in (b"load guest-page fault", b"VS-mode", b"not mapped"):
        assert word in result.stderr


def test_limits():
    result = rvhyp("run", "badloop", "--max-instructions", "1000000")
    assert result.returncode == 124 and b"instruction limit reached after 1000000 instructions" in result.stderr


@pytest.mark.parametrize("arguments", [
    ("run", "badloop"), ("run", "badloop", "badloop"), ("run", "badloop", "--engine", "reference"),
    ("run", "selftest", "--engine", "reference"), ("demo", "--engine", "reference")])
def test_limit_of_seconds(arguments):
    """However long instructions take: the reference runs some thousand in a second."""
    start = time.monotonic()
    result = rvhyp(*arguments, "--timeout", "1")
    assert 1 < time.monotonic() - start < 5
    assert result.returncode == 124 and b"time limit reached" in result.stderr


def test_bare_program():
    result = rvhyp("bare", "bare-hello")
    assert result.returncode == 0, result.stderr
    assert result.stdout


REBOOTS = f"""_start:
    li t0, 0x80800000           # memory is clear at each boot
    lw a0, 0(t0)
    bnez a0, end
    li a0, 1
    sw a0, 0(t0)
    li t0, 0x101000             # the real-time clock goes on: the first boot is before 10 us
    lw t1, 0(t0)
    lw t2, 4(t0)
    slli t2, t2, 32
    slli t1, t1, 32
    srli t1, t1, 32
    or t1, t1, t2
    li t2, {EPOCH + 10_000}
    li a0, 5 << 16 | 0x3333
    bgeu t1, t2, end
    li t0, 6000
1:  addi t0, t0, -1
    bnez t0, 1b
    li a0, 0x7777
end: li t0, 0x100000
    sw a0, 0(t0)
    j .
"""


def test_a_bare_program_that_reboots_starts_again(tmp_path):
    program = tmp_path / "reboots.elf"
    program.write_bytes(assemble(REBOOTS, 0x8000_0000).to_elf())
    done = rvhyp("bare", str(program), "--json", "-", "--log-commits", str(tmp_path / "log"))
    document = json.loads(done.stdout)
    assert (done.returncode, document["reboots"]) == (5, 1) and document["instructions"] > 12_000
    assert (tmp_path / "log").read_bytes().count(b" 0x0000000080000000 (") == 2
    done = rvhyp("bare", str(program), "--no-reboot")
    assert done.returncode == 0 and b"reboot: stopped after 120" in done.stderr
    done = rvhyp("bare", str(program), "--max-instructions", "12025")
    assert done.returncode == 124 and b"after 12025 instructions" in done.stderr


def test_versions_and_help():
    assert rvhyp("--version").stdout.startswith(b"rvhyp, version ")
    text = rvhyp("--help").stdout.decode()
    assert "Examples" in text and "rvhyp run hello" in text
    for verb in ("run", "bare", "demo", "conformance", "bench"):
        assert rvhyp(verb, "--help").returncode == 0


# Bad input.

def broken_elfs():
    good = elf()
    phoff, = struct.unpack_from("<Q", good, 32)

    def change(at, format, value):
        data = elf()
        struct.pack_into(format, data, at, value)
        return bytes(data)
    return {
        "empty": b"", "text": b"#!/bin/sh\necho hello\n", "header only": bytes(good[:64]), "truncated table": bytes(good[:100]),
        "truncated segment": bytes(good[:struct.unpack_from("<Q", good, phoff + 8)[0] + 2]),
        "32-bit": change(4, "B", 1), "big-endian": change(5, "B", 2), "x86-64": change(18, "<H", 62),
        "object": change(16, "<H", 1), "no segment": change(56, "<H", 0), "entry outside": change(24, "<Q", 0x9000_0000),
        "outside memory": change(phoff + 24, "<Q", 0x4000_0000),
        "too large": change(phoff + 40, "<Q", 1 << 60),
    }


@pytest.mark.parametrize("name", broken_elfs())
@pytest.mark.parametrize("verb", ["run", "bare"])
def test_broken_elf(tmp_path, verb, name):
    path = tmp_path / "broken.elf"
    path.write_bytes(broken_elfs()[name])
    refused(rvhyp(verb, str(path)), "broken.elf")


def test_unknown_guest():
    refused(rvhyp("run", "helo"), "hello")
    refused(rvhyp("run", "/nowhere/at/all.elf"), "no such file")


def test_unreadable(tmp_path):
    refused(rvhyp("run", str(tmp_path)), "directory")


@pytest.mark.parametrize("memory", ["0", "1", "4K", "99999T"])
def test_absurd_memory(memory):
    refused(rvhyp("run", "hello", "--memory", memory))


@pytest.mark.parametrize("isa", ["rv32imac", "rv64", "nonsense", "rv64imafdc_zfoo", "rv64imd"])
def test_unknown_isa(isa):
    refused(rvhyp("bare", "bare-hello", "--isa", isa))


@pytest.mark.parametrize("arguments", [
    ("run",), ("run", "hello", "--memory", "lots"), ("run", "hello", "--cpus", "0"), ("run", "hello", "--engine", "magic"),
    ("nonsense",), ("run", "hello", "--timeout", "-1")])
def test_bad_usage(arguments):
    result = rvhyp(*arguments)
    assert result.returncode == 2 and b"Traceback" not in result.stderr


def test_json_to_nowhere():
    refused(rvhyp("run", "hello", "--json", "/nowhere/at/all.json"), "/nowhere/at/all.json")


# The cache of compiled code.

def core_file(folder):
    core, = folder.glob("core-*")
    return core


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "writable by others", "link"])
def test_damaged_cache_is_built_again(warm_cache, damage):
    core = core_file(warm_cache)
    data = core.read_bytes()
    match damage:
        case "truncate":
            core.write_bytes(data[:1000])
        case "flip":
            core.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
        case "empty":
            core.write_bytes(b"")
        case "writable by others":
            core.chmod(0o666)
        case "link":
            target = warm_cache / "elsewhere"
            core.rename(target)
            core.symlink_to(target)
    result = rvhyp("run", "hello", env=os.environ | {"RVHYP_CACHE": str(warm_cache)})
    assert result.returncode == 0, result.stderr
    assert b"core compiled" in result.stderr
    core = core_file(warm_cache)
    assert not core.is_symlink() and core.stat().st_mode & 0o777 == 0o600
    again = rvhyp("run", "hello", env=os.environ | {"RVHYP_CACHE": str(warm_cache)})
    assert b"compiled" not in again.stderr


def test_cache_folder_that_cannot_be_written(warm_cache):
    core_file(warm_cache).unlink()
    impossible = warm_cache / "file"
    impossible.write_bytes(b"")
    result = rvhyp("run", "hello", env=os.environ | {"RVHYP_CACHE": str(impossible / "below")})
    assert result.returncode == 0, result.stderr


def test_two_processes_build_at_once(warm_cache):
    core_file(warm_cache).unlink()
    environment = os.environ | {"RVHYP_CACHE": str(warm_cache)}
    with Session("run", "hello", env=environment) as one, Session("run", "hello", env=environment) as two:
        one.expect(b"Hello")
        two.expect(b"Hello")
        assert one.end() == two.end() == 0
    assert core_file(warm_cache)


# What a kernel is booted with.

@pytest.mark.parametrize("option, contents, word", [
    ("--initrd", None, "cannot be read"), ("--initrd", b"", "is empty"), ("--initrd", bytes(200 << 20), "--memory 256M"),
    ("--dtb", None, "cannot be read"), ("--dtb", b"", "is empty"), ("--dtb", b"nonsense", "damaged device tree")])
def test_unusable_boot_file(tmp_path, option, contents, word):
    path = tmp_path / "file"
    if contents is not None:
        path.write_bytes(contents)
    refused(rvhyp("run", "hello", option, str(path)), word)


def test_device_tree_comes_back(tmp_path):
    tree, disk = tmp_path / "tree.dtb", tmp_path / "disk"
    disk.write_bytes(b"disk")
    assert rvhyp("run", "hello", "--dump-dtb", str(tree), "--initrd", str(disk), "--append", "quiet").returncode == 0
    assert b"quiet\0" in tree.read_bytes() and b"linux,initrd-start" in tree.read_bytes()
    assert b"Hello" in rvhyp("run", "hello", "--dtb", str(tree)).stdout
    refused(rvhyp("run", "hello", "--dump-dtb", str(tmp_path / "no" / "tree.dtb")), "cannot write it")
