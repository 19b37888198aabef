"""mstatus, sstatus, vsstatus, misa."""
from rvhyp.hart.csrs.rows import reads, writes
from rvhyp.hart.fp import update_fp_gate
from rvhyp.isa.choices import MISA_H_FIXED, MPP_RESERVED_IS_U
from rvhyp.isa.csr import (
    ENVCFG_DTE,
    HSTATUS_SPV,
    MISA_H,
    MSTATUS_FS,
    MSTATUS_GVA,
    MSTATUS_MPP,
    MSTATUS_MPV,
    MSTATUS_SD,
    MSTATUS_SDT,
    MSTATUS_SIE,
    MSTATUS_UXL,
    MSTATUS_WRITABLE,
    SSTATUS_WRITABLE,
)
from rvhyp.isa.instruction import EXTENSIONS
from rvhyp.isa.rule import rule

H = EXTENSIONS["H"].number
SSTATUS_VISIBLE = SSTATUS_WRITABLE | MSTATUS_UXL.mask


@rule
def with_sd(status):
    """SD summarises FS (there is no other dirty state here)."""
    return status | MSTATUS_SD.mask if MSTATUS_FS.get(status) == 3 else status


@rule
def write_status(h, old, value, mask, envcfg):
    """A status register with its writable bits replaced; MPP takes 0, 1 or 3.

    SDT is read-only zero while `envcfg`.DTE is 0; where a write leaves it 1, SIE becomes 0 (section "Double Trap Control in
    sstatus Register").
    """
    new = (old & ~mask) | (value & mask)
    if ENVCFG_DTE.get(envcfg) == 0:
        new &= ~MSTATUS_SDT.mask
    if MSTATUS_SDT.get(new):
        new &= ~MSTATUS_SIE.mask
    if MSTATUS_MPP.get(new) == 2:
        new = MSTATUS_MPP.put(new, 0 if MPP_RESERVED_IS_U.get(h.choices) else MSTATUS_MPP.get(old))
    return new


@rule
def status_written(h):
    """What depends on the status registers is recomputed before the next instruction."""
    update_fp_gate(h)
    h.resync = 1


@reads("mstatus")
def read_mstatus(h, number):
    return with_sd(h.mstatus)


@writes("mstatus")
def write_mstatus(h, number, value):
    mask = MSTATUS_WRITABLE
    if MISA_H.get(h.misa) == 0:
        mask = MSTATUS_WRITABLE & ~(MSTATUS_MPV.mask | MSTATUS_GVA.mask)
    h.mstatus = write_status(h, h.mstatus, value, mask, h.menvcfg)
    status_written(h)


@reads("sstatus")
def read_sstatus(h, number):
    return with_sd(h.mstatus & SSTATUS_VISIBLE)


@writes("sstatus")
def write_sstatus(h, number, value):
    h.mstatus = write_status(h, h.mstatus, value, SSTATUS_WRITABLE, h.menvcfg)
    status_written(h)


@reads("vsstatus")
def read_vsstatus(h, number):
    return with_sd(h.vsstatus)


@writes("vsstatus")
def write_vsstatus(h, number, value):
    h.vsstatus = write_status(h, h.vsstatus, value, SSTATUS_WRITABLE, h.henvcfg & h.menvcfg)
    status_written(h)


@writes("misa")
def write_misa(h, number, value):
    """H alone is writable, if that, where there is H.  Without it there is no V to return to."""
    if MISA_H_FIXED.get(h.choices):
        return 0
    h.misa = MISA_H.put(h.misa, MISA_H.get(value) & (h.extensions >> H))
    if MISA_H.get(h.misa) == 0:
        h.mstatus = h.mstatus & ~(MSTATUS_MPV.mask | MSTATUS_GVA.mask)
        h.hstatus = h.hstatus & ~HSTATUS_SPV.mask
    h.resync = 1
