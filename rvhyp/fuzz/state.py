"""The states that programs start in: registers full of corners, pointers to data, CSRs that let them run."""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz.generate import AT_STATE, Batch
from rvhyp.fuzz.layout import (
    FRAMES,
    PAD,
    PAGE,
    PMPCFG0,
    R_CSR,
    R_F,
    R_LENGTH,
    R_SEED,
    R_TRAPS,
    R_X,
    SLOT_SIZE,
    STATE,
    UNSAID,
    slot_code,
)
from rvhyp.fuzz.menu import ALIGNED, COUNTER, POINTERS, REPEATS
from rvhyp.fuzz.operands import FLOATS, INTEGERS
from rvhyp.fuzz.randomness import MASK64, mixed, words

AT_REGISTERS, AT_FLOATS, AT_REST, AT_CSRS, AT_RANGES = AT_STATE, AT_STATE + 100, AT_STATE + 200, AT_STATE + 300, AT_STATE + 700
TRAPS = 64                              # a program that traps more often ends
MPP_M, FS_DIRTY = 3 << 11, 3 << 13
CSR_PLACE = {name: R_CSR + number for number, name in enumerate(STATE)}
_INTEGERS = np.array(INTEGERS, np.uint64)
_FLOATS = [np.array(FLOATS[width], np.uint64) for width in (64, 32, 16)]
_BOXES = [np.uint64(0), np.uint64(0xFFFF_FFFF_0000_0000), np.uint64(0xFFFF_FFFF_FFFF_0000)]
_ALIGNMENTS = np.array([~7, ~7, ~7, ~15, ~15, ~3, ~1, ~0], np.int64)


class Draws:
    """Random words of each program of a batch, one column after the other; they follow from its genes alone."""

    def __init__(self, seed: int, batch: Batch, first: int = AT_CSRS):
        self.starts = batch.genes.starts
        self.at = first

    def word(self) -> np.ndarray:
        """64 random bits for each program."""
        self.at += 1
        return words(self.starts, self.at, 1)[:, 0]

    def below(self, n: int) -> np.ndarray:
        """A number from 0 to n - 1."""
        return ((self.word() >> np.uint64(16)) % np.uint64(n)).astype(np.int64)

    def one_of(self, values) -> np.ndarray:
        """One of the values."""
        return np.array([value % (1 << 64) for value in values], np.uint64)[self.below(len(values))]

    def integer(self) -> np.ndarray:
        """A corner, or anything."""
        return np.where(self.below(2) == 0, self.one_of(INTEGERS), self.word())


def pointers(draw: np.ndarray, base: int = FRAMES + PAGE) -> np.ndarray:
    """Addresses around the border of the two pages of data, mostly aligned."""
    offset = (draw >> np.uint64(8)).astype(np.int64) % 256 - 128
    offset = np.where(draw & np.uint64(3) == 0, -8 * (offset & 1), offset)         # often at the very border
    offset &= _ALIGNMENTS[(draw >> np.uint64(40)).astype(np.int64) % len(_ALIGNMENTS)]
    return (np.int64(base) + offset).astype(np.uint64)


def fill_state(seed: int, batch: Batch, repeats: int = 1) -> None:
    """Registers, the contents of data, and CSRs for M-mode; targets change these."""
    draws, records = Draws(seed, batch), batch.records
    x = words(draws.starts, AT_REGISTERS, 32)
    corners = _INTEGERS[(x >> np.uint64(8)).astype(np.int64) % len(_INTEGERS)]
    records[:, R_X:R_X + 32] = np.where(x & np.uint64(1) != 0, corners, mixed(x))
    for number in POINTERS:
        records[:, R_X + number] = pointers(x[:, number])
    records[:, R_X + ALIGNED] &= np.uint64(MASK64 - 15)
    records[:, R_X] = 0
    records[:, R_X + REPEATS], records[:, R_X + COUNTER] = repeats, 2
    records[:, R_F:R_F + 32] = _floats(words(draws.starts, AT_FLOATS, 32))
    rest = words(draws.starts, AT_REST, 4)
    records[:, R_SEED] = rest[:, 0]
    records[:, R_TRAPS] = TRAPS * repeats
    slots = batch.slot + np.arange(batch.count, dtype=np.uint64)
    code = np.uint64(slot_code(0)) + slots * np.uint64(SLOT_SIZE)
    frm = np.array([0, 0, 0, 0, 1, 2, 3, 4], np.uint64)[(rest[:, 1] & np.uint64(7)).astype(np.int64)]
    set_csrs(batch, mstatus=MPP_M | FS_DIRTY, vsstatus=FS_DIRTY, mepc=code, stvec=PAD, vstvec=PAD, fcsr=frm << np.uint64(5),
             pmpcfg0=PMPCFG0, **UNSAID)
    assert (records[:, R_LENGTH] > 0).all()


def _floats(f: np.ndarray) -> np.ndarray:
    """Numbers of all formats, corners and others; now and then bits that are no number of a narrow one."""
    result = mixed(f)
    which = (f & np.uint64(3)).astype(np.int64) % 3
    is_corner = f >> np.uint64(60) > 5
    for n, (corners, box) in enumerate(zip(_FLOATS, _BOXES, strict=True)):
        some = corners[(f >> np.uint64(8)).astype(np.int64) % len(corners)]
        result = np.where(which == n, np.where(is_corner, some, result | box), result)
    return result


def set_csrs(batch: Batch, **values) -> None:
    """Values of CSRs: one for all programs, or an array."""
    for name, value in values.items():
        batch.records[:, CSR_PLACE[name]] = value


def csr(batch: Batch, name: str) -> np.ndarray:
    """The column of a CSR."""
    return batch.records[:, CSR_PLACE[name]]
