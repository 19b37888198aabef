"""A finished run as JUnit XML: a suite for each group of tests.  Tests that were not selected are left out."""
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter

from rvhyp.conformance.expectations import Verdict
from rvhyp.conformance.report import Report
from rvhyp.conformance.result import Result, Status

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")      # XML 1.0, production Char
NO_GROUP = "tests"


def to_junit(report: Report) -> bytes:
    """The document, in UTF-8."""
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        if result.status is not Status.NOT_SELECTED:
            groups.setdefault(result.group or NO_GROUP, []).append(result)
    root = ET.Element("testsuites", name="rvhyp conformance")
    for group, results in sorted(groups.items()):
        suite = ET.SubElement(root, "testsuite", name=_clean(group))
        for result in results:
            _add_case(suite, group, report, result)
        _describe(suite, report, results)
    _describe(root, report, [result for results in groups.values() for result in results])
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _kind(report: Report, result: Result) -> str:
    """The element that says what became of a test; none for a pass."""
    verdict = report.verdicts[result.name]
    if verdict is Verdict.UNEXPECTED:
        return "error" if result.status in (Status.CRASH, Status.ERROR) else "failure"
    return "skipped" if verdict is Verdict.EXPECTED_FAILURE or result.status is Status.SKIP else ""


def _add_case(suite: ET.Element, group: str, report: Report, result: Result) -> None:
    case = ET.SubElement(suite, "testcase", classname=_clean(group), name=_clean(result.name), time=f"{result.seconds:.6f}")
    if kind := _kind(report, result):
        element = ET.SubElement(case, kind, message=_clean(report.line(result)), type=result.status.value)
        element.text = _clean("\n".join(filter(None, [result.detail, *(f"trace: {file}" for file in result.trace)])))
    if result.output:
        ET.SubElement(case, "system-out").text = _clean(result.output)


def _describe(element: ET.Element, report: Report, results: list[Result]) -> None:
    """Counts of a suite."""
    kinds = Counter(_kind(report, result) for result in results)
    for attribute, count in (("tests", len(results)), ("failures", kinds["failure"]), ("errors", kinds["error"]),
                             ("skipped", kinds["skipped"])):
        element.set(attribute, str(count))
    element.set("time", f"{sum(result.seconds for result in results):.6f}")


def _clean(text: str) -> str:
    """Text without the characters that XML cannot hold, even escaped."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
