"""Address translation: Bare, Sv39, Sv48, Sv57 and their x4 forms, one or two stages (Privileged ISA, chapters
"Supervisor-Level ISA", "Svnapot", "Svpbmt", "Svadu"; hypervisor chapter, "Two-Stage Address Translation").

`translate` is the whole path of an access: first stage (satp or vsatp), G-stage (hgatp), PMP.  A walk either gives an address or
leaves the trap in h.fault.
"""
from rvhyp.hart.memory import notice_store, ram_host
from rvhyp.hart.pmp import MIXED, R, W, X, pmp_permissions
from rvhyp.hart.state import OFFSET, TABLE_PAGES
from rvhyp.hart.trap import FETCH, LOAD, STORE, access_fault, guest_page_fault, page_fault
from rvhyp.isa.cause import M, S, U
from rvhyp.isa.csr import ATP_MODE, ATP_PPN, ENVCFG_ADUE, ENVCFG_PBMTE, MSTATUS_MXR, MSTATUS_SUM
from rvhyp.isa.rule import BitField, compare_and_set64, load64, rule, store64
from rvhyp.isa.word import sext

BARE = 0
PTE_V, PTE_R, PTE_W, PTE_X, PTE_U = 1, 2, 4, 8, 16
PTE_A, PTE_D = 64, 128
PTE_LEAF = PTE_R | PTE_X
PTE_PPN = BitField("PPN", 10, 53)
PTE_PBMT = BitField("PBMT", 61, 62)
PTE_N = 1 << 63
PTE_RESERVED = 0x7F << 54       # bits 60:54
NAPOT_BITS = 16                 # the one size of Svnapot: 64 KiB
NOT_AT_POINTERS = PTE_D | PTE_A | PTE_U | PTE_N | PTE_PBMT.mask

TABLES = OFFSET["table_pages"]
EXPLICIT, IMPLICIT_READ, IMPLICIT_WRITE = 0, 1, 2       # what the G-stage translates: the access itself, or one to a VS-stage PTE


@rule
def pte_is_reserved(pte, config):
    """Whether a PTE is invalid or uses what is reserved; `config` is the xenvcfg that governs its stage."""
    if (pte & PTE_V) == 0:
        return 1
    if (pte & (PTE_R | PTE_W)) == PTE_W:
        return 1
    if pte & PTE_RESERVED:
        return 1
    pbmt = PTE_PBMT.get(pte)
    if pbmt == 0:
        return 0
    return 1 if (pbmt == 3) | (ENVCFG_PBMTE.get(config) == 0) else 0


@rule
def leaf_page_bits(pte, level):
    """log2 of the size of the page that a leaf PTE maps; 0 if it is malformed (misaligned superpage, bad NAPOT)."""
    ppn = PTE_PPN.get(pte)
    if pte & PTE_N:
        return NAPOT_BITS if (level == 0) & ((ppn & 15) == 8) else 0
    bits = 12 + 9 * level
    return bits if (ppn & ((1 << (bits - 12)) - 1)) == 0 else 0


@rule
def leaf_address(pte, bits, va):
    """The address that a leaf maps va to."""
    low = (1 << bits) - 1
    return ((PTE_PPN.get(pte) << 12) & ~low) | (va & low)


@rule
def pte_host(h, pa, va, access, v, permission):
    """Host address of the PTE at pa, accessed as S-mode would; an access fault of the original type if PMP or PMA refuse."""
    host = ram_host(h, pa, 8)
    if (host == 0) | ((pmp_permissions(h, pa, 8, S) & permission) == 0):
        return access_fault(h, va, access, v)
    return host


@rule
def update_pte(h, pa, host, pte, wanted):
    """Set bits of the PTE that a walk has looked at; 0 if another hart has changed it since: the walk looks again (step 9)."""
    if compare_and_set64(host, pte, pte | wanted) == 0:
        return 0
    notice_store(h, pa, 8)
    return 1


@rule
def first_stage_allows(h, pte, access, prv, v, hlvx):
    """U, SUM, R, W, X, MXR of a leaf of satp or vsatp."""
    status = h.vsstatus if v else h.mstatus
    if pte & PTE_U:
        if (prv == S) & ((access == FETCH) | (MSTATUS_SUM.get(status) == 0)):
            return 0
    elif prv == U:
        return 0
    if (access == FETCH) | (hlvx != 0):
        return pte & PTE_X
    if access == STORE:
        return pte & PTE_W
    if ((pte & PTE_X) != 0) & ((MSTATUS_MXR.get(h.mstatus) != 0) | ((v != 0) & (MSTATUS_MXR.get(status) != 0))):
        return 1
    return pte & PTE_R


@rule
def second_stage_allows(h, pte, access, implicit, hlvx):
    """U, R, W, X, MXR of a leaf of hgatp.  MXR never helps an implicit access."""
    if (pte & PTE_U) == 0:
        return 0
    if implicit == IMPLICIT_READ:
        return pte & PTE_R
    if implicit == IMPLICIT_WRITE:
        return pte & PTE_W
    if (access == FETCH) | (hlvx != 0):
        return pte & PTE_X
    if access == STORE:
        return pte & PTE_W
    if ((pte & PTE_X) != 0) & (MSTATUS_MXR.get(h.mstatus) != 0):
        return 1
    return pte & PTE_R


@rule
def table_entry(h, pa):
    """Host address of the entry where a page of page tables would be, by its guest physical or physical address."""
    return h + TABLES + (((pa >> 12) & (TABLE_PAGES - 1)) << 5)


@rule
def table_space(h, v):
    """Who says where such a page is, and that it may be read: hgatp, or PMP alone.  Not 0, as in an entry that is empty."""
    return h.hgatp | 1 if v else 1


@rule
def known_table(h, pa, v):
    """Host address of a PTE to be read, if one of its page has been before and no fence came since, else 0; with v, pa is a
    guest's."""
    entry = table_entry(h, pa)
    if (load64(entry) == (pa >> 12)) & (load64(entry + 8) == table_space(h, v)):
        return load64(entry + 16) + (pa & 0xFFF)
    return 0


@rule
def remember_table(h, pte_address, v, pa, host):
    """A PTE could be read, at pa: so can all of its page, if PMP says the same of it."""
    if (h.second_tlb == 0) | ((pmp_permissions(h, pa & ~0xFFF, 4096, S) & MIXED) != 0):
        return 0
    entry = table_entry(h, pte_address)
    store64(entry, pte_address >> 12)
    store64(entry + 8, table_space(h, v))
    store64(entry + 16, host - (pa & 0xFFF))
    return 0


@rule
def forget_tables(h):
    """After a fence of the G-stage or a change of PMP: no page of page tables is known."""
    index = 0
    while index < TABLE_PAGES:
        store64(h + TABLES + (index << 5) + 8, 0)
        index += 1


@rule
def second_stage(h, gpa, va, access, implicit, hlvx):
    """Guest physical to system physical, by hgatp."""
    mode = ATP_MODE.get(h.hgatp)
    if mode == BARE:
        return gpa
    level = mode - 5
    if gpa >> (level * 9 + 14):
        return guest_page_fault(h, va, gpa, access, implicit)
    table = (ATP_PPN.get(h.hgatp) & ~3) << 12
    index_mask = 2047                                   # the root is four pages; below it, tables are one
    while level != 0:
        level -= 1
        pa = table + (((gpa >> (12 + 9 * level)) & index_mask) << 3)
        host = known_table(h, pa, 0)
        if host == 0:
            host = pte_host(h, pa, va, access, 1, R)
            if h.fault:
                return 0
            remember_table(h, pa, 0, pa, host)
        pte = load64(host)
        if pte_is_reserved(pte, h.menvcfg):
            return guest_page_fault(h, va, gpa, access, implicit)
        if pte & PTE_LEAF:
            bits = leaf_page_bits(pte, level)
            if (bits == 0) | (second_stage_allows(h, pte, access, implicit, hlvx) == 0):
                return guest_page_fault(h, va, gpa, access, implicit)
            is_store = (implicit == IMPLICIT_WRITE) | ((implicit == EXPLICIT) & (access == STORE))
            wanted = PTE_A | PTE_D if is_store else PTE_A
            if (pte & wanted) == wanted:
                return leaf_address(pte, bits, gpa)
            if ENVCFG_ADUE.get(h.menvcfg) == 0:
                return guest_page_fault(h, va, gpa, access, implicit)
            host = pte_host(h, pa, va, access, 1, W)
            if h.fault:
                return 0
            if update_pte(h, pa, host, pte, wanted):
                return leaf_address(pte, bits, gpa)
            level += 1
        elif pte & NOT_AT_POINTERS:
            return guest_page_fault(h, va, gpa, access, implicit)
        else:
            table = PTE_PPN.get(pte) << 12
            index_mask = 511
    return guest_page_fault(h, va, gpa, access, implicit)


@rule
def vs_pte_address(h, pte_address, va, access, v, implicit):
    """Where a first-stage PTE lies: with v, its address is a guest physical one."""
    return second_stage(h, pte_address, va, access, implicit, 0) if v else pte_address


@rule
def set_accessed(h, pte_address, pte, va, access, v, config):
    """Give a first-stage leaf its A and, for a store, D bit: by hardware under ADUE, else by a page fault.

    1 if it has them, 0 if the trap is set or the PTE has changed meanwhile.
    """
    wanted = PTE_A | PTE_D if access == STORE else PTE_A
    if (pte & wanted) == wanted:
        return 1
    if ENVCFG_ADUE.get(config) == 0:
        return page_fault(h, va, access, v)
    pa = vs_pte_address(h, pte_address, va, access, v, IMPLICIT_WRITE)
    if h.fault:
        return 0
    host = pte_host(h, pa, va, access, v, W)
    if h.fault:
        return 0
    return update_pte(h, pa, host, pte, wanted)


@rule
def first_stage(h, va, access, prv, v, hlvx):
    """Virtual to physical by satp, or with v to guest physical by vsatp."""
    atp = h.vsatp if v else h.satp
    mode = ATP_MODE.get(atp)
    if mode == BARE:
        return va
    level = mode - 5
    if sext(va, level * 9 + 12) != va:
        return page_fault(h, va, access, v)
    config = h.henvcfg & h.menvcfg if v else h.menvcfg
    table = ATP_PPN.get(atp) << 12
    while level != 0:
        level -= 1
        pte_address = table + (((va >> (12 + 9 * level)) & 511) << 3)
        host = known_table(h, pte_address, v)
        if host == 0:
            pa = vs_pte_address(h, pte_address, va, access, v, IMPLICIT_READ)
            if h.fault:
                return 0
            host = pte_host(h, pa, va, access, v, R)
            if h.fault:
                return 0
            remember_table(h, pte_address, v, pa, host)
        pte = load64(host)
        if pte_is_reserved(pte, config):
            return page_fault(h, va, access, v)
        if pte & PTE_LEAF:
            bits = leaf_page_bits(pte, level)
            if (bits == 0) | (first_stage_allows(h, pte, access, prv, v, hlvx) == 0):
                return page_fault(h, va, access, v)
            if set_accessed(h, pte_address, pte, va, access, v, config):
                h.leaf_bits = bits          # fences by address act on first-stage pages: tlb_fill wants their size
                return leaf_address(pte, bits, va)
            if h.fault:
                return 0
            level += 1
        elif pte & NOT_AT_POINTERS:
            return page_fault(h, va, access, v)
        else:
            table = PTE_PPN.get(pte) << 12
    return page_fault(h, va, access, v)


@rule
def permission_of(access, hlvx):
    """The PMP permissions an access needs."""
    if hlvx:
        return R | X
    return X if access == FETCH else (R if access == LOAD else W)


@rule
def translate(h, va, size, access, mode, hlvx):
    """System physical address of `size` bytes at va, all in one page, for an effective mode (prv | V << 2).

    h.page_is_whole then says whether PMP has one answer for all of that page.
    """
    prv = mode & 3
    v = mode >> 2
    h.leaf_bits = 63
    pa = va
    if prv != M:
        pa = first_stage(h, va, access, prv, v, hlvx)
        if h.fault:
            return 0
        if v:
            pa = second_stage(h, pa, va, access, EXPLICIT, hlvx)
            if h.fault:
                return 0
    need = permission_of(access, hlvx)
    allowed = pmp_permissions(h, pa & ~0xFFF, 4096, prv)
    h.page_is_whole = 0 if allowed & MIXED else 1
    if (allowed & need) != need:
        if (pmp_permissions(h, pa, size, prv) & need) != need:
            return access_fault(h, va, access, v)
    return pa

