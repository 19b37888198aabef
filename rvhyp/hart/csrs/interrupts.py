"""Delegation, and the views of interrupt bits.  State: hvip, software_interrupts, mie; everything else is a view."""
from rvhyp.hart.csrs.rows import reads, writes
from rvhyp.hart.interrupt import LCOFIP, SEIP, SGEIP, SSIP, STIP, VSSIP, delegated_to_vs, menvcfg_stce, pending
from rvhyp.isa.choices import GEILEN
from rvhyp.isa.csr import (
    ALL,
    HSTATUS_VGEIN,
    HSTATUS_WRITABLE,
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
def hypervisor_interrupts(h):
    """The interrupts that are HS's to keep or to give to VS: those of the VS level, and SGEI where there is any behind it."""
    return VS_INTERRUPTS | SGEIP if GEILEN.get(h.choices) else VS_INTERRUPTS


@rule
def virtual_interrupts(h):
    """The same, which exist with H."""
    return hypervisor_interrupts(h) if MISA_H.get(h.misa) else 0


@reads("medeleg")
def read_medeleg(h, number):
    return h.medeleg if MISA_H.get(h.misa) else h.medeleg & ~(1 << 10 | 15 << 20)


@reads("mideleg")
def read_mideleg(h, number):
    return (h.mideleg & S_INTERRUPTS) | virtual_interrupts(h)


@writes("medeleg")
def write_medeleg(h, number, value):
    h.medeleg = value & h.medeleg_writable


@writes("mideleg")
def write_mideleg(h, number, value):
    h.mideleg = (value & S_INTERRUPTS & ~absent_interrupts(h)) | hypervisor_interrupts(h)
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
    return h.mie & ~(VS_INTERRUPTS | SGEIP) | h.mie & virtual_interrupts(h)


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
    return h.mie & (VS_INTERRUPTS | SGEIP)


@writes("hie")
def write_hie(h, number, value):
    set_mie(h, hypervisor_interrupts(h), value)


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
    return pending(h) & ~(VS_INTERRUPTS | SGEIP) | pending(h) & virtual_interrupts(h)


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
    return pending(h) & (VS_INTERRUPTS | SGEIP)


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


@writes("hgeie")
def write_hgeie(h, number, value):
    """Bits GEILEN to 1."""
    h.hgeie = value & (ALL >> (63 - GEILEN.get(h.choices))) & ~1
    h.resync = 1


@writes("hstatus")
def write_hstatus(h, number, value):
    """VGEIN holds 0 to GEILEN: another value leaves it as it is."""
    vgein = HSTATUS_VGEIN.get(value)
    if vgein > GEILEN.get(h.choices):
        vgein = HSTATUS_VGEIN.get(h.hstatus)
    h.hstatus = HSTATUS_VGEIN.put((h.hstatus & ~HSTATUS_WRITABLE) | (value & HSTATUS_WRITABLE), vgein)
    h.resync = 1
