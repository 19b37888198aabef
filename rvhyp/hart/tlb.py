"""Translation contexts and the soft TLBs.

A TLB entry maps one 4 KiB page of virtual addresses straight to host memory (both stages, PMP and permissions done).  Its tag
is the page's address with a *context id* in the low bits.  A context is everything a translation depends on
besides the page tables: privilege, V, SUM, MXR, the modes, ASID and VMID.  Changing any of these is a change of id: nothing
is flushed.  A fence makes contexts forget their id, so that old entries can no longer match: its cost does not
depend on how many entries there are.  Behind the small tables is a large one (rvhyp.hart.second), with the same tags.
"""
from rvhyp.hart.state import CONTEXTS, MIXED_ENTRIES, OFFSET, SECOND_ENTRIES, TLB_ENTRIES
from rvhyp.isa.cause import M
from rvhyp.isa.csr import (
    ATP_MODE,
    HGATP_VMID,
    MSTATUS_MPP,
    MSTATUS_MPRV,
    MSTATUS_MPV,
    MSTATUS_MXR,
    MSTATUS_SUM,
    SATP_ASID,
)
from rvhyp.isa.rule import BitField, load64, rule, store64

FETCH_TLB, READ_TLB, WRITE_TLB = OFFSET["fetch_tlb"], OFFSET["read_tlb"], OFFSET["write_tlb"]
MIXED_TLB = OFFSET["mixed_tlb"]
CONTEXT_TABLE = OFFSET["contexts"]
INVALID = (1 << 64) - 1
PAGE = 0xFFF
KINDS, GENERATION, NEXT_GENERATION = 0xF, 0xFF0, 0x10           # low bits of an entry of the second level
SLOT, WAYS = 32, 4              # bytes of a slot; slots of one set
LAST_CONTEXT = 508              # ids fill bits 3..11 of a tag; the last few are reserve for one update

KEY_PRV = BitField("prv", 0, 1)
KEY_V = BitField("V", 2)
KEY_SUM = BitField("SUM", 3)
KEY_MXR = BitField("MXR", 4)
KEY_HS_MXR = BitField("HS MXR", 5)
KEY_MODE = BitField("first-stage MODE", 8, 11)
KEY_G_MODE = BitField("G-stage MODE", 12, 15)
KEY_ASID = BitField("ASID", 16, 31)
KEY_VMID = BitField("VMID", 32, 45)
KEY_VALID = 1 << 63


@rule
def effective_mode(h):
    """Privilege and V (prv | V << 2) of explicit loads and stores: MPRV lends M-mode those of MPP and MPV."""
    if (h.prv == M) & (MSTATUS_MPRV.get(h.mstatus) != 0):
        prv = MSTATUS_MPP.get(h.mstatus)
        v = MSTATUS_MPV.get(h.mstatus)
        return M if prv == M else prv | (v << 2)
    return h.prv | (h.v << 2)


@rule
def context_key(h, mode, is_data):
    """What translations at an effective mode depend on, as one word; never 0.  SUM and MXR matter to data only."""
    prv = mode & 3
    v = mode >> 2
    key = KEY_VALID | mode
    if prv == M:
        return key
    atp = h.vsatp if v else h.satp
    status = h.vsstatus if v else h.mstatus
    if ATP_MODE.get(atp):
        key |= (ATP_MODE.get(atp) << 8) | (SATP_ASID.get(atp) << 16)
        if is_data:
            key |= (MSTATUS_SUM.get(status) << 3) | (MSTATUS_MXR.get(status) << 4)
    if v:
        key |= (ATP_MODE.get(h.hgatp) << 12) | (HGATP_VMID.get(h.hgatp) << 32)
        if is_data:
            key |= MSTATUS_MXR.get(h.mstatus) << 5
    return key


@rule
def context_slot(h, key):
    """Host address of the context's slot; a context without an id gets a fresh one, and a slot that is not in use."""
    first = h + CONTEXT_TABLE + ((key * 0x9E37_79B9_7F4A_7C15) >> 58) * (SLOT * WAYS)
    way = 0
    while way < WAYS:
        if load64(first + way * SLOT) == key:
            return first + way * SLOT
        way += 1
    h.next_context += 1
    way = h.next_context
    slot = first + (way & (WAYS - 1)) * SLOT
    while (slot == h.fetch_slot) | (slot == h.data_slot):
        way += 1
        slot = first + (way & (WAYS - 1)) * SLOT
    store64(slot, key)
    store64(slot + 8, h.next_context << 3)
    store64(slot + 16, INVALID)
    store64(slot + 24, 0)
    return slot


@rule
def update_contexts(h):
    """Recompute the contexts of fetches and data accesses, after anything they depend on has changed."""
    if h.next_context >= LAST_CONTEXT:
        flush_tlbs(h)
    h.fetch_slot = context_slot(h, context_key(h, h.prv | (h.v << 2), 0))
    h.fetch_context = load64(h.fetch_slot + 8)
    h.data_slot = context_slot(h, context_key(h, effective_mode(h), 1))
    h.data_context = load64(h.data_slot + 8)


@rule
def tlb_entry(h, table, va):
    """Host address of the entry where a page's translation would be."""
    return h + table + (((va >> 12) & (TLB_ENTRIES - 1)) << 4)


@rule
def tlb_find(h, table, va, context):
    """Host address of the byte at va, or 0 if the page is not in the table."""
    entry = tlb_entry(h, table, va)
    if load64(entry) == ((va & ~PAGE) | context):
        return va + load64(entry + 8)
    return 0


@rule
def tlb_fill(h, table, va, host, slot):
    """Enter the page of va, whose byte at va is at `host`, under the context of a slot.

    Pages cut from superpages widen the slot's range, in which a fence of one address drops the context.
    """
    entry = tlb_entry(h, table, va)
    store64(entry, (va & ~PAGE) | load64(slot + 8))
    store64(entry + 8, host - va)
    if table != FETCH_TLB:
        h.addend = host - va
    widen_range(h, va, slot)


@rule
def widen_range(h, va, slot):
    """Note in a context that the page just entered was cut from a superpage."""
    if h.leaf_bits > 12:
        low = (va >> h.leaf_bits) << h.leaf_bits
        high = low | ((1 << h.leaf_bits) - 1)
        if low < load64(slot + 16):
            store64(slot + 16, low)
        if high > load64(slot + 24):
            store64(slot + 24, high)


@rule
def mixed_entry(h, va):
    """Host address of the entry of a page that holds decoded code and data."""
    return h + MIXED_TLB + (((va >> 12) & (MIXED_ENTRIES - 1)) << 5)


@rule
def mixed_fill(h, va, host, slot, blocks):
    """Let stores to a page with decoded code go straight to those 64-byte blocks that have none.

    `blocks` is the host address of a word with a bit for each block of decoded code; it is looked at by every such store.
    """
    entry = mixed_entry(h, va)
    store64(entry, (va & ~PAGE) | load64(slot + 8))
    store64(entry + 8, host - va)
    store64(entry + 16, blocks)
    widen_range(h, va, slot)


@rule
def flush_mixed(h):
    """Empty the table of pages with code and data."""
    index = 0
    while index < MIXED_ENTRIES:
        store64(h + MIXED_TLB + (index << 5), INVALID)
        index += 1


@rule
def flush_table(h, table):
    """Empty one TLB."""
    h.kept_context = INVALID
    index = 0
    while index < TLB_ENTRIES:
        store64(h + table + (index << 4), INVALID)
        index += 1


@rule
def second_entry(h, va):
    """Host address of the entry of the second level where a page's translation would be."""
    return h.second_tlb + (((va >> 12) & (SECOND_ENTRIES - 1)) << 4)


@rule
def flush_second(h):
    """Ids begin again: no entry of the second level counts any more.  The table is emptied when generations begin again too."""
    h.generation = (h.generation + NEXT_GENERATION) & GENERATION
    if (h.generation == 0) & (h.second_tlb != 0):
        index = 0
        while index < SECOND_ENTRIES:
            store64(h.second_tlb + (index << 4), 0)
            index += 1


@rule
def drop_contexts(h):
    """Make every context forget its id: no entry can match any more."""
    index = 0
    while index < CONTEXTS:
        store64(h + CONTEXT_TABLE + index * SLOT, 0)
        index += 1


@rule
def flush_tlbs(h):
    """Empty everything and start again with the first id."""
    flush_table(h, FETCH_TLB)
    flush_table(h, READ_TLB)
    flush_table(h, WRITE_TLB)
    flush_mixed(h)
    flush_second(h)
    drop_contexts(h)
    h.next_context = 0


@rule
def drop_page(h, table, va):
    """Drop the entry of one page, whatever its context."""
    h.kept_context = INVALID
    entry = tlb_entry(h, table, va)
    if (load64(entry) ^ va) <= PAGE:
        store64(entry, INVALID)


@rule
def drop_host_page(h, host):
    """Drop all write entries that lead to one page of host memory: its stores must be seen from now on."""
    h.kept_context = INVALID
    index = 0
    while index < TLB_ENTRIES:
        entry = h + WRITE_TLB + (index << 4)
        if (load64(entry) != INVALID) & (((load64(entry) & ~PAGE) + load64(entry + 8)) == host):
            store64(entry, INVALID)
        index += 1


@rule
def fence(h, v, by_va, va, by_asid, asid, by_vmid, vmid):
    """Forget translations of one V: for one address or all, one ASID or all, one VMID or all."""
    index = 0
    while index < CONTEXTS:
        slot = h + CONTEXT_TABLE + index * SLOT
        key = load64(slot)
        hit = (key != 0) & (KEY_V.get(key) == v) & (KEY_PRV.get(key) != M)
        if by_asid:
            hit &= KEY_ASID.get(key) == asid
        if by_vmid:
            hit &= KEY_VMID.get(key) == vmid
        if by_va:
            hit &= (va >= load64(slot + 16)) & (va <= load64(slot + 24))
        if hit:
            store64(slot, 0)
        index += 1
    if by_va:
        drop_page(h, FETCH_TLB, va)
        drop_page(h, READ_TLB, va)
        drop_page(h, WRITE_TLB, va)
        if (load64(mixed_entry(h, va)) ^ va) <= PAGE:
            store64(mixed_entry(h, va), INVALID)
        if h.second_tlb:
            if (load64(second_entry(h, va)) ^ va) <= PAGE:
                store64(second_entry(h, va), 0)
    h.resync = 1
