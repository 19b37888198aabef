"""Whether the checks of the H suite can fail: each mutation breaks one line of our rules, and must turn red what it names.

    python -m tools.h_mutations [--only WORD] [--jobs 2]

A mutation is applied to a copy of the package, and the checks of the statements it names run there: on the reference engine,
unless it is of what only the compiled one has.  The files in riscv-tests/mutations say which line, in which function, becomes
what.  Status 1 if anything stays green.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tools import h_suite
from tools.h_suite import ROOT

FOLDER = ROOT / "riscv-tests" / "mutations"


class Mutation(NamedTuple):
    """`line`, which stands once within `within` (or the whole file, if that is empty), `becomes` another."""

    file: str
    within: str
    line: str
    becomes: str
    red: tuple[str, ...]
    engine: str = "reference"

    def __str__(self) -> str:
        return f"{self.file}:{self.within}: {self.line} -> {self.becomes}"

    def apply(self, source: str) -> str:
        """The file's text with the line replaced.  `ValueError` if it is not there exactly once."""
        start = source.index(f"def {self.within}(") if self.within else 0
        end = source.find("\n\n\n", start) if self.within else len(source)
        pattern = re.compile(rf"^( *){re.escape(self.line)}(?: +#.*)?$", re.MULTILINE)
        part = source[start:end if end >= 0 else len(source)]
        if len(pattern.findall(part)) != 1:
            raise ValueError(f"not once in the source: {self}")
        return source[:start] + pattern.sub(lambda m: m[1] + self.becomes, part) + source[start + len(part):]


def mutations() -> list[Mutation]:
    """All of them, file by file."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text())
        found += [Mutation(document["file"], **each | {"within": each.get("within", ""), "red": tuple(each["red"])})
                  for each in document["mutation"]]
    return found


def failing(mutation: Mutation) -> set[str]:
    """The statements, of those that should turn red, that have a failing check under the mutation."""
    wanted = [check for check in h_suite.all_checks() if set(check.statements) & set(mutation.red)]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "rvhyp", Path(folder, "rvhyp"), ignore=shutil.ignore_patterns("__pycache__"))
        path = Path(folder, mutation.file)
        path.write_text(mutation.apply(path.read_text()))
        command = [sys.executable, "-m", "tools.h_suite", "run", "--engine", mutation.engine,
                   *(f"{check.program}:{check.number}" for check in wanted)]
        environment = os.environ | {"PYTHONPATH": f"{folder}:{ROOT}", "RVHYP_CACHE": str(Path(folder, "cache"))}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    red = set(re.findall(r"^red (\S+):(\d+)$", done.stdout, re.MULTILINE))
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(f"{mutation}\n{done.stderr}")
    return {statement for check in wanted if (check.program, str(check.number)) in red for statement in check.statements}


def unnoticed(mutation: Mutation) -> str:
    """What is wrong with a mutation: which statements stay green, or why it cannot be tried; "" if nothing."""
    try:
        green = sorted(set(mutation.red) - failing(mutation))
    except (RuntimeError, ValueError) as error:
        return f"ERROR {error}\n"
    return "GREEN " + " ".join(green) if green else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.h_mutations", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those with this in their file, function, line or statements")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    chosen = [each for each in mutations() if options.only in f"{each} {' '.join(each.red)}"]
    bad = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutation, green in zip(chosen, pool.map(unnoticed, chosen), strict=True):
            bad += bool(green)
            print(f"{green or 'red'}  {mutation}", flush=True)
    print(f"{len(chosen)} mutations, {bad} of them not noticed")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
