"""Our own suite for the H extension, riscv-tests/hypervisor: its programs as ELF files, its checks, and what they cover.

    python -m tools.h_suite build FOLDER            then: rvhyp conformance FOLDER --rules FOLDER/rules.toml, or spike
    python -m tools.h_suite run [NAME[:NUMBER]...]  a program, or one check of it
"""
from __future__ import annotations

import argparse
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import firmware
from rvhyp.conformance.discover import Test
from rvhyp.conformance.result import Status
from rvhyp.conformance.runner import Config, Job, Run, Tail
from rvhyp.engine.children import Child
from rvhyp.isa.configuration import Configuration, from_toml
from rvhyp.isa.text import assemble
from rvhyp.machine.machine import Machine

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "riscv-tests" / "hypervisor"
TABLE = ROOT / "docs" / "h-coverage.md"
BASE = 0x8000_0000
MAX_INSTRUCTIONS, TIMEOUT = 300_000, 120.0
TOGETHER = {"memory": 1 << 20, "max_instructions": 10_000_000_000}      # of several harts, which wait for one another ...
ROUNDS = 1_000_000                  # ... and meet by chance
GP = 3                              # the register with the number of the check that runs
CHECK = re.compile(r'^    check +(?:"([^"]+)"|(\S+)), "(.*)"$', re.MULTILINE)
CHOICES = re.compile(r"^# choices: (.*)$", re.MULTILINE)        # what a program wants of the hart, in its source
HARTS = re.compile(r"^# harts: (\d+)$", re.MULTILINE)           # how many run it, at the same time
FAILED = re.compile(r"^FAIL ([0-9a-f]+) (.*?): ", re.MULTILINE)


class Check(NamedTuple):
    """A check of a program: `number` counts from 1, in the order of the source."""

    program: str
    number: int
    statements: tuple[str, ...]
    title: str


@cache
def programs() -> dict[str, Path]:
    """Sources by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.S"))}


@cache
def checks(name: str) -> tuple[Check, ...]:
    """The checks of a program."""
    found = CHECK.finditer(programs()[name].read_text())
    return tuple(Check(name, number, tuple((m[1] or m[2]).split()), m[3]) for number, m in enumerate(found, 1))


@cache
def choices(name: str) -> dict:
    """What the hart must do, where the manual leaves a choice, for a program to be of use."""
    return from_toml("\n".join(CHOICES.findall(programs()[name].read_text())))


@cache
def harts(name: str) -> int:
    """How many harts run a program at the same time: in a process each, with the same RAM."""
    found = HARTS.search(programs()[name].read_text())
    return int(found[1]) if found else 1


def all_checks() -> list[Check]:
    return [check for name in programs() for check in checks(name)]


def included(name: str) -> str:
    """A file of the suite, or one that it shares with our other programs."""
    path = FOLDER / "include" / name
    return path.read_text() if path.exists() else firmware.included(name)


def assembled(name: str, source: str) -> bytes:
    return assemble(source, BASE, f"{name}.S", include=included).to_elf()


@cache
def elf(name: str) -> bytes:
    """A program as an ELF file."""
    return assembled(name, programs()[name].read_text())


def failed(output: str) -> set[int]:
    """The numbers of the checks that a program said have failed."""
    return {int(number, 16) for number, _ in FAILED.findall(output)}


def run(name: str, engine: str = "auto", numbers: Iterable[int] = (), more: Mapping | None = None) -> tuple[set[int], str]:
    """The checks of a program that fail, of those with these numbers or of all; and what it said, and how it ended.

    `more` are choices besides those that the program asks for.
    """
    return run_elf(name, elf(name), engine, numbers, {**(more or {}), **choices(name)}, harts(name))


def run_source(name: str, source: str, engine: str, numbers: Iterable[int] = ()) -> tuple[set[int], str]:
    """The same for a program that is not in the folder."""
    return run_elf(name, assembled(name, source), engine, numbers)


def run_elf(name: str, program: bytes, engine: str, numbers: Iterable[int], chosen: Mapping | None = None,
            harts: int = 1) -> tuple[set[int], str]:
    """The check that runs when a program does not come to its end has failed."""
    with tempfile.NamedTemporaryFile(suffix=".elf") as file:
        file.write(program)
        file.flush()
        output = Tail()
        limits = TOGETHER if harts > 1 else {"max_instructions": MAX_INSTRUCTIONS}
        config = Config(timeout=TIMEOUT, choices=Configuration(chosen), **limits)
        test = Run(Job(Test(name, file.name), config), engine, output)
    patch = {"kept_tval2": test.config.choices["guest-page-fault-tval2"] == "zero",
             "kept_instruction": test.config.choices["illegal-instruction-tval"] == "zero"}
    for symbol, is_zero in patch.items():
        if is_zero:
            test.board.machine.memory.write(test.program.symbols[symbol], bytes(8))
    if harts > 1:
        test.board.machine.memory.set_word(test.program.symbols["rounds"], ROUNDS)
    if numbers:
        selected = sum(1 << number for number in numbers)
        test.board.machine.memory.write(test.program.symbols["selected"], selected.to_bytes(8, "little"))
    others = start_others(test, engine, harts)
    judged = test.judge()
    for child in others:
        child.kill()
    wrong = failed(str(output))
    if judged["status"] not in (Status.PASS, Status.FAIL):
        wrong.add(int(test.board.machine.hart.x[GP]))
    return wrong, f"{output}{judged.get('detail', '')}"


def start_others(test: Run, engine: str, harts: int) -> list[Child]:
    """The harts behind the first, each in a process of its own, which goes on until it is killed."""
    machine, regions = test.board.machine, test.board.machine.memory.regions
    if harts > 1:
        for ram in regions:
            ram.share()

    def run_one(connection, number: int) -> None:
        other = Machine(regions, machine.isa, engine, number, machine.choices)
        other.hart.pc = test.program.entry
        other.run()
    return [Child(run_one, number) for number in range(1, harts)]


def read(name: str) -> dict:
    """A table of the suite: statements.toml, mutations.toml, spike.toml."""
    return tomllib.loads((FOLDER / name).read_text())


def build(folder: Path) -> None:
    """Write all programs, and the rules that tell what the hart must do for some of them."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = []
    for name in programs():
        (folder / name).write_bytes(elf(name))
        wanted = [f"set = {{ {', '.join(found)} }}\n"] if (found := CHOICES.findall(programs()[name].read_text())) else []
        wanted += [f'skip = "it needs {harts(name)} harts"\n'] if harts(name) > 1 else []
        rules += [f'[[rule]]\nname = "{name}"\n{"".join(wanted)}'] if wanted else []
    (folder / "rules.toml").write_text("\n".join(rules))
    print(f"{len(programs())} programs, {len(all_checks())} checks")


def show_runs(wanted: list[str], engine: str) -> int:
    """Run programs, or single checks (`name:number`); a line for each check that is red."""
    numbers: dict[str, set[int]] = {}
    for each in wanted or programs():
        name, _, number = each.partition(":")
        numbers.setdefault(name, set()).update({int(number)} if number else ())
    reds = 0
    for name in numbers:
        red, said = run(name, engine, numbers[name])
        reds += len(red)
        print(said, *(f"red {name}:{number}" for number in sorted(red)), sep="\n")
    return bool(reds)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.h_suite", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build").add_argument("folder", type=Path)
    runner = commands.add_parser("run")
    runner.add_argument("programs", nargs="*", metavar="NAME[:NUMBER]")
    runner.add_argument("--engine", default="auto")
    options = parser.parse_args(arguments)
    if options.command == "build":
        build(options.folder)
        return 0
    return show_runs(options.programs, options.engine)


if __name__ == "__main__":
    sys.exit(main())
