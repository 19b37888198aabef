"""Programs that report checks on the console."""
import json

import pytest
from click.testing import CliRunner

from rvhyp.cli.conformance import conformance
from rvhyp.conformance.checks import LONGEST_LINE, MOST_CHECKS, Check, Checks
from tests.conformance import programs

CHECK, END = r"(?P<name>\S.*?)\s+(?:PASSED|(?P<failed>FAILED))", "end"
EXIT = f"        li a0, 1\n{programs.STORE}"


def printed(text: bytes, size: int = 7) -> Checks:
    """The checks in a text that comes in pieces."""
    checks = Checks(CHECK, END, lambda data: None)
    for start in range(0, len(text), size):
        checks(text[start:start + size])
    return checks


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_checks_of_a_console(size):
    checks = printed(b"suite\n\x1b[34m\tone  \x1b[0m\x1b[32mPASSED\x1b[0m\n"
                     b"two FAILED\n\t(1 2)\none FAILED\none PASSED\r\nPASSED\nend\n\n", size)
    assert checks.found == [Check("one", True), Check("two", False, "(1 2)"), Check("one (2)", False), Check("one (3)", True)]
    assert checks.missing == ""


def test_output_is_passed_on():
    seen = []
    Checks(CHECK, END, seen.append)(b"one PASSED")
    assert seen == [b"one PASSED"]


def test_a_program_that_stops_is_found_out():
    assert printed(b"one PASSED\n").missing == "it stopped after 1 checks: its last line does not match 'end'"
    assert printed(b"one PASSED\nend").missing        # the line is not complete
    assert printed(b"end\n").missing.startswith("no line of its console is a check")


def test_endless_output_costs_no_memory():
    checks = printed(b"x" * 100_000 + b" PASSED\n" + b"one PASSED\n" * (MOST_CHECKS + 10), 5000)
    assert len(checks.found) == MOST_CHECKS and len(checks.found[0].name) < LONGEST_LINE


@pytest.fixture
def run(tmp_path):
    """Runs a program that prints, with a rule for its checks; exit status, the report, and the tests by name."""
    def run(source: str, *more):
        (tmp_path / "suite").write_bytes(programs.elf(f"_start:\n{source}"))
        (tmp_path / "rules.toml").write_text(f"[[rule]]\nname = 'suite'\ncheck = '{CHECK}'\nend = '{END}'\n")
        result = CliRunner().invoke(conformance, [str(tmp_path / "suite"), "--rules", str(tmp_path / "rules.toml"), "--json", "-",
                                                  *more])
        tests = json.loads(result.stdout)["tests"]
        return result.exit_code, result.stderr, {test["name"]: test["status"] for test in tests}
    return run


def test_each_check_is_a_test(run):
    status, text, tests = run(programs.say("a PASSED\nb FAILED\n(why)\nend") + EXIT)
    assert (status, tests) == (1, {"suite": "pass", "suite: a": "pass", "suite: b": "fail"})
    assert "suite: b: fail, (why)\n" in text and "3 tests: 2 pass, 1 fail, 1 unexpected" in text


def test_a_check_can_be_expected_to_fail(run, tmp_path):
    expected = tmp_path / "expected.toml"
    expected.write_text("[[expected]]\nname = 'suite: b'\nreason = 'a choice'\ndate = 2026-11-26\n")
    status, text, _ = run(programs.say("a PASSED\nb FAILED\nend") + EXIT, "--expected", str(expected))
    assert status == 0 and "suite: b: fail, as expected: a choice (2026-11-26)" in text


def test_a_program_that_ends_early_fails(run):
    """Its exit code is 0: only the missing last line tells."""
    status, text, tests = run(programs.say("a PASSED\nERROR: untested exception") + EXIT)
    assert (status, tests["suite"], tests["suite: a"]) == (1, "fail", "pass")
    assert "suite: fail, it stopped after 1 checks" in text


def test_a_program_with_checks_must_end_by_the_exit_command(run):
    status, _, tests = run(programs.say("a PASSED\nend") + programs.FINISH.format(0x5555))
    assert (status, tests["suite"]) == (1, "fail")
