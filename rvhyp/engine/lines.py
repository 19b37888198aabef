"""Straight lines of decoded code: what is reachable from a slot of a page, decoded, with the depth of every slot.

A line ends at an unconditional jump, a SYSTEM instruction, or the end of the page.  See `rvhyp.engine.codepages`.
"""
from rvhyp.engine.tables import (
    ENDS_LINE,
    IS_LOCAL,
    ROW_FLAGS,
    ROW_FORMAT,
    SPECIAL_ILLEGAL,
    SPECIAL_STRADDLE,
)
from rvhyp.engine.uop import (
    UOP_DELTA,
    UOP_DISPLACEMENT,
    UOP_IMM,
    UOP_LENGTH,
    expanded,
    find_row,
    handler,
    immediate,
    instruction_bits,
    write_special,
    write_uop,
)
from rvhyp.hart.memory import (
    HEADER_CODE,
    HEADER_HOST,
    HEADER_UNDECODED,
    SLOTS,
    UOP_BYTES,
    UOPS_IN_PAGE,
)
from rvhyp.hart.peers import mark_blocks
from rvhyp.isa.rule import load8, load16, load32, load64, rule, store16, store64

DEPTH = UOP_BYTES * UOPS_IN_PAGE                # of a page: after its uops
# Working memory of decode_at, arrays of half-words: slots to visit, slots in order of decoding, handler number of each slot,
# ends of lines in the order.
WORK_SLOTS, WORK_ORDER, WORK_IDS, WORK_LINES = 0, 1 << 13, 2 << 13, 3 << 13
WORK_BYTES = 4 << 13


@rule
def target_slot(slot, imm):
    """The slot a branch or jump leads to; SLOTS or more if it is outside the page."""
    target = ((slot << 1) + imm) >> 1           # imm may be negative: the sum is not, within the page
    return target if target < SLOTS else SLOTS


@rule
def decode_line(h, page, slot, count):
    """Decode one straight line from a slot; appends its slots to the order, stacks branch targets.  Gives the new count."""
    host = load64(page + HEADER_HOST)
    undecoded = load64(page + HEADER_UNDECODED)
    while slot < SLOTS:
        uop = page + (slot << 4)
        if load64(uop) != undecoded:
            return count
        last = slot + 1 if slot < SLOTS - 1 else slot
        mark_blocks(h, load64(page + HEADER_CODE), (1 << (slot >> 5)) | (1 << (last >> 5)))
        low = load16(host + (slot << 1))
        store16(h.worklist + WORK_ORDER + (count << 1), slot)
        if ((low & 3) == 3) & (slot == SLOTS - 1):
            store16(h.worklist + WORK_IDS + (slot << 1), write_special(h, uop, SPECIAL_STRADDLE, 0, 4))
            return count + 1
        insn = instruction_bits(low, load16(host + (slot << 1) + 2) if slot < SLOTS - 1 else 0)
        length = 4 if (insn & 3) == 3 else 2
        wide = expanded(h, insn)
        row = find_row(h, wide) if wide else 0
        if row == 0:
            store16(h.worklist + WORK_IDS + (slot << 1), write_special(h, uop, SPECIAL_ILLEGAL, insn, length))
            return count + 1
        store16(h.worklist + WORK_IDS + (slot << 1), write_uop(h, uop, row, wide, length))
        count += 1
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
