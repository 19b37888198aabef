"""CSR access: who may (Privileged ISA, "CSR Address Mapping Conventions"; hypervisor chapter), and what reads and writes do.

Rows are in `rvhyp.isa.csr`.  Here are the rules of the CSRs that are more than a word with a write mask, attached to their rows
by `@reads(...)` and `@writes(...)`; a rule serves several rows where they are views of one register.
"""
import struct

from rvhyp.hart.fp import collect_flags, update_fp_gate
from rvhyp.hart.interrupt import SEIP, SSIP, STIP, VSSIP, menvcfg_stce, pending, ticks, vs_stce
from rvhyp.hart.pmp import pmp_write_address, pmp_write_config
from rvhyp.hart.state import FP_OFF, OFFSET
from rvhyp.hart.tlb import drop_contexts
from rvhyp.hart.trap import illegal, virtual
from rvhyp.isa.cause import M, S, U
from rvhyp.isa.csr import (
    ATP_MODE,
    ATP_PPN,
    CSRS,
    HENVCFG_GATED,
    HSTATUS_VTVM,
    MENVCFG_WRITABLE,
    MISA_H,
    MSTATUS_FS,
    MSTATUS_GVA,
    MSTATUS_MPP,
    MSTATUS_MPV,
    MSTATUS_SD,
    MSTATUS_TVM,
    MSTATUS_UXL,
    MSTATUS_WRITABLE,
    PMP_ENTRIES,
    S_INTERRUPTS,
    SATP_ASID,
    SSTATUS_WRITABLE,
    VS_INTERRUPTS,
    Gate,
)
from rvhyp.isa.rule import Dispatch, load8, load16, load32, load64, rule, store64

# A row of the compiled table (built in rvhyp.engine.tables): 32 bytes for each of the 4,096 numbers.
ROW_BITS = 5
ROW_GATE, ROW_HYPERVISOR, ROW_READ, ROW_WRITE, ROW_TWIN, ROW_STORAGE, ROW_MASK = 0, 1, 2, 3, 4, 8, 16
TM = 1
SSTATUS_VISIBLE = SSTATUS_WRITABLE | MSTATUS_UXL.mask
GATE_ABSENT, GATE_FLOAT, GATE_COUNTER = int(Gate.ABSENT), int(Gate.FLOAT), int(Gate.COUNTER)
GATE_STIMECMP, GATE_VSTIMECMP = int(Gate.STIMECMP), int(Gate.VSTIMECMP)
GATE_SATP, GATE_HGATP = int(Gate.SATP), int(Gate.HGATP)
CYCLE, TIME, INSTRET = 0, 1, 2          # low bits of counter numbers
CY, IR = 1, 4                           # bits of mcountinhibit


def reads(*names):
    """Attach a rule `(h, number) -> value` to rows."""
    def attach(function):
        registered = rule(function)
        for name in names:
            CSRS[name].read = registered
        return registered
    return attach


def writes(*names):
    """Attach a rule `(h, number, value)` to rows."""
    def attach(function):
        registered = rule(function)
        for name in names:
            CSRS[name].write = registered
        return registered
    return attach


# Access.

@rule
def machine_gate_closed(h, gate, number):
    """Whether an M-level gate refuses an access from below M: illegal, even where V=1."""
    if gate == GATE_COUNTER:
        return 1 - ((h.mcounteren >> (number & 31)) & 1)
    if (gate == GATE_STIMECMP) | (gate == GATE_VSTIMECMP):
        return 1 - (menvcfg_stce(h) & (h.mcounteren >> TM) & 1)
    return 0


@rule
def hypervisor_gate_closed(h, gate, number):
    """Whether an H-level gate refuses an access with V=1: virtual instruction."""
    if gate == GATE_COUNTER:
        return 1 - ((h.hcounteren >> (number & 31)) & 1)
    if gate == GATE_STIMECMP:
        return 1 - (vs_stce(h) & (h.hcounteren >> TM) & 1)
    if gate == GATE_SATP:
        return HSTATUS_VTVM.get(h.hstatus)
    return 0


@rule
def refuse(h):
    """Refuse an access that only lacks privilege: the hypervisor's business if V=1."""
    return virtual(h) if h.v else illegal(h)


@rule
def csr_access(h, number, is_write):
    """The CSR number that an access to `number` reaches; 0 with the trap set if it may not be."""
    row = h.csr_table + (number << ROW_BITS)
    gate = load8(row + ROW_GATE)
    if (gate == GATE_ABSENT) | ((load8(row + ROW_HYPERVISOR) != 0) & (MISA_H.get(h.misa) == 0)):
        return illegal(h)
    if (is_write != 0) & ((number >> 10) == 3):
        return illegal(h)
    if (gate == GATE_FLOAT) & ((h.fp_gate & FP_OFF) != 0):
        return illegal(h)
    if h.prv != M:
        if machine_gate_closed(h, gate, number):
            return illegal(h)
        need = (number >> 8) & 3
        have = h.prv + 1 if (h.prv == S) & (h.v == 0) else h.prv
        if have < need:
            return illegal(h) if need == 3 else refuse(h)
        if h.v == 0:
            if (h.prv == S) & (MSTATUS_TVM.get(h.mstatus) != 0) & ((gate == GATE_SATP) | (gate == GATE_HGATP)):
                return illegal(h)
        elif hypervisor_gate_closed(h, gate, number):
            return virtual(h)
        if (h.prv == U) & (gate == GATE_COUNTER):
            if ((h.scounteren >> (number & 31)) & 1) == 0:
                return refuse(h)
        if h.v:
            twin = load16(row + ROW_TWIN)
            if twin:
                return twin
    return number


@rule
def csr_read(h, number):
    """The value of a CSR; no checks, no side effects."""
    row = h.csr_table + (number << ROW_BITS)
    special = load8(row + ROW_READ)
    if special:
        return csr_read_special(h, number, special)
    storage = load32(row + ROW_STORAGE)             # 1 + its offset in the record
    return load64(h + storage - 1) if storage else 0


@rule
def csr_write(h, number, value):
    """Write a CSR as software may; no checks."""
    row = h.csr_table + (number << ROW_BITS)
    special = load8(row + ROW_WRITE)
    if special:
        csr_write_special(h, number, value, special)
        return 0
    write_stored(h, row, value)
    return 0


@rule
def write_stored(h, row, value):
    """Replace the writable bits of a row's word, if it has one."""
    storage = load32(row + ROW_STORAGE)
    if storage:
        mask = load64(row + ROW_MASK)
        store64(h + storage - 1, (load64(h + storage - 1) & ~mask) | (value & mask))


@rule
def csr_modify_base(h, number, value):
    """What a read-modify-write starts from: of mip's SEIP, the software-written bit alone."""
    if number == 0x344:
        return (value & ~SEIP) | (h.software_interrupts & SEIP)
    return value


# Status.

@rule
def with_sd(status):
    """SD summarises FS (there is no other dirty state here)."""
    return status | MSTATUS_SD.mask if MSTATUS_FS.get(status) == 3 else status


@rule
def write_status(h, old, value, mask):
    """A status register with its writable bits replaced; MPP takes 0, 1 or 3."""
    new = (old & ~mask) | (value & mask)
    if MSTATUS_MPP.get(new) == 2:
        new = MSTATUS_MPP.put(new, MSTATUS_MPP.get(old))
    return new


@rule
def status_written(h):
    """What depends on the status registers is recomputed before the next instruction."""
    update_fp_gate(h)
    h.resync = 1


@reads("mstatus")
def read_mstatus(h, number):
    return with_sd(h.mstatus)


@writes("mstatus")
def write_mstatus(h, number, value):
    mask = MSTATUS_WRITABLE
    if MISA_H.get(h.misa) == 0:
        mask = MSTATUS_WRITABLE & ~(MSTATUS_MPV.mask | MSTATUS_GVA.mask)
    h.mstatus = write_status(h, h.mstatus, value, mask)
    status_written(h)


@reads("sstatus")
def read_sstatus(h, number):
    return with_sd(h.mstatus & SSTATUS_VISIBLE)


@writes("sstatus")
def write_sstatus(h, number, value):
    h.mstatus = write_status(h, h.mstatus, value, SSTATUS_WRITABLE)
    status_written(h)


@reads("vsstatus")
def read_vsstatus(h, number):
    return with_sd(h.vsstatus)


@writes("vsstatus")
def write_vsstatus(h, number, value):
    h.vsstatus = write_status(h, h.vsstatus, value, SSTATUS_WRITABLE)
    status_written(h)


@writes("misa")
def write_misa(h, number, value):
    """H alone is writable.  Without it there is no V to return to."""
    h.misa = (h.misa & ~MISA_H.mask) | (value & MISA_H.mask)
    if MISA_H.get(h.misa) == 0:
        h.mstatus = h.mstatus & ~(MSTATUS_MPV.mask | MSTATUS_GVA.mask)
    h.resync = 1


# Delegation and interrupts.  State: hvip, software_interrupts, mie; everything else is a view.

@rule
def virtual_interrupts(h):
    """The VS-level interrupt bits, which exist with H."""
    return VS_INTERRUPTS if MISA_H.get(h.misa) else 0


@reads("medeleg")
def read_medeleg(h, number):
    return h.medeleg if MISA_H.get(h.misa) else h.medeleg & ~(1 << 10 | 15 << 20)


@reads("mideleg")
def read_mideleg(h, number):
    return (h.mideleg & ~VS_INTERRUPTS) | virtual_interrupts(h)


@writes("mideleg")
def write_mideleg(h, number, value):
    h.mideleg = (value & S_INTERRUPTS) | VS_INTERRUPTS
    h.resync = 1


@reads("hideleg")
def read_hideleg(h, number):
    return h.hideleg & h.mideleg


@writes("hideleg")
def write_hideleg(h, number, value):
    h.hideleg = value & (VS_INTERRUPTS | 1 << 13) & h.mideleg
    h.resync = 1


@reads("mie")
def read_mie(h, number):
    return h.mie & ~VS_INTERRUPTS | h.mie & virtual_interrupts(h)


@rule
def set_mie(h, mask, value):
    """Replace some bits of mie."""
    h.mie = (h.mie & ~mask) | (value & mask)
    h.resync = 1


@writes("mie")
def write_mie(h, number, value):
    set_mie(h, S_INTERRUPTS | virtual_interrupts(h) | 1 << 3 | 1 << 7 | 1 << 11, value)


@reads("sie")
def read_sie(h, number):
    return h.mie & h.mideleg & S_INTERRUPTS


@writes("sie")
def write_sie(h, number, value):
    set_mie(h, h.mideleg & S_INTERRUPTS, value)


@reads("hie")
def read_hie(h, number):
    return h.mie & VS_INTERRUPTS


@writes("hie")
def write_hie(h, number, value):
    set_mie(h, VS_INTERRUPTS, value)


@rule
def to_vs_view(h, bits):
    """Bits of mip or mie as vsip and vsie show them: delegated ones, VS-level numbers shifted down by one."""
    delegated = bits & h.hideleg & h.mideleg
    return ((delegated & VS_INTERRUPTS) >> 1) | (delegated & 1 << 13)


@reads("vsie")
def read_vsie(h, number):
    return to_vs_view(h, h.mie)


@writes("vsie")
def write_vsie(h, number, value):
    delegated = h.hideleg & h.mideleg
    set_mie(h, delegated & (VS_INTERRUPTS | 1 << 13), ((value << 1) & VS_INTERRUPTS) | (value & 1 << 13))


@reads("mip")
def read_mip(h, number):
    return pending(h) & ~VS_INTERRUPTS | pending(h) & virtual_interrupts(h)


@rule
def set_software(h, mask, value):
    """Replace software-writable pending bits."""
    h.software_interrupts = (h.software_interrupts & ~mask) | (value & mask)
    h.resync = 1


@rule
def set_hvip(h, mask, value):
    """Replace bits of hvip."""
    h.hvip = (h.hvip & ~mask) | (value & mask)
    h.resync = 1


@writes("mip")
def write_mip(h, number, value):
    set_software(h, SSIP | SEIP | 1 << 13 | (0 if menvcfg_stce(h) else STIP), value)
    set_hvip(h, VSSIP & virtual_interrupts(h), value)


@reads("sip")
def read_sip(h, number):
    return pending(h) & h.mideleg & S_INTERRUPTS


@writes("sip")
def write_sip(h, number, value):
    set_software(h, h.mideleg & (SSIP | 1 << 13), value)


@reads("hip")
def read_hip(h, number):
    return pending(h) & VS_INTERRUPTS


@writes("hip")
def write_hip(h, number, value):
    set_hvip(h, VSSIP, value)


@writes("hvip")
def write_hvip(h, number, value):
    set_hvip(h, VS_INTERRUPTS, value)


@reads("vsip")
def read_vsip(h, number):
    return to_vs_view(h, pending(h))


@writes("vsip")
def write_vsip(h, number, value):
    delegated = h.hideleg & h.mideleg
    set_hvip(h, delegated & VSSIP, value << 1)
    set_software(h, delegated & 1 << 13, value)


# Translation.

@rule
def valid_mode(atp):
    """Bare, 39, 48 or 57 bits."""
    mode = ATP_MODE.get(atp)
    return 1 if (mode == 0) | ((mode >= 8) & (mode <= 10)) else 0


@rule
def replace_atp(h, old, value):
    """satp or vsatp after a write: one with an unsupported MODE is ignored as a whole.

    A new root under the old ASID asks software for a fence; forgetting the translations at once is as legal, and kinder.
    """
    if valid_mode(value) == 0:
        return old
    if (SATP_ASID.get(old) == SATP_ASID.get(value)) & (ATP_PPN.get(old) != ATP_PPN.get(value)):
        drop_contexts(h)
    h.resync = 1
    return value


@writes("satp")
def write_satp(h, number, value):
    h.satp = replace_atp(h, h.satp, value)


@writes("vsatp")
def write_vsatp(h, number, value):
    h.vsatp = replace_atp(h, h.vsatp, value)


@writes("hgatp")
def write_hgatp(h, number, value):
    """An unsupported MODE keeps the old one, the other fields are written; the root is aligned to 16 KiB."""
    mode = value if valid_mode(value) else h.hgatp
    new = (value & 0x03FF_FFFF_FFFF_FFFC) | (mode & ATP_MODE.mask)
    new = new & ~(0x3 << 58)
    if (ATP_PPN.get(new) != ATP_PPN.get(h.hgatp)) & ((((new ^ h.hgatp) >> 44) & 0x3FFF) == 0):
        drop_contexts(h)
    h.hgatp = new
    h.resync = 1


@writes("menvcfg")
def write_menvcfg(h, number, value):
    h.menvcfg = value & MENVCFG_WRITABLE
    h.resync = 1


@reads("henvcfg")
def read_henvcfg(h, number):
    return h.henvcfg & (~HENVCFG_GATED | h.menvcfg)


@writes("henvcfg")
def write_henvcfg(h, number, value):
    mask = MENVCFG_WRITABLE & (~HENVCFG_GATED | h.menvcfg)
    h.henvcfg = (h.henvcfg & ~mask) | (value & mask)
    h.resync = 1


@writes("stimecmp", "vstimecmp", "htimedelta", "hstatus")
def write_watched(h, number, value):
    """A plain write that interrupts or translation may depend on."""
    write_stored(h, h.csr_table + (number << ROW_BITS), value)
    h.resync = 1


@writes("pmpcfg0", "pmpcfg2")
def write_pmpcfg(h, number, value):
    pmp_write_config(h, (number & 15) >> 1, value)
    drop_contexts(h)
    h.resync = 1


@writes(*(f"pmpaddr{n}" for n in range(PMP_ENTRIES)))
def write_pmpaddr(h, number, value):
    pmp_write_address(h, number - 0x3B0, value)
    drop_contexts(h)
    h.resync = 1


# Counters.  Both count retired instructions; the offsets are what software wrote.

@rule
def counted(h, inhibit, offset):
    """A counter: frozen at its offset while inhibited."""
    return offset if h.mcountinhibit & inhibit else h.slice_end - h.budget + offset


@reads("cycle", "mcycle")
def read_cycle(h, number):
    return counted(h, CY, h.cycle_offset)


@reads("instret", "minstret")
def read_instret(h, number):
    return counted(h, IR, h.instret_offset)


@reads("time")
def read_time(h, number):
    return ticks(h) + h.htimedelta if h.v else ticks(h)


@rule
def offset_for(h, inhibit, value):
    """The offset that makes a counter read `value` at the next instruction."""
    return value if h.mcountinhibit & inhibit else value - (h.slice_end - h.budget + 1)


@writes("mcycle")
def write_mcycle(h, number, value):
    h.cycle_offset = offset_for(h, CY, value)


@writes("minstret")
def write_minstret(h, number, value):
    h.instret_offset = offset_for(h, IR, value)


@writes("mcountinhibit")
def write_mcountinhibit(h, number, value):
    """A counter keeps its value when it stops and when it goes on."""
    cycle = counted(h, CY, h.cycle_offset)
    instret = counted(h, IR, h.instret_offset)
    retired = h.slice_end - h.budget
    h.mcountinhibit = value & (CY | IR)
    h.cycle_offset = cycle if value & CY else cycle - retired
    h.instret_offset = instret if value & IR else instret - retired


# Floating point.

@reads("fflags")
def read_fflags(h, number):
    collect_flags(h)
    return h.fflags


@reads("fcsr")
def read_fcsr(h, number):
    collect_flags(h)
    return h.fflags | (h.frm << 5)


@rule
def set_fcsr(h, flags, mode):
    """Write flags and rounding mode; FS becomes Dirty."""
    collect_flags(h)
    h.fflags = flags & 0x1F
    h.frm = mode & 7
    collect_flags(h)
    h.mstatus = h.mstatus | MSTATUS_FS.mask
    if h.v:
        h.vsstatus = h.vsstatus | MSTATUS_FS.mask
    update_fp_gate(h)


@writes("fflags")
def write_fflags(h, number, value):
    set_fcsr(h, value, h.frm)


@writes("frm")
def write_frm(h, number, value):
    collect_flags(h)
    set_fcsr(h, h.fflags, value)


@writes("fcsr")
def write_fcsr(h, number, value):
    set_fcsr(h, value, value >> 5)


csr_read_special = Dispatch("csr_read_special", list(dict.fromkeys(row.read for row in CSRS.values() if row.read)))
csr_write_special = Dispatch("csr_write_special", list(dict.fromkeys(row.write for row in CSRS.values() if row.write)))


def csr_table() -> bytes:
    """The rows as csr_access, csr_read and csr_write look them up."""
    table = bytearray(4096 << ROW_BITS)
    for row in CSRS.values():
        at = row.number << ROW_BITS
        table[at + ROW_GATE] = row.gate
        table[at + ROW_HYPERVISOR] = row.hypervisor
        table[at + ROW_READ] = csr_read_special.number(row.read)
        table[at + ROW_WRITE] = csr_write_special.number(row.write)
        twin = CSRS[row.twin].number if row.twin else 0
        storage = OFFSET[row.storage] + 8 * row.index + 1 if row.storage else 0
        struct.pack_into("<HxxI", table, at + ROW_TWIN, twin, storage)
        struct.pack_into("<Q", table, at + ROW_MASK, row.writable)
    return bytes(table)
