"""Trap causes and privilege modes (Privileged ISA, tables of mcause and scause)."""

# Privilege modes, the nominal privilege; V is apart.
U, S, M = 0, 1, 3

INTERRUPT = 1 << 63

INSTRUCTION_MISALIGNED = 0
INSTRUCTION_ACCESS_FAULT = 1
ILLEGAL_INSTRUCTION = 2
BREAKPOINT = 3
LOAD_MISALIGNED = 4
LOAD_ACCESS_FAULT = 5
STORE_MISALIGNED = 6
STORE_ACCESS_FAULT = 7
ECALL_U = 8
ECALL_S = 9
ECALL_VS = 10
ECALL_M = 11
INSTRUCTION_PAGE_FAULT = 12
LOAD_PAGE_FAULT = 13
STORE_PAGE_FAULT = 15
DOUBLE_TRAP = 16
INSTRUCTION_GUEST_PAGE_FAULT = 20
LOAD_GUEST_PAGE_FAULT = 21
VIRTUAL_INSTRUCTION = 22
STORE_GUEST_PAGE_FAULT = 23

EXCEPTION_NAMES = {
    0: "instruction address misaligned", 1: "instruction access fault", 2: "illegal instruction", 3: "breakpoint",
    4: "load address misaligned", 5: "load access fault", 6: "store/AMO address misaligned",
    7: "store/AMO access fault", 8: "ecall from U-mode or VU-mode", 9: "ecall from HS-mode", 10: "ecall from VS-mode",
    11: "ecall from M-mode", 12: "instruction page fault", 13: "load page fault", 15: "store/AMO page fault",
    16: "double trap", 18: "software check", 19: "hardware error", 20: "instruction guest-page fault",
    21: "load guest-page fault", 22: "virtual instruction", 23: "store/AMO guest-page fault",
}

# Interrupt codes: bit numbers of mip and mie.
SSI, VSSI, MSI, STI, VSTI, MTI, SEI, VSEI, MEI, SGEI, LCOFI = 1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13

INTERRUPT_NAMES = {
    1: "supervisor software interrupt", 2: "virtual supervisor software interrupt", 3: "machine software interrupt",
    5: "supervisor timer interrupt", 6: "virtual supervisor timer interrupt", 7: "machine timer interrupt",
    9: "supervisor external interrupt", 10: "virtual supervisor external interrupt", 11: "machine external interrupt",
    12: "supervisor guest external interrupt", 13: "counter overflow interrupt",
}


def cause_name(cause: int) -> str:
    """The manual's name of an mcause/scause value."""
    if cause & INTERRUPT:
        code = cause & ~INTERRUPT
        return INTERRUPT_NAMES.get(code, f"interrupt {code}")
    return EXCEPTION_NAMES.get(cause, f"exception {cause}")


def mode_name(prv: int, v: bool | int) -> str:
    """M, HS, U, VS or VU."""
    return {(M, 0): "M", (S, 0): "HS", (U, 0): "U", (S, 1): "VS", (U, 1): "VU"}.get((int(prv), int(bool(v))), "?")
