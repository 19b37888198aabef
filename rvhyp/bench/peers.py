"""Other simulators that run the same ELF files, where they are installed."""
from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Peer(NamedTuple):
    """A simulator: how to run an M-mode ELF on it to its end; `missing` says what it lacks here ("": nothing)."""

    name: str
    command: Callable[[str], list[str]]
    missing: str = ""


def find(program: str) -> str | None:
    """A program on the path, or installed beside this Python."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))


def peers() -> list[Peer]:
    """Spike, and QEMU's TCG."""
    spike, qemu = find("spike"), find("qemu-system-riscv64")
    lacks = [name for name, path in (("spike", spike), ("dtc", find("dtc"))) if not path]
    return [
        Peer("Spike", lambda elf: [str(spike), "--isa=rv64gc_zicntr", elf], " and ".join(lacks)),
        Peer("QEMU", lambda elf: [str(qemu), "-M", "spike", "-nographic", "-bios", elf],
             "" if qemu else "qemu-system-riscv64"),
    ]
