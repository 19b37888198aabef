"""What was measured, as tables for people and as a document for programs."""
from __future__ import annotations

import hashlib
from dataclasses import asdict
from math import isnan
from typing import NamedTuple

from rvhyp.bench.programs import INTERPRETED, OURS, WARM_CACHE, Measurement

HEADINGS = {"steady": "steady state", "whole": "whole process"}


def by_program(measurements: list[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by program."""
    found: dict[str, list[Measurement]] = {}
    for each in measurements:
        found.setdefault(each.program, []).append(each)
    return found


def speed_table(measurements: list[Measurement], runs: str) -> list[list[str]]:
    """Header and rows: MIPS by CPU time and, in brackets, by wall time; then how much ran translated, and how many times each
    peer's ours is.  A row for each state of the cache that ours was run with."""
    runners = list(dict.fromkeys(each.runner for each in measurements))
    peers = [runner for runner in runners if runner not in (OURS, INTERPRETED)]
    rows = [[HEADINGS[runs], "cache", "M instructions", *runners, "translated", *(f"/ {peer}" for peer in peers)]]
    for program, found in by_program(measurements).items():
        others = {each.runner: each for each in found if each.runner != OURS}
        for ours in (each for each in found if each.runner == OURS and getattr(each, runs)):
            of = {**others, OURS: ours}
            rows.append([program, ours.cache, f"{ours.instructions / 1e6:.0f}",
                         *(f"{of[runner].mips(runs):.0f} ({of[runner].mips(runs, 'wall'):.0f})" for runner in runners),
                         f"{ours.translated:.1%}" if runs == "steady" else "",
                         *(f"{ours.mips(runs) / of[peer].mips(runs):.2f}x" for peer in peers)])
    return rows


def _number(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return None if isnan(value) else value


class Figure(NamedTuple):
    """One figure: of what, on which engine or peer, with a "warm" or "cold" cache of translated code ("": it has none)."""

    what: str
    engine: str
    cache: str
    value: float
    unit: str


def figure(what: str, runner: str, value: float, unit: str) -> Figure:
    """One of something that is measured with the caches warm."""
    return Figure(what, runner, WARM_CACHE if runner == OURS else "", value, unit)


def figure_table(title: str, figures: list[Figure]) -> list[list[str]]:
    """Header and rows."""
    return [[title, "engine", "cache", "", ""],
            *([each.what, each.engine, each.cache, _number(each.value), each.unit] for each in figures)]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


class Staged(NamedTuple):
    """Nanoseconds of something under one stage of page tables and under two, as in Figure."""

    what: str
    engine: str
    cache: str
    one_stage_ns: float
    two_stages_ns: float

    @property
    def ratio(self) -> float:
        return self.two_stages_ns / self.one_stage_ns if self.one_stage_ns else float("nan")     # too short to measure


def staged(what: str, found: dict[str, tuple[float, float]]) -> list[Staged]:
    """What `paging` has found, by runner."""
    return [Staged(what, runner, WARM_CACHE if runner == OURS else "", *costs) for runner, costs in found.items()]


def staged_table(title: str, found: list[Staged]) -> list[list[str]]:
    """Header and rows."""
    return [[title, "engine", "cache", "one stage, ns", "two stages, ns", "two / one"],
            *([each.what, each.engine, each.cache, f"{each.one_stage_ns:.2f}", f"{each.two_stages_ns:.2f}", f"{each.ratio:.2f}"]
              for each in found)]


def document(measurements: list[Measurement], values: dict[str, list], rounds: int, versions: dict[str, str]) -> dict:
    """Everything, for programs: seconds of each run, instruction counts, hashes of the programs, command lines."""
    import firmware
    return {
        "rounds": rounds, "versions": versions, **{part: [each._asdict() for each in found] for part, found in values.items()},
        "programs": [{**asdict(each), "whole": [cost._asdict() for cost in each.whole],
                      "steady": [cost._asdict() for cost in each.steady],
                      "mips_steady": _number(each.mips("steady")) if each.steady else None,
                      "mips_whole": _number(each.mips("whole")),
                      "sha256": hashlib.sha256(firmware.load(each.program)).hexdigest()} for each in measurements],
    }
