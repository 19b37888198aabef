"""Other simulators that run the same ELF files, where they are installed."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rvhyp.fuzz.simulators import find


class Peer(NamedTuple):
    """A simulator: how to run an M-mode ELF on it to its end; `missing` says what it lacks here ("": nothing)."""

    name: str
    command: Callable[[str], list[str]]
    missing: str = ""


def peers() -> list[Peer]:
    """Spike, and QEMU's TCG."""
    spike, qemu = find("spike"), find("qemu-system-riscv64")
    lacks = [name for name, path in (("spike", spike), ("dtc", find("dtc"))) if not path]
    return [
        Peer("Spike", lambda elf: [str(spike), "--isa=rv64gch_zicntr", elf], " and ".join(lacks)),
        Peer("QEMU", lambda elf: [str(qemu), "-M", "spike", "-nographic", "-bios", elf],
             "" if qemu else "qemu-system-riscv64"),
    ]
