"""Delegation, and the views of interrupt bits.  State: hvip, software_interrupts, mie; everything else is a view."""
from rvhyp.hart.csrs.rows import reads, writes
from rvhyp.hart.interrupt import LCOFIP, SEIP, SSIP, STIP, VSSIP, delegated_to_vs, menvcfg_stce, pending
from rvhyp.isa.csr import (
    MISA_H,
    S_INTERRUPTS,
    VS_INTERRUPTS,
)
from rvhyp.isa.instruction import EXTENSIONS
from rvhyp.isa.rule import rule

SSCOFPMF, SHLCOFIDELEG = EXTENSIONS["Sscofpmf"].number, EXTENSIONS["Shlcofideleg"].number


@rule
def absent_interrupts(h):
    """LCOFI, unless there is Sscofpmf."""
    return 0 if (h.extensions >> SSCOFPMF) & 1 else LCOFIP


@rule
def virtual_interrupts(h):
    """The VS-level interrupt bits, which exist with H."""
    return VS_INTERRUPTS if MISA_H.get(h.misa) else 0


@reads("medeleg")
def read_medeleg(h, number):
    return h.medeleg if MISA_H.get(h.misa) else h.medeleg & ~(1 << 10 | 15 << 20)


@reads("mideleg")
def read_mideleg(h, number):
    return (h.mideleg & ~VS_INTERRUPTS) | virtual_interrupts(h)


@writes("mideleg")
def write_mideleg(h, number, value):
    h.mideleg = (value & S_INTERRUPTS & ~absent_interrupts(h)) | VS_INTERRUPTS
    h.resync = 1


@reads("hideleg")
def read_hideleg(h, number):
    return delegated_to_vs(h)


@writes("hideleg")
def write_hideleg(h, number, value):
    h.hideleg = value & (VS_INTERRUPTS | LCOFIP if (h.extensions >> SHLCOFIDELEG) & 1 else VS_INTERRUPTS) & h.mideleg
    h.resync = 1


@reads("mie")
def read_mie(h, number):
    return h.mie & ~VS_INTERRUPTS | h.mie & virtual_interrupts(h)


@rule
def set_mie(h, mask, value):
    """Replace some bits of mie."""
    h.mie = (h.mie & ~mask) | (value & mask)
    h.resync = 1


@writes("mie")
def write_mie(h, number, value):
    set_mie(h, (S_INTERRUPTS & ~absent_interrupts(h)) | virtual_interrupts(h) | 1 << 3 | 1 << 7 | 1 << 11, value)


@reads("sie")
def read_sie(h, number):
    return h.mie & h.mideleg & S_INTERRUPTS


@writes("sie")
def write_sie(h, number, value):
    set_mie(h, h.mideleg & S_INTERRUPTS, value)


@reads("hie")
def read_hie(h, number):
    return h.mie & VS_INTERRUPTS


@writes("hie")
def write_hie(h, number, value):
    set_mie(h, VS_INTERRUPTS, value)


@rule
def to_vs_view(h, bits):
    """Bits of mip or mie as vsip and vsie show them: delegated ones, VS-level numbers shifted down by one."""
    delegated = bits & delegated_to_vs(h)
    return ((delegated & VS_INTERRUPTS) >> 1) | (delegated & LCOFIP)


@reads("vsie")
def read_vsie(h, number):
    return to_vs_view(h, h.mie)


@writes("vsie")
def write_vsie(h, number, value):
    delegated = delegated_to_vs(h)
    set_mie(h, delegated & (VS_INTERRUPTS | LCOFIP), ((value << 1) & VS_INTERRUPTS) | (value & LCOFIP))


@reads("mip")
def read_mip(h, number):
    return pending(h) & ~VS_INTERRUPTS | pending(h) & virtual_interrupts(h)


@rule
def set_software(h, mask, value):
    """Replace software-writable pending bits."""
    h.software_interrupts = (h.software_interrupts & ~mask) | (value & mask)
    h.resync = 1


@rule
def set_hvip(h, mask, value):
    """Replace bits of hvip."""
    h.hvip = (h.hvip & ~mask) | (value & mask)
    h.resync = 1


@writes("mip")
def write_mip(h, number, value):
    set_software(h, SSIP | SEIP | (LCOFIP & ~absent_interrupts(h)) | (0 if menvcfg_stce(h) else STIP), value)
    set_hvip(h, VSSIP & virtual_interrupts(h), value)


@reads("sip")
def read_sip(h, number):
    return pending(h) & h.mideleg & S_INTERRUPTS


@writes("sip")
def write_sip(h, number, value):
    set_software(h, h.mideleg & (SSIP | LCOFIP), value)


@reads("hip")
def read_hip(h, number):
    return pending(h) & VS_INTERRUPTS


@writes("hip")
def write_hip(h, number, value):
    set_hvip(h, VSSIP, value)


@writes("hvip")
def write_hvip(h, number, value):
    set_hvip(h, VS_INTERRUPTS, value)


@reads("vsip")
def read_vsip(h, number):
    return to_vs_view(h, pending(h))


@writes("vsip")
def write_vsip(h, number, value):
    delegated = delegated_to_vs(h)
    set_hvip(h, delegated & VSSIP, value << 1)
    set_software(h, delegated & LCOFIP, value)
