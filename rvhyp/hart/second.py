"""The second-level TLB: what walks have found, for pages that the small tables of rvhyp.hart.tlb have no place for.

It remembers results of `translate`, page by page, and nothing else: what a page of memory holds (RAM or not, decoded code,
watched bytes) is looked at again wherever one is used.  An entry is two words.  The first is the tag of the other tables, page
and context id, so contexts that forget their id forget these entries too.  The second is the system physical page; low bits say
for which kinds of access it has been walked: those are allowed, and have their A and D bits.  Others hold a generation, which is
a new one whenever ids begin again: nobody has to empty a table of this size then.
"""
from rvhyp.hart.paging import translate
from rvhyp.hart.tlb import GENERATION, KINDS, PAGE, second_entry, widen_range
from rvhyp.isa.cause import M
from rvhyp.isa.rule import load64, rule, store64

HLVX_BIT = 8                    # FETCH, LOAD and STORE have bits 0 to 2


@rule
def find(h, va, size, access, mode, slot, hlvx):
    """As `translate`, which it calls if it must; `slot` is the context's.

    h.page_is_whole says whether every access of this kind to the page may be made as this one.
    """
    if ((mode & 3) == M) | (h.second_tlb == 0):
        return translate(h, va, size, access, mode, hlvx)
    kind = HLVX_BIT if hlvx else 1 << access
    entry = second_entry(h, va)
    tag = (va & ~PAGE) | load64(slot + 8)
    known = load64(entry + 8) if load64(entry) == tag else 0
    if (known & (GENERATION | kind)) == (h.generation | kind):
        h.page_is_whole = 1
        h.leaf_bits = 12                    # the slot's range is that of the first fill
        return (known & ~PAGE) | (va & PAGE)
    pa = translate(h, va, size, access, mode, hlvx)
    if (h.fault != 0) | (h.page_is_whole == 0):
        return pa
    if ((known ^ pa) & ~PAGE) | ((known & GENERATION) ^ h.generation):
        known = 0                           # another page: what was allowed there says nothing
    store64(entry, tag)
    store64(entry + 8, (pa & ~PAGE) | h.generation | (known & KINDS) | kind)
    widen_range(h, va, slot)
    return pa
