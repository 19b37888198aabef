"""A finished run as one page that needs nothing else: the report's JSON in it, and a script that shows and filters it."""
from __future__ import annotations

import json
from pathlib import Path

from rvhyp.conformance.report import Report

PAGE = Path(__file__).with_name("page.html")


def to_html(report: Report) -> bytes:
    """The page, in UTF-8."""
    document = report.to_json() | {"summary": report.summary()}
    for test, result in zip(document["tests"], report.results, strict=True):
        test["line"], test["verdict"] = report.line(result).partition(": ")[2].removeprefix(f"{result.verdict}, "), result.verdict
    text = json.dumps(document).replace("<", "\\u003c")         # so that nothing in it can end the script
    return PAGE.read_text(encoding="utf-8").replace("REPORT", text, 1).encode("utf-8", "replace")
