"""Traps: how a rule reports one, how the hart takes it, and the returns from it (Privileged ISA; hypervisor chapter, "Traps")."""
from rvhyp.hart.counters import count_trap, restart_counters
from rvhyp.hart.fp import update_fp_gate
from rvhyp.hart.state import FAULT_TRAP, MONITOR_STUB, NOT_IN_STUB, REASON_HS_TRAP, REASON_TRAP, REASON_TRAP_LOOP
from rvhyp.hart.tlb import update_contexts
from rvhyp.isa.cause import (
    BREAKPOINT,
    DOUBLE_TRAP,
    ECALL_M,
    ECALL_S,
    ECALL_U,
    ECALL_VS,
    ILLEGAL_INSTRUCTION,
    VIRTUAL_INSTRUCTION,
    M,
    S,
    U,
)
from rvhyp.isa.choices import EBREAK_TVAL_ZERO, ILLEGAL_TVAL_ZERO, TINST_ZERO, TVAL2_ZERO
from rvhyp.isa.csr import (
    ENVCFG_DTE,
    HSTATUS_GVA,
    HSTATUS_SPV,
    HSTATUS_SPVP,
    HSTATUS_VTSR,
    MSTATUS_GVA,
    MSTATUS_MIE,
    MSTATUS_MPIE,
    MSTATUS_MPP,
    MSTATUS_MPRV,
    MSTATUS_MPV,
    MSTATUS_SDT,
    MSTATUS_SIE,
    MSTATUS_SPIE,
    MSTATUS_SPP,
    MSTATUS_TSR,
)
from rvhyp.isa.rule import load32, rule

FETCH, LOAD, STORE = 0, 1, 2
TRANSFORM = 1                           # stands for "the transformed instruction" in trap_inst until the trap is taken
PSEUDO_READ, PSEUDO_WRITE = 0x3000, 0x3020
TRAP_LOOP = 1000                        # traps in a row without a retired instruction: nothing can ever change
INTERRUPT_BIT = 1 << 63


# Reporting: each sets the trap that the running instruction ends in, and returns 0.

@rule
def raise_trap(h, cause, tval):
    """A trap whose tval is not a guest virtual address."""
    h.fault = FAULT_TRAP
    h.trap_cause = cause
    h.trap_tval = tval
    h.trap_gva = 0
    h.trap_tval2 = 0
    h.trap_inst = 0
    h.trap_offset = 0
    return 0


@rule
def illegal(h):
    """Illegal-instruction exception; tval becomes the instruction's bits when the trap is taken."""
    return raise_trap(h, ILLEGAL_INSTRUCTION, 0)


@rule
def virtual(h):
    """Virtual-instruction exception: the guest may not, its hypervisor could."""
    return raise_trap(h, VIRTUAL_INSTRUCTION, 0)


@rule
def raise_at(h, cause, va, v, access):
    """An exception of an access at va, made with effective V `v`."""
    raise_trap(h, cause, va)
    h.trap_gva = v
    h.trap_inst = 0 if access == FETCH else TRANSFORM
    return 0


@rule
def page_fault(h, va, access, v):
    """Causes 12, 13, 15."""
    return raise_at(h, 12 + access + (access >> 1), va, v, access)


@rule
def access_fault(h, va, access, v):
    """Causes 1, 5, 7."""
    return raise_at(h, 1 + access * 4 - ((access >> 1) << 1), va, v, access)


@rule
def misaligned(h, va, access, v):
    """Causes 4 and 6."""
    return raise_at(h, 2 + access * 2, va, v, access)


@rule
def guest_page_fault(h, va, gpa, access, implicit):
    """Causes 20, 21, 23: the G-stage refused gpa.  `implicit` is 1 for the read of a VS-stage PTE, 2 for its update."""
    raise_at(h, 20 + access + (access >> 1), va, 1, access)
    if TVAL2_ZERO.get(h.choices):
        if implicit:
            h.trap_inst = 0                 # a pseudoinstruction would tell what kind of address htval has
        return 0
    h.trap_tval2 = gpa >> 2
    if implicit == 1:
        h.trap_inst = PSEUDO_READ
    elif implicit == 2:
        h.trap_inst = PSEUDO_WRITE
    return 0


@rule
def transformed_instruction(h):
    """The instruction in h.insn as htinst and mtinst report it (section "Transformed Instruction or Pseudoinstruction")."""
    if TINST_ZERO.get(h.choices):
        return 0
    insn = h.insn
    compressed = (insn & 3) != 3
    if compressed:
        insn = load32(h.expansions + ((insn & 0xFFFF) << 2))
    opcode = insn & 0x7F
    if (opcode == 0x03) | (opcode == 0x07):
        insn &= 0x0000_7FFF
    elif (opcode == 0x23) | (opcode == 0x27):
        insn &= 0x01F0_707F
    insn = (insn & ~0x000F_8000) | (h.trap_offset << 15)
    return insn & ~2 if compressed else insn


# Taking.

@rule
def vector(tvec, cause):
    """Where a trap with this cause is taken."""
    base = tvec & ~3
    if ((tvec & 3) == 1) & ((cause >> 63) != 0):
        return base + ((cause & 63) << 2)
    return base


@rule
def trap_to_m(h, cause, tval, gva, tval2, tinst):
    """Write the M-level trap state."""
    status = MSTATUS_MPIE.put(h.mstatus, MSTATUS_MIE.get(h.mstatus))
    status = MSTATUS_MPV.put(MSTATUS_MPP.put(status & ~MSTATUS_MIE.mask, h.prv), h.v)
    h.mstatus = MSTATUS_GVA.put(status, gva)
    h.mepc = h.pc
    h.mcause = cause
    h.mtval = tval
    h.mtval2 = tval2
    h.mtinst = tinst
    h.prv = M
    h.v = 0
    h.pc = vector(h.mtvec, cause)


@rule
def trap_to_hs(h, cause, tval, gva, tval2, tinst):
    """Write the HS-level trap state; SPVP keeps its value unless the trap comes from V=1."""
    status = MSTATUS_SPIE.put(h.mstatus, MSTATUS_SIE.get(h.mstatus))
    status = MSTATUS_SDT.put(status, ENVCFG_DTE.get(h.menvcfg))
    h.mstatus = MSTATUS_SPP.put(status & ~MSTATUS_SIE.mask, h.prv)
    hstatus = HSTATUS_GVA.put(HSTATUS_SPV.put(h.hstatus, h.v), gva)
    h.hstatus = HSTATUS_SPVP.put(hstatus, h.prv) if h.v else hstatus
    h.sepc = h.pc
    h.scause = cause
    h.stval = tval
    h.htval = tval2
    h.htinst = tinst
    h.prv = S
    h.v = 0
    h.pc = vector(h.stvec, cause)


@rule
def trap_to_vs(h, cause, tval):
    """Write the VS-level trap state; a VS-level interrupt has the number of its S-level counterpart."""
    code = cause & 63
    if ((cause >> 63) != 0) & ((code == 2) | (code == 6) | (code == 10)):
        cause -= 1
    status = MSTATUS_SPIE.put(h.vsstatus, MSTATUS_SIE.get(h.vsstatus))
    status = MSTATUS_SDT.put(status, ENVCFG_DTE.get(h.henvcfg & h.menvcfg))
    h.vsstatus = MSTATUS_SPP.put(status & ~MSTATUS_SIE.mask, h.prv)
    h.vsepc = h.pc
    h.vscause = cause
    h.vstval = tval
    h.prv = S
    h.pc = vector(h.vstvec, cause)


@rule
def enter_trap(h, cause, tval, gva, tval2, tinst):
    """Take a trap at h.pc into the mode it is delegated to.  1 if that is HS and a monitor is attached: leave the engine.

    One that comes while SDT of its target is 1 is unexpected: a double trap into M, with the cause in mtval2.
    """
    code = cause & 63
    is_interrupt = cause >> 63
    to_s = ((h.mideleg if is_interrupt else h.medeleg) >> code) & 1
    to_vs = ((h.hideleg if is_interrupt else h.hedeleg) >> code) & h.v & 1
    leave = 0
    h.reservation = 0
    h.traps += 1
    if h.counters_of_traps:
        count_trap(h)
    if (h.prv == M) | (to_s == 0):
        trap_to_m(h, cause, tval, gva, tval2, tinst)
    elif MSTATUS_SDT.get(h.vsstatus if to_vs else h.mstatus):
        trap_to_m(h, DOUBLE_TRAP, tval, gva, cause, tinst)
    elif to_vs:
        trap_to_vs(h, cause, tval)
    else:
        trap_to_hs(h, cause, tval, gva, tval2, tinst)
        if (h.monitor == MONITOR_STUB) & (cause == ECALL_VS):
            h.stub_instret = h.slice_end - h.budget
        elif h.monitor:
            leave = 1
            h.reason = REASON_HS_TRAP
    if (h.stop_at_traps != 0) & (leave == 0):
        leave = 1
        h.reason = REASON_TRAP
    if h.counters_filtered:
        restart_counters(h)
    update_contexts(h)
    update_fp_gate(h)
    return leave


@rule
def deliver(h):
    """Take the trap that the instruction at h.pc (its bits in h.insn) ended in.  1 if the engine must leave."""
    h.fault = 0
    instret = h.slice_end - h.budget
    if instret != h.trap_instret:
        h.trap_instret = instret
        h.trap_repeats = 0
    h.trap_repeats += 1
    if h.trap_repeats > TRAP_LOOP:
        h.trap_repeats = 0
        h.reason = REASON_TRAP_LOOP
        return 1
    cause = h.trap_cause
    tval = h.trap_tval
    if (cause == ILLEGAL_INSTRUCTION) | (cause == VIRTUAL_INSTRUCTION):
        tval = 0 if ILLEGAL_TVAL_ZERO.get(h.choices) else h.insn
    tinst = transformed_instruction(h) if h.trap_inst == TRANSFORM else h.trap_inst
    return enter_trap(h, cause, tval, h.trap_gva, h.trap_tval2, tinst)


@rule
def inject(h, cause, tval):
    """For a monitor in HS: give the guest that trapped to it a trap of its own, as if delegated to VS at sepc.

    SRET then continues at the guest's vector; what the guest sees is what trap_to_vs writes.
    """
    handler = h.pc
    h.pc = h.sepc
    h.prv = MSTATUS_SPP.get(h.mstatus)
    trap_to_vs(h, cause, tval)
    h.sepc = h.pc
    h.mstatus = h.mstatus | MSTATUS_SPP.mask
    h.pc = handler


# Instructions that trap or return.

@rule
def ecall(h):
    """Environment call from the current mode."""
    if h.prv == U:
        return raise_trap(h, ECALL_U, 0)
    if h.prv == M:
        return raise_trap(h, ECALL_M, 0)
    return raise_trap(h, ECALL_VS if h.v else ECALL_S, 0)


@rule
def ebreak(h):
    """Breakpoint; tval is the pc, which is a guest virtual address when V=1, or 0 by choice."""
    if EBREAK_TVAL_ZERO.get(h.choices):
        return raise_trap(h, BREAKPOINT, 0)
    raise_trap(h, BREAKPOINT, h.pc)
    h.trap_gva = h.v
    return 0


@rule
def after_return(h, prv, v, pc):
    """Continue in a mode at a pc, as every xRET does.  Leaving M-mode clears MPRV; VU begins with vsstatus.SDT 0."""
    h.prv = prv
    h.v = v
    h.next_pc = pc
    h.reservation = 0
    if prv != M:
        h.mstatus = h.mstatus & ~MSTATUS_MPRV.mask
    if (prv == U) & (v != 0):
        h.vsstatus = h.vsstatus & ~MSTATUS_SDT.mask
    update_fp_gate(h)
    h.resync = 1
    return 0


@rule
def mret(h):
    """MRET: to MPP and MPV.  Where that is below HS, traps into HS are expected."""
    if h.prv != M:
        return illegal(h)
    prv = MSTATUS_MPP.get(h.mstatus)
    v = MSTATUS_MPV.get(h.mstatus) if prv != M else 0
    status = MSTATUS_MIE.put(h.mstatus, MSTATUS_MPIE.get(h.mstatus)) | MSTATUS_MPIE.mask
    h.mstatus = status & ~(MSTATUS_MPP.mask | MSTATUS_MPV.mask)
    if (prv == U) | (v != 0):
        h.mstatus = h.mstatus & ~MSTATUS_SDT.mask
    return after_return(h, prv, v, h.mepc)


@rule
def leave_stub(h):
    """If the monitor's stub executes its last instruction: it retires none, as Python does in its place.  Whether it does."""
    if h.stub_instret == NOT_IN_STUB:
        return 0
    h.slice_end -= h.slice_end - h.budget + 1 - h.stub_instret
    h.stub_instret = NOT_IN_STUB
    return 1


@rule
def sret(h):
    """SRET: with V=0 to SPP and hstatus.SPV, with V=1 to vsstatus.SPP.  It clears SDT of the register it returns by."""
    if h.v:
        if (h.prv == U) | (HSTATUS_VTSR.get(h.hstatus) != 0):
            return virtual(h)
        status = MSTATUS_SIE.put(h.vsstatus, MSTATUS_SPIE.get(h.vsstatus)) | MSTATUS_SPIE.mask
        prv = MSTATUS_SPP.get(status)
        h.vsstatus = status & ~(MSTATUS_SPP.mask | MSTATUS_SDT.mask)
        return after_return(h, prv, 1, h.vsepc)
    if (h.prv == U) | ((h.prv == S) & (MSTATUS_TSR.get(h.mstatus) != 0)):
        return illegal(h)
    status = MSTATUS_SIE.put(h.mstatus, MSTATUS_SPIE.get(h.mstatus)) | MSTATUS_SPIE.mask
    prv = MSTATUS_SPP.get(status)
    h.mstatus = status & ~(MSTATUS_SPP.mask | MSTATUS_SDT.mask)
    v = HSTATUS_SPV.get(h.hstatus)
    h.hstatus = h.hstatus & ~HSTATUS_SPV.mask
    if leave_stub(h):
        h.skipped_cycles += h.stub_cycles
        h.trap_repeats = 0
    return after_return(h, prv, v, h.sepc)
