"""Our own programs, found by name: guests for VS-mode, and programs for the bare machine.

    guests/*.S     kernels that run on SBI: under the monitor, or anywhere else where there is an SBI
    bare/*.S       programs in M-mode that speak to the host through `tohost`
    bench/*.c      the same, in C: benchmarks with a symbol `iterations`; built beforehand, in prebuilt/
    include/       what they share

A program is a file; its first line says what it does.  Adding one is adding the file (and, in C, building it).
"""
from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from rvhyp.machine.errors import BadInput

FOLDER = Path(__file__).parent
KINDS = {"guests/*.S": "guest", "bare/*.S": "bare", "bench/*.c": "bare"}
GUEST_BASE, BARE_BASE = 0x8020_0000, 0x8000_0000
COMMENT = {".S": "# ", ".c": "// "}


class Firmware(NamedTuple):
    """One of our programs: `kind` is "guest" (VS-mode, on SBI) or "bare" (M-mode)."""

    name: str
    kind: str
    description: str
    source: Path

    @property
    def is_benchmark(self) -> bool:
        """Does it repeat its work as often as the word at its symbol `iterations` says?"""
        return self.source.parent.name == "bench"


@cache
def _programs() -> dict[str, Firmware]:
    programs = {}
    for pattern, kind in KINDS.items():
        for source in sorted(FOLDER.glob(pattern)):
            programs[source.stem] = Firmware(source.stem, kind, _description(source), source)
    return programs


def _description(source: Path) -> str:
    with source.open(encoding="utf-8") as file:
        return file.readline().removeprefix(COMMENT[source.suffix]).strip()


def names() -> list[str]:
    """All programs, guests first."""
    return list(_programs())


def find(name: str) -> Firmware:
    """The program of a name.  `BadInput`, with what may have been meant, if there is none."""
    program = _programs().get(name)
    if program is None:
        from difflib import get_close_matches
        close = get_close_matches(name, names(), n=3, cutoff=0.6)
        do = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names())}"
        raise BadInput("is none of the built-in programs", name, do)
    return program


def load(name: str) -> bytes:
    """A program as an ELF file.  `BadInput` as `find`."""
    program = find(name)
    if program.source.suffix == ".c":
        return (FOLDER / "prebuilt" / f"{name}.elf").read_bytes()
    return _assembled(program)


@cache
def _assembled(program: Firmware) -> bytes:
    from rvhyp.isa.text import assemble
    base = GUEST_BASE if program.kind == "guest" else BARE_BASE
    return assemble(program.source.read_text(encoding="utf-8"), base, program.source.name, include=included).to_elf()


def included(name: str) -> str:
    """The text that `.include "name"` stands for in our programs."""
    return (FOLDER / "include" / name).read_text(encoding="utf-8")
