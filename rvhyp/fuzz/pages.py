"""Page-table forests for a batch: for each program a tree for HS, one for VS, a G-stage, of every mode; valid, odd and broken.

The tables lie at fixed places.  A program's entries are words of its record, set before it runs and looked at afterwards (A, D).
Virtual addresses are physical ones with all bits above set, or not: so a leaf of any level maps the same page.  Guest physical
addresses lie GPA_OFFSET above the system physical ones.
"""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import (
    ALIAS,
    CODE,
    FRAMES,
    G_TABLES,
    HS_TABLES,
    MAX_POKES,
    PAD,
    PAGE,
    R_POKE,
    R_POKES,
    R_X,
    RAM_BASE,
    SLOT_SIZE,
)
from rvhyp.fuzz.menu import POINTERS
from rvhyp.fuzz.state import Draws
from rvhyp.isa.csr import HGATP_VMID, SATP_ASID
from rvhyp.isa.rule import BitField

V, R, W, X, U, G, A, D = (1 << n for n in range(8))
N, NAPOT_64K = 1 << 63, 0b1000 << 10    # and the PPN's last bits for the one size there is
SV39, SV48, SV57 = 8, 9, 10
WIDTHS = {SV39: 39, SV48: 48, SV57: 57}
GPA_OFFSET = 1 << 38
HIGH_BITS = (0,) * 8 + (1 << 61, 2 << 61, 3 << 61, N, 1 << 54, 1 << 60)    # PBMT, N, reserved ones
APART = 96                              # bytes, more than an offset and an access reach
NOWHERE = G_TABLES + 0x1_F000           # a word that no table has: where entries go that a program has not
L3_AT, L2_AT, L1_AT, DATA_AT, CODE_AT = 0x1000, 0x2000, 0x3000, 0x4000, 0x5000      # first stage, Sv57's root at 0
FIRST_STAGE_PAGES = 6
G48_AT, G57_AT, G2_AT, G3_AT, G1_AT, G_DATA_AT, G_CODE_AT = 0x4000, 0x8000, 0xC000, 0xD000, 0xE000, 0xF000, 0x1_0000


def entry(pa, flags) -> np.ndarray:
    """A page-table entry."""
    return np.asarray(pa, np.uint64) >> np.uint64(12) << np.uint64(10) | np.asarray(flags, np.uint64)


def poke(batch: Batch, address, value, where=None) -> None:
    """Another word of memory for each program (of those where it is wanted)."""
    records = batch.records
    number = int(records[0, R_POKES])
    if number >= MAX_POKES:
        raise ValueError("a record has no room for more words")
    at = R_POKE + 2 * number
    wanted = np.ones(batch.count, bool) if where is None else where
    records[:, at] = np.where(wanted, np.asarray(address, np.uint64), np.uint64(NOWHERE))
    records[:, at + 1] = np.where(wanted, np.asarray(value, np.uint64), np.uint64(0))
    records[:, R_POKES] = number + 1


def no_global_pages(batch: Batch) -> None:
    """First-stage entries without G: with an ASID, a fence may leave what is global."""
    end = R_POKE + 2 * int(batch.records[0, R_POKES])
    addresses, values = batch.records[:, R_POKE:end:2], batch.records[:, R_POKE + 1:end:2]
    values &= np.where((addresses >= HS_TABLES) & (addresses < G_TABLES), np.uint64(~G % (1 << 64)), np.uint64((1 << 64) - 1))


def naturally_aligned(draws: Draws, batch: Batch, *leaf_tables: int) -> None:
    """Some programs have both pages of data in one NAPOT range of 64 KiB.  The other entries of it nobody uses.  Svnapot."""
    end = R_POKE + 2 * int(batch.records[0, R_POKES])
    addresses, values = batch.records[0, R_POKE:end:2], batch.records[:, R_POKE + 1:end:2]
    for table in leaf_tables:
        some = draws.below(6) == 0
        first, second = (int(np.flatnonzero(addresses == leaf_address(table, page))[0]) for page in (FRAMES, FRAMES + PAGE))
        values[some, first] |= np.uint64(N | NAPOT_64K)
        values[some, second] = values[some, first]


def leaf_address(table: int, page: int) -> int:
    """Address of the entry of a page in the last table of a tree."""
    return table + 8 * (page >> 12 & 511)


def keep_apart(batch: Batch, which: np.ndarray) -> None:
    """Move pointers away from the border of the two pages: of a store that only one of them takes a part may be done, or not."""
    for number in POINTERS:
        offset = batch.records[:, R_X + number].astype(np.int64) - (FRAMES + PAGE)
        near = which & (offset > -APART) & (offset < APART)
        batch.records[:, R_X + number] += np.where(near, np.where(offset < 0, -APART, APART), 0).astype(np.uint64)


def slot_pages(batch: Batch) -> np.ndarray:
    """Physical address of each program's code."""
    return (CODE + SLOT_SIZE * (batch.slot + np.arange(batch.count))).astype(np.uint64)


def odd(draws: Draws, flags, one_in: int = 3) -> np.ndarray:
    """Flags of leaves: some with a bit changed, or bits that few entries have, or anything."""
    flags = np.broadcast_to(np.asarray(flags, np.uint64), draws.starts.shape)
    changed = flags ^ (np.uint64(1) << draws.below(8).astype(np.uint64))
    changed = np.where(draws.below(4) == 0, draws.word() & np.uint64(0xFF), changed)
    bits = np.where(draws.below(one_in) == 0, draws.one_of(HIGH_BITS), np.uint64(0))
    return np.where(draws.below(one_in) == 0, changed, flags) | bits


def unused(draws: Draws, flags) -> np.ndarray:
    """Flags of leaves, half of which lack D, or A as well: who comes first sets them, or faults."""
    return np.asarray(flags, np.uint64) & ~draws.one_of((0, 0, D, A | D))


def identifier(draws: Draws, place: BitField) -> np.ndarray:
    """An ASID or a VMID, at its place; often 0."""
    some = draws.one_of((1, 2, 1 << place.width - 1, (1 << place.width) - 1))
    return np.where(draws.below(2) == 0, some, np.uint64(0)) << np.uint64(place.shift)


def first_stage(draws: Draws, batch: Batch, base: int, mode: np.ndarray, user: np.ndarray, offset,
                high: np.ndarray, one_in: int = 3, alias: bool = False, fresh: bool = False) -> np.ndarray:
    """A table for HS or VS at `base`, whose entries hold physical addresses plus `offset`; gives satp or vsatp.

    With `alias`, code may be stored to, and has a second mapping; with `fresh`, many pages of data lack A or D.
    """
    offset = np.asarray(offset, np.uint64)
    own = np.where(user, np.uint64(U), np.uint64(0))

    def place(at):
        return (np.uint64(base + at) + offset).astype(np.uint64)
    top = np.where(high, 0x800, 0).astype(np.uint64)             # bytes: half a table further
    high_at = {each: np.where(mode == each, top, np.uint64(0)) for each in (SV39, SV48, SV57)}
    poke(batch, np.uint64(base) + high_at[SV57], entry(place(L3_AT), V), mode == SV57)
    poke(batch, np.uint64(base + L3_AT) + high_at[SV48], entry(place(L2_AT), V), mode >= SV48)
    kind = draws.below(16)                                       # a large page now and then: not for U, for the pad is in it
    giant, large = (kind == 0) & ~user, kind == 1
    full = np.uint64(V | R | W | X | A | D)
    two = RAM_BASE >> 30 & 511
    poke(batch, np.uint64(base + L2_AT + 8 * two) + high_at[SV39],
         np.where(giant, entry(np.uint64(RAM_BASE) + offset, full), entry(place(L1_AT), V)))
    poke(batch, base + L1_AT, np.where(large, entry(np.uint64(RAM_BASE) + offset, full), entry(place(DATA_AT), V)))
    poke(batch, base + L1_AT + 8, entry(place(CODE_AT), V))
    plain = np.ones(batch.count, bool)
    for page in (FRAMES, FRAMES + PAGE):
        frame = np.where(draws.below(12) == 0, np.uint64(FRAMES), np.uint64(page))      # two pages for one frame, at times
        usual = unused(draws, own | full) if fresh else own | full
        flags = odd(draws, usual, one_in)
        plain &= flags == own | full
        poke(batch, leaf_address(base + DATA_AT, page), entry(frame + offset, flags))
    keep_apart(batch, ~plain)
    own_table = base + DATA_AT                                   # HS and VS may change the entries of the pages of data
    poke(batch, leaf_address(own_table, own_table), entry(np.uint64(own_table) + offset, V | R | W | A | D))
    poke(batch, leaf_address(base + DATA_AT, PAD), entry(np.uint64(PAD) + offset, V | R | X | A | D))
    code = slot_pages(batch)
    usual = V | R | W | X | A | D if alias else V | R | X | A | D
    flags = np.where(draws.below(8) == 0, draws.one_of((V | X | A, V | R | X, V | R | A | D, V | R | X | U | A)),
                     np.uint64(usual) | own)
    if alias:
        poke(batch, leaf_address(base + DATA_AT, ALIAS), entry(code + offset, np.uint64(V | R | W | A | D) | own))
    poke(batch, np.uint64(base + CODE_AT) + (code >> np.uint64(12) & np.uint64(511)) * np.uint64(8), entry(code + offset, flags))
    root = np.where(mode == SV57, place(0), np.where(mode == SV48, place(L3_AT), place(L2_AT)))
    return mode.astype(np.uint64) << np.uint64(60) | identifier(draws, SATP_ASID) | root >> np.uint64(12)


def g_stage(draws: Draws, batch: Batch, tables: int, mode: np.ndarray, one_in: int = 3, fresh: bool = False) -> np.ndarray:
    """A G-stage; `tables` are those of VS, which it maps too.  Gives hgatp."""
    two = (RAM_BASE + GPA_OFFSET) >> 30 & 511
    full = V | R | W | X | U | A | D
    for root, each in ((0, SV39), (G2_AT, 0)):
        giant = draws.below(24) == 0
        poke(batch, G_TABLES + root + 8 * two, np.where(giant, entry(RAM_BASE, full), entry(G_TABLES + G1_AT, V)),
             mode == SV39 if each else mode != SV39)
    poke(batch, G_TABLES + G48_AT, entry(G_TABLES + G2_AT, V), mode == SV48)
    poke(batch, G_TABLES + G57_AT, entry(G_TABLES + G3_AT, V), mode == SV57)
    poke(batch, G_TABLES + G3_AT, entry(G_TABLES + G2_AT, V), mode == SV57)
    large = draws.below(16) == 0
    poke(batch, G_TABLES + G1_AT, np.where(large, entry(RAM_BASE, odd(draws, full)), entry(G_TABLES + G_DATA_AT, V)))
    poke(batch, G_TABLES + G1_AT + 8, entry(G_TABLES + G_CODE_AT, V))

    def leaf(pa, flags):
        poke(batch, leaf_address(G_TABLES + G_DATA_AT, pa), entry(pa, flags))
    plain = np.ones(batch.count, bool)
    for page in (FRAMES, FRAMES + PAGE):
        flags = odd(draws, unused(draws, full) if fresh else full, one_in)
        plain &= flags == np.uint64(full)
        leaf(page, flags)
    keep_apart(batch, ~plain)
    leaf(PAD, full)
    for number in range(FIRST_STAGE_PAGES):                     # read-only ones show where A and D bits are written
        # Every walk reads the tables above and that of code: with a bad one of these, a program ends at its first fetch.
        usual, few = (np.where(draws.below(6) == 0, full & ~W, full), 3) if PAGE * number == DATA_AT else (full, 16)
        leaf(tables + PAGE * number, odd(draws, usual, few * one_in))
    code = slot_pages(batch)
    poke(batch, np.uint64(G_TABLES + G_CODE_AT) + (code >> np.uint64(12) & np.uint64(511)) * np.uint64(8),
         entry(code, np.where(draws.below(24) == 0, draws.one_of((V | X | U | A, V | R | X | A, V | R | X | U)),
                              np.uint64(full))))
    root = np.where(mode == SV57, G_TABLES + G57_AT, np.where(mode == SV48, G_TABLES + G48_AT, G_TABLES)).astype(np.uint64)
    return mode.astype(np.uint64) << np.uint64(60) | identifier(draws, HGATP_VMID) | root >> np.uint64(12)


def high_address(mode: np.ndarray, high: np.ndarray) -> np.ndarray:
    """What is added to physical addresses to make virtual ones of the upper half."""
    width = np.select([mode == SV39, mode == SV48, mode == SV57], [np.uint64(38), np.uint64(47), np.uint64(56)], np.uint64(38))
    return np.where(high, np.uint64((1 << 64) - 1) << width, np.uint64(0))
