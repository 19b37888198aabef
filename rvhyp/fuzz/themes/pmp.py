"""Physical memory protection: entries 3 to 6 are written by M-mode, and loads, stores, fetches and page walks fall under them.

The harness has the entries around these, see harness.S: 7 is locked, and with it the address of 6.  Programs lock none: what is
locked stays so until reset, and the next program would find it.
"""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz import pages
from rvhyp.fuzz.dishes import Has, fences, jumps, memory_modes, plain, traps
from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import FRAMES, G_TABLES, HS_TABLES, LOCKED, PAD, PAGE, PMPCFG0, R_X, VS_TABLES
from rvhyp.fuzz.menu import POINTERS, RECORDS, TARGET, Dish, base_kind, dish, fixed, word_of
from rvhyp.fuzz.privileged import MPP_S, MPV, delegate, enter, permissions, two_stages
from rvhyp.fuzz.state import MPP_M, Draws, csr, set_csrs
from rvhyp.isa.cause import INSTRUCTION_ACCESS_FAULT
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import Compressed, Kind

VALUE = 28                              # a register
ENTRIES, TOR_ENTRIES = (3, 4, 5, 6), (4, 5, 6)
# Configurations.  Entry 3 is never TOR: it would begin at the devices, and close the page that HS and VS trap to.
OFF_OR_SIZED = tuple(permissions | mode << 3 for permissions in range(8) for mode in (0, 2, 3, 3))
TOP_OF_RANGE = tuple(permissions | 1 << 3 for permissions in range(8))
# Where ranges begin and end: in data, and at page tables.  Ones below an address make it larger (NAPOT), up to 16 KiB.
PLACES = (FRAMES, FRAMES, FRAMES + PAGE, FRAMES + PAGE, HS_TABLES + pages.DATA_AT, VS_TABLES + pages.DATA_AT,
          G_TABLES + pages.G_DATA_AT)
TABLES, TABLE_ENTRY, READ_ONLY = PLACES[4:], 4, 3 << 3 | 1      # NAPOT, R
WITHIN = (0, 0, 0, 1, 2, 3, 7, 15, 31, 0x1FF, 0x1FF, 0x3FF, 0x7FF, -2, -3, -4, -8, 16, 32, 33, 0x3E0, 0x3E7)
SIZES = {1: range(-64, 64, 3), 2: range(-64, 64, 6), 4: range(-64, 64, 12), 8: range(-64, 64, 8)}


def aligned(has: Has, kind: Kind, weight: float) -> list[Dish]:
    """Loads or stores at aligned addresses: of others, the parts may be looked at one by one, or as a whole."""
    names = [name for name, record in RECORDS.items() if base_kind(record) is kind and has(name)
             and not isinstance(record, Compressed) and not record.guest]
    return [dish(name, weight / len(names), imm=SIZES[RECORDS[name].size]) for name in names]


def entries(weight: float = 10) -> list[Dish]:
    """An entry gets another configuration, or another address."""
    found = []
    fence = [fixed("sfence.vma", rs1=0, rs2=0)]
    for number in ENTRIES:
        for name, configurations in (("pmpcfg", OFF_OR_SIZED), ("pmpcfg TOR", TOP_OF_RANGE if number in TOR_ENTRIES else ())):
            if not configurations:
                continue
            cfg = CSR_NUMBERS["pmpcfg0"]
            words = [fixed("addi", rd=VALUE, rs1=0, imm=0xFF), fixed("slli", rd=VALUE, rs1=VALUE, shamt=8 * number),
                     fixed("csrrc", rd=0, csr=cfg, rs1=VALUE),
                     word_of("addi", {"rd": (VALUE,), "rs1": (0,), "imm": configurations}),
                     fixed("slli", rd=VALUE, rs1=VALUE, shamt=8 * number), word_of("csrrs", {"csr": (cfg,), "rs1": (VALUE,)}, 4)]
            found.append(Dish(f"{name} {number}", [*words, *fence], weight / 12))
    for place in set(PLACES):
        words = [fixed("lui", rd=VALUE, imm=place - (1 << 32)), fixed("slli", rd=VALUE, rs1=VALUE, shamt=32),
                 fixed("srli", rd=VALUE, rs1=VALUE, shamt=34),
                 word_of("addi", {"rd": (VALUE,), "rs1": (VALUE,), "imm": WITHIN}),
                 word_of("csrrw", {"rs1": (VALUE,), "csr": [CSR_NUMBERS[f"pmpaddr{number}"] for number in ENTRIES]}, 4)]
        found.append(Dish("pmpaddr", [*words, *fence], weight / 2 * PLACES.count(place) / len(PLACES)))
    found.append(Dish("bits above", [fixed("addi", rd=VALUE, rs1=0, imm=-1), fixed("slli", rd=VALUE, rs1=VALUE, shamt=54),
                                     word_of("csrrs", {"csr": [CSR_NUMBERS[f"pmpaddr{number}"] for number in ENTRIES],
                                                       "rs1": (VALUE,)})], weight / 40))     # there are none
    # Locked ones keep what they have: the last of the devices' entries, 7, and the address below it.
    kept = [CSR_NUMBERS[name] for name in ("pmpaddr2", "pmpaddr7", "pmpaddr6")]
    found.append(Dish("locked pmpaddr", [word_of("csrrw", {"csr": kept, "rd": (0, 10)})], weight / 20))
    found.append(Dish("locked pmpcfg", [fixed("addi", rd=VALUE, rs1=0, imm=0x3F), fixed("slli", rd=VALUE, rs1=VALUE, shamt=56),
                                        word_of("csrrs", {"csr": (CSR_NUMBERS["pmpcfg0"],), "rs1": (VALUE,)}),
                                        word_of("csrrc", {"csr": (CSR_NUMBERS["pmpcfg0"],), "rs1": (VALUE,)}, 4)], weight / 20))
    read = [CSR_NUMBERS[name] for name in ("pmpcfg0", "pmpcfg2", *(f"pmpaddr{number}" for number in range(16)))]
    return [*found, dish("csrrs", weight / 10, csr=read, rs1=(0,))]


def locked(weight: float = 2) -> list[Dish]:
    """Loads and stores where an entry lets no mode store, unless one of the program's is before it.

    What is stored there is never loaded: the next program would find it, too.
    """
    begin = fixed("lui", rd=TARGET, imm=LOCKED - (1 << 32)), fixed("slli", rd=TARGET, rs1=TARGET, shamt=32), \
        fixed("srli", rd=TARGET, rs1=TARGET, shamt=32)
    loads = [Dish(f"locked {name}", [*begin, word_of(name, {"rs1": (TARGET,), "imm": range(-8, 32, 8)})], weight / 4)
             for name in ("ld", "lbu")]
    stores = [Dish(f"locked {name}", [*begin, word_of(name, {"rs1": (TARGET,), "imm": range(32, 64, 8)})], weight / 4)
              for name in ("sd", "sb")]
    return [*loads, *stores]


def dishes(has: Has) -> list[Dish]:
    """Entries and what falls under them."""
    return [*plain(has, {Kind.ALU: 8, Kind.BRANCH: 3, Kind.AMO: 4}), *aligned(has, Kind.LOAD, 14), *aligned(has, Kind.STORE, 10),
            *jumps(has, 1), *traps(has, 0.4), *entries(), *locked(), *memory_modes(3), *fences(has, 0.5)]


def state(seed: int, batch: Batch) -> None:
    """Mostly M, with tables of HS and of a guest for MPRV; or one of the lower modes.  Entries are as they may be."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    level, user, high = draws.one_of((0, 0, 0, 1, 2, 3)).astype(np.int64), draws.below(2) == 0, draws.below(2) == 0
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    satp = pages.first_stage(draws, batch, HS_TABLES, mode, user, 0, high, 24, fresh=True)
    own = pages.high_address(mode, high)
    guest = two_stages(draws, batch, user, 24, fresh=True)
    for number in POINTERS:
        batch.records[:, R_X + number] &= np.uint64(-16 % (1 << 64))
    is_bare = level == 3                                        # HS and U without translation
    set_csrs(batch, satp=np.where(is_bare, np.uint64(0), satp),
             stvec=np.uint64(PAD) + np.where(is_bare, np.uint64(0), own) | draws.one_of((0, 1)))
    for number in ENTRIES[:3]:
        set_csrs(batch, **{f"pmpaddr{number}": (draws.one_of(PLACES) >> np.uint64(2)) + draws.one_of(WITHIN)})
    configured = np.full(batch.count, PMPCFG0, np.uint64)
    for number in ENTRIES:
        allowed = OFF_OR_SIZED + (TOP_OF_RANGE * 2 if number in TOR_ENTRIES else ())
        some = np.where(draws.below(2) == 0, draws.one_of(allowed), np.uint64(0))
        configured |= some << np.uint64(8 * number)
    # Now and then, one of the tables is a page to be read alone: A and D bits cannot be written.
    is_read_only, entry = draws.below(4) == 0, np.uint64(8 * TABLE_ENTRY)
    table = draws.one_of(TABLES) >> np.uint64(2) | np.uint64(PAGE // 8 - 1)
    set_csrs(batch, **{f"pmpaddr{TABLE_ENTRY}": np.where(is_read_only, table, csr(batch, f"pmpaddr{TABLE_ENTRY}"))})
    configured = np.where(is_read_only, configured & ~(np.uint64(0xFF) << entry) | np.uint64(READ_ONLY) << entry, configured)
    lower = np.where(user, 0, MPP_S) | np.where(level == 2, MPV, 0)
    offset = np.choose(level, (np.uint64(0), own, guest, np.uint64(0)))
    where = np.where(level == 0, MPP_M, lower).astype(np.uint64)
    # Not to HS: where the tables may not be read, its own vectors could not be fetched, and it would trap for ever.
    fetch_faults = csr(batch, "medeleg") & np.uint64(~(1 << INSTRUCTION_ACCESS_FAULT) % (1 << 64))
    set_csrs(batch, pmpcfg0=configured, medeleg=fetch_faults)
    enter(batch, where, offset)
    shifted = np.where((level == 0) & (draws.below(2) == 0), np.where(draws.below(2) == 0, own, guest), np.uint64(0))
    batch.records[:, R_X + POINTERS[0]] += shifted              # M's, for MPRV
