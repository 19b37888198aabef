"""One test, and what it is judged to be."""
import pytest

from rvhyp.conformance import runner
from rvhyp.conformance.discover import Test
from rvhyp.conformance.result import Result, Status
from rvhyp.conformance.runner import Config, Job, run_test
from tests.conformance import programs

LIMIT = 20_000


@pytest.fixture
def judge(tmp_path):
    """Runs a program as a test."""
    def judge(program: bytes, name: str = "program", **config) -> Result:
        path = tmp_path / name
        path.write_bytes(program)
        return run_test(Job(Test(name, str(path)), Config(**{"max_instructions": LIMIT, **config})))
    return judge


@pytest.mark.parametrize("name", ["PASS", "PASS_IN_ENVIRONMENT", "PASS_BY_BYTE", "PASS_AFTER_OUTPUT"])
def test_pass(judge, name):
    result = judge(getattr(programs, name))
    assert (result.status, result.number, result.detail) == (Status.PASS, None, "")
    assert 0 < result.instructions < 200 and 0 < result.seconds < 10


def test_failure_says_which_case(judge):
    result = judge(programs.FAIL_3)
    assert result.verdict == "fail(3)" and result.detail.startswith("test_3 is at 0x8000")


def test_unhandled_exception(judge):
    result = judge(programs.UNHANDLED)
    assert result.verdict == "trap"
    assert result.detail.startswith("unhandled exception: illegal instruction at 0x8000") and "<test_2>" in result.detail


def test_a_large_number_of_a_case_is_no_exception(judge):
    """riscv-tests reach the end of a failed test by ECALL; its number may have the bits of 1337 >> 1."""
    code = 1337 >> 1
    failed = programs.elf(programs.ENVIRONMENT + f"        li gp, {code << 1 | 1}\n        ecall\n")
    assert judge(failed).verdict == f"fail({code})"


@pytest.mark.parametrize("name", programs.PRETENDERS)
def test_pretended_success(judge, name):
    program, verdict = programs.PRETENDERS[name]
    result = judge(program, name)
    assert result.status is not Status.PASS
    assert result.verdict == verdict
    assert result.detail or result.number


def test_limit_of_instructions_is_exact(judge):
    length = judge(programs.PASS).instructions
    assert judge(programs.PASS, max_instructions=length).status is Status.PASS
    result = judge(programs.PASS, max_instructions=length - 1)
    assert (result.status, result.instructions) == (Status.TIMEOUT, length - 1)
    assert result.detail == f"limit of {length - 1} instructions, in M-mode at 0x8000000c <_start+0xc>"


def test_limit_of_seconds(judge):
    result = judge(programs.ENDLESS, max_instructions=1 << 60, timeout=0.05)
    assert result.status is Status.TIMEOUT and result.detail.startswith("limit of 0.05 seconds, in M-mode at 0x80000000 <_start>")
    assert 0.05 <= result.seconds < 20


def test_trap_loop_says_where(judge):
    result = judge(programs.elf("_start: .word 0\n"))
    assert result.status is Status.TRAP and "traps for ever, in M-mode at 0x0" in result.detail


def test_failed_assertion_of_environment_v(judge):
    said = programs.say("Assertion failed: !\"illegal instruction\"")
    result = judge(programs.elf(f"_start:\n{said}        li a0, 3\n{programs.STORE}"))
    assert result.verdict == "trap" and result.detail == 'Assertion failed: !"illegal instruction"'
    assert judge(programs.store(3)).verdict == "fail(1)"


def test_trap_into_m_mode_of_environment_v(judge):
    source = ("        .globl wtf\n_start: la t0, wtf\n        csrw mtvec, t0\n        ebreak\n"
              "        .align 2\nwtf:    li a0, 841\n")
    result = judge(programs.elf(source + programs.STORE))
    assert result.verdict == "trap"
    assert result.detail.startswith("unhandled exception in M-mode: breakpoint at 0x8000000c <_start")
    assert judge(programs.store(841)).verdict == "fail(420)"


def test_output_is_kept_from_its_end(judge):
    assert judge(programs.PASS_AFTER_OUTPUT).output == "hello\n"
    tail = runner.Tail()
    for number in range(20_000):
        tail(b"%06d\n" % number)
    assert str(tail).endswith("019998\n019999\n") and len(str(tail)) == runner.KEPT_OUTPUT


def test_output_that_is_no_text(judge):
    result = judge(programs.elf(f"_start: li a0, {1 << 56 | 1 << 48 | 0xFF:#x}\n        la t0, tohost\n        sd a0, (t0)\n"
                                f"        li a0, 1\n{programs.STORE}"))
    assert result.status is Status.PASS and result.output == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(("data", "what"), [
    (b"", "is empty"),
    (b"\x7fELF", "is truncated"),
    (programs.PASS[:200], "is truncated"),
    (b"not an ELF file at all", "is not an ELF file"),
    (programs.PASS[:18] + b"\x3e" + programs.PASS[19:], "x86-64"),
])
def test_bad_files(judge, data, what):
    result = judge(data)
    assert result.status is Status.ERROR and what in result.detail
    assert "program" not in result.detail.split(";")[0].split(" ")[0]       # the name is not said twice


def test_missing_file():
    assert run_test(Job(Test("gone", "/no/such/file"))).status is Status.ERROR


def test_machine_that_cannot_be(judge):
    assert judge(programs.PASS, isa="rv64iq").status is Status.ERROR
    assert judge(programs.PASS, memory=4097).status is Status.ERROR


def test_isa_and_memory_of_the_machine(judge):
    """An instruction that the configuration lacks is illegal; memory ends where it should."""
    multiply = programs.elf(programs.ENVIRONMENT + "        mul a0, a0, a0\n        li gp, 1\n        ecall\n")
    assert judge(multiply).status is Status.PASS
    assert judge(multiply, isa="rv64i_zicsr").status is Status.TRAP
    far = programs.elf(programs.ENVIRONMENT + f"        li a0, {0x8000_0000 + (1 << 20):#x}\n        lw a0, (a0)\n"
                       "        li gp, 1\n        ecall\n")
    assert judge(far).status is Status.PASS
    assert "load access fault" in judge(far, memory=1 << 20).detail


def test_skip_is_not_run(judge):
    result = judge(programs.FAIL_3, skip="not now")
    assert (result.status, result.detail, result.instructions) == (Status.SKIP, "not now", 0)
    assert run_test(Job(Test("a", "/no/such/file", "is a 32-bit program"))).status is Status.SKIP


def test_our_own_exception_is_a_crash(judge, monkeypatch):
    monkeypatch.setattr(runner.Board, "run", lambda *arguments: {}["missing"])
    result = judge(programs.PASS)
    assert result.status is Status.CRASH
    assert result.detail.startswith("Traceback") and result.detail.endswith("KeyError: 'missing'\n")


def test_on_the_translator_all_is_translated_before(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(programs.store(1, "li t1, 1000\n1:      addi t1, t1, -1\n        bnez t1, 1b"))
    job = Job(Test("program", str(path)))
    run = runner.Run(job, "translator", runner.Tail())
    run.translate(job)
    assert run.board.machine.engine.regions >= 1 and run.judge()["status"] is Status.PASS
    assert run_test(job, "translator").instructions == run_test(job, "interpreter").instructions > 2000


def test_reference_engine(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(programs.FAIL_3)
    assert run_test(Job(Test("a", str(path))), "reference").verdict == "fail(3)"


@pytest.mark.parametrize(("name", "group"), [
    ("rv64ui-p-add", "rv64ui"), ("rv64ui-v-add", "rv64ui"), ("hypervisor-p-2-stage_translation", "hypervisor"),
    ("hypervisor-svadu-p-2-stage_translation_implicit", "hypervisor-svadu"), ("isa/rv64si-p-csr", "rv64si"),
    ("folder/add", "folder"), ("add", ""), ("rv64ui-pt-add", "rv64ui"),
])
def test_group(name, group):
    assert Result(name, "", Status.PASS).group == group
