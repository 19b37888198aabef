"""Programs that change their own code, at its place or through another mapping of it, and run it behind FENCE.I.

Without the fence, whether the old instruction or the new one runs is open; Spike keeps what it decoded until then.
"""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz import pages
from rvhyp.fuzz.dishes import APART, Has, jumps, plain, traps
from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import ALIAS, CODE, HS_TABLES, PAD, PMPCFG0, R_TRAPS, RAM_BASE
from rvhyp.fuzz.layout import RECORDS as CODE_END
from rvhyp.fuzz.menu import RECORDS, TARGET, VALUES, Dish, Word, base_kind, dish, fixed, word_of
from rvhyp.fuzz.privileged import MPP_S, MPV, delegate, enter, permissions, two_stages
from rvhyp.fuzz.state import MPP_M, Draws, set_csrs
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import Compressed, Kind

VALUE, HERE = 27, 28                    # registers
C_NOP, BLOCK = 1, 64
PAGE_BITS, TABLE_BITS = 12, 22          # of an address: in a page; where data and code are the same, see ALIAS in layout.py
OPEN = 0x0F                             # a PMP entry: TOR, all allowed
FENCE_I = fixed("fence.i", rd=0, rs1=0, imm=0)
KINDS = {Kind.ALU, Kind.FP, Kind.LOAD, Kind.AMO, Kind.FENCE}


def encodings(has: Has) -> list[int]:
    """Some instructions of every kind, as words; pairs of compressed ones."""
    wide, narrow = [], []
    for name, record in RECORDS.items():
        if base_kind(record) not in KINDS or name in APART or not has(name) or getattr(record, "guest", ""):
            continue
        word = word_of(name)
        for variant in range(2):
            bits = word.bits
            for n, (_, values) in enumerate(word.operands):
                bits |= values[(7 + 30 * variant + 13 * n) % VALUES]
            (narrow if isinstance(record, Compressed) else wide).append(bits)
    pairs = [one | other << 16 for one, other in zip(narrow, narrow[1:] + narrow[:1], strict=True)]
    return [*wide, *pairs, 0x0000_0073, 0, 0x9002_9002]         # ECALL, illegal, two of C.EBREAK


def load_word(bits: list[int]) -> list[Word]:
    """Instructions that leave one of some words in VALUE; both halves hang on the same draw."""
    low = [(each & 0xFFF) - 2 * (each & 0x800) for each in bits]
    high = [each - part & 0xFFFF_F000 for each, part in zip(bits, low, strict=True)]
    high = [each - 2 * (each & 1 << 31) for each in high]
    return [word_of("lui", {"rd": (VALUE,), "imm": high}, imm=0),
            word_of("addiw", {"rd": (VALUE,), "rs1": (VALUE,), "imm": low}, imm=0)]


def rewriting(has: Has, weight: float = 6) -> list[Dish]:
    """Dishes whose last instruction is another one by the time that it runs: a given one, or the same with bits flipped."""
    found, words = [], encodings(has)
    parts = [words[at:at + VALUES] for at in range(0, len(words), VALUES)]
    here = [fixed("auipc", rd=HERE, imm=0)]
    alias = [fixed("auipc", rd=TARGET, imm=0), fixed("slli", rd=HERE, rs1=TARGET, shamt=64 - PAGE_BITS),
             fixed("srli", rd=HERE, rs1=HERE, shamt=64 - PAGE_BITS),
             fixed("srli", rd=TARGET, rs1=TARGET, shamt=TABLE_BITS),
             fixed("slli", rd=TARGET, rs1=TARGET, shamt=TABLE_BITS), fixed("add", rd=HERE, rs1=HERE, rs2=TARGET),
             fixed("lui", rd=TARGET, imm=ALIAS - RAM_BASE), fixed("add", rd=HERE, rs1=HERE, rs2=TARGET)]
    victim = word_of("addi", first_draw=4)
    for name, address in (("code", here), ("code through its alias", alias)):
        for part in parts:
            value = load_word(part)
            at = 4 * (len(address) + len(value) + 2)
            words_of_dish = [*address, *value, fixed("sw", rs2=VALUE, rs1=HERE, imm=at), FENCE_I, victim]
            found.append(Dish(name, words_of_dish, weight / 2 / len(parts)))
    flips = [1 << n for n in range(12, 31)]
    for name in ("addi", "addiw", "add", "ld", "xor", "slliw"):
        at = 4 * 6
        flip = word_of("lui", {"rd": (VALUE,), "imm": flips})
        found.append(Dish(f"flipped {name}", [*here, fixed("lw", rd=TARGET, rs1=HERE, imm=at), flip,
                                             fixed("xor", rd=VALUE, rs1=VALUE, rs2=TARGET),
                                             fixed("sw", rs2=VALUE, rs1=HERE, imm=at), FENCE_I,
                                             word_of(name, first_draw=4)], weight / 12))
    return found


def pieces(has: Has, weight: float = 1.5) -> list[Dish]:
    """Instructions of which a part is stored: never one that could make a jump of them; SD leaves two that are none any more."""
    here, found = fixed("auipc", rd=HERE, imm=0), []
    value = word_of("addi", {"rd": (VALUE,), "rs1": (0,)}, first_draw=7)
    small = word_of("addi", {"rd": (VALUE,), "rs1": (0,), "imm": (0, -1)}, first_draw=7)
    small.free = 0
    parts = {"sb": ((3, "addi"), (3, "lw"), (3, "addiw")), "sh": ((2, "addi"), (2, "lw"), (2, "addiw")), "sd": ((0, "addi"),)}
    victims = {name: [word_of(name), word_of(name, first_draw=3)] for name in ("addi", "lw", "addiw")}
    for store, places in parts.items():
        for place, name in places:
            stored = small if store == "sd" else value
            words = [here, stored, fixed(store, rs2=VALUE, rs1=HERE, imm=16 + place), FENCE_I, *victims[name]]
            found.append(Dish(f"{store} code", words, weight / 4 / len(places)))
    if has("c.addi"):
        words = [here, value, fixed("sh", rs2=0, rs1=HERE, imm=18), FENCE_I, word_of("c.addi"), word_of("c.addi", first_draw=2),
                 word_of("addi", first_draw=4)]
        found.append(Dish("sh code c.addi", words, weight / 4))
    return found


def zeroed(has: Has, weight: float = 0.25) -> list[Dish]:
    """A block of code, all or the last part of which has run, is zero when it runs again; or two halfwords are.

    Nops around it, so that wherever the block begins it has no part of another instruction: what is left of one could be a jump.
    """
    if not has("cbo.zero"):
        return []
    begin = fixed("andi", rd=HERE, rs1=HERE, imm=-BLOCK)
    zero, flush = ([begin, fixed(name, rs1=HERE)] for name in ("cbo.zero", "cbo.flush"))
    store = [fixed("sw", rs2=0, rs1=HERE, imm=0)]
    found = []
    # How many blocks of nops, where in them both turns begin, and what is changed: where the last block of nops begins.
    for name, blocks, entry, change, share in (("cbo.zero", 2, 0, zero, 0.3), ("cbo.flush", 2, 0, flush, 0.1),
                                               ("cbo.zero, part", 3, 2 * BLOCK + 4, zero, 0.3),
                                               ("sw, part", 2, BLOCK + 2, store, 0.3)):
        size = blocks * BLOCK
        enter_at = [fixed("jal", rd=0, offset=4 + entry)] if entry else []
        again = [fixed("auipc", rd=HERE, imm=0), fixed("addi", rd=HERE, rs1=HERE, imm=-4 - BLOCK),
                 fixed("addi", rd=VALUE, rs1=0, imm=1), *change, FENCE_I]
        words = [fixed("addi", rd=VALUE, rs1=0, imm=0), *enter_at, *[Word(C_NOP << 16 | C_NOP, 4)] * (size // 4),
                 fixed("bne", rs1=VALUE, rs2=0, offset=4 * (len(again) + 2)), *again,
                 fixed("jal", rd=0, offset=-(4 * len(enter_at) + size + 4 + 4 * len(again)))]
        found.append(Dish(f"{name} code", words, weight * share))
    return found


def dishes(has: Has) -> list[Dish]:
    """Changed code, and what there is to change."""
    weights = {Kind.ALU: 20, Kind.BRANCH: 4, Kind.LOAD: 6, Kind.STORE: 6, Kind.FP: 4}
    return [*plain(has, weights), *jumps(has), *traps(has, 0.5), *rewriting(has), *pieces(has), *zeroed(has),
            dish("csrrs", 1, csr=[CSR_NUMBERS["instret"], CSR_NUMBERS["minstret"]], rs1=(0,)), Dish("fence.i", [FENCE_I], 0.5)]


def state(seed: int, batch: Batch) -> None:
    """M, HS and U, VS and VU; all may store to code, and have a second mapping of it."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    level, user, high = draws.below(3), draws.below(2) == 0, draws.below(2) == 0
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    satp = pages.first_stage(draws, batch, HS_TABLES, mode, user, 0, high, alias=True)
    own = pages.high_address(mode, high)
    guest = two_stages(draws, batch, user, alias=True)
    set_csrs(batch, satp=satp, stvec=np.uint64(PAD) + own | draws.one_of((0, 1)),
             pmpaddr3=CODE >> 2, pmpaddr4=CODE_END >> 2, pmpcfg0=PMPCFG0 | OPEN << 32)
    lower = np.where(user, 0, MPP_S) | np.where(level == 2, MPV, 0)
    enter(batch, np.where(level == 0, MPP_M, lower).astype(np.uint64), np.choose(level, (np.uint64(0), own, guest)))
    batch.records[:, R_TRAPS] *= np.uint64(2)                   # a block of zeros has 32 of them
