"""SFENCE.VMA, HFENCE.VVMA, HFENCE.GVMA, and the invalidations of Svinval that equal them (hypervisor chapter, table of fences).

`*_field` are register numbers: x0 asks for all addresses or all address spaces.  Bits of an ASID or VMID that there are not are
ignored.
"""
from rvhyp.hart.paging import forget_tables
from rvhyp.hart.tlb import fence
from rvhyp.hart.trap import illegal, virtual
from rvhyp.isa.cause import S, U
from rvhyp.isa.choices import ASIDLEN, VMIDLEN
from rvhyp.isa.csr import HGATP_VMID, HSTATUS_VTVM, MISA_H, MSTATUS_TVM
from rvhyp.isa.rule import rule


@rule
def sfence_vma(h, rs1_field, va, rs2_field, asid):
    """Order first-stage translations of the current V: satp's, or vsatp's of the current VMID."""
    if h.prv == U:
        return virtual(h) if h.v else illegal(h)
    if h.v:
        if HSTATUS_VTVM.get(h.hstatus):
            return virtual(h)
    elif (h.prv == S) & (MSTATUS_TVM.get(h.mstatus) != 0):
        return illegal(h)
    fence(h, h.v, rs1_field, va, rs2_field, asid & ((1 << ASIDLEN.get(h.choices)) - 1), h.v, HGATP_VMID.get(h.hgatp))
    return 0


@rule
def sfence_inval(h):
    """SFENCE.W.INVAL and SFENCE.INVAL.IR order nothing here: SINVAL has acted already."""
    if h.prv == U:
        return virtual(h) if h.v else illegal(h)
    return 0


@rule
def forget_guest(h, vmid):
    """Forget all translations of a guest, wherever the hart stands: for a monitor that is no software of the hart's."""
    forget_tables(h)
    fence(h, 1, 0, 0, 0, 0, 1, vmid)
    return 0


@rule
def hypervisor_fence(h):
    """Whether an HFENCE may run: 0 with the trap set if not."""
    if MISA_H.get(h.misa) == 0:
        return illegal(h)
    if h.v:
        return virtual(h)
    if h.prv == U:
        return illegal(h)
    return 1


@rule
def hfence_vvma(h, rs1_field, va, rs2_field, asid):
    """Order VS-stage translations of the current VMID."""
    if hypervisor_fence(h):
        fence(h, 1, rs1_field, va, rs2_field, asid & ((1 << ASIDLEN.get(h.choices)) - 1), 1, HGATP_VMID.get(h.hgatp))
    return 0


@rule
def hfence_gvma(h, rs1_field, gpa, rs2_field, vmid):
    """Order G-stage translations.  Combined entries do not know their guest physical address: all of the VMID go."""
    if hypervisor_fence(h) == 0:
        return 0
    if (h.prv == S) & (MSTATUS_TVM.get(h.mstatus) != 0):
        return illegal(h)
    forget_tables(h)
    fence(h, 1, 0, 0, 0, 0, rs2_field, vmid & ((1 << VMIDLEN.get(h.choices)) - 1))
    return 0
