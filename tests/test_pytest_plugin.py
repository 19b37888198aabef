"""The plugin for pytest, as somebody's tests use it."""
import pytest

from tests.conformance import programs

pytest_plugins = "pytester"


@pytest.fixture
def run(pytester):
    """Runs a file of tests, and gives the result."""
    def run(source: str, *options):
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)
    return run


def test_machine(run):
    run('''
        def test_sum(rvhyp_machine):
            machine = rvhyp_machine("_start: li a0, 2\\n addi a0, a0, 3\\n mv x31, a0\\n ebreak\\nword: .word 0x12345678")
            assert machine.run(max_instructions=3).ended.value == "instruction limit"
            assert machine["a0"] == machine["x10"] == machine["t6"] == 5 and machine["pc"] == 0x8000000C
            assert machine.run_to_trap()
            assert machine["mcause"] == 3 and machine["mepc"] == 0x8000000C
            assert machine.read(machine.program.symbols["word"], 4) == b"\\x78\\x56\\x34\\x12"

        def test_options(rvhyp_machine):
            machine = rvhyp_machine("_start: mul a0, a0, a0", memory=1 << 20, engine="reference", isa="rv64ia")
            assert machine.run_to_trap() and machine["mcause"] == 2
            assert machine.board.machine.memory.regions[-1].size == 1 << 20

        def test_no_trap(rvhyp_machine):
            assert not rvhyp_machine("_start: j _start").run_to_trap(1000)
    ''').assert_outcomes(passed=3)


def test_guest(run):
    run('''
        def test_ours(rvhyp_guest):
            guest = rvhyp_guest("hello")
            assert guest.run() == 0 and "Hello" in guest.output and guest.exits["ecall from VS-mode"] > 1 and not guest.stopped

        def test_input(rvhyp_guest):
            guest = rvhyp_guest("echo", input=b"what is typed\\n")
            guest.run(max_instructions=3_000_000)
            assert "what is typed" in guest.output

        def test_text_with_a_hook(rvhyp_guest):
            guest = rvhyp_guest("_start: li a7, 8\\n ecall")
            seen = []
            guest.hypervisor.hooks.append(lambda vcpu, leaving: seen.append(leaving.name))
            assert guest.run() == 0 and seen == ["ecall from VS-mode"]

        def test_a_limit(rvhyp_guest):
            assert rvhyp_guest("_start: j _start").run(max_instructions=1000) is None
    ''').assert_outcomes(passed=4)


def test_a_failure_shows_what_the_programs_did(run):
    result = run('''
        def test_machine(rvhyp_machine):
            rvhyp_machine("_start: nop\\nplace: j place").run(max_instructions=9)
            assert False

        def test_guest(rvhyp_guest):
            rvhyp_guest("badjump").run()
            assert False

        def test_running(rvhyp_guest):
            rvhyp_guest("_start: j _start").run(max_instructions=9)
            assert False

        def test_good(rvhyp_machine):
            rvhyp_machine("_start: nop")
    ''')
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(["*rvhyp machine*", "M-mode at 0x80000004 <place>", "*rvhyp guest*", "*badjump*stopped*",
                                 "*rvhyp guest*", "hart 0 in VS-mode at 0x80200000*"])


@pytest.fixture
def suite(pytester):
    """A folder of ELF tests."""
    folder = pytester.path / "isa"
    folder.mkdir()
    for name, program in {"good": programs.PASS, "bad": programs.FAIL_3, "known": programs.FAIL_3, "mended": programs.PASS,
                          "slow": programs.ENDLESS}.items():
        (folder / name).write_bytes(program)
    (folder / "good.dump").write_text("text")
    (folder / "notes").write_text("text")
    (pytester.path / "rules.toml").write_text("[[rule]]\nname = 'slow'\nskip = 'is slow'\n")
    (pytester.path / "expected.toml").write_text("".join(
        f"[[expected]]\nname = '{name}'\nreason = 'a bug'\ndate = 2026-11-26\n" for name in ("known", "mended")))
    return folder


def test_elf_files_are_tests(pytester, suite):
    result = pytester.runpytest_subprocess("--rvhyp-conformance", "--rvhyp-rules", "rules.toml",
                                           "--rvhyp-expected", "expected.toml", "-p", "no:cacheprovider", "-rA", str(suite))
    result.assert_outcomes(passed=1, failed=2, xfailed=1, skipped=1)
    result.stdout.fnmatch_lines(["bad: fail(3), test_3 is at *"])
    result.stdout.fnmatch_lines(["mended: pass, but expected to fail: a bug (2026-11-26)*"])
    result.stdout.fnmatch_lines(["XFAIL *known* - a bug (2026-11-26)"])


def test_elf_files_are_left_alone_unless_asked_for(pytester, suite):
    assert pytester.runpytest_subprocess(str(suite)).ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(("options", "message"), [
    (["--rvhyp-rules", "no-such.toml"], "*no-such.toml: cannot be read*"),
    (["--rvhyp-expected", "rules.toml"], "*rules.toml: it has an unknown key 'rule'*"),
    (["--rvhyp-engine", "fast"], "*--rvhyp-engine fast: there are auto, translator, interpreter, reference*"),
])
def test_bad_options(pytester, suite, options, message):
    result = pytester.runpytest_subprocess("--rvhyp-conformance", *options, str(suite))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
