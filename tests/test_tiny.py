"""Does it live?  In some seconds, with a warm cache: assembler, both engines, the monitor, a conformance test."""
import pytest

from rvhyp import Board, Hypervisor, VmConfig, assemble, disassemble, load, make_engine
from rvhyp.engine import ENGINES

HTIF = " .data\n .balign 64\n .globl tohost, fromhost\ntohost: .dword 0\nfromhost: .dword 0\n"
SUM = "_start: li a0, 0\n li t0, 100\n1: add a0, a0, t0\n addi t0, t0, -1\n bnez t0, 1b\n"          # a0 = 5050
SAY = SUM + " slli a0, a0, 1\n ori a0, a0, 1\n la t1, tohost\n sd a0, 0(t1)\n2: j 2b\n" + HTIF      # ends with status 5050
GREET = "_start: li a7, 1\n li a0, 'h'\n ecall\n li a0, 'i'\n ecall\n li a7, 8\n ecall\n"


@pytest.fixture(params=ENGINES)
def engine(request):
    return make_engine(request.param)


def test_text_and_back():
    word = assemble("addi a0, a1, -5", 0).sections[0].data
    assert int.from_bytes(word, "little") == 0xFFB5_8513
    assert disassemble(0xFFB5_8513, 0) == "addi a0, a1, -5"


def test_a_program_in_machine_mode(engine):
    board = Board(1 << 20, engine=engine)
    board.load(load(assemble(SAY, 0x8000_0000).to_elf()))
    outcome = board.run(10_000)
    assert (outcome.ended.value, outcome.status) == ("exit", 5050)


def test_a_guest_says_hi(engine):
    said = []
    guest = load(assemble(GREET, 0x8020_0000).to_elf())
    hypervisor = Hypervisor([VmConfig("guest", guest, 4 << 20, output=said.append)], engine)
    assert hypervisor.run(10_000).status == 0
    assert b"".join(said) == b"hi" and hypervisor.vms[0].exits == {"ecall from VS-mode": 3}


def test_hello_boots():
    import firmware
    said = []
    hypervisor = Hypervisor([VmConfig("hello", load(firmware.load("hello"), "hello"), output=said.append)])
    assert hypervisor.run(10_000_000).status == 0
    assert b"Hello from a guest!" in b"".join(said)


@pytest.mark.parametrize(("word", "verdict"), [(1, "pass"), (3 << 1 | 1, "fail(3)")])
def test_a_conformance_test(tmp_path, word, verdict):
    from rvhyp.conformance.discover import Test
    from rvhyp.conformance.runner import Config, Job, run_test
    path = tmp_path / "test"
    path.write_bytes(assemble(f"_start: li a0, {word}\n la t0, tohost\n sd a0, 0(t0)\n1: j 1b\n" + HTIF, 0x8000_0000).to_elf())
    assert run_test(Job(Test("test", str(path)), Config()), "auto").verdict == verdict
