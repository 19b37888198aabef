"""What was measured, as tables for people and as a document for programs."""
from __future__ import annotations

import hashlib
from dataclasses import asdict

from rvhyp.bench.programs import INTERPRETED, OURS, Measurement

HEADINGS = {"steady": "steady state", "whole": "whole process"}


def by_program(measurements: list[Measurement]) -> dict[str, dict[str, Measurement]]:
    """Measurements by program and runner."""
    found: dict[str, dict[str, Measurement]] = {}
    for each in measurements:
        found.setdefault(each.program, {})[each.runner] = each
    return found


def speed_table(measurements: list[Measurement], runs: str) -> list[list[str]]:
    """Header and rows: MIPS by CPU time and, in brackets, by wall time; then how much ran translated, and how many times each
    peer's ours is."""
    runners = list(dict.fromkeys(each.runner for each in measurements))
    peers = [runner for runner in runners if runner not in (OURS, INTERPRETED)]
    rows = [[HEADINGS[runs], "M instructions", *runners, "translated", *(f"/ {peer}" for peer in peers)]]
    for program, of in by_program(measurements).items():
        ours = of[OURS]
        rows.append([program, f"{ours.instructions / 1e6:.0f}",
                     *(f"{of[runner].mips(runs):.0f} ({of[runner].mips(runs, 'wall'):.0f})" for runner in runners),
                     f"{ours.translated:.1%}" if runs == "steady" else "",
                     *(f"{ours.mips(runs) / of[peer].mips(runs):.2f}x" for peer in peers)])
    return rows


def document(measurements: list[Measurement], values: dict[str, dict], rounds: int, versions: dict[str, str]) -> dict:
    """Everything, for programs: seconds of each run, instruction counts, hashes of the programs, command lines."""
    import firmware
    return {
        "rounds": rounds, "versions": versions, "caches": "warm", **values,
        "programs": [{**asdict(each), "whole": [cost._asdict() for cost in each.whole],
                      "steady": [cost._asdict() for cost in each.steady], "mips_steady": each.mips("steady"),
                      "mips_whole": each.mips("whole"),
                      "sha256": hashlib.sha256(firmware.load(each.program)).hexdigest()} for each in measurements],
    }
