"""What memory costs under page tables: Sv39 in S-mode, and the same in VS-mode under Sv39x4; pages of 4 KiB everywhere."""
from __future__ import annotations

from typing import NamedTuple

from rvhyp.bench.peers import Peer
from rvhyp.bench.programs import Engines, costs_of_iteration

MIB = 1 << 20
PAGE = 4096
ONE_STAGE, TWO_STAGES = 1, 2            # the word `stages` of the programs


class Load(NamedTuple):
    """A program with a working set in bytes; an iteration does `units` of what is counted, and may end in a fence."""

    name: str
    program: str
    working_set: int
    units: int
    iterations: int
    is_fenced: bool = False

    @property
    def words(self) -> dict[str, int]:
        """The numbers that the program has at some of its symbols."""
        return {"working_set": self.working_set} | ({"fences": 1} if self.is_fenced else {})


def chase(mib: int, loads: int) -> Load:
    """Loads that wait for each other, each in another page; every page has one pointer."""
    pages = mib * MIB // PAGE
    return Load(f"load, {mib} MiB in random order", "memory-chase", mib * MIB, pages, loads // pages)


WITHIN, BEYOND = chase(1, 60_000_000), chase(64, 1_000_000)     # what TLBs reach
FENCED = BEYOND._replace(name="the same, with a fence before each round", is_fenced=True)
LOADS = (WITHIN, Load("memcpy of 64 bytes, 1 MiB", "memory-copy", MIB, MIB // 2 // 64, 2000), BEYOND, FENCED)
MISS, WALK = "TLB miss", "TLB miss after a fence"


def measure(load: Load, rounds: int, engines: Engines, peers: list[Peer]) -> dict[str, tuple[float, float]]:
    """Nanoseconds of CPU time for a unit under one stage and under two, by runner."""
    variants = [load.words | {"stages": stages} for stages in (ONE_STAGE, TWO_STAGES)]
    one, two = costs_of_iteration(load.program, variants, load.iterations, rounds, engines, peers)
    return {runner: (one[runner] * 1e9 / load.units, two[runner] * 1e9 / load.units) for runner in one}


def miss(within: dict[str, tuple[float, float]], beyond: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Nanoseconds of a TLB miss: a load of a working set beyond the TLB's reach, less one within it."""
    return {runner: (beyond[runner][0] - within[runner][0], beyond[runner][1] - within[runner][1]) for runner in beyond}
