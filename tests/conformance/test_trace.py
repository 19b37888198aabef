"""What a failing test leaves: why its last trap was taken, and the end of its commit log."""
import json

import pytest

from rvhyp.conformance import trace
from rvhyp.conformance.discover import Test
from rvhyp.conformance.pool import run_all
from rvhyp.conformance.result import Status
from rvhyp.conformance.runner import Config, Job
from tests.conformance import programs
from tests.conformance.test_command import folder, invoke, refused  # noqa: F401  (folder is a fixture)


@pytest.fixture
def traced(tmp_path):
    """Runs a program, and gives its result, its explanation and its log."""
    def run(data, name="a", **config):
        (tmp_path / "program").write_bytes(data)
        job = Job(Test(name, str(tmp_path / "program")), Config(traces=str(tmp_path), **config))
        result = trace.run_traced(job)
        files = {path[-4:]: open(path).read() for path in result.trace}
        return result, files.get(".txt"), files.get(".log")
    return run


def test_unhandled_trap(traced):
    result, text, log = traced(programs.UNHANDLED)
    assert result.status is Status.TRAP
    assert "Trap 1 of 1, the last that is no environment call:" in text
    assert text.startswith("a: trap, after ") and "illegal instruction in M-mode, at pc " in text and " <test_2>" in text
    assert "no instruction has these bits" in text
    assert len(log.splitlines()) == result.instructions
    assert log.splitlines()[0].startswith("core   0: 3 0x0000000080000000 (")


def test_a_failure_that_only_reports(traced):
    result, text, log = traced(programs.FAIL_3)
    assert result.verdict == "fail(3)" and "a: fail(3), after" in text
    assert "All its 1 traps are environment calls; this is the last." in text and "ECALL in M-mode" in text
    assert "mem 0x" in log.splitlines()[-1]                     # the store to tohost


def test_no_trap(traced):
    assert "It took no trap." in traced(programs.store(5))[1]


def test_a_trap_loop(traced):
    result, text, log = traced(programs.elf("_start: nop\n .word 0\n"))
    assert result.status is Status.TRAP and "instruction access fault in M-mode, at pc 0x0" in text
    assert "there is no main memory to execute from" in text
    assert len(log.splitlines()) == 1 and "Trap 2 of 10" in text          # the first one of the loop


def test_the_log_is_bounded(traced, monkeypatch):
    monkeypatch.setattr(trace, "KEPT_LINES", 100)
    result, text, log = traced(programs.ENDLESS, max_instructions=5000)
    assert result.status is Status.TIMEOUT and len(log.splitlines()) == 100


def test_names_of_folders_stay_in_the_folder(traced):
    result, *_ = traced(programs.FAIL_3, "../x/y")
    assert [path.rpartition("/")[2] for path in result.trace] == ["x-y.txt", "x-y.log"]


def test_passes_and_errors_leave_nothing(traced):
    assert traced(programs.PASS)[0].trace == ()
    assert traced(programs.PASS[:100])[0].status is Status.ERROR and traced(programs.PASS[:100])[0].trace == ()


def test_what_goes_wrong_changes_no_result(tmp_path):
    (tmp_path / "program").write_bytes(programs.FAIL_3)
    job = Job(Test("a", str(tmp_path / "program")), Config(traces=str(tmp_path / "gone")))
    result, = run_all([job], workers=1)
    assert result.verdict == "fail(3)" and all("FileNotFoundError" in file for file in result.trace)


def test_command(folder):                                       # noqa: F811
    (folder / "bad").write_bytes(programs.FAIL_3)
    traces, report = folder.parent / "new" / "traces", folder.parent / "r.json"
    result = invoke(folder, "--trace-on-fail", traces, "--json", report, "--html", folder.parent / "r.html",
                    "--junit", folder.parent / "r.xml")
    assert result.exit_code == 1
    assert sorted(path.name for path in traces.iterdir()) == ["bad.log", "bad.txt"]
    assert result.stdout.splitlines()[1:3] == [f"  trace: {traces / 'bad.txt'}", f"  trace: {traces / 'bad.log'}"]
    assert {test["name"]: test["trace"] for test in json.loads(report.read_text())["tests"]} == {
        "bad": [str(traces / "bad.txt"), str(traces / "bad.log")],
        **dict.fromkeys(("rv64ui-p-add", "rv64ui-p-sub", "rv64um-p-mul"))}
    assert str(traces / "bad.txt") in (folder.parent / "r.html").read_text()
    assert f"trace: {traces / 'bad.txt'}" in (folder.parent / "r.xml").read_text()


def test_a_folder_that_cannot_be(folder):                       # noqa: F811
    assert "cannot be made a folder" in refused(folder, "--trace-on-fail", folder / "rv64ui-p-add")
