"""What a run's report says, for people and for programs."""
import datetime
import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvhyp.conformance.expectations import Expectations, Expected
from rvhyp.conformance.junit import to_junit
from rvhyp.conformance.report import Report
from rvhyp.conformance.result import Result, Status

KNOWN = Expectations([Expected("*-known*", "a bug", datetime.date(2026, 1, 31))])
RESULTS = [
    Result("hypervisor-p-trap", "/t/h", Status.TRAP, detail="unhandled exception: breakpoint", instructions=10, seconds=0.5),
    Result("other", "/t/o", Status.CRASH, detail="Traceback (most recent call last):\n  File\nKeyError: 3\n"),
    Result("rv64ui-p-add", "/t/a", Status.PASS, instructions=1000, seconds=0.25),
    Result("rv64ui-p-fail", "/t/f", Status.FAIL, 3, 20, 0.125, "test_3 is at 0x80000000", "console\x07 <&>"),
    Result("rv64ui-p-known", "/t/k", Status.FAIL, 4, detail="why"),
    Result("rv64ui-p-known-but-passes", "/t/p", Status.PASS),
    Result("rv64ui-p-skip", "/t/s", Status.SKIP, detail="not here"),
    Result("rv64ui-v-add", "/t/v", Status.NOT_SELECTED),
    Result("rv64ui-v-bad", "/t/b", Status.ERROR, detail="is truncated"),
]


@pytest.fixture
def report():
    return Report(RESULTS, KNOWN, 1.5)


def test_lines_tell_what_did_not_pass(report):
    assert report.lines() == [
        "hypervisor-p-trap: trap, unhandled exception: breakpoint",
        "other: crash, KeyError: 3",
        "rv64ui-p-fail: fail(3), test_3 is at 0x80000000",
        "rv64ui-p-known: fail(4), as expected: a bug (2026-01-31)",
        "rv64ui-p-known-but-passes: pass, but expected to fail: a bug (2026-01-31); take it off the list",
        "rv64ui-p-skip: skip, not here",
        "rv64ui-v-bad: error, is truncated",
    ]
    assert "rv64ui-p-add: pass" in report.lines(is_verbose=True)
    assert not any("rv64ui-v-add" in line for line in report.lines(is_verbose=True))


def test_summary(report):
    assert report.summary() == (
        "9 tests: 2 pass, 2 fail, 1 trap, 1 crash, 1 error, 1 skip, 1 not-selected, 1 failed as expected, 5 unexpected; "
        "1,030 instructions in 1.50 s")
    assert Report(RESULTS[2:3], KNOWN, 0.25).summary() == "1 test: 1 pass, nothing unexpected; 1,000 instructions in 0.25 s"


@pytest.mark.parametrize(("names", "is_good"), [
    ("rv64ui-p-add", True), ("rv64ui-p-known", True), ("rv64ui-p-skip rv64ui-v-add", True), ("rv64ui-p-add rv64ui-p-fail", False),
    ("rv64ui-p-known-but-passes", False), ("other", False), ("rv64ui-v-bad", False), ("hypervisor-p-trap", False),
])
def test_good_runs(names, is_good):
    assert Report([result for result in RESULTS if result.name in names.split()], KNOWN, 0).is_good is is_good


def test_group_table(report):
    header, rows = report.group_table()
    assert header == ["group", "pass", "fail", "trap", "crash", "error", "skip", "not-selected", "all"]
    assert rows == [["-", "", "", "", "1", "", "", "", "1"], ["hypervisor", "", "", "1", "", "", "", "", "1"],
                    ["rv64ui", "2", "2", "", "", "1", "1", "1", "7"]]


def test_json(report):
    document = json.loads(json.dumps(report.to_json()))
    assert document["passed"] is False
    assert document["totals"] == {"pass": 2, "fail": 2, "trap": 1, "timeout": 0, "crash": 1, "error": 1, "skip": 1,
                                  "not-selected": 1}
    assert document["unexpected"] == ["hypervisor-p-trap", "other", "rv64ui-p-fail", "rv64ui-p-known-but-passes", "rv64ui-v-bad"]
    assert document["groups"]["hypervisor"]["trap"] == 1
    assert document["instructions"] == 1030
    assert [test["name"] for test in document["tests"]] == [result.name for result in RESULTS]
    assert document["tests"][3] == {
        "name": "rv64ui-p-fail", "path": "/t/f", "group": "rv64ui", "status": "fail", "number": 3, "unexpected": True,
        "expected_failure": None, "instructions": 20, "seconds": 0.125, "detail": "test_3 is at 0x80000000",
        "output": "console\x07 <&>", "trace": None}
    assert document["tests"][4]["expected_failure"] == {"reason": "a bug", "date": "2026-01-31"}


def test_junit(report):
    root = ET.fromstring(to_junit(report))
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "8", "failures": "3", "errors": "2", "skipped": "2", "time": "0.875000"}
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["hypervisor", "rv64ui", "tests"]
    assert suites["rv64ui"].get("tests") == "6" and suites["rv64ui"].get("failures") == "2"
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "hypervisor-p-trap": ["failure"], "other": ["error"], "rv64ui-p-add": [], "rv64ui-p-fail": ["failure", "system-out"],
        "rv64ui-p-known": ["skipped"], "rv64ui-p-known-but-passes": ["failure"], "rv64ui-p-skip": ["skipped"],
        "rv64ui-v-bad": ["error"]}
    failure = root.find(".//testcase[@name='rv64ui-p-fail']/failure")
    assert (failure.get("type"), failure.get("message")) == ("fail", "rv64ui-p-fail: fail(3), test_3 is at 0x80000000")
    assert root.find(".//system-out").text == "console\N{REPLACEMENT CHARACTER} <&>"
    assert "Traceback" in root.find(".//error[@type='crash']").text


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text(), st.text(), st.sampled_from(Status))
def test_every_report_can_be_read(name, detail, output, status):
    report = Report([Result(name, name, status, None, 1, 0.1, detail, output)], KNOWN, 1)
    root = ET.fromstring(to_junit(report))
    assert len(root.findall(".//testcase")) == (status is not Status.NOT_SELECTED)
    assert json.loads(json.dumps(report.to_json()))["tests"][0]["output"] == output
    assert all("\n" not in line for line in report.lines(True)) or "\n" in name
    report.summary()
