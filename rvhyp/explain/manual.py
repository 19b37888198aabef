"""What the conditions in our rules mean, and where the manual says so.

A row speaks of the condition of a rule that has a fragment in it (as `ast.unparse` writes it), or of none, and for which `when`
holds.  Of several the first one counts.  Step numbers and section names are those of the ISA manual of August 2026.
"""
from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """`says` may name variables of the rule, and what `rvhyp.explain.decide.words_for` adds."""

    rule: str
    fragment: str
    says: str
    manual: str = ""
    when: str = ""


def privileged(section: str) -> str:
    return f'Privileged ISA, "{section}"'


def hypervisor(section: str) -> str:
    return f'Privileged ISA, H extension, "{section}"'


def step(number: int) -> str:
    """A step of the one algorithm that all stages share."""
    return privileged("Virtual Address Translation Process") + f", step {number}"


PHYSICAL = hypervisor("Guest Physical Address Translation")
CAUSES = hypervisor("Trap Cause Codes")
ATTRIBUTES = privileged("Physical Memory Attributes")
PROTECTION = privileged("Physical Memory Protection")
PAGING_PROTECTION = privileged("Physical Memory Protection and Paging")
FENCE = privileged("Supervisor Memory-Management Fence Instruction")
GUEST_FENCES = hypervisor("Hypervisor Memory-Management Fence Instructions")
GUEST_ACCESSES = hypervisor("Hypervisor Virtual-Machine Load and Store Instructions")
HSTATUS = hypervisor("Hypervisor Status (hstatus) Register")
HCOUNTEREN = hypervisor("Hypervisor Counter-Enable (hcounteren) Register")
MCOUNTEREN = privileged("Machine Counter-Enable (mcounteren) Register")
SCOUNTEREN = privileged("Counter-Enable (scounteren) Register")
VIRTUALIZATION = privileged("Virtualization Support in mstatus Register")
CSR_ADDRESSES = privileged("CSR Address Mapping Conventions")
STATEEN = privileged("Smstateen and Ssstateen Extensions")
SSTC = privileged("Sstc Extension for Supervisor-mode Timer Interrupts")
BLOCKS = 'Unprivileged ISA, "CSR controls for CMO instructions"'
BLOCK_FAULTS = 'Unprivileged ISA, CMO, "Page-Fault, Guest-Page-Fault, and Access-Fault Exceptions"'
ENVIRONMENT_CALL = privileged("Environment Call and Breakpoint")
FP_STATE = privileged("Extension Context Status in mstatus Register")
ACCESS_PRIORITY = privileged("Machine Cause (mcause) Register")
ALIGNMENT = privileged("Misaligned Atomicity Granule PMA")
RETURNS = privileged("Trap-Return Instructions")
WAITING = privileged("Wait for Interrupt")
RESERVATIONS = 'Unprivileged ISA, Zawrs, "Wait-on-Reservation-Set Instructions"'

PTE_ROWS = [
    Row("pte_is_reserved", "pte & PTE_V", "V is 0", step(3)),
    Row("pte_is_reserved", "PTE_R | PTE_W", "W is 1 and R is 0, which is reserved", step(3)),
    Row("pte_is_reserved", "PTE_RESERVED", "one of the reserved bits 60:54 is 1", step(3)),
    Row("pte_is_reserved", "pbmt == 3", "PBMT is 3, which is reserved", privileged("Svpbmt"), "pbmt == 3"),
    Row("pte_is_reserved", "ENVCFG_PBMTE", "PBMT is not 0, and the PBMTE that governs this stage is 0", privileged("Svpbmt")),
    Row("leaf_page_bits", "NAPOT_BITS", "N is 1, but this is no 64 KiB page (level 0, ppn[3:0] = 1000)", privileged("Svnapot")),
    Row("leaf_page_bits", "bits", "the superpage is misaligned: ppn has bits below its size", step(5)),
]

FIRST_STAGE_ROWS = [
    Row("first_stage", "sext(va", "{va:#x} is not canonical: its upper bits do not equal the highest translated one",
        privileged("Addressing and Memory Protection") + " of Sv39, Sv48, Sv57"),
    Row("first_stage", "pte_is_reserved", "the PTE is not valid", step(3)),
    Row("first_stage", "bits == 0", "the leaf is malformed", step(5)),
    Row("first_stage", "first_stage_allows", "the leaf does not allow this {access_name}", step(8)),
    Row("first_stage", "NOT_AT_POINTERS", "a pointer to the next level has D, A, U, N or PBMT set, which is reserved", step(3)),
    Row("first_stage", "", "the PTE at level 0 is still a pointer", step(4)),
    Row("first_stage_allows", "MSTATUS_SUM", "U is 1: S-mode never fetches from a user page", step(6), "access == FETCH"),
    Row("first_stage_allows", "MSTATUS_SUM", "U is 1, and S-mode may access a user page only with {status}.SUM, which is 0",
        step(6)),
    Row("first_stage_allows", "prv == U", "U is 0: the page is not for user mode", step(6)),
    Row("first_stage_allows", "PTE_X", "X is 0, and HLVX needs it", step(8), "hlvx != 0"),
    Row("first_stage_allows", "PTE_X", "X is 0, and this is a fetch", step(8)),
    Row("first_stage_allows", "PTE_W", "W is 0, and this is a store", step(8)),
    Row("first_stage_allows", "PTE_R", "R is 0 (and MXR does not help)", step(8)),
    Row("set_accessed", "ENVCFG_ADUE", "A is 0, and {stage_config}.ADUE is 0: software must set it", step(9),
        "(pte & PTE_A) == 0"),
    Row("set_accessed", "ENVCFG_ADUE", "D is 0, this is a store, and {stage_config}.ADUE is 0: software must set it", step(9)),
]

SECOND_STAGE_ROWS = [
    Row("second_stage", "gpa >>", "guest physical {gpa:#x} is wider than the mode of hgatp translates", PHYSICAL),
    Row("second_stage", "pte_is_reserved", "the PTE is not valid", step(3)),
    Row("second_stage", "bits == 0", "the leaf is malformed", step(5)),
    Row("second_stage", "second_stage_allows", "the leaf does not allow this", step(8)),
    Row("second_stage", "ENVCFG_ADUE", "A is 0, and menvcfg.ADUE is 0: software must set it", step(9), "(pte & PTE_A) == 0"),
    Row("second_stage", "ENVCFG_ADUE", "D is 0, this is a store, and menvcfg.ADUE is 0: software must set it", step(9)),
    Row("second_stage", "NOT_AT_POINTERS", "a pointer to the next level has D, A, U, N or PBMT set, which is reserved", step(3)),
    Row("second_stage", "", "the PTE at level 0 is still a pointer", step(4)),
    Row("second_stage_allows", "PTE_U", "U is 0, and the G-stage takes every access for one of user mode", PHYSICAL),
    Row("second_stage_allows", "pte & PTE_R", "R is 0, and the VS-stage must read its PTE there", PHYSICAL, "implicit == 1"),
    Row("second_stage_allows", "pte & PTE_W", "W is 0, and the VS-stage must write its PTE there", PHYSICAL, "implicit == 2"),
    Row("second_stage_allows", "PTE_X", "X is 0, and HLVX needs it", step(8), "hlvx != 0"),
    Row("second_stage_allows", "PTE_X", "X is 0, and this is a fetch", step(8)),
    Row("second_stage_allows", "PTE_W", "W is 0, and this is a store", step(8)),
    Row("second_stage_allows", "PTE_R", "R is 0 (and sstatus.MXR does not help)", step(8)),
]

ACCESS_ROWS = [
    Row("pte_host", "host == 0", "the PTE is not in main memory", step(2)),
    Row("pte_host", "pmp_permissions", "PMP refuses S-mode the access to the PTE", PAGING_PROTECTION),
    Row("translate", "pmp_permissions", "PMP refuses the access", PROTECTION),
    Row("pmp_permissions", "MIXED", "an entry matches only a part of it", privileged("Priority and Matching Logic")),
    Row("pmp_permissions", "config", "the entry that matches does not permit it", privileged("Locking and Privilege Mode")),
    Row("pmp_permissions", "RWX", "no entry matches, and only M-mode may do without", privileged("Priority and Matching Logic")),
    Row("fetch_half", "host == 0", "there is no main memory to execute from", ATTRIBUTES),
    Row("fetch_page", "ram_host", "there is no main memory to execute from", ATTRIBUTES),
    Row("device_access", "mmio_done", "no device answers there", ATTRIBUTES),
    Row("device_access", "", "a device takes naturally aligned accesses of 1, 2, 4 or 8 bytes only", ATTRIBUTES),
    Row("device_access", "size &", "a device takes accesses of 1, 2, 4 or 8 bytes only", ATTRIBUTES),
    Row("device_access", "pa &", "a device takes naturally aligned accesses only", ATTRIBUTES),
    Row("refuse_split", "FAULT_LEAVE", "a part of an access across two pages is not main memory", ATTRIBUTES),
    Row("refuse_misaligned", "MISALIGNED_FIRST", "the address is misaligned; by choice that traps, and comes before all faults",
        ACCESS_PRIORITY),
    Row("refuse_misaligned", "", "the address is misaligned, and by choice that traps", ACCESS_PRIORITY),
    Row("refuse_misaligned_atomic", "MISALIGNED_ATOMIC_FAULTS",
        "the address of an atomic access is misaligned: by choice an access fault", ALIGNMENT),
    Row("refuse_misaligned_atomic", "", "the address of an atomic access is misaligned", ALIGNMENT),
    Row("store_misaligned", "ram_host", "a misaligned store must go to main memory", ATTRIBUTES),
    Row("atomic_target", "va &", "an atomic's address must be naturally aligned", ALIGNMENT),
    Row("atomic_target", "host == 0", "atomics need main memory", privileged("Atomicity PMAs")),
    Row("block_target", "h.fault", "the block is not in main memory, or PMP refuses a part of it", BLOCK_FAULTS),
    Row("block_permitted", "menvcfg", "menvcfg does not permit this operation below M-mode", BLOCKS),
    Row("block_permitted", "henvcfg", "henvcfg does not permit this operation with V=1", BLOCKS),
    Row("block_permitted", "senvcfg", "senvcfg does not permit this operation in user mode", BLOCKS),
    Row("guest_access", "MISA_H", "misa.H is 0", privileged("Machine ISA (misa) Register")),
    Row("guest_access", "h.v", "V is 1: the guest may not access memory as if it had a guest", GUEST_ACCESSES),
    Row("guest_access", "HSTATUS_HU", "hstatus.HU is 0: U-mode may not", HSTATUS),
]

INSTRUCTION_ROWS = [
    Row("execute", "decoded is None", "no instruction has these bits"),
    Row("execute", "is_enabled", "its extension is not part of the hart's ISA string"),
    Row("float_refused", "FP_OFF", "{fs} is Off", FP_STATE),
    Row("fp", "fp_begin", "the instruction may not run", FP_STATE),
    Row("fp_begin", "FP_OFF", "{fs} is Off", FP_STATE),
    Row("fp_begin", "> 4", "the rounding mode is reserved", 'Unprivileged ISA, "Floating-Point Control and Status Register"'),
    Row("ecall", "h.prv == U", "ECALL in {mode}-mode", ENVIRONMENT_CALL),
    Row("ecall", "h.prv == M", "ECALL in {mode}-mode", ENVIRONMENT_CALL),
    Row("ecall", "", "ECALL in {mode}-mode", ENVIRONMENT_CALL),
    Row("ebreak", "EBREAK_TVAL_ZERO", "EBREAK; tval is 0 by choice", ENVIRONMENT_CALL),
    Row("ebreak", "", "EBREAK", ENVIRONMENT_CALL),
    Row("mret", "h.prv", "MRET is for M-mode", RETURNS),
    Row("sret", "h.prv == U", "SRET is not for user mode", RETURNS),
    Row("sret", "HSTATUS_VTSR", "hstatus.VTSR is 1: SRET in VS-mode is the hypervisor's business", HSTATUS),
    Row("sret", "MSTATUS_TSR", "mstatus.TSR is 1", VIRTUALIZATION),
    Row("wfi", "tw", "mstatus.TW is 1: no mode below M waits", VIRTUALIZATION),
    Row("wfi", "h.v == 0", "WFI is not for U-mode", WAITING),
    Row("wfi", "h.prv == U", "WFI is not for VU-mode", CAUSES),
    Row("wfi", "HSTATUS_VTW", "hstatus.VTW is 1: WFI in VS-mode is the hypervisor's business", HSTATUS),
    Row("wrs_nto", "MSTATUS_TW", "mstatus.TW is 1: a wait for the loss of a reservation must end in time", RESERVATIONS),
    Row("wrs_nto", "HSTATUS_VTW", "hstatus.VTW is 1: a wait that does not end in time is the hypervisor's", RESERVATIONS),
    Row("sfence_vma", "h.prv == U", "it is not for user mode", FENCE),
    Row("sfence_vma", "HSTATUS_VTVM", "hstatus.VTVM is 1: the hypervisor wants to see the guest's fences", HSTATUS),
    Row("sfence_vma", "MSTATUS_TVM", "mstatus.TVM is 1", VIRTUALIZATION),
    Row("sfence_inval", "h.prv == U", "it is not for user mode", privileged("Svinval")),
    Row("hypervisor_fence", "MISA_H", "misa.H is 0", privileged("Machine ISA (misa) Register")),
    Row("hypervisor_fence", "h.v", "V is 1: a guest has no guests to fence", GUEST_FENCES),
    Row("hypervisor_fence", "h.prv == U", "it is not for U-mode", GUEST_FENCES),
    Row("hfence_gvma", "MSTATUS_TVM", "mstatus.TVM is 1", VIRTUALIZATION),
]

CSR_ROWS = [
    Row("csr_access", "GATE_ABSENT", "{csr} does not exist here", CSR_ADDRESSES),
    Row("csr_access", "ROW_EXTENSION", "{csr} belongs to an extension that this hart does not have", CSR_ADDRESSES),
    Row("csr_access", "ROW_HYPERVISOR", "{csr} exists only while misa.H is 1", privileged("Machine ISA (misa) Register")),
    Row("csr_access", "left_out", "this hart has no {csr}, by choice", CSR_ADDRESSES),
    Row("csr_access", "number >> 10", "{csr} is read-only", CSR_ADDRESSES),
    Row("csr_access", "GATE_FLOAT", "{fs} is Off", FP_STATE),
    Row("csr_access", "machine_gate_closed", "M-mode keeps {csr} from all modes below", CAUSES),
    Row("csr_access", "have < need", "{csr} is for M-mode", CSR_ADDRESSES, "need == 3"),
    Row("csr_access", "have < need", "{csr} needs more privilege than {mode}-mode has; in HS-mode it would be allowed", CAUSES,
        "h.v != 0"),
    Row("csr_access", "have < need", "{csr} needs more privilege than {mode}-mode has", CSR_ADDRESSES),
    Row("csr_access", "MSTATUS_TVM", "mstatus.TVM is 1: {csr} is closed to S-mode", VIRTUALIZATION),
    Row("csr_access", "hypervisor_gate_closed", "the hypervisor keeps {csr} from its guest", CAUSES),
    Row("csr_access", "scounteren", "scounteren[{bit}] is 0: {csr} is closed to user mode", SCOUNTEREN),
    Row("machine_gate_closed", "mcounteren >> (number", "mcounteren[{bit}] is 0", MCOUNTEREN),
    Row("machine_gate_closed", "menvcfg_stce", "menvcfg.STCE or mcounteren.TM is 0", SSTC),
    Row("machine_gate_closed", "STATEEN_ENVCFG", "mstateen0.ENVCFG is 0", STATEEN),
    Row("machine_gate_closed", "STATEEN_SE", "the SE bit of its mstateen CSR is 0", STATEEN),
    Row("hypervisor_gate_closed", "STATEEN_ENVCFG", "hstateen0.ENVCFG is 0", STATEEN),
    Row("hypervisor_gate_closed", "STATEEN_SE", "the SE bit of its hstateen CSR is 0", STATEEN),
    Row("hypervisor_gate_closed", "hcounteren >> (number", "hcounteren[{bit}] is 0", HCOUNTEREN),
    Row("hypervisor_gate_closed", "vs_stce", "henvcfg.STCE or hcounteren.TM is 0", SSTC),
    Row("hypervisor_gate_closed", "HSTATUS_VTVM", "hstatus.VTVM is 1", HSTATUS),
]

ROWS = [*PTE_ROWS, *FIRST_STAGE_ROWS, *SECOND_STAGE_ROWS, *ACCESS_ROWS, *INSTRUCTION_ROWS, *CSR_ROWS]

# Where a trap is taken, and what it leaves.
DELEGATION = privileged("Machine Trap Delegation (medeleg and mideleg) Registers")
GUEST_DELEGATION = hypervisor("Hypervisor Trap Delegation (hedeleg and hideleg) Registers")
TRAP_ENTRY = hypervisor("Trap Entry")
DOUBLE_TRAPS = privileged("Double Trap Control in sstatus Register")
HTVAL = hypervisor("Hypervisor Trap Value (htval) Register")
TINST = hypervisor("Transformed Instruction or Pseudoinstruction for mtinst or htinst")
INTERRUPTS = privileged("Machine Interrupt (mip and mie) Registers")
GUEST_INTERRUPTS = hypervisor("Machine Interrupt (mip and mie) Registers")
