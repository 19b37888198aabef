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
from rvhyp.engine.tables import (
    BUCKET_BYTES,
    ENDS_LINE,
    FORMAT_BYTES,
    FORMAT_PIECES,
    FORMAT_SIGN,
    FUSION_BUCKETS,
    FUSION_BYTES,
    IS_LOCAL,
    IS_ROUNDED,
    KIND_F,
    LINK_RS2,
    LINK_SHIFT,
    ROW_BYTES,
    ROW_EXTENSION,
    ROW_FLAGS,
    ROW_FORMAT,
    ROW_HANDLER,
    ROW_MASK,
    ROW_MATCH,
    ROW_RD,
    ROW_RS1,
    ROW_RS2,
    SPECIAL_DECODE,
    SPECIAL_ILLEGAL,
    SPECIAL_PAGE_END,
    SPECIAL_STRADDLE,
    USES_RS1,
    USES_RS2,
    WRITES_RD,
)
from rvhyp.hart.memory import (
    HEADER_BLOCKS,
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
from rvhyp.hart.pmp import MIXED, pmp_permissions
from rvhyp.hart.state import F0, SINK
from rvhyp.hart.tlb import FETCH_TLB, drop_host_page, flush_mixed, flush_table, tlb_fill
from rvhyp.hart.trap import FETCH, access_fault
from rvhyp.isa.rule import load8, load16, load32, load64, record, rule, store8, store16, store32, store64
from rvhyp.isa.word import sext32

UOP_IMM, UOP_RD, UOP_RS1, UOP_RS2, UOP_LENGTH = 8, 12, 13, 14, 15
UOP_DISPLACEMENT, UOP_DELTA = 8, 10             # of a branch within its page: bytes of uops (they fit), change of K
DEPTH = UOP_BYTES * UOPS_IN_PAGE
POOL_NEXT, POOL_FIRST, POOL_END = 0, 8, 16      # the pool's header
# Working memory of decode_at, arrays of half-words: slots to visit, slots in order of decoding, handler number of each slot,
# ends of lines in the order.
WORK_SLOTS, WORK_ORDER, WORK_IDS, WORK_LINES = 0, 1 << 13, 2 << 13, 3 << 13
WORK_BYTES = 4 << 13
NO_HANDLER = 0


@rule
def handler(h, number):
    """Host address of a handler, by its number."""
    return h.code_base + sext32(load32(h.handlers + (number << 2)))


@rule
def find_row(h, insn):
    """Decode row of a 32-bit instruction word; 0 if it is none that this hart has."""
    bucket = h.decode_buckets + ((((insn >> 2) & 31) | (((insn >> 12) & 7) << 5)) * BUCKET_BYTES)
    row = h.decode_rows + load32(bucket) * ROW_BYTES
    count = load32(bucket + 4)
    while count != 0:
        if (insn & load32(row + ROW_MASK)) == load32(row + ROW_MATCH):
            return row if (h.extensions >> load8(row + ROW_EXTENSION)) & 1 else 0
        row += ROW_BYTES
        count -= 1
    return 0


@rule
def immediate(h, insn, number):
    """The immediate of a format, sign-extended to 64 bits where its field is signed."""
    layout = h.imm_formats + number * FORMAT_BYTES
    value = 0
    count = load8(layout)
    piece = layout + FORMAT_PIECES
    while count != 0:
        part = (insn >> load8(piece)) & ((1 << load8(piece + 2)) - 1)
        value |= part << load8(piece + 1)
        piece += 3
        count -= 1
    sign = load8(layout + FORMAT_SIGN)
    if sign:
        if (value >> (sign - 1)) & 1:
            value |= ~0 << sign
    return value


@rule
def operand_index(insn, at, kind):
    """What a uop holds for a five-bit operand field: an index into the hart record, or the bits themselves."""
    number = (insn >> at) & 31
    return number + F0 if kind == KIND_F else number


@rule
def write_uop(h, uop, row, insn, length):
    """Write the uop of a decoded instruction, with the handler that works wherever it stands; gives the handler's number."""
    flags = load8(row + ROW_FLAGS)
    variant = 0 if length == 2 else 1
    imm = immediate(h, insn, load8(row + ROW_FORMAT))
    if flags & IS_ROUNDED:
        rm = (insn >> 12) & 7
        variant = 1 if rm == 7 else (2 if rm == 1 else 3)
        imm = ((insn >> 27) + F0) | (rm << 8)
    number = load16(row + ROW_HANDLER + (variant << 1))
    rd = operand_index(insn, 7, load8(row + ROW_RD))
    if (load8(row + ROW_RD) != KIND_F) & (rd == 0):
        rd = SINK
    store64(uop, handler(h, number))
    store32(uop + UOP_IMM, imm)
    store8(uop + UOP_RD, rd)
    store8(uop + UOP_RS1, operand_index(insn, 15, load8(row + ROW_RS1)))
    store8(uop + UOP_RS2, operand_index(insn, 20, load8(row + ROW_RS2)))
    store8(uop + UOP_LENGTH, length)
    return number


@rule
def write_special(h, uop, number, insn, length):
    """Write a uop that stands for no instruction: `insn` is kept in place of an immediate."""
    store64(uop, handler(h, number))
    store32(uop + UOP_IMM, insn)
    store32(uop + UOP_RD, SINK | (length << 24))
    return number


@rule
def instruction_bits(low, high):
    """The bits of one instruction: 16, or 32 if the low half-word says so."""
    return low | (high << 16) if (low & 3) == 3 else low


@rule
def expanded(h, insn):
    """A 32-bit instruction word for 16 or 32 bits fetched; 0 for a 16-bit word that means nothing (or C is off)."""
    if (insn & 3) == 3:
        return insn
    return load32(h.expansions + (insn << 2)) if (h.extensions >> h.compressed_extension) & 1 else 0


@rule
def target_slot(slot, imm):
    """The slot a branch or jump leads to; SLOTS or more if it is outside the page."""
    target = slot + (imm >> 1)
    return target if target < SLOTS else SLOTS


@rule
def mark_blocks(page, slot, length):
    """Note which 64-byte blocks an instruction lies in."""
    blocks = load64(page + HEADER_BLOCKS) | (1 << (slot >> 5))
    store64(page + HEADER_BLOCKS, blocks | (1 << ((slot + (length >> 1) - 1) >> 5)))


@rule
def decode_line(h, page, slot, count):
    """Decode one straight line from a slot; appends its slots to the order, stacks branch targets.  Gives the new count."""
    host = load64(page + HEADER_HOST)
    undecoded = load64(page + HEADER_UNDECODED)
    while slot < SLOTS:
        uop = page + (slot << 4)
        if load64(uop) != undecoded:
            return count
        low = load16(host + (slot << 1))
        store16(h.worklist + WORK_ORDER + (count << 1), slot)
        if ((low & 3) == 3) & (slot == SLOTS - 1):
            store16(h.worklist + WORK_IDS + (slot << 1), write_special(h, uop, SPECIAL_STRADDLE, 0, 4))
            mark_blocks(page, slot, 2)
            return count + 1
        insn = instruction_bits(low, load16(host + (slot << 1) + 2) if slot < SLOTS - 1 else 0)
        length = 4 if (insn & 3) == 3 else 2
        wide = expanded(h, insn)
        row = find_row(h, wide) if wide else 0
        if row == 0:
            store16(h.worklist + WORK_IDS + (slot << 1), write_special(h, uop, SPECIAL_ILLEGAL, insn, length))
            mark_blocks(page, slot, length)
            return count + 1
        store16(h.worklist + WORK_IDS + (slot << 1), write_uop(h, uop, row, wide, length))
        count += 1
        mark_blocks(page, slot, length)
        flags = load8(row + ROW_FLAGS)
        if flags & IS_LOCAL:
            target = target_slot(slot, immediate(h, wide, load8(row + ROW_FORMAT)))
            if target < SLOTS:
                store16(h.worklist + WORK_SLOTS + (h.work_top << 1), target)
                h.work_top += 1
        if flags & ENDS_LINE:
            return count
        slot += length >> 1
    return count


@rule
def depth_of(page, slot):
    """Instructions from a slot to the end of its line; 0 if undecoded."""
    return load16(page + DEPTH + (slot << 1))


@rule
def fill_depths(h, page, first, count):
    """Depths of a line just decoded, from its end; what follows its last instruction is older, or the page's end."""
    index = count
    while index > first:
        index -= 1
        slot = load16(h.worklist + WORK_ORDER + (index << 1))
        depth = 1
        if is_line_end(h, page, slot) == 0:
            depth += depth_of(page, slot + (load8(page + (slot << 4) + UOP_LENGTH) >> 1))
        store16(page + DEPTH + (slot << 1), depth)


@rule
def is_line_end(h, page, slot):
    """Whether the instruction at a decoded slot ends its line."""
    return load8(h.handler_flags + load16(h.worklist + WORK_IDS + (slot << 1))) & ENDS_LINE


@rule
def localise(h, page, slot):
    """Give a branch or jump whose target is decoded in this page the handler that stays in it."""
    number = load16(h.worklist + WORK_IDS + (slot << 1))
    if (load8(h.handler_flags + number) & IS_LOCAL) == 0:
        return 0
    uop = page + (slot << 4)
    imm = load32(uop + UOP_IMM)
    if imm >> 31:
        imm |= ~0 << 32
    target = target_slot(slot, imm)
    if target == SLOTS:
        return 0
    number += 1                                     # handlers of one instruction: far, then local
    store64(uop, handler(h, number))
    store16(uop + UOP_DISPLACEMENT, (target - slot) << 4)
    store16(uop + UOP_DELTA, depth_of(page, slot) - 1 - depth_of(page, target))
    store16(h.worklist + WORK_IDS + (slot << 1), number)
    return 0


@rule
def distance(h, page, first, index, register):
    """How many instructions before the one at `index` in the order a register (as uops name it) was written, of those from `first` on
    that precede it; 0 if none did."""
    at = index
    while at > first:
        at -= 1
        slot = load16(h.worklist + WORK_ORDER + (at << 1))
        if load8(h.handler_flags + load16(h.worklist + WORK_IDS + (slot << 1))) & WRITES_RD:
            if load8(page + (slot << 4) + UOP_RD) == register:
                return index - at
    return 0


@rule
def links(h, page, first, index):
    """Which operands of an instruction in the order its predecessors computed: see rvhyp.engine.tables.Part."""
    slot = load16(h.worklist + WORK_ORDER + (index << 1))
    uop = page + (slot << 4)
    flags = load8(h.handler_flags + load16(h.worklist + WORK_IDS + (slot << 1)))
    found = 0
    if flags & USES_RS1:
        found = distance(h, page, first, index, load8(uop + UOP_RS1))
    if flags & USES_RS2:
        found |= distance(h, page, first, index, load8(uop + UOP_RS2)) << LINK_RS2
    return found


@rule
def fused(h, first, second):
    """Number of the superinstruction of two handlers in a row (links in the second's upper bits); 0 if there is none."""
    key = (first << 16) | second
    entry = h.fusions + (((key * 0x9E37_79B9_7F4A_7C15) >> 54) & (FUSION_BUCKETS - 1)) * FUSION_BYTES
    way = 0
    while way < FUSION_BYTES:
        if load32(entry + way) == key:
            return load16(entry + way + 4)
        way += 8
    return NO_HANDLER


@rule
def fuse(h, page, first, count):
    """Replace handlers by superinstructions, the longest that fits at each slot of a line.  Only the handler changes: every
    part reads its own uop, so a jump into the middle of a sequence finds what it would have found."""
    index = first
    while index < count:
        slot = load16(h.worklist + WORK_ORDER + (index << 1))
        number = load16(h.worklist + WORK_IDS + (slot << 1))
        following = index + 1
        while following < count:
            second = load16(h.worklist + WORK_IDS + (load16(h.worklist + WORK_ORDER + (following << 1)) << 1))
            longer = fused(h, number, second | (links(h, page, index, following) << LINK_SHIFT))
            if longer == NO_HANDLER:
                longer = fused(h, number, second)
            if longer == NO_HANDLER:
                following = count
            else:
                number = longer
                following += 1
        if number != load16(h.worklist + WORK_IDS + (slot << 1)):
            store64(page + (slot << 4), handler(h, number))
        index += 1


@rule
def decode_at(h, page, slot):
    """Decode everything in the page that is reachable from a slot by falling through and by branches."""
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


# Pages.

@rule
def flush_pool(h):
    """Forget all decoded pages, of every hart.  Nothing decoded may be running."""
    page = load64(h.pool + POOL_FIRST)
    while page < load64(h.pool + POOL_NEXT):
        store64(load64(page + HEADER_CODE), 0)
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
    other = h.next_hart
    while other != h + 0:
        drop_host_page(record(other), host)
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
    """Lay out the page in which single instructions run."""
    lay_out(h, h.scratch, 0, 0, 0)
    write_special(h, h.scratch + UOP_BYTES, SPECIAL_PAGE_END, 0, 2)
    write_special(h, h.scratch + 2 * UOP_BYTES, SPECIAL_PAGE_END, 0, 2)
    h.page = h.scratch


@rule
def code_page(h, pa):
    """The decoded page of a physical page of RAM, made if need be."""
    entry = code_page_entry(h, pa)
    page = load64(entry)
    if page:
        return page
    page = load64(h.pool + POOL_NEXT)
    if page + PAGE_BYTES > load64(h.pool + POOL_END):
        flush_pool(h)
        page = load64(h.pool + POOL_NEXT)
    store64(h.pool + POOL_NEXT, page + PAGE_BYTES)
    host = ram_host(h, pa & ~0xFFF, 4096)
    lay_out(h, page, pa & ~0xFFF, host, entry)
    store64(entry, page)
    stop_writes_to(h, host)
    return page


@rule
def fetch_page(h):
    """Enter the decoded page of h.pc in the fetch TLB.  0 with the trap set if it may not be fetched from; 1 if only some of
    its bytes may, so that instructions must be stepped."""
    mode = h.prv | (h.v << 2)
    pa = translate(h, h.pc, 2, FETCH, mode, 0)
    if h.fault:
        return 0
    if ram_host(h, pa, 2) == 0:
        return access_fault(h, h.pc, FETCH, h.v)
    if pmp_permissions(h, pa & ~0xFFF, 4096, h.prv) & MIXED:
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
