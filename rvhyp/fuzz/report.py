"""Finished campaigns as one page: what they reached, how that grew, what was found."""
from __future__ import annotations

from pathlib import Path

from rvhyp.conformance.html import page

TEMPLATE = Path(__file__).with_name("report.html")


def to_html(document: dict) -> bytes:
    """The page of what `figures.document` gives."""
    return page(TEMPLATE, document)
