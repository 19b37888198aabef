"""Signatures, as test frameworks read them."""
import subprocess

import pytest

from rvhyp import BadInput, Board, assemble, load
from rvhyp.bench.peers import find
from rvhyp.machine.signature import signature
from tests.cli.terminal import rvhyp
from tests.firmware.peers import needs_spike

SOURCE = """
        .globl _start, tohost, fromhost, begin_signature, end_signature
_start: la t0, begin_signature
        li t1, 0x0123456789abcdef
        sd t1, 8(t0)
        la t0, tohost
        li t1, 1
        sd t1, (t0)
1:      j 1b
        .data
        .align 6
tohost: .dword 0
        .align 6
fromhost: .dword 0
        .align 6
begin_signature:
        .dword 0x1122334455667788, 0
        .word 0xdeadbeef
end_signature:
"""


@pytest.fixture
def elf(tmp_path):
    path = tmp_path / "test.elf"
    path.write_bytes(assemble(SOURCE, 0x8000_0000).to_elf())
    return path


def test_lines_begin_with_the_highest_address(elf):
    board = Board()
    board.load(load(elf))
    board.run(1000)
    memory = board.machine.memory
    assert signature(load(elf), memory, 16) == "0123456789abcdef1122334455667788\n000000000000000000000000deadbeef\n"
    assert signature(load(elf), memory, 4) == "55667788\n11223344\n89abcdef\n01234567\ndeadbeef\n"


@needs_spike
@pytest.mark.parametrize("granularity", [1, 4, 8, 16])
def test_files_are_those_of_spike(elf, tmp_path, granularity):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    result = rvhyp("bare", f"+signature={ours}", f"+signature-granularity={granularity}", str(elf))
    assert result.returncode == 0, result.stderr
    subprocess.run([find("spike"), f"+signature={theirs}", f"+signature-granularity={granularity}", str(elf)], timeout=20,
                   capture_output=True)
    assert ours.read_bytes() == theirs.read_bytes() != b""


def test_conformance_writes_one_for_each_test_that_has_one(elf, tmp_path):
    result = rvhyp("conformance", str(elf), "--signature", str(tmp_path / "signatures"), "--signature-granularity", "4")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "signatures" / "test.elf.signature").read_text().splitlines()[-1] == "deadbeef"


def test_a_program_without_signature_is_refused(tmp_path):
    path = tmp_path / "plain.elf"
    path.write_bytes(assemble(SOURCE.replace("begin_signature", "elsewhere"), 0x8000_0000).to_elf())
    result = rvhyp("bare", str(path), "--signature", str(tmp_path / "out"))
    assert result.returncode == 2 and b"begin_signature" in result.stderr
    with pytest.raises(BadInput):
        signature(load(path), Board().machine.memory)


def test_a_place_that_cannot_be_written_is_refused(elf):
    result = rvhyp("bare", str(elf), "--signature", "/dev/null/out")
    assert result.returncode == 2 and b"/dev/null/out" in result.stderr and result.stderr.count(b"\n") == 1
