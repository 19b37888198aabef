"""rvhyp conformance at the command line."""
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from rvhyp.cli.conformance import conformance
from tests.conformance import programs
from tests.processes import children_of, is_gone, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """A folder of tests: all pass, and files that are none."""
    folder = tmp_path / "isa"
    folder.mkdir()
    for name in ("rv64ui-p-add", "rv64ui-p-sub", "rv64um-p-mul"):
        (folder / name).write_bytes(programs.PASS)
        (folder / f"{name}.dump").write_text("text")
    return folder


def invoke(*arguments):
    return CliRunner().invoke(conformance, [str(argument) for argument in arguments])


def refused(*arguments) -> str:
    """The one message for bad input."""
    result = invoke(*arguments)
    assert result.exit_code == 2 and not result.stdout
    assert result.stderr.startswith("rvhyp: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_all_pass(folder):
    result = invoke(folder)
    assert result.exit_code == 0 and not result.stderr
    assert result.stdout.startswith("3 tests: 3 pass, nothing unexpected; 12 instructions in ") and result.stdout.count("\n") == 1


def test_programs_that_fail_on_purpose(folder):
    for name, program in {"wrong-result": programs.FAIL_3, "unhandled-trap": programs.UNHANDLED, "endless-loop": programs.ENDLESS,
                          "corrupt": programs.PASS[:100], **{n: p for n, (p, _) in programs.PRETENDERS.items()}}.items():
        (folder / name).write_bytes(program)
    result = invoke(folder, "--max-instructions", 20_000, "--jobs", 2, "--json", folder.parent / "r.json")
    assert result.exit_code == 1
    tests = {test["name"]: test for test in json.loads((folder.parent / "r.json").read_text())["tests"]}
    assert {name for name, test in tests.items() if test["status"] == "pass"} == {"rv64ui-p-add", "rv64ui-p-sub", "rv64um-p-mul"}
    assert [(tests[name]["status"], tests[name]["number"]) for name in (
        "wrong-result", "unhandled-trap", "endless-loop", "corrupt")] == [
        ("fail", 3), ("trap", None), ("timeout", None), ("error", None)]
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == sorted(name for name, test in tests.items() if test["status"] != "pass")


def test_one_failure_among_passes(folder):
    (folder / "bad").write_bytes(programs.FAIL_3)
    result = invoke(folder)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("bad: fail(3), test_3 is at ")
    assert result.stdout.splitlines()[1].startswith("4 tests: 3 pass, 1 fail, 1 unexpected; ")


def test_verbose_and_quiet(folder):
    assert invoke(folder, "--verbose").stdout.splitlines()[:3] == [
        "rv64ui-p-add: pass", "rv64ui-p-sub: pass", "rv64um-p-mul: pass"]
    assert invoke(folder, "--quiet").stdout == ""
    (folder / "bad").write_bytes(programs.store(5))
    assert invoke(folder, "-q").stdout == "bad: fail(2)\n"


def test_selection(folder):
    document = json.loads(invoke(folder, "--select", "rv64ui-*", "--deselect", "*-sub", "--json", "-").stdout)
    assert {test["name"]: test["status"] for test in document["tests"]} == {
        "rv64ui-p-add": "pass", "rv64ui-p-sub": "not-selected", "rv64um-p-mul": "not-selected"}


def test_json_on_stdout_leaves_the_text_to_stderr(folder):
    result = invoke(folder, "--json", "-")
    assert json.loads(result.stdout)["totals"]["pass"] == 3 and result.stderr.startswith("3 tests: ")


def test_junit(folder):
    path = folder.parent / "r.xml"
    assert invoke(folder, "--junit", path).exit_code == 0
    assert ET.parse(path).getroot().get("tests") == "3"


def test_expected_failures(folder):
    expected = folder.parent / "expected.toml"
    expected.write_text('[[expected]]\nname = "bad*"\nreason = "a bug"\ndate = 2026-01-31\n')
    (folder / "bad").write_bytes(programs.FAIL_3)
    result = invoke(folder, "--expected", expected)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "bad: fail(3), as expected: a bug (2026-01-31)"
    assert "4 tests: 3 pass, 1 fail, 1 failed as expected, nothing unexpected; " in result.stdout
    (folder / "bad").write_bytes(programs.PASS)
    result = invoke(folder, "--expected", expected)
    assert result.exit_code == 1 and "bad: pass, but expected to fail: a bug (2026-01-31)" in result.stdout


def test_rules(folder):
    rules = folder.parent / "rules.toml"
    rules.write_text('[[rule]]\nname = "endless"\nmax-instructions = 1000\n[[rule]]\nname = "rv64um-*"\nskip = "no"\n')
    (folder / "endless").write_bytes(programs.ENDLESS)
    result = invoke(folder, "--rules", rules)
    assert result.stdout.startswith("endless: timeout, limit of 1,000 instructions, in M-mode at 0x80000000 <_start>\n"
                                    "rv64um-p-mul: skip, no\n")
    assert "limit of 500 instructions" in invoke(folder, "--rules", rules, "--max-instructions", 500).stdout
    assert "limit of 0.1 seconds" in invoke(folder, "--rules", rules, "--max-instructions", 1 << 60, "--timeout", 0.1,
                                            "--select", "endless").stdout


def test_bad_input(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    bad = tmp_path / "bad.toml"
    bad.write_text("[[rule]]\nname = 'rv*'\nisa = 'rv64iq'\n")
    skip = tmp_path / "skip.toml"
    skip.write_text("[[rule]]\nname = '*'\nskip = 'is slow'\n")
    assert "no RISC-V ELF file found" in refused(empty)
    assert "no such file or folder" in refused(tmp_path / "missing")
    assert "--select typo: no test of 3 has a name like this" in refused(folder, "--select", "typo")
    assert "none of 3 tests is selected" in refused(folder, "--deselect", "*")
    assert "nothing to run: all 3 tests are skipped; the first: is slow" in refused(folder, "--rules", skip)
    assert "rule for rv*: ISA 'rv64iq'" in refused(folder, "--rules", bad)
    assert "unknown key 'rule'" in refused(folder, "--expected", bad)
    assert "there is no folder" in refused(folder, "--json", tmp_path / "missing" / "r.json")
    assert "is a folder" in refused(folder, "--junit", tmp_path)
    assert "--timeout: nan seconds is no limit" in refused(folder, "--timeout", "nan")


@pytest.mark.parametrize("arguments", [
    (), ("x", "--jobs", "0"), ("x", "--timeout", "0"), ("x", "--engine", "z"), ("x", "--what")])
def test_wrong_usage(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_crash_of_ours_is_shown_and_counts(folder, monkeypatch):
    from rvhyp.conformance import runner
    monkeypatch.setattr(runner.Run, "judge", lambda self: 1 // 0)
    result = invoke(folder, "--select", "rv64um-*")
    assert result.exit_code == 1 and result.stdout.startswith("rv64um-p-mul: crash, ZeroDivisionError: ")


# What only a process of its own shows.

@pytest.fixture
def endless(tmp_path):
    """A command that runs for minutes, in a session of its own."""
    folder = tmp_path / "endless"
    folder.mkdir()
    for name in "abcd":
        (folder / name).write_bytes(programs.ENDLESS)
    process = subprocess.Popen(
        [sys.executable, "-m", "rvhyp", "conformance", folder, "--jobs", "2", "--max-instructions", str(1 << 60),
         "--timeout", "600"],
        cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120                   # there may be a core to compile
    while len(children_of(process.pid)) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    workers = children_of(process.pid)
    yield process
    for pid in (process.pid, *workers):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.communicate()


linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@linux
@pytest.mark.parametrize(("number", "is_for_all", "status", "word"), [
    (signal.SIGINT, True, 130, "interrupted"), (signal.SIGINT, False, 130, "interrupted"),
    (signal.SIGTERM, False, 143, "terminated"),
])
def test_signals_end_it_at_once(endless, number, is_for_all, status, word):
    """Ctrl-C at a terminal goes to all processes, other signals to one."""
    workers = children_of(endless.pid)
    (os.killpg if is_for_all else os.kill)(endless.pid, number)
    start = time.monotonic()
    output, errors = endless.communicate(timeout=20)
    assert time.monotonic() - start < 1
    assert (endless.returncode, output, errors) == (status, "", f"rvhyp: {word} while running tests: 0 of 4 done\n")
    assert wait_until(lambda: all(map(is_gone, workers)), 1)


@linux
def test_workers_end_with_a_parent_that_was_killed(endless):
    workers = children_of(endless.pid)
    endless.kill()
    assert wait_until(lambda: all(map(is_gone, workers)))


@linux
def test_it_works_as_a_command_of_rvhyp(folder):
    result = subprocess.run([sys.executable, "-m", "rvhyp", "conformance", folder], cwd=ROOT, capture_output=True, text=True,
                            timeout=120)
    assert result.returncode == 0 and result.stdout.startswith("3 tests: 3 pass")
