"""Our own suite for the H extension: on each engine, and on Spike, which differs only where it is known to."""
import re
import subprocess

import pytest

from tests.firmware.peers import SPIKE, needs_spike
from tools import h_coverage, h_suite
from tools.h_suite import programs, read

PROGRAMS = list(programs())
ALONE = [name for name in PROGRAMS if h_suite.harts(name) == 1]     # not those for several harts at once
SPIKE_SETTINGS = read("spike.toml")
LONG_ON_REFERENCE = {"h-access-csr", "h-access-insn", "h-base", "h-fences", "h-trap-values", "h-xlat-formats"}


def named(name: str, numbers: set[int]) -> list[str]:
    """Checks by the text they print."""
    return [f"{' '.join(check.statements)}: {check.title}" for check in h_suite.checks(name) if check.number in numbers]


@pytest.mark.parametrize("name", PROGRAMS)
def test_interpreter(name):
    red, said = h_suite.run(name, "interpreter")
    assert not red, said


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if name in LONG_ON_REFERENCE else ())
                                  for name in ALONE])
def test_reference(name):
    red, said = h_suite.run(name, "reference")
    assert not red, said


@needs_spike
@pytest.mark.parametrize("name", [name for name in ALONE if not h_suite.choices(name)])
def test_spike(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(h_suite.elf(name))
    command = [SPIKE, "-m64", f"--isa={SPIKE_SETTINGS['isa']}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    red = h_suite.failed(done.stdout)
    assert done.returncode == min(red, default=0), done.stderr
    known = {each["check"] for each in SPIKE_SETTINGS["difference"]}
    of_this = {text for text in named(name, set(range(1, 100))) if text in known}
    assert set(named(name, red)) == of_this, done.stdout


def test_known_differences_are_of_checks_that_exist():
    checks = [text for name in PROGRAMS for text in named(name, set(range(1, 100)))]
    known = [each["check"] for each in SPIKE_SETTINGS["difference"]]
    assert all(checks.count(text) == 1 for text in known) and len(set(known)) == len(known)
    assert all(len(each["rule"]) > 40 for each in SPIKE_SETTINGS["difference"])


def test_a_check_that_fails_names_itself_and_the_others_are_run():
    """A program whose second and third check fail: by an expectation, and by a trap that nobody waits for."""
    source = """
    .include "harness.S"
    begin
    check   H-TRAP-001, "passes"
    check   H-TRAP-002, "wants what is not"
    li      a0, 5
    expect  a0, 6
    check   H-TRAP-003, "traps"
    ebreak
    check   H-TRAP-004, "passes again"
    in      VS, nop
    completes
    end
"""
    red, said = h_suite.run_source("failing", source, "interpreter")
    assert red == {2, 3}
    assert re.search(r"^FAIL 2 H-TRAP-002: wants what is not: 5 instead of 6, at 8000", said, re.MULTILINE)
    assert re.search(r"^FAIL 3 H-TRAP-003: traps: 3 instead of f", said, re.MULTILINE)


def test_single_checks_can_be_chosen():
    source = """
    .include "harness.S"
    begin
    check   H-TRAP-001, "fails"
    expect  zero, 1
    check   H-TRAP-002, "fails"
    expect  zero, 1
    end
"""
    assert h_suite.run_source("chosen", source, "interpreter", {2})[0] == {2}


def test_every_check_is_of_a_statement_and_no_two_are_called_the_same():
    statements = read("statements.toml")["statements"]
    checks = h_suite.all_checks()
    assert len(statements) == 200
    for check in checks:
        assert set(check.statements) <= statements.keys(), check
    assert len({(check.statements, check.title) for check in checks}) == len(checks)
    for name in PROGRAMS:
        assert programs()[name].read_text().count("\n    check   ") == len(h_suite.checks(name)) < 64


def test_the_table_is_current():
    assert h_suite.TABLE.read_text() == h_coverage.table()
