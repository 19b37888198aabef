"""Builds the C programs into prebuilt/: `python -m firmware.build`, or `--check` to compare with what is there.

The compiler is that of the Python package `ziglang`, in exactly the version that pyproject.toml pins (`pip install
'rvhyp[firmware]'`): the same sources give the same bytes everywhere.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from firmware import FOLDER, find, names

ZIG_VERSION = "0.14.1"
PREBUILT = FOLDER / "prebuilt"
FRAME = ("include/bench/start.S", "include/bench/frame.c")      # part of every program
SYMBOLS = ("iterations", "tohost", "fromhost", "_start", "main")
TARGET = ("-target", "riscv64-freestanding-none", "-mcpu=generic_rv64+m+a+f+d+c", "-mabi=lp64d", "-mcmodel=medany")
COMPILE = ("-std=c17", "-O2", "-ffreestanding", "-fno-builtin", "-fno-math-errno", "-ffp-contract=off",
           "-fno-sanitize=undefined", "-fno-stack-protector", "-fomit-frame-pointer", "-fno-asynchronous-unwind-tables",
           "-g0", "-Iinclude/bench", "-Wall", "-Wextra", "-Werror")
LINK = ("-T", "include/bench/bench.ld", "--build-id=none", "--nmagic", "--no-relax", "--discard-all")


class BuildError(Exception):
    """What is missing, or what the compiler said."""


def compiler() -> list[str]:
    """The command of the pinned compiler.  `BuildError` if it is not installed."""
    try:
        import ziglang
    except ImportError:
        raise BuildError(f"ziglang is not installed; pip install ziglang=={ZIG_VERSION}") from None
    command = [str(Path(ziglang.__file__).parent / "zig")]
    version = subprocess.run([*command, "version"], capture_output=True, text=True).stdout.strip()
    if version != ZIG_VERSION:
        raise BuildError(f"ziglang {version} is installed; pip install ziglang=={ZIG_VERSION}")
    return command


def benchmarks() -> list[str]:
    """The programs that are built here."""
    return [name for name in names() if find(name).source.suffix == ".c"]


def build(programs: list[str]) -> dict[str, bytes]:
    """ELF files by name."""
    zig = compiler()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        caches = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}

        def run(*command: str | Path) -> None:
            done = subprocess.run([*zig, *map(str, command)], cwd=FOLDER, env=os.environ | caches,
                                  capture_output=True, text=True)
            if done.returncode:
                raise BuildError(done.stderr)

        def compiled(source: str) -> Path:
            output = work / (Path(source).name + ".o")
            run("cc", *TARGET, *COMPILE, "-c", source, "-o", output)
            return output

        kept = work / "symbols"
        kept.write_text("\n".join(SYMBOLS) + "\n")
        frame = [compiled(source) for source in FRAME]
        elves = {}
        for name in programs:
            output = work / f"{name}.elf"
            run("ld.lld", *LINK, f"--retain-symbols-file={kept}", *frame, compiled(f"bench/{name}.c"), "-o", output)
            elves[name] = output.read_bytes()
        return elves


def differences(elves: dict[str, bytes]) -> list[str]:
    """What is not in prebuilt/ as it was built, one line each."""
    lines = []
    for name, elf in elves.items():
        path = PREBUILT / f"{name}.elf"
        if not path.exists():
            lines.append(f"{path.name} is missing")
        elif path.read_bytes() != elf:
            lines.append(f"{path.name} is not what its sources give")
    lines += [f"{path.name} has no source" for path in sorted(PREBUILT.glob("*.elf")) if path.stem not in elves]
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m firmware.build", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, change nothing; status 1 if anything differs")
    options = parser.parse_args(arguments)
    try:
        elves = build(benchmarks())
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    if options.check:
        lines = differences(elves)
        print("\n".join(lines) or f"{len(elves)} programs are what their sources give")
        return bool(lines)
    PREBUILT.mkdir(exist_ok=True)
    for name, elf in elves.items():
        (PREBUILT / f"{name}.elf").write_bytes(elf)
        print(f"{name}.elf  {len(elf):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
