"""Boots small guests written in assembly, for tests."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rvhyp import Hypervisor, Outcome, VmConfig, assemble, load, make_engine

BASE = 0x8020_0000
EXIT = """
exit:                           # status in a0, through the test finisher
    li t1, 0x100000
    li t0, 0x5555
    beqz a0, 1f
    slli a0, a0, 16
    li t0, 0x3333
1:  or a0, a0, t0
    sw a0, 0(t1)
    j .
"""
SHUTDOWN = """
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall
    j .
"""


@cache
def engine(name: str = "interpreter"):
    """One engine for all tests of a process."""
    return make_engine(name)


@dataclass
class Run:
    """A finished run."""

    hypervisor: Hypervisor
    outcome: Outcome
    output: list[bytes]

    @property
    def vm(self):
        return self.hypervisor.vms[0]

    @property
    def text(self) -> str:
        return b"".join(self.output).decode()


def program(source: str, name: str = "guest"):
    """A guest's program from assembly."""
    return load(assemble("_start:\n" + source + EXIT, BASE, name).to_elf(), name)


def boot(source: str, *, on: str = "interpreter", limit: int | None = 50_000_000, seconds: float | None = None, hooks=(),
         choices=None, threads: bool = False, **config) -> Run:
    """Run one guest to its end."""
    output: list[bytes] = []
    config = {"memory": 16 << 20} | config
    hypervisor = Hypervisor([VmConfig("guest", program(source), output=output.append, **config)], engine(on), choices, threads)
    hypervisor.hooks += hooks
    return Run(hypervisor, hypervisor.run(limit, seconds), output)
