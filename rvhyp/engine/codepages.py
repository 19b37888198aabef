"""Decoded code: pages of micro-operations (uops), made from RAM by compiled rules when they are first run.

A page of RAM (4 KiB) decodes to one 16-byte uop for every half-word, so the pc is implied by the uop's address. After the uops
comes `depth`, a 16-bit count for every slot: the instructions from there to the end of its straight line.  A line
ends at an unconditional jump, a SYSTEM instruction, or the end of the page.  Interpreter handlers keep K such that

    instructions left in the slice == K + depth[slot]

which stays constant along a line; only a taken branch changes it, by a difference computed here.

Decoded code depends on bytes of memory alone.  Nothing that a CSR gates is baked in, so a page serves every mode, address space
and hart; a store to its bytes makes it forget (`code_written`).  An instruction across two pages depends on the mapping
of the second, so it is never kept: it is fetched anew each time (`prepare_step`), as is every instruction that is stepped.
"""
from rvhyp.engine.coverage import is_covered
from rvhyp.engine.fusion import fuse
from rvhyp.engine.lines import DEPTH, WORK_LINES, WORK_ORDER, WORK_SLOTS, decode_line, fill_depths, localise
from rvhyp.engine.tables import (
    SPECIAL_DECODE,
    SPECIAL_ILLEGAL,
    SPECIAL_PAGE_END,
)
from rvhyp.engine.uop import expanded, find_row, handler, instruction_bits, write_special, write_uop
from rvhyp.hart.memory import (
    HEADER_CODE,
    HEADER_HOST,
    HEADER_PA,
    HEADER_PAGE_END,
    HEADER_UNDECODED,
    PAGE_BYTES,
    SLOTS,
    UOP_BYTES,
    UOPS_IN_PAGE,
    code_page_entry,
    forget_code,
    ram_host,
)
from rvhyp.hart.paging import translate
from rvhyp.hart.peers import ENTRY_BLOCKS, ENTRY_PAGE, settle
from rvhyp.hart.second import find
from rvhyp.hart.state import FAULT_LEAVE, REASON_BUDGET
from rvhyp.hart.tlb import FETCH_TLB, drop_host_page, flush_mixed, flush_table, tlb_fill
from rvhyp.hart.trap import FETCH, access_fault
from rvhyp.isa.rule import load16, load64, record, rule, store16, store64

POOL_NEXT, POOL_FIRST, POOL_END, POOL_ENTRY = 0, 8, 16, 24      # the pool's header


@rule
def decode_at(h, page, slot):
    """Decode everything in the page that is reachable from a slot by falling through and by branches."""
    settle(h, load64(page + HEADER_CODE))
    h.work_top = 1
    store16(h.worklist + WORK_SLOTS, slot)
    count = 0
    while h.work_top != 0:
        h.work_top -= 1
        first = count
        count = decode_line(h, page, load16(h.worklist + WORK_SLOTS + (h.work_top << 1)), count)
        fill_depths(h, page, first, count)
        store16(h.worklist + WORK_LINES + (h.work_lines << 1), count)
        h.work_lines += 1
    index = 0
    while index < count:
        localise(h, page, load16(h.worklist + WORK_ORDER + (index << 1)))
        index += 1
    first = 0
    line = 0
    while line < h.work_lines:
        last = load16(h.worklist + WORK_LINES + (line << 1))
        fuse(h, page, first, last)
        first = last
        line += 1
    h.work_lines = 0
    return 0


@rule
def flush_pool(h):
    """Forget all decoded pages, of every hart.  Nothing decoded may be running."""
    page = load64(h.pool + POOL_FIRST)
    while page < load64(h.pool + POOL_NEXT):
        store64(load64(page + HEADER_CODE) + ENTRY_PAGE, 0)
        store64(load64(page + HEADER_CODE) + ENTRY_BLOCKS, 0)
        page += PAGE_BYTES
    store64(h.pool + POOL_NEXT, load64(h.pool + POOL_FIRST))
    flush_fetch_of_all(h)


@rule
def flush_fetch_of_all(h):
    """Every hart of the machine (they are linked in a ring) forgets where decoded pages are."""
    flush_table(h, FETCH_TLB)
    flush_mixed(h)
    other = h.next_hart
    while other != h + 0:
        flush_table(record(other), FETCH_TLB)
        flush_mixed(record(other))
        other = next_hart_of(record(other))


@rule
def next_hart_of(h):
    """The ring's next hart."""
    return h.next_hart


@rule
def stop_writes_to(h, host):
    """From now on stores to a page of RAM are seen, on every hart."""
    drop_host_page(h, host)
    flush_mixed(h)                          # it may be there as a page with watched bytes
    other = h.next_hart
    while other != h + 0:
        drop_host_page(record(other), host)
        flush_mixed(record(other))
        other = next_hart_of(record(other))


@rule
def lay_out(h, page, pa, host, entry):
    """Write the header of a decoded page, and mark everything undecoded."""
    store64(page + HEADER_UNDECODED, handler(h, SPECIAL_DECODE))
    store64(page + HEADER_PAGE_END, handler(h, SPECIAL_PAGE_END))
    store64(page + HEADER_PA, pa)
    store64(page + HEADER_HOST, host)
    store64(page + HEADER_CODE, entry)
    forget_code(h, page)
    slot = SLOTS
    while slot < UOPS_IN_PAGE:
        write_special(h, page + (slot << 4), SPECIAL_PAGE_END, 0, 2)
        store16(page + DEPTH + (slot << 1), 0)
        slot += 1


@rule
def prepare_scratch(h):
    """Lay out the page in which single instructions run; it has an entry like others, which no page of RAM leads to."""
    lay_out(h, h.scratch, 0, 0, h.pool + POOL_ENTRY)
    write_special(h, h.scratch + UOP_BYTES, SPECIAL_PAGE_END, 0, 2)
    write_special(h, h.scratch + 2 * UOP_BYTES, SPECIAL_PAGE_END, 0, 2)
    h.page = h.scratch


@rule
def code_page(h, pa):
    """The decoded page of a physical page of RAM, made if need be."""
    entry = code_page_entry(h, pa)
    page = load64(entry + ENTRY_PAGE)
    if page:
        return page
    page = load64(h.pool + POOL_NEXT)
    if page + PAGE_BYTES > load64(h.pool + POOL_END):
        flush_pool(h)
        page = load64(h.pool + POOL_NEXT)
    store64(h.pool + POOL_NEXT, page + PAGE_BYTES)
    host = ram_host(h, pa & ~0xFFF, 4096)
    lay_out(h, page, pa & ~0xFFF, host, entry)
    store64(entry + ENTRY_PAGE, page)
    stop_writes_to(h, host)
    return page


@rule
def fetch_page(h):
    """Enter the decoded page of h.pc in the fetch TLB.  0 with the trap set if it may not be fetched from; 1 if only some of
    its bytes may, so that instructions must be stepped."""
    if h.coverage:
        if is_covered(h):
            h.fault = FAULT_LEAVE
            h.reason = REASON_BUDGET
            return 0
    mode = h.prv | (h.v << 2)
    pa = find(h, h.pc, 2, FETCH, mode, h.fetch_slot, 0)
    if h.fault:
        return 0
    if ram_host(h, pa, 2) == 0:
        return access_fault(h, h.pc, FETCH, h.v)
    if h.page_is_whole == 0:
        return 1
    page = code_page(h, pa)
    tlb_fill(h, FETCH_TLB, h.pc, page + (h.pc & 0xFFF), h.fetch_slot)
    return page


@rule
def fetch_half(h, pc):
    """The half-word at pc, fetched for execution; 0 with the trap set."""
    pa = translate(h, pc, 2, FETCH, h.prv | (h.v << 2), 0)
    if h.fault:
        return 0
    host = ram_host(h, pa, 2)
    if host == 0:
        return access_fault(h, pc, FETCH, h.v)
    return load16(host)


@rule
def fetch(h):
    """Fetch the instruction at h.pc into h.insn, half-word by half-word: 0 with the trap set if that fails."""
    low = fetch_half(h, h.pc)
    if h.fault:
        return 0
    high = fetch_half(h, h.pc + 2) if (low & 3) == 3 else 0
    if h.fault:
        return 0
    h.insn = instruction_bits(low, high)
    return 1


@rule
def prepare_step(h):
    """Fetch and decode the one instruction at h.pc into the scratch page.  0 with the trap set if it cannot be fetched."""
    if fetch(h) == 0:
        return 0
    wide = expanded(h, h.insn)
    length = 4 if (h.insn & 3) == 3 else 2
    row = find_row(h, wide) if wide else 0
    if row == 0:
        write_special(h, h.scratch, SPECIAL_ILLEGAL, h.insn, length)
    else:
        write_uop(h, h.scratch, row, wide, length)
    store16(h.scratch + DEPTH, 1)
    h.page = h.scratch
    h.bias = h.pc - (h.scratch >> 3)
    return 1


@rule
def find_insn(h):
    """Put the bits of the running instruction, at h.pc, in h.insn."""
    if h.page != h.scratch:
        host = load64(h.page + HEADER_HOST) + (h.pc & 0xFFF)
        h.insn = instruction_bits(load16(host), load16(host + 2) if (h.pc & 0xFFF) < 0xFFE else 0)
