"""Interrupts, the clock, and what a hart does between two instructions (Privileged ISA; hypervisor chapter; Sstc)."""
from rvhyp.hart.counters import restart_counters
from rvhyp.hart.fp import LAST_HOST_MODE, update_fp_gate
from rvhyp.hart.memory import forget_stale
from rvhyp.hart.peers import see_epoch
from rvhyp.hart.state import NOT_IN_STUB, REASON_BUDGET, REASON_HS_TRAP, REASON_WFI
from rvhyp.hart.tlb import update_contexts
from rvhyp.hart.trap import enter_trap, illegal, leave_stub, sret, virtual
from rvhyp.isa.cause import M, U
from rvhyp.isa.choices import WFI_IS_NOP
from rvhyp.isa.csr import ENVCFG_STCE, HSTATUS_VGEIN, HSTATUS_VTW, MISA_H, MSTATUS_MIE, MSTATUS_SIE, MSTATUS_TW
from rvhyp.isa.rule import host_flags, host_nanoseconds, rule, set_host_mode
from rvhyp.isa.word import div_u

SSIP, VSSIP, MSIP = 1 << 1, 1 << 2, 1 << 3
STIP, VSTIP, MTIP = 1 << 5, 1 << 6, 1 << 7
SEIP, VSEIP, MEIP = 1 << 9, 1 << 10, 1 << 11
SGEIP = 1 << 12
LCOFIP = 1 << 13
FAR = 1 << 40                   # ticks: an event further away ends no slice
TICK = 100                      # nanoseconds
STUB_LENGTH = 64                # instructions that it executes at most
LOOK_PERIOD = 20_000            # instructions between two looks at the host's clock, and at what other harts have done


@rule
def ticks(h):
    """mtime: the clock in ticks of the timebase.  Virtual time: retired instructions, and what WFI and exits skipped; else the
    host's.
    """
    if h.host_clock:
        return div_u(host_nanoseconds(h.host_clock), TICK) - h.clock_zero
    return div_u(h.slice_end - h.budget + h.skipped_cycles, h.cycles_per_tick)


@rule
def menvcfg_stce(h):
    """Sstc is on for S-mode."""
    return ENVCFG_STCE.get(h.menvcfg)


@rule
def vs_stce(h):
    """Sstc is on for VS-mode; henvcfg.STCE counts only under menvcfg.STCE."""
    return ENVCFG_STCE.get(h.menvcfg & h.henvcfg)


@rule
def guest_external(h):
    """SGEIP, and VSEIP where VGEIN selects a guest external interrupt that is pending.  None has the number 0."""
    if h.hgeip == 0:
        return 0
    selected = VSEIP if (h.hgeip >> HSTATUS_VGEIN.get(h.hstatus)) & 1 else 0
    return selected | SGEIP if h.hgeip & h.hgeie else selected


@rule
def pending_at(h, now):
    """mip at a time in ticks: wires, software bits and timer comparisons."""
    mip = h.wires | h.software_interrupts
    if MISA_H.get(h.misa):
        mip |= h.hvip | guest_external(h)
    if now >= h.mtimecmp:
        mip |= MTIP
    if menvcfg_stce(h):
        mip &= ~STIP
        if now >= h.stimecmp:
            mip |= STIP
        if (vs_stce(h) != 0) & (MISA_H.get(h.misa) != 0):
            if now + h.htimedelta >= h.vstimecmp:
                mip |= VSTIP
    return mip


@rule
def pending(h):
    """mip as it reads now."""
    return pending_at(h, ticks(h))


@rule
def ticks_until(now, event):
    """Ticks to an event in the future; FAR if it has passed or is out of sight.  A clock wraps: the guest's may start below 0."""
    distance = event - now
    return distance if (distance != 0) & (distance < FAR) else FAR


@rule
def next_event(h, now):
    """Ticks until the next timer interrupt becomes pending; FAR if none will."""
    soonest = ticks_until(now, h.mtimecmp)
    if menvcfg_stce(h):
        other = ticks_until(now, h.stimecmp)
        soonest = other if other < soonest else soonest
        if vs_stce(h):
            other = ticks_until(now + h.htimedelta, h.vstimecmp)
            soonest = other if other < soonest else soonest
    return soonest


@rule
def first_of(ready):
    """The code of the pending interrupt to take: MEI MSI MTI SEI SSI STI SGEI VSEI VSSI VSTI LCOFI."""
    if ready & MEIP:
        return 11
    if ready & MSIP:
        return 3
    if ready & MTIP:
        return 7
    if ready & SEIP:
        return 9
    if ready & SSIP:
        return 1
    if ready & STIP:
        return 5
    if ready & SGEIP:
        return 12
    if ready & VSEIP:
        return 10
    if ready & VSSIP:
        return 2
    if ready & VSTIP:
        return 6
    return 13


@rule
def delegated_to_vs(h):
    """The interrupts that VS takes: hideleg's, of those that mideleg gives to HS.  None without H, whatever hideleg holds."""
    return h.hideleg & h.mideleg if MISA_H.get(h.misa) else 0


@rule
def interrupt_to_take(h, enabled):
    """Of the pending and enabled interrupts, those that may be taken now at the highest level that has one."""
    to_m = enabled & ~h.mideleg
    if (to_m != 0) & ((h.prv != M) | (MSTATUS_MIE.get(h.mstatus) != 0)):
        return to_m
    if h.prv == M:
        return 0
    to_hs = enabled & h.mideleg & ~delegated_to_vs(h)
    if (to_hs != 0) & ((h.v != 0) | (h.prv == U) | (MSTATUS_SIE.get(h.mstatus) != 0)):
        return to_hs
    to_vs = enabled & delegated_to_vs(h)
    if (to_vs != 0) & (h.v != 0) & ((h.prv == U) | (MSTATUS_SIE.get(h.vsstatus) != 0)):
        return to_vs
    return 0


@rule
def reschedule(h):
    """Between two instructions: take an interrupt if one is due, and start a new slice.  1 if the engine must leave."""
    instret = h.slice_end - h.budget
    if instret >= h.counters_due:
        restart_counters(h)
    if h.epoch:
        see_epoch(h)
    now = ticks(h)
    ready = pending_at(h, now) & h.mie
    leave = 0
    if ready:
        ready = interrupt_to_take(h, ready)
        if ready:
            leave = enter_trap(h, first_of(ready) | 1 << 63, 0, 0, 0, 0)
    left = STUB_LENGTH                  # the monitor's stub always comes to its end
    if h.quantum_end > instret:
        left = h.quantum_end - instret
    elif h.stub_instret == NOT_IN_STUB:
        if leave == 0:
            h.reason = REASON_BUDGET
        return 1
    cycles = LOOK_PERIOD if h.host_clock else (now + next_event(h, now)) * h.cycles_per_tick - h.skipped_cycles - instret
    if cycles < left:
        left = cycles
    if h.counters_due - instret < left:
        left = h.counters_due - instret
    h.slice_end = instret + left
    h.budget = left
    return leave


@rule
def begin(h):
    """Start running at h.pc: what Python changed since the engine left takes effect.  1 if there is nothing to run."""
    set_host_mode(h.frm if h.frm <= LAST_HOST_MODE else 0)
    h.running = 1
    if h.epoch:
        forget_stale(h)
    h.fault = 0
    h.resync = 0
    h.reason = 0
    h.page = h.scratch
    update_contexts(h)
    update_fp_gate(h)
    if h.counters_filtered:
        restart_counters(h)
    if h.mmio_done:
        h.slice_end = h.slice_end - h.budget + 1
        h.budget = 1                # the instruction that made the access must finish before anything else happens
        return 0
    return reschedule(h)


@rule
def end(h):
    """The engine leaves: collect the floating-point flags and give the host its unit back.  Why it left."""
    h.fflags = h.fflags | host_flags()
    set_host_mode(0)
    h.running = 0
    return h.reason


@rule
def return_to_guest(h):
    """The monitor's SRET: from HS at h.pc to the mode that SPP and SPV say.  It did something about the trap: no trap loop."""
    sret(h)
    h.pc = h.next_pc
    h.trap_repeats = 0
    return 0


@rule
def finish_system(h):
    """After a SYSTEM or CSR instruction that may have changed anything: on to h.next_pc.  1 if the engine must leave."""
    h.pc = h.next_pc
    h.budget -= 1
    h.resync = 0
    update_contexts(h)
    if h.counters_filtered:
        restart_counters(h)
    reason = h.reason
    h.reason = 0
    leave = reschedule(h)
    if reason == REASON_HS_TRAP:
        h.reason = reason               # the monitor's stub has given up
        return 1
    if reason == REASON_WFI:
        if (pending(h) & h.mie) == 0:
            h.reason = REASON_WFI       # also at the end of the quantum: a wait is not forgotten
            return 1
    return leave


@rule
def wfi(h):
    """Wait for interrupt, if the mode may; the monitor's stub so waits for Python.

    `finish_system` leaves the engine unless an enabled interrupt is pending, whatever SIE and delegation say.
    """
    tw = MSTATUS_TW.get(h.mstatus)
    if h.prv != M:
        if (tw != 0) | ((h.prv == U) & (h.v == 0)):
            return illegal(h)
        if h.v:
            if (h.prv == U) | (HSTATUS_VTW.get(h.hstatus) != 0):
                return virtual(h)
    if leave_stub(h):
        h.reason = REASON_HS_TRAP
    elif WFI_IS_NOP.get(h.choices) == 0:
        h.reason = REASON_WFI
    return 0


@rule
def wrs_nto(h):
    """Wait until the reservation is lost (Zawrs).  Nobody else runs while this hart does, so that a wait would last for ever:
    it is an exception where TW or VTW bounds it, for whoever schedules harts, and over at once elsewhere."""
    if (h.reservation == 0) | ((pending(h) & h.mie) != 0) | (h.prv == M):
        return 0
    if MSTATUS_TW.get(h.mstatus):
        return illegal(h)
    if (h.v != 0) & (HSTATUS_VTW.get(h.hstatus) != 0):
        return virtual(h)
    return 0


