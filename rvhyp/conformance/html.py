"""Pages that need nothing else: a document as JSON in it, and a script that shows and filters it; that of a finished run."""
from __future__ import annotations

import json
from pathlib import Path

from rvhyp.conformance.report import Report

PAGE = Path(__file__).with_name("page.html")


def page(template: Path, document: dict) -> bytes:
    """A page, in UTF-8: its template with the style and the functions that all pages have, and with a document."""
    text = template.read_text(encoding="utf-8")
    for place, file in (("STYLE", "page.css"), ("HELPERS", "page.js")):
        text = text.replace(place, Path(__file__).with_name(file).read_text(encoding="utf-8"), 1)
    content = json.dumps(document).replace("<", "\\u003c")      # so that nothing in it can end the script
    return text.replace("REPORT", content, 1).encode("utf-8", "replace")


def to_html(report: Report) -> bytes:
    """The page of a run of tests."""
    document = report.to_json() | {"summary": report.summary()}
    for test, result in zip(document["tests"], report.results, strict=True):
        test["line"], test["verdict"] = report.line(result).partition(": ")[2].removeprefix(f"{result.verdict}, "), result.verdict
    return page(PAGE, document)
