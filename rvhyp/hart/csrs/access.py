"""Who may access a CSR (Privileged ISA, "CSR Address Mapping Conventions"; hypervisor chapter)."""
from rvhyp.hart.csrs.rows import ROW_BITS, ROW_EXTENSION, ROW_GATE, ROW_HYPERVISOR, ROW_TWIN
from rvhyp.hart.interrupt import menvcfg_stce, vs_stce
from rvhyp.hart.state import FP_OFF
from rvhyp.hart.trap import illegal, virtual
from rvhyp.isa.cause import M, S, U
from rvhyp.isa.choices import PMP_COUNT, TIME_ABSENT
from rvhyp.isa.csr import (
    CSR_NUMBERS,
    HSTATUS_VTVM,
    MISA_H,
    MSTATUS_TVM,
    STATEEN_ENVCFG,
    STATEEN_SE,
    Gate,
)
from rvhyp.isa.instruction import EXTENSIONS
from rvhyp.isa.rule import load8, load16, rule

TM = 1
TIME, PMPADDR0, PMPCFG0, MTVAL2 = (CSR_NUMBERS[name] for name in ("time", "pmpaddr0", "pmpcfg0", "mtval2"))
SSDBLTRP = EXTENSIONS["Ssdbltrp"].number
GATE_OPEN, GATE_PMP = int(Gate.OPEN), int(Gate.PMP)
GATE_ABSENT, GATE_FLOAT, GATE_COUNTER = int(Gate.ABSENT), int(Gate.FLOAT), int(Gate.COUNTER)
GATE_STIMECMP, GATE_VSTIMECMP = int(Gate.STIMECMP), int(Gate.VSTIMECMP)
GATE_SATP, GATE_HGATP = int(Gate.SATP), int(Gate.HGATP)
GATE_ENVCFG, GATE_STATEEN = int(Gate.ENVCFG), int(Gate.STATEEN)


@rule
def machine_gate_closed(h, gate, number):
    """Whether an M-level gate refuses an access from below M: illegal, even where V=1."""
    if gate == GATE_COUNTER:
        return 1 - ((h.mcounteren >> (number & 31)) & 1)
    if (gate == GATE_STIMECMP) | (gate == GATE_VSTIMECMP):
        return 1 - (menvcfg_stce(h) & (h.mcounteren >> TM) & 1)
    if gate == GATE_ENVCFG:
        return 1 - STATEEN_ENVCFG.get(h.mstateen[0])
    if gate == GATE_STATEEN:
        return 1 - STATEEN_SE.get(h.mstateen[number & 3])
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
    if gate == GATE_ENVCFG:
        return 1 - STATEEN_ENVCFG.get(h.hstateen[0])
    if gate == GATE_STATEEN:
        return 1 - STATEEN_SE.get(h.hstateen[number & 3])
    return 0


@rule
def refuse(h):
    """Refuse an access that only lacks privilege: the hypervisor's business if V=1."""
    return virtual(h) if h.v else illegal(h)


@rule
def left_out(h, gate, number):
    """Whether a CSR that there may be is by choice not there."""
    if gate == GATE_OPEN:
        return 0
    if gate == GATE_PMP:
        entry = number - PMPADDR0 if number >= PMPADDR0 else (number - PMPCFG0) << 2
        return 1 if entry >= PMP_COUNT.get(h.choices) else 0
    return TIME_ABSENT.get(h.choices) if number == TIME else 0


@rule
def is_of_double_traps(h, number):
    """Whether a CSR of H is there without it: mtval2, in which Ssdbltrp reports."""
    return (h.extensions >> SSDBLTRP) & 1 if number == MTVAL2 else 0


@rule
def csr_access(h, number, is_write):
    """The CSR number that an access to `number` reaches; 0 with the trap set if it may not be."""
    row = h.csr_table + (number << ROW_BITS)
    gate = load8(row + ROW_GATE)
    if (gate == GATE_ABSENT) | (((h.extensions >> load8(row + ROW_EXTENSION)) & 1) == 0):
        return illegal(h)
    if (load8(row + ROW_HYPERVISOR) != 0) & (MISA_H.get(h.misa) == 0) & (is_of_double_traps(h, number) == 0):
        return illegal(h)
    if left_out(h, gate, number):
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
