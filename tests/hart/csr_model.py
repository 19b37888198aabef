"""What the manual says of CSRs, as tables of their own: who may access which, and what can be written.  Nothing here is taken
from `rvhyp.isa.csr`; numbers and bits are those of the Privileged ISA (CSR Listing; hypervisor chapter, tables of exceptions)."""
from __future__ import annotations

from dataclasses import dataclass

ALL = (1 << 64) - 1
ILLEGAL, VIRTUAL = 2, 22
COUNTERS = range(0xC00, 0xC20)
STIMECMP, VSTIMECMP, SATP, HGATP = 0x14D, 0x24D, 0x180, 0x680
FLOAT = (0x001, 0x002, 0x003)
SSTATEEN, HSTATEEN, SENVCFG_HENVCFG = range(0x10C, 0x110), range(0x60C, 0x610), (0x10A, 0x60A)
SUPERVISOR = (0x100, 0x104, 0x105, 0x106, 0x10A, *SSTATEEN, 0xDA0, 0x140, 0x141, 0x142, 0x143, 0x144, STIMECMP, SATP)
HYPERVISOR = (0x600, 0x602, 0x603, 0x604, 0x605, 0x606, 0x607, 0x60A, *HSTATEEN, 0x643, 0x644, 0x645, 0x64A, HGATP, 0xE12)
VIRTUAL_SUPERVISOR = (0x200, 0x204, 0x205, 0x240, 0x241, 0x242, 0x243, 0x244, VSTIMECMP, 0x280)
OF_H_FOR_MACHINE = (0x34A, 0x34B)                       # mtinst, mtval2
MACHINE = (*range(0xF11, 0xF16), *range(0x300, 0x307), 0x30A, *range(0x30C, 0x310), *range(0x320, 0x345), 0xB00,
           *range(0xB02, 0xB20), *range(0x7A0, 0x7A4), 0x3A0, 0x3A2, *range(0x3B0, 0x3C0))
NEEDS_H = {*HYPERVISOR, *VIRTUAL_SUPERVISOR, 0x34A}     # Ssdbltrp has mtval2 without H
IMPLEMENTED = {*FLOAT, *COUNTERS, *SUPERVISOR, *HYPERVISOR, *VIRTUAL_SUPERVISOR, *OF_H_FOR_MACHINE, *MACHINE}
OF_64_PMP_ENTRIES = {*range(0x3A4, 0x3B0, 2), *range(0x3C0, 0x3F0)}     # there by choice, and not by default
TWINS = {0x100: 0x200, 0x104: 0x204, 0x105: 0x205, 0x140: 0x240, 0x141: 0x241, 0x142: 0x242, 0x143: 0x243, 0x144: 0x244,
         STIMECMP: VSTIMECMP, SATP: 0x280}


@dataclass(frozen=True)
class Gates:
    """What decides on accesses besides the mode."""

    h: int = 1
    fs: int = 3
    vs_fs: int = 3
    tvm: int = 0
    vtvm: int = 0
    mcounteren: int = 0
    hcounteren: int = 0
    scounteren: int = 0
    stce: int = 0
    h_stce: int = 0                                     # as written to henvcfg; it counts only if stce is 1 too
    envcfg: int = 1                                     # of mstateen0
    h_envcfg: int = 1
    se: int = 15                                        # of mstateen0 to 3
    h_se: int = 15

    def state(self) -> dict[str, int]:
        """Values of CSRs, in an order in which they can be written."""
        return {"menvcfg": self.stce << 63 | 1 << 61, "henvcfg": self.h_stce << 63, "mstatus": self.fs << 13 | self.tvm << 20,
                "vsstatus": self.vs_fs << 13, "hstatus": self.vtvm << 20, "mcounteren": self.mcounteren,
                "hcounteren": self.hcounteren, "scounteren": self.scounteren,
                **{f"mstateen{n}": (self.se >> n & 1) << 63 | self.envcfg << 62 for n in range(4)},
                **{f"hstateen{n}": (self.h_se >> n & 1) << 63 | self.h_envcfg << 62 for n in range(4)}, "misa": self.h << 7}


def access(number: int, is_write: bool, mode: str, gates: Gates) -> tuple[int, int]:
    """(cause of the exception or 0, the CSR reached): the columns of the hypervisor chapter's tables, CSR by CSR."""
    if number not in IMPLEMENTED or not gates.h and number in NEEDS_H:
        return ILLEGAL, 0
    if is_write and number >= 0xC00:
        return ILLEGAL, 0
    is_virtual = mode in ("VS", "VU")
    if number in FLOAT:
        closed = gates.fs == 0 or is_virtual and gates.vs_fs == 0
        return (ILLEGAL, 0) if closed else (0, number)
    if mode == "M":
        return 0, number
    if number in MACHINE or number in OF_H_FOR_MACHINE:
        return ILLEGAL, 0
    if number in COUNTERS:
        cause = _counter(number & 31, mode, gates)
        return cause, 0 if cause else number
    if number in (STIMECMP, VSTIMECMP) and not (gates.stce and gates.mcounteren & 2):
        return ILLEGAL, 0
    if number in SENVCFG_HENVCFG and not gates.envcfg or number in (*SSTATEEN, *HSTATEEN) and not gates.se >> (number & 3) & 1:
        return ILLEGAL, 0
    if mode == "U":
        return ILLEGAL, 0
    if mode == "VU":
        return VIRTUAL, 0
    if mode == "HS":
        return (ILLEGAL, 0) if number in (SATP, HGATP) and gates.tvm else (0, number)
    # VS
    if number in HYPERVISOR or number in VIRTUAL_SUPERVISOR:
        return VIRTUAL, 0
    if number == SATP and gates.vtvm:
        return VIRTUAL, 0
    if number == 0x10A and not gates.h_envcfg or number in SSTATEEN and not gates.h_se >> (number & 3) & 1:
        return VIRTUAL, 0
    if number == STIMECMP and not (gates.hcounteren & 2 and gates.h_stce):
        return VIRTUAL, 0
    return 0, TWINS.get(number, number)


def _counter(bit: int, mode: str, gates: Gates) -> int:
    m, h, s = (register >> bit & 1 for register in (gates.mcounteren, gates.hcounteren, gates.scounteren))
    if not m:
        return ILLEGAL
    return {"HS": 0, "U": 0 if s else ILLEGAL, "VS": 0 if h else VIRTUAL, "VU": 0 if h and s else VIRTUAL}[mode]


# Bits that software can set and clear, everything else being read-only; (mask, value of the rest).

SIE, MIE, SPIE, MPIE, SPP, MPP, FS, MPRV, SUM, MXR, TVM, TW, TSR, SDT, GVA, MPV = (
    1 << 1, 1 << 3, 1 << 5, 1 << 7, 1 << 8, 3 << 11, 3 << 13, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 24,
    1 << 38, 1 << 39)
SSTATUS = SIE | SPIE | SPP | FS | SUM | MXR
UXL, SXL = 2 << 32, 2 << 34
S_BITS, VS_BITS, M_BITS = 0x2222, 0x444, 0x888
HEDELEG = sum(1 << n for n in (*range(1, 9), 12, 13, 15, 18, 19))
CBIE, CBCFE, CBZE = 3 << 4, 1 << 6, 1 << 7
SENVCFG = 1 | CBIE | CBCFE | CBZE
ENVCFG = SENVCFG | 1 << 59 | 7 << 61     # DTE, ADUE, PBMTE, STCE
INHIBITS = 31 << 58                     # MINH, SINH, UINH, VSINH, VUINH
EVENTS = (0, 1, 2, 16)                  # ours: none, cycles, instructions, traps

WRITABLE: dict[str, tuple[int, int]] = {
    "mstatus": (SSTATUS | SDT | MIE | MPIE | MPRV | TVM | TW | TSR | GVA | MPV | MPP, UXL | SXL),
    "sstatus": (SSTATUS | SDT, UXL), "vsstatus": (SSTATUS | SDT, UXL),
    "hstatus": (1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 20 | 1 << 21 | 1 << 22, 2 << 32),
    "misa": (1 << 7, 2 << 62 | sum(1 << ord(letter) - ord("A") for letter in "IMAFDCBSU")),
    "medeleg": (HEDELEG | sum(1 << n for n in (9, 10, 20, 21, 22, 23)), 0), "hedeleg": (HEDELEG, 0),
    "mideleg": (S_BITS, VS_BITS), "hideleg": (VS_BITS | 1 << 13, 0),
    "mie": (S_BITS | VS_BITS | M_BITS, 0), "hie": (VS_BITS, 0), "sie": (S_BITS, 0), "vsie": (S_BITS, 0),
    "mip": (1 << 1 | 1 << 2 | 1 << 5 | 1 << 9 | 1 << 13, 0), "sip": (1 << 1 | 1 << 13, 0), "hip": (1 << 2, 0),
    "hvip": (VS_BITS, 0), "vsip": (1 << 1 | 1 << 13, 0),
    "mtvec": (ALL & ~2, 0), "stvec": (ALL & ~2, 0), "vstvec": (ALL & ~2, 0),
    "mepc": (ALL & ~1, 0), "sepc": (ALL & ~1, 0), "vsepc": (ALL & ~1, 0),
    "mcounteren": (0xFFFF_FFFF, 0), "scounteren": (0xFFFF_FFFF, 0), "hcounteren": (0xFFFF_FFFF, 0),
    "mcountinhibit": (0xFFFF_FFFD, 0),
    "menvcfg": (ENVCFG, 0), "henvcfg": (ENVCFG, 0), "senvcfg": (SENVCFG, 0),
    "fflags": (0x1F, 0), "frm": (7, 0), "fcsr": (0xFF, 0),
    **{name: (ALL, 0) for name in (
        "mscratch", "sscratch", "vsscratch", "mcause", "scause", "vscause", "mtval", "stval", "vstval", "htval", "mtval2",
        "htinst", "mtinst", "htimedelta", "stimecmp", "vstimecmp")},
    **{f"pmpaddr{n}": ((1 << 54) - 1, 0) for n in range(64)},
    **{name: (0, 0) for name in ("hgeie", "hgeip", "mvendorid", "marchid", "mimpid", "mconfigptr", "mhartid", "tselect", "tdata1",
                                 "tdata2", "tdata3")},
    **{f"mhpmcounter{n}": (ALL, 0) for n in range(3, 32)},
    **{f"mhpmevent{n}": (1 << 63 | INHIBITS | (1 << 56) - 1, 0) for n in range(3, 32)},
    "mcyclecfg": (INHIBITS, 0), "minstretcfg": (INHIBITS, 0), "scountovf": (0, 0),
    **{f"sstateen{n}": (0, 0) for n in range(4)}, "mstateen0": (3 << 62, 0), "hstateen0": (3 << 62, 0),
    **{f"{x}stateen{n}": (1 << 63, 0) for x in "mh" for n in (1, 2, 3)},
}
BY_OTHER_RULES = {"satp", "vsatp", "hgatp", "cycle", "time", "instret", "mcycle", "minstret",
                  *(f"hpmcounter{n}" for n in range(3, 32)), *(f"pmpcfg{n}" for n in range(0, 16, 2))}
