"""A finished campaign as figures: what `--json` has, and the page shows."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from rvhyp.engine import coverage as area
from rvhyp.fuzz import differences
from rvhyp.fuzz.coverage import Outcome, Pair, Trap, Write, feature
from rvhyp.fuzz.guide import NOBODY, Guide
from rvhyp.fuzz.menu import RECORDS
from rvhyp.fuzz.plan import Report
from rvhyp.fuzz.targets import implemented
from rvhyp.isa.cause import EXCEPTION_NAMES, INTERRUPT_NAMES
from rvhyp.isa.csr import CSRS

FAMILIES = {"outcomes": (area.OUTCOMES, area.CAUSES), "traps": (area.CAUSES, area.PAIRS), "pairs": (area.PAIRS, area.WRITES),
            "writes": (area.WRITES, area.FEATURES)}
PROGRAMS = 100                          # cases whose programs are told
POINTS = 100                            # of the curves


def document(reports: list[Report]) -> dict:
    """Reports as one JSON document."""
    return {"reports": [to_json(report) for report in reports], "never": never(reports)}


def to_json(report: Report) -> dict:
    """One report."""
    plan = report.plan
    found = []
    for case in report.found:
        kept = None
        if case.program and len(found) < PROGRAMS:
            kept = plan.entry(case.program, (), case.oracle, case.what)          # from this alone it runs again
        found.append({name: getattr(case, name) for name in ("target", "number", "oracle", "what", "entry", "lines", "files")}
                     | {"program": kept and kept.to_bytes().decode()})
    return {"plan": asdict(plan), "programs": report.programs, "instructions": report.instructions, "seconds": report.seconds,
            "compared": dict(report.compared), "known": dict(report.hits), "missing": report.missing, "found": found,
            "replayed": report.replayed, "kept": report.kept, "messages": report.messages,
            "differences": [{"name": each.name, "rule": each.rule, "avoided": each.avoided, "hits": report.hits[each.name]}
                            for each in differences.known() if "spike" in report.compared],
            "coverage": coverage(report) if plan.is_covered else None}


def coverage(report: Report) -> dict:
    """What a campaign's programs reached: how many of them did each thing; and how it grew."""
    outcomes: dict = {}
    traps: dict = {}
    pairs: dict = {}
    writes: dict = {}
    guide = report.guide
    for number in np.nonzero(guide.counts)[0].tolist():
        count = int(guide.counts[number])
        match feature(number):
            case Outcome(instruction, mode, outcome):
                outcomes.setdefault(instruction, {}).setdefault(mode, {})[outcome] = count
            case Trap(cause, mode, to):
                traps.setdefault(cause, {}).setdefault(mode, {})[to] = count
            case Pair(before, after, mode):
                pairs.setdefault(before, {}).setdefault(after, {})[mode] = count
            case Write(csr, mode, changed):
                writes.setdefault(csr, {}).setdefault(mode, {})[changed] = count
    return {"features": {name: int(np.count_nonzero(guide.counts[low:high])) for name, (low, high) in FAMILIES.items()},
            "growth": growth(guide, report.programs - report.replayed),
            "outcomes": outcomes, "traps": traps, "pairs": pairs, "writes": writes}


def growth(guide: Guide, programs: int) -> dict[str, list[int]]:
    """Numbers of programs, and of features that these had reached, of each family."""
    at = np.unique(np.linspace(0, programs, POINTS + 1).astype(np.int64))
    curves = {"programs": at.tolist()}
    for name, (low, high) in FAMILIES.items():
        first = guide.first[low:high]
        curves[name] = np.searchsorted(np.sort(first[first < NOBODY]), at).tolist()
    return curves


def never(reports: Iterable[Report]) -> dict[str, list[str]]:
    """What none of some campaigns reached: instructions that never retired, CSRs that never changed, causes never taken."""
    reports = [report for report in reports if report.plan.is_covered]
    if not reports:
        return {"instructions": [], "CSRs": [], "causes": []}
    retired, changed, taken = set(), set(), set()
    for report in reports:
        for number in np.nonzero(report.guide.counts)[0].tolist():
            match feature(number):
                case Outcome(instruction, _, "retired"):
                    retired.add(instruction)
                case Trap(cause, _, _):
                    taken.add(cause)
                case Write(csr, _, how) if how != "unchanged":
                    changed.add(csr)
    has = [implemented(report.plan.isa) for report in reports]
    return {"instructions": [name for name in RECORDS if name not in retired and any(each(name) for each in has)],
            "CSRs": [name for name, row in CSRS.items() if name not in changed and row.number >> 10 != 3],
            "causes": [name for name in (*EXCEPTION_NAMES.values(), *INTERRUPT_NAMES.values()) if name not in taken]}
