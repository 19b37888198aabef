"""What translated code needs of the hart: TLB fills for its accesses, and its entries among the uops of a decoded page."""
from rvhyp.engine.codepages import decode_at
from rvhyp.engine.lines import depth_of, target_slot
from rvhyp.engine.superinstructions import SEQUENCES
from rvhyp.engine.tables import IS_LOCAL, ROW_FLAGS, ROW_FORMAT
from rvhyp.engine.uop import (
    UOP_DELTA,
    UOP_DISPLACEMENT,
    UOP_LENGTH,
    expanded,
    find_row,
    handler,
    immediate,
    instruction_bits,
    write_uop,
)
from rvhyp.hart.access import fill_for
from rvhyp.hart.memory import HEADER_HOST, HEADER_UNDECODED, SLOTS, ram_host
from rvhyp.hart.second import find
from rvhyp.hart.tlb import READ_TLB, WRITE_TLB, effective_mode, tlb_find
from rvhyp.hart.trap import LOAD, STORE
from rvhyp.isa.choices import MISALIGNED_TRAPS
from rvhyp.isa.rule import load8, load16, load64, rule, store16, store64

REACH = 2 * max(map(len, SEQUENCES))    # half-words before an entry in which a superinstruction that runs over it may begin
PAGE = 0xFFF


@rule
def region_fill(h, va, size, is_write):
    """Host address of an access of translated code whose page was not found in the TLB at once.

    0, with nothing changed that a program could see, if the interpreter must make it: it traps, is a device's, straddles two
    pages, or is to be noticed.
    """
    if (va & (size - 1)) & MISALIGNED_TRAPS.get(h.choices):
        return 0
    if (va & PAGE) + size > 4096:
        return 0
    table = WRITE_TLB if is_write else READ_TLB
    mode = effective_mode(h)
    pa = find(h, va, size, STORE if is_write else LOAD, mode, h.data_slot, 0)
    if h.fault:
        h.fault = 0
        return 0
    host = ram_host(h, pa, size)
    if host == 0:
        return 0
    fill_for(h, table, va, pa, host, mode, h.data_slot)
    if h.resync | h.watch_hit:
        return 0                            # a page table lay beside code or in a watched range: rare, and not seen here
    return tlb_find(h, table, va, h.data_context)


@rule
def write_single(h, page, slot):
    """Give a decoded slot the handler of its own instruction alone, as decoding did before it fused any."""
    host = load64(page + HEADER_HOST)
    insn = instruction_bits(load16(host + (slot << 1)), load16(host + (slot << 1) + 2) if slot < SLOTS - 1 else 0)
    wide = expanded(h, insn)
    row = find_row(h, wide) if wide else 0
    if row == 0:
        return 0
    uop = page + (slot << 4)
    number = write_uop(h, uop, row, wide, load8(uop + UOP_LENGTH))
    if load8(row + ROW_FLAGS) & IS_LOCAL:
        target = target_slot(slot, immediate(h, wide, load8(row + ROW_FORMAT)))
        if target < SLOTS:
            store64(uop, handler(h, number + 1))
            store16(uop + UOP_DISPLACEMENT, (target - slot) << 4)
            store16(uop + UOP_DELTA, depth_of(page, slot) - 1 - depth_of(page, target))
    return number


@rule
def region_decode(h, page, slot):
    """Prepare a slot of a decoded page for translated code: all that it leads to in the page is decoded, so that a store to any
    of it is noticed, and no superinstruction runs over it.
    """
    undecoded = load64(page + HEADER_UNDECODED)
    if load64(page + (slot << 4)) == undecoded:
        decode_at(h, page, slot)
    at = slot - REACH if slot > REACH else 0
    while at < slot:
        before = load64(page + (at << 4))
        if (before != undecoded) & ((before < h.translated_low) | (before >= h.translated_high)):
            write_single(h, page, at)
        at += 1


@rule
def region_install(page, slot, code):
    """Let translated code run where a slot of a decoded page is reached, which `region_decode` has prepared."""
    store64(page + (slot << 4), code)
