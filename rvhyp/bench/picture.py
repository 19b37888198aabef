"""The comparison of the benchmark programs as a picture: an SVG file, written by hand."""
from __future__ import annotations

from html import escape
from math import ceil, exp, log
from statistics import mean

from rvhyp.bench.programs import INTERPRETED, OURS, Measurement
from rvhyp.bench.report import by_program

COLOURS = {OURS: "#98a84b", INTERPRETED: "#68a0b3", "QEMU": "#98729f", "Spike": "#868887"}       # those of docs/demo.svg
BUTTONS = ("#ff5f57", "#febc2e", "#28c840")
REFERENCE = "QEMU"                      # ratios are to this one
WIDTH, PADDING, TOP = 1116, 40, 112     # of the picture, in pixels
LABELS, FIGURES = 130, 130              # room for the names on the left, and for figures on the right of the longest bar
BAR, BAR_GAP, GROUP_GAP, HEADING = 11, 3, 16, 42
STYLE = """
    text { font-family: Fira Code, monospace; font-size: 14px; fill: #c5c8c6; }
    .title { font-family: arial; font-size: 18px; font-weight: bold; text-anchor: middle; }
    .heading { font-size: 16px; font-weight: bold; }
    .program { text-anchor: end; font-size: 15px; }
    .mean { font-size: 13px; }
    .figure { font-size: 11px; }
    .ours { font-weight: bold; }
    .note, .axis { font-size: 12px; fill: #868887; }
    .axis { text-anchor: middle; }
    .grid { stroke: #4a4a4a; }
"""


def kind(program: str) -> str:
    """What a program computes with, as the first line of its source says: "integer", "double precision"."""
    import firmware
    return firmware.find(program).description.partition(":")[0].removeprefix("Benchmark, ")


def picture(measurements: list[Measurement], note: str) -> str:
    """Bars of million instructions per second in steady state, by CPU time, for each program and runner; `note` says how it was
    measured."""
    speeds = {program: speeds_of(found) for program, found in by_program(measurements).items()}
    runners = [runner for runner in COLOURS if any(runner in of for of in speeds.values())]
    kinds: dict[str, list[str]] = {}
    for program in speeds:
        kinds.setdefault(kind(program), []).append(program)
    step = grid_step(max(speed for of in speeds.values() for speed in of.values()))
    end = step * ceil(max(speed for of in speeds.values() for speed in of.values()) / step)
    scale = (WIDTH - 2 * PADDING - LABELS - FIGURES) / end
    left, y, parts, grid = PADDING + LABELS, TOP, [], []
    for name, programs in kinds.items():
        parts += [_text(PADDING, y + 20, name[:1].upper() + name[1:], "heading"),
                  _text(left + 70, y + 20, mean_ratio([speeds[each] for each in programs]), "mean")]
        y += HEADING
        top = y - 8
        for program in programs:
            here = [runner for runner in runners if runner in speeds[program]]
            parts.append(_text(left - 12, y + len(here) * (BAR + BAR_GAP) / 2 + 4, program, "program"))
            for runner in here:
                parts += _bar(left, y, runner, speeds[program], scale)
                y += BAR + BAR_GAP
            y += GROUP_GAP
        for x in (left + at * scale for at in range(0, end + 1, step)):
            grid.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{y - 4}"/>')
    grid += [_text(left + at * scale, y + 12, f"{at:,}", "axis") for at in range(0, end + 1, step)]
    height = y + 70
    return "\n".join([
        f'<svg viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg">', f"<style>{STYLE}</style>",
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="8" fill="#292929" stroke="#ffffff" '
        'stroke-opacity="0.35"/>',
        *(f'<circle cx="{26 + 22 * n}" cy="22" r="7" fill="{fill}"/>' for n, fill in enumerate(BUTTONS)),
        _text(WIDTH / 2, 28, "rvhyp bench: million instructions per second, steady state", "title"),
        *_legend(runners), *grid, *parts, _text(PADDING, y + 48, note, "note"), "</svg>\n"])


def speeds_of(found: list[Measurement]) -> dict[str, float]:
    """MIPS in steady state, by runner; none of one whose run took no longer than its start, as far as could be told."""
    return {each.runner: each.mips("steady") for each in found if each.steady and each.mips("steady") > 0}


def mean_ratio(speeds: list[dict[str, float]]) -> str:
    """How many times the reference's ours is, as a geometric mean; nothing if there is no reference."""
    ratios = [of[OURS] / of[REFERENCE] for of in speeds if REFERENCE in of]
    return f"{exp(mean(map(log, ratios))):.2f}x {REFERENCE}, geometric mean" if ratios else ""


def grid_step(most: float) -> int:
    """A round distance of lines, of which there are at most six."""
    for power in range(1, 12):
        for digit in (1, 2, 5):
            if digit * 10 ** power * 6 >= most:
                return digit * 10 ** power
    raise AssertionError(most)


def _bar(x: float, y: float, runner: str, speeds: dict[str, float], scale: float) -> list[str]:
    width = max(1.0, speeds[runner] * scale)
    figure = f"{speeds[runner]:,.0f}"
    parts = [f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{COLOURS[runner]}"/>',
             _text(x + width + 8, y + BAR - 1, figure, "figure ours" if runner == OURS else "figure")]
    if runner == OURS and REFERENCE in speeds:
        ratio = f"{speeds[OURS] / speeds[REFERENCE]:.2f}x {REFERENCE}"
        parts.append(_text(x + width + 22 + 7 * len(figure), y + BAR - 1, ratio, "figure"))
    return parts


def _legend(runners: list[str]) -> list[str]:
    parts, x = [], PADDING
    for runner in runners:
        parts += [f'<rect x="{x}" y="62" width="14" height="14" rx="3" fill="{COLOURS[runner]}"/>', _text(x + 22, 74, runner)]
        x += 22 + 9 * len(runner) + 36
    return parts


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{f""" class="{style}" """.rstrip() if style else ""}>{escape(text)}</text>'
