"""Whole processes: what they cost."""
from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from rvhyp.machine.errors import BadInput

RVHYP = [sys.executable, "-m", "rvhyp"]
IMPORTED = ("rvhyp.cli.run", "rvhyp.cli.bare", "rvhyp.monitor.hypervisor", "rvhyp.machine.board",
            "rvhyp.engine.translator.engine", "rvhyp.engine.translator.compiler", "rvhyp.engine.translator.lower",
            "llvmlite.binding")

# A process starts with the memory of the one that started it, which counts in its peak: so a small one stands between.
BETWEEN = """
import os, resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10)
sys.exit(status)
"""


@contextmanager
def cold_cache() -> Iterator[dict[str, str]]:
    """The environment of a process for which the core is compiled and guests are prepared, but nothing was translated."""
    from rvhyp.engine import cache
    with tempfile.TemporaryDirectory() as folder:
        for path in cache.folder().glob("core-*"):
            shutil.copy(path, folder)
        Path(folder, "guests").symlink_to(cache.folder() / "guests")
        yield {"RVHYP_CACHE": folder}


@functools.cache
def with_byte_code() -> dict[str, str]:
    """The environment in which our processes find the byte code of all modules, as those of an installed package do.

    Where Python may not write that beside sources (PYTHONDONTWRITEBYTECODE), it is in a folder for the time of this process.
    """
    if not sys.dont_write_bytecode:
        return {}
    folder = tempfile.mkdtemp(prefix="rvhyp-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", f"import {', '.join(IMPORTED)}"], env=os.environ | found, check=True)
    return found


class Cost(NamedTuple):
    """Wall and CPU time in seconds."""

    wall: float
    cpu: float


def run(command: list[str], environment: dict[str, str] | None = None, accept: tuple[int, ...] = (0,),
        stdin: bytes = b"") -> Cost:
    """Run a command to its end; its output is dropped.  BadInput if its status is not one to accept.

    `stdin` is no more than a pipe holds.
    """
    environment = os.environ | with_byte_code() | (environment or {})
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          env=environment) as process:
        with suppress(BrokenPipeError):         # it ended: its status says why
            process.stdin.write(stdin)
            process.stdin.close()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode not in accept:
        raise BadInput(f"{command[0]} failed with status {process.returncode}: {errors.decode(errors='replace').strip()[-300:]}",
                       command[-1])
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def peak_memory(command: list[str]) -> int:
    """Bytes of resident memory that a command needed at most.  BadInput if it fails."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", BETWEEN, *command], capture_output=True, text=True)
    if done.returncode:
        raise BadInput(f"{command[0]} failed with status {done.returncode}: {done.stderr.strip()[-300:]}", command[-1])
    return int(done.stdout)
