"""fflags, frm, fcsr."""
from rvhyp.hart.csrs.rows import (
    reads,
    writes,
)
from rvhyp.hart.fp import collect_flags, update_fp_gate
from rvhyp.isa.csr import (
    MSTATUS_FS,
)
from rvhyp.isa.rule import rule


@reads("fflags")
def read_fflags(h, number):
    collect_flags(h)
    return h.fflags


@reads("fcsr")
def read_fcsr(h, number):
    collect_flags(h)
    return h.fflags | (h.frm << 5)


@rule
def set_fcsr(h, flags, mode):
    """Write flags and rounding mode; FS becomes Dirty."""
    collect_flags(h)
    h.fflags = flags & 0x1F
    h.frm = mode & 7
    collect_flags(h)
    h.mstatus = h.mstatus | MSTATUS_FS.mask
    if h.v:
        h.vsstatus = h.vsstatus | MSTATUS_FS.mask
    update_fp_gate(h)


@writes("fflags")
def write_fflags(h, number, value):
    set_fcsr(h, value, h.frm)


@writes("frm")
def write_frm(h, number, value):
    collect_flags(h)
    set_fcsr(h, h.fflags, value)


@writes("fcsr")
def write_fcsr(h, number, value):
    set_fcsr(h, value, value >> 5)
