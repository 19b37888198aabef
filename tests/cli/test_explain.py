"""rvhyp explain: which trap, how it is shown, and every kind of bad input."""
import json

import pytest

from rvhyp import assemble
from tests.cli.terminal import rvhyp

HTIF = " .data\n .balign 64\n .globl tohost, fromhost\ntohost: .dword 0\nfromhost: .dword 0\n"
# Three traps: an illegal instruction, a load from nowhere, and the ECALL by which it ends.
PROGRAM = """
_start: la t0, handler
        csrw mtvec, t0
bad:    .word 0
        lw a0, 8(zero)
        ecall
        .align 2
handler:
        csrr t1, mcause
        li t2, 11
        beq t1, t2, end
        csrr t1, mepc
        addi t1, t1, 4
        csrw mepc, t1
        mret
end:    la t0, tohost
        li a0, 1
        sd a0, (t0)
1:      j 1b
""" + HTIF


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.elf"
    path.write_bytes(assemble(PROGRAM, 0x8000_0000).to_elf())
    return path


def explained(*arguments) -> str:
    result = rvhyp("explain", *map(str, arguments))
    assert result.returncode == 0 and not result.stderr, result.stderr
    return result.stdout.decode()


def refused(*arguments) -> str:
    """The message for bad input: one line, status 2."""
    result = rvhyp("explain", *map(str, arguments))
    text = result.stderr.decode()
    assert result.returncode == 2 and text.startswith("rvhyp: ") and text.count("\n") == 1 and not result.stdout, text
    return text


def test_the_last_that_is_no_environment_call(program):
    text = explained(program)
    assert text.splitlines()[0].startswith("trap 2 of 3 of ") and "run on the bare board" in text.splitlines()[0]
    assert "load access fault in M-mode, at pc 0x80000010 <bad+0x4>" in text and "  00802503  lw a0, 8(zero)" in text
    assert "load of 4 bytes at 0x8, as M-mode\n  M-mode: no translation\n  PMP: no entry matches 0x8: RWX for M-mode" in text
    assert "no device answers there [1]" in text and '[1] Privileged ISA, "Physical Memory Attributes"' in text
    assert "\x1b" not in text


def test_choosing_a_trap(program):
    assert explained(program, "--trap", "last").startswith("trap 3 of 3")
    assert explained(program, "--trap", "1").startswith("trap 1 of 3")
    for which in ("pc=bad", "pc=0x8000000c", "pc=_start+12", "cause=2", "cause=Illegal instruction"):
        assert "illegal instruction in M-mode, at pc 0x8000000c <bad>" in explained(program, "--trap", which)


def test_list(program):
    header, *rows = explained(program, "--list").splitlines()
    assert header.split() == ["trap", "instructions", "mode", "pc", "cause", "tval", "taken", "in"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert "illegal instruction" in rows[0] and "<bad+0x4>" in rows[1] and "ecall from M-mode" in rows[2]


def test_json(program):
    document = json.loads(explained(program, "--json", "-"))
    assert document["trap"]["number"] == 2 and document["count"] == 3 and document["differs"] == [] and not document["guest"]
    found = document["explanation"]
    assert (found["cause"], found["tval"], found["taken_in"], found["instruction"]) == (5, 8, "M", "lw a0, 8(zero)")
    assert found["decided"][0]["rule"] == "device_access" and found["access"]["pmp"]["entry"] is None
    assert [trap["number"] for trap in json.loads(explained(program, "--list", "--json", "-"))["traps"]] == [1, 2, 3]


def test_a_guest_of_ours():
    text = explained("badaccess")
    assert "run as a guest in VS-mode" in text and "load guest-page fault in VS-mode" in text
    assert "VS-stage: vsatp is Bare" in text and "G-stage of 0x8000008: hgatp Sv39x4, root " in text
    assert "taken in HS-mode, by the monitor" in text and "guest physical 0x8000008" in text


def test_a_file_without_tohost_is_a_guest_unless_told_otherwise(tmp_path):
    path = tmp_path / "guest.elf"
    path.write_bytes(assemble("_start: csrr a0, hgatp\n li a7, 8\n ecall\n", 0x8020_0000).to_elf())
    assert "virtual instruction in VS-mode" in explained(path, "--trap", 1)
    result = rvhyp("explain", str(path), "--bare", "--max-instructions", "1000")
    assert result.returncode == 0 and b"in M-mode, at pc" in result.stdout


@pytest.mark.parametrize("which, words", [
    ("4", "there is no trap 4: the run has 3"),
    ("0", "'0' names no trap"),
    ("pc", "is neither a number nor a symbol"),
    ("pc=nowhere", "is neither a number nor a symbol"),
    ("pc=0x80000000", "none of the 3 traps is at pc 0x80000000"),
    ("cause=7", "none of the 3 traps is with cause store/AMO access fault"),
    ("cause=load acess fault", "did you mean 'load access fault'?"),
])
def test_there_is_no_such_trap(program, which, words):
    assert words in refused(program, "--trap", which)


def test_bad_input(program, tmp_path):
    assert "no such file" in refused(tmp_path / "gone")
    assert "leave it out" in refused(program, "--guest", "--isa", "rv64i")


def test_no_trap_in_the_run(tmp_path):
    path = tmp_path / "quiet.elf"
    path.write_bytes(assemble("_start: la t0, tohost\n li a0, 1\n sd a0, (t0)\n1: j 1b\n" + HTIF, 0x8000_0000).to_elf())
    assert "no trap was taken in this run" in refused(path)
    assert explained(path, "--list").count("\n") == 1


def test_a_limit_is_told(program):
    result = rvhyp("explain", str(program), "--max-instructions", "3")
    assert result.returncode == 2 and b"instruction limit: stopped after 3 instructions" in result.stderr


def test_a_trap_loop(tmp_path):
    path = tmp_path / "loop.elf"
    path.write_bytes(assemble("_start: nop\n .word 0\n" + HTIF, 0x8000_0000).to_elf())
    result = rvhyp("explain", str(path))
    assert result.returncode == 0 and b"trap loop: stopped after 1 instructions" in result.stderr
    assert result.stdout.startswith(b"trap 2 of 10")
