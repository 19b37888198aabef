"""A program in M-mode on a hart that chooses otherwise, and the one trap that it ends in."""
from __future__ import annotations

import pytest

from tests.engine.support import BASE, ENGINES, Bench

both = pytest.mark.parametrize("engine", ENGINES)
DATA, TABLE, G_TABLE, HANDLER = BASE + 0x8000, BASE + 0x1_0000, BASE + 0x1_4000, BASE + 0x400
NOWHERE = 0x40_0000_0000                        # no RAM: a virtual address that no table here maps
RWX, USER = 0xCF, 1 << 4
MPRV, MPV, HS, GVA = 1 << 17, 1 << 39, 1 << 11, 1 << 38
SV39 = 8 << 60
PMP_ALL = (1 << 54) - 1


def run(engine: str, source: str, count: int = 1, chosen: dict | None = None, isa: str | None = None, **state) -> Bench:
    """A program in M-mode that stops at its first trap, in a loop at HANDLER."""
    bench = Bench(engine, choices=chosen, isa=isa).set(mtvec=HANDLER)
    bench.put("j .\n", HANDLER)
    bench.put(source)
    bench.set(**state)
    bench.run(count)
    return bench


def cause(bench: Bench) -> int:
    """That of the one trap; 0 for none."""
    assert bench.hart.traps <= 1
    return bench.csr("mcause") if bench.hart.traps else 0


def guest(*, g_mapped: bool = True) -> dict:
    """State in which M-mode's data accesses are those of VS-mode: vsatp maps BASE's gigabyte to itself, hgatp too if wanted."""
    return {"mstatus": MPRV | MPV | HS, "vsatp": SV39 | TABLE >> 12, "hgatp": SV39 | G_TABLE >> 12,
            "_tables": {TABLE + 8 * 2: BASE >> 2 | RWX, G_TABLE + 8 * 2: (BASE >> 2 | RWX | USER) * g_mapped}}


def run_guest(engine: str, source: str, chosen: dict, g_mapped: bool = True, **state) -> Bench:
    """An M-mode program whose data accesses are a guest's."""
    values = guest(g_mapped=g_mapped)
    bench = Bench(engine, choices=chosen).set(mtvec=HANDLER)
    bench.put("j .\n", HANDLER)
    bench.put(source)
    for address, pte in values.pop("_tables").items():
        bench.put(pte.to_bytes(8, "little"), address)
    bench.set(**values | state)
    bench.run(1)
    return bench
