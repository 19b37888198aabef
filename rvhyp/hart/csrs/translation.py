"""satp, vsatp, hgatp, the environment configurations, PMP: what address translation depends on."""
from rvhyp.hart.csrs.rows import ROW_BITS, reads, write_stored, writes
from rvhyp.hart.paging import forget_tables
from rvhyp.hart.pmp import A_NA4, CFG_A, pmp_config, pmp_write_address, pmp_write_config
from rvhyp.hart.tlb import drop_contexts
from rvhyp.isa.choices import (
    ASIDLEN,
    BARE_FIELDS_ZERO,
    NARROWER,
    PMP_GRAIN,
    TVEC_DIRECT,
    VECTORED_ALIGNMENT,
    VMIDLEN,
    VSATP_WARL,
)
from rvhyp.isa.csr import (
    ATP_MODE,
    ATP_PPN,
    ENVCFG_CBIE,
    ENVCFG_DTE,
    HENVCFG_GATED,
    MENVCFG_WRITABLE,
    MSTATUS_SDT,
    PMP_ENTRIES,
    SATP_ASID,
    SENVCFG_WRITABLE,
)
from rvhyp.isa.rule import rule

PMP_ADDRESSES = [f"pmpaddr{n}" for n in range(PMP_ENTRIES)]


@rule
def valid_mode(h, atp):
    """Bare, 39, 48 or 57 bits, as far as the hart has them."""
    mode = ATP_MODE.get(atp)
    return 1 if (mode == 0) | ((mode >= 8) & (mode <= 10 - NARROWER.get(h.choices))) else 0


@rule
def legal_atp(h, atp, id_bits):
    """satp, vsatp or hgatp without the bits of ASID or VMID above those that there are."""
    if (ATP_MODE.get(atp) == 0) & (BARE_FIELDS_ZERO.get(h.choices) != 0):
        return 0
    return atp & (ATP_MODE.mask | ATP_PPN.mask | (((1 << id_bits) - 1) << 44))


@rule
def replace_atp(h, old, value):
    """satp or vsatp after a write: one with an unsupported MODE is ignored as a whole.

    A new root under the old ASID asks software for a fence; forgetting the translations at once is as legal, and kinder.
    """
    if valid_mode(h, value) == 0:
        return old
    value = legal_atp(h, value, ASIDLEN.get(h.choices))
    if (SATP_ASID.get(old) == SATP_ASID.get(value)) & (ATP_PPN.get(old) != ATP_PPN.get(value)):
        drop_contexts(h)
    h.resync = 1
    return value


@writes("satp")
def write_satp(h, number, value):
    h.satp = replace_atp(h, h.satp, value)


@writes("vsatp")
def write_vsatp(h, number, value):
    if (h.v == 0) & (VSATP_WARL.get(h.choices) != 0) & (valid_mode(h, value) == 0):
        value = ATP_MODE.put(value, ATP_MODE.get(h.vsatp))
    h.vsatp = replace_atp(h, h.vsatp, value)


@writes("hgatp")
def write_hgatp(h, number, value):
    """An unsupported MODE keeps the old one, the other fields are written; the root is aligned to 16 KiB."""
    mode = value if valid_mode(h, value) else h.hgatp
    new = legal_atp(h, ATP_MODE.put(value & ~3, ATP_MODE.get(mode)), VMIDLEN.get(h.choices))
    if (ATP_PPN.get(new) != ATP_PPN.get(h.hgatp)) & ((((new ^ h.hgatp) >> 44) & 0x3FFF) == 0):
        drop_contexts(h)
    h.hgatp = new
    h.resync = 1


@rule
def legal_envcfg(old, value):
    """What a write to an xenvcfg leaves: CBIE keeps its value where it would get the reserved 2."""
    return ENVCFG_CBIE.put(value, ENVCFG_CBIE.get(old)) if ENVCFG_CBIE.get(value) == 2 else value


@rule
def clear_sdt(h):
    """Without DTE, sstatus.SDT and vsstatus.SDT are read-only zero."""
    if ENVCFG_DTE.get(h.menvcfg) == 0:
        h.mstatus = h.mstatus & ~MSTATUS_SDT.mask
    if ENVCFG_DTE.get(h.menvcfg & h.henvcfg) == 0:
        h.vsstatus = h.vsstatus & ~MSTATUS_SDT.mask


@writes("menvcfg")
def write_menvcfg(h, number, value):
    h.menvcfg = legal_envcfg(h.menvcfg, value) & h.menvcfg_writable
    clear_sdt(h)
    h.resync = 1


@writes("senvcfg")
def write_senvcfg(h, number, value):
    h.senvcfg = legal_envcfg(h.senvcfg, value) & SENVCFG_WRITABLE


@reads("henvcfg")
def read_henvcfg(h, number):
    return h.henvcfg & (~HENVCFG_GATED | h.menvcfg)


@writes("henvcfg")
def write_henvcfg(h, number, value):
    mask = MENVCFG_WRITABLE & (~HENVCFG_GATED | h.menvcfg)
    h.henvcfg = (h.henvcfg & ~mask) | (legal_envcfg(h.henvcfg, value) & mask)
    clear_sdt(h)
    h.resync = 1


@writes("stimecmp", "vstimecmp", "htimedelta")
def write_watched(h, number, value):
    """A plain write that interrupts or translation may depend on."""
    write_stored(h, h.csr_table + (number << ROW_BITS), value)
    h.resync = 1


@writes("mtvec", "stvec", "vstvec")
def write_tvec(h, number, value):
    """MODE is Direct, or Vectored where there is that; its BASE may have to be more aligned."""
    if TVEC_DIRECT.get(h.choices):
        value &= ~1
    if value & 1:
        value = (value & ~(VECTORED_ALIGNMENT.get(h.choices) - 1)) | 1
    write_stored(h, h.csr_table + (number << ROW_BITS), value)


@writes(*(f"pmpcfg{n}" for n in range(0, PMP_ENTRIES // 4, 2)))
def write_pmpcfg(h, number, value):
    pmp_write_config(h, (number & 15) >> 1, value)
    forget_tables(h)
    drop_contexts(h)
    h.resync = 1


@reads(*PMP_ADDRESSES)
def read_pmpaddr(h, number):
    """As it matches: below the grain all ones in NAPOT and else zeros, whatever has been written."""
    index = number - 0x3B0
    below = (1 << PMP_GRAIN.get(h.choices)) - 1
    if CFG_A.get(pmp_config(h, index)) & A_NA4:             # NA4 or NAPOT
        return h.pmpaddr[index] | (below >> 1)
    return h.pmpaddr[index] & ~below


@writes(*PMP_ADDRESSES)
def write_pmpaddr(h, number, value):
    pmp_write_address(h, number - 0x3B0, value)
    forget_tables(h)
    drop_contexts(h)
    h.resync = 1
