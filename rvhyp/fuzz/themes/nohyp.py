"""Without H: misa.H is cleared when a program begins, and all that belongs to H must be as if it had never been there."""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz import pages
from rvhyp.fuzz.dishes import Has, csrs, fences, guest_accesses, jumps, plain, reservations, traps
from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import HS_TABLES, PAD, R_WITHOUT
from rvhyp.fuzz.menu import Dish
from rvhyp.fuzz.privileged import MPP_S, delegate, enter, permissions
from rvhyp.fuzz.rarities import events
from rvhyp.fuzz.state import MPP_M, Draws, csr, set_csrs
from rvhyp.isa import csr as rows
from rvhyp.isa.instruction import Kind


def dishes(has: Has) -> list[Dish]:
    """CSRs, instructions of H, and memory."""
    weights = {Kind.ALU: 12, Kind.BRANCH: 4, Kind.LOAD: 6, Kind.STORE: 6, Kind.AMO: 3}
    return [*plain(has, weights), *jumps(has, 2), *reservations(has, 0.5), *csrs(has, 25), *traps(has, 4), *fences(has, 4),
            *guest_accesses(has, 4), *events(has, 1)]


def state(seed: int, batch: Batch) -> None:
    """M; S and U with and without translation."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    level, user, high = draws.below(3), draws.below(2) == 0, draws.below(2) == 0
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    satp = pages.first_stage(draws, batch, HS_TABLES, mode, user, 0, high)
    offset = np.where(level == 2, pages.high_address(mode, high), np.uint64(0))
    set_csrs(batch, satp=np.where(level == 2, satp, np.uint64(0)), stvec=np.uint64(PAD) + offset | draws.one_of((0, 1)),
             sepc=csr(batch, "mepc") + offset, hstatus=csr(batch, "hstatus") | draws.one_of((0, rows.HSTATUS_SPV.mask)))
    where = np.where(level == 0, MPP_M, np.where(user, 0, MPP_S)).astype(np.uint64)
    enter(batch, where, offset)
    batch.records[:, R_WITHOUT] = rows.MISA_H.mask
