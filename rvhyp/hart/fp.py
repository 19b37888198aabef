"""Floating-point state: whether it may be used, who dirtied it, the flags (Unprivileged ISA, chapter 21; mstatus.FS)."""
from rvhyp.hart.state import FP_CLEAN, FP_MODE, FP_OFF
from rvhyp.isa.csr import MSTATUS_FS
from rvhyp.isa.rule import host_flags, rule, set_host_mode

OFF, DIRTY = 0, 3
LAST_HOST_MODE = 3              # RNE, RTZ, RDN, RUP; RMM and the reserved modes are not the host's


@rule
def update_fp_gate(h):
    """Recompute what a floating-point instruction must not ignore.  With V=1, vsstatus.FS counts too."""
    gate = 0
    if (MSTATUS_FS.get(h.mstatus) == OFF) | ((h.v != 0) & (MSTATUS_FS.get(h.vsstatus) == OFF)):
        gate = FP_OFF
    if (MSTATUS_FS.get(h.mstatus) != DIRTY) | ((h.v != 0) & (MSTATUS_FS.get(h.vsstatus) != DIRTY)):
        gate |= FP_CLEAN
    if h.frm > LAST_HOST_MODE:
        gate |= FP_MODE
    h.fp_gate = gate


@rule
def fp_dirty(h):
    """The floating-point state changes: FS becomes Dirty, with V=1 in both status registers."""
    h.mstatus = h.mstatus | MSTATUS_FS.mask
    if h.v:
        h.vsstatus = h.vsstatus | MSTATUS_FS.mask
    update_fp_gate(h)


@rule
def collect_flags(h):
    """Move the flags that the host's unit accrued to fflags, and give it the rounding mode of frm.

    Outside the engine the unit is Python's own.
    """
    if h.running:
        h.fflags = h.fflags | host_flags()
        set_host_mode(h.frm if h.frm <= LAST_HOST_MODE else 0)


@rule
def fp_begin(h, rm_field, has_rounding):
    """Open the slow path of a floating-point instruction: 1 if it is illegal (FS Off, reserved rounding mode).

    Flags are collected first, so that fp_end sees in fflags what this instruction alone adds to none.
    """
    if h.fp_gate & FP_OFF:
        return 1
    if has_rounding:
        if (h.frm if rm_field == 7 else rm_field) > 4:
            return 1
    collect_flags(h)
    h.fflags_before = h.fflags
    h.fflags = 0
    return 0


@rule
def fp_rounding(h, rm_field):
    """The rounding mode that an rm field asks for."""
    return h.frm if rm_field == 7 else rm_field


@rule
def fp_end(h, writes_f):
    """Close the slow path: FS becomes Dirty if an f register was written or a flag raised."""
    if (writes_f != 0) | (h.fflags != 0):
        fp_dirty(h)
    h.fflags = h.fflags | h.fflags_before
    return 0
