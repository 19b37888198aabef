"""Cache-block operations: who may use them, and what they check (Unprivileged ISA, chapter "CMO").

CBO.ZERO is a store of the whole block.  Management (CBO.CLEAN, CBO.FLUSH, CBO.INVAL) needs what a load needs, since what may be
stored to may be loaded from; all faults are those of a store, at the address in rs1 as it is, and htinst says nothing of them.
"""
from rvhyp.hart.access import fill_for
from rvhyp.hart.memory import ram_host, write_ram
from rvhyp.hart.paging import permission_of
from rvhyp.hart.pmp import pmp_permissions
from rvhyp.hart.second import find
from rvhyp.hart.tlb import WRITE_TLB, effective_mode, tlb_find
from rvhyp.hart.trap import LOAD, STORE, TRANSFORM, access_fault, illegal, virtual
from rvhyp.isa.cause import M, U
from rvhyp.isa.csr import ENVCFG_CBCFE, ENVCFG_CBIE, ENVCFG_CBZE
from rvhyp.isa.rule import rule, store64

BLOCK = 64
TO_STORE = 2                    # from the cause of a load's exception to that of a store's


@rule
def block_permitted(h, field):
    """Whether menvcfg, henvcfg and senvcfg permit an operation; `field` masks their field for it.  0 with the trap set if not."""
    if h.prv == M:
        return 1
    if (h.menvcfg & field) == 0:
        return illegal(h)
    if ((h.v != 0) & ((h.henvcfg & field) == 0)) | ((h.prv == U) & ((h.senvcfg & field) == 0)):
        return virtual(h) if h.v else illegal(h)
    return 1


@rule
def block_target(h, va, access):
    """Host address of the block around va, its physical one in amo_spa: main memory, to all of which an access is permitted."""
    mode = effective_mode(h)
    pa = find(h, va, 1, access, mode, h.data_slot, 0)
    if h.fault == 0:
        h.amo_spa = pa & ~(BLOCK - 1)
        host = ram_host(h, h.amo_spa, BLOCK)
        if (host != 0) & ((pmp_permissions(h, h.amo_spa, BLOCK, mode & 3) & permission_of(access, 0)) != 0):
            return host
        access_fault(h, va, access, mode >> 2)
    if access == LOAD:
        h.trap_cause += TO_STORE
    if h.trap_inst == TRANSFORM:
        h.trap_inst = 0
    return 0


@rule
def cbo_zero(h, va):
    """CBO.ZERO."""
    if block_permitted(h, ENVCFG_CBZE.mask) == 0:
        return 0
    start = va & ~(BLOCK - 1)
    offset = 0
    host = tlb_find(h, WRITE_TLB, start, h.data_context)
    if host:
        while offset < BLOCK:
            store64(host + offset, 0)
            offset += 8
        return 0
    host = block_target(h, va, STORE)
    if h.fault:
        return 0
    while offset < BLOCK:
        write_ram(h, h.amo_spa + offset, host + offset, 8, 0)
        offset += 8
    fill_for(h, WRITE_TLB, start, h.amo_spa, host, effective_mode(h), h.data_slot)
    return 0


@rule
def manage_block(h, va, field):
    """The checks of CBO.CLEAN, CBO.FLUSH and CBO.INVAL: with coherent memory, nothing else is left of them."""
    if block_permitted(h, field):
        block_target(h, va, LOAD)
    return 0


@rule
def cbo_clean(h, va):
    """CBO.CLEAN and CBO.FLUSH."""
    return manage_block(h, va, ENVCFG_CBCFE.mask)


@rule
def cbo_inval(h, va):
    """CBO.INVAL: whether it discards what was stored or, with a CBIE of 1, flushes it, makes no difference here."""
    return manage_block(h, va, ENVCFG_CBIE.mask)
