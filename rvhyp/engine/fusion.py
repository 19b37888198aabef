"""Superinstructions in decoded code: which handlers of a line run as one (rvhyp.engine.superinstructions)."""
from rvhyp.engine.lines import WORK_IDS, WORK_ORDER
from rvhyp.engine.tables import (
    FUSION_BUCKETS,
    FUSION_BYTES,
    FUSION_SHIFT,
    LINK_FURTHEST,
    LINK_RS2,
    LINK_SHIFT,
    USES_RS1,
    USES_RS2,
    WRITES_RD,
)
from rvhyp.engine.uop import UOP_RD, UOP_RS1, UOP_RS2, handler
from rvhyp.isa.rule import load8, load16, load32, rule, store64

NO_HANDLER = 0


@rule
def distance(h, page, first, index, register):
    """How many instructions before the one at `index` a register (as uops name it) was written; 0 if by none from `first` on, or
    further back than a link may lead: it is read from the hart record then, where every part has written its result."""
    at = index
    last = first if index - first < LINK_FURTHEST else index - LINK_FURTHEST
    while at > last:
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
    entry = h.fusions + (((key * 0x9E37_79B9_7F4A_7C15) >> FUSION_SHIFT) & (FUSION_BUCKETS - 1)) * FUSION_BYTES
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
