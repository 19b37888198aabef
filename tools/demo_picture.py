#!/usr/bin/env python3
"""Draws docs/demo.svg: the terminal of a real `rvhyp demo`, some lines of each guest and the table of exits."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
LINES_OF_EACH = 7
COLOURS = {"hello": "cyan", "tasks": "green", "selftest": "magenta"}


def main() -> None:
    result = subprocess.run([sys.executable, "-m", "rvhyp", "demo"], capture_output=True, text=True, check=True)
    consoles, table = result.stdout.split("\n\n", 1)
    console = Console(record=True, width=90, force_terminal=True, file=open("/dev/null", "w"))
    console.print(Text("$ rvhyp demo", style="bold"))
    shown: dict[str, int] = {}
    lines = consoles.splitlines()
    for number, line in enumerate(lines):
        name = line.split(" ", 1)[0]
        left = sum(later.startswith(name) for later in lines[number + 1:])
        shown[name] = shown.get(name, 0) + 1
        if shown[name] < LINES_OF_EACH or left == 0:
            console.print(Text(line[:90], style=COLOURS.get(name, "")))
        elif shown[name] == LINES_OF_EACH:
            console.print(Text(f"{name:<8} | ...", style="dim"))
    console.print()
    for number, line in enumerate(table.splitlines()):
        console.print(Text(line, style="bold" if number == 0 else ""))
    PICTURE.write_text(console.export_svg(title="rvhyp demo"))
    print(f"wrote {PICTURE}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
