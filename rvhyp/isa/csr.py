"""Control and status registers: one row per CSR (Privileged ISA, "CSR Listing"; Hypervisor chapter).

A row says everything that is not behaviour: number, name, where the value is kept in the hart record, which bits software
can write, which register takes its place when V=1, which extension it belongs to, and which gate decides on access.  CSRs whose
reads or writes do more than load and store get rules in `rvhyp.hart.csrs`, attached to the row.  The lowest privilege and
read-only-ness are in the number itself (bits 9:8 and 11:10).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from rvhyp.isa.rule import BitField

ALL = (1 << 64) - 1
LOW32 = (1 << 32) - 1


class Gate(IntEnum):
    """What else must be open for an access (the ordered procedure is `csr_access` in rvhyp.hart.csrs.access)."""

    ABSENT = 0          # no such CSR
    OPEN = 1
    FLOAT = 2           # mstatus.FS, and vsstatus.FS when V=1
    COUNTER = 3         # mcounteren, hcounteren, scounteren, bit = number mod 32
    STIMECMP = 4        # menvcfg.STCE, mcounteren.TM; when V=1 hcounteren.TM, henvcfg.STCE
    VSTIMECMP = 5       # menvcfg.STCE, mcounteren.TM
    SATP = 6            # mstatus.TVM, hstatus.VTVM
    HGATP = 7           # mstatus.TVM
    ENVCFG = 8          # mstateen0.ENVCFG; when V=1 hstateen0.ENVCFG
    STATEEN = 9         # mstateen.SE, number = that of the CSR mod 4; when V=1 hstateen.SE
    PMP = 10            # whether there are so many entries


@dataclass(eq=False)
class Csr:
    number: int
    name: str
    storage: str                        # field of the hart record; "" for a constant 0
    writable: int                       # bits that a plain write changes
    gate: Gate = Gate.OPEN
    extension: str = "Zicsr"            # exists only with it: that a hart has in its ISA string
    hypervisor: bool = False            # exists only while misa.H is 1
    twin: str = ""                      # the VS CSR that replaces it when V=1
    index: int = 0                      # element of storage, for arrays
    read: Callable | None = field(default=None, repr=False)
    write: Callable | None = field(default=None, repr=False)


CSRS: dict[str, Csr] = {}
_BY_NUMBER: dict[int, Csr] = {}


def csr(number: int, name: str, writable: int = 0, storage: str | None = None, **more) -> Csr:
    """Add a row; the storage is a field of the same name unless given."""
    if name in CSRS or number in _BY_NUMBER:
        raise ValueError(f"CSR {name} ({number:#x}) is defined twice")
    row = Csr(number, name, name if storage is None else storage, writable, **more)
    CSRS[name] = _BY_NUMBER[number] = row
    return row


# Fields, named REGISTER_FIELD.
MSTATUS_SIE = BitField("SIE", 1)
MSTATUS_MIE = BitField("MIE", 3)
MSTATUS_SPIE = BitField("SPIE", 5)
MSTATUS_MPIE = BitField("MPIE", 7)
MSTATUS_SPP = BitField("SPP", 8)
MSTATUS_MPP = BitField("MPP", 11, 12)
MSTATUS_FS = BitField("FS", 13, 14)
MSTATUS_MPRV = BitField("MPRV", 17)
MSTATUS_SUM = BitField("SUM", 18)
MSTATUS_MXR = BitField("MXR", 19)
MSTATUS_TVM = BitField("TVM", 20)
MSTATUS_TW = BitField("TW", 21)
MSTATUS_TSR = BitField("TSR", 22)
MSTATUS_SDT = BitField("SDT", 24)
MSTATUS_UXL = BitField("UXL", 32, 33)
MSTATUS_SXL = BitField("SXL", 34, 35)
MSTATUS_GVA = BitField("GVA", 38)
MSTATUS_MPV = BitField("MPV", 39)
MSTATUS_SD = BitField("SD", 63)

HSTATUS_GVA = BitField("GVA", 6)
HSTATUS_SPV = BitField("SPV", 7)
HSTATUS_SPVP = BitField("SPVP", 8)
HSTATUS_HU = BitField("HU", 9)
HSTATUS_VGEIN = BitField("VGEIN", 12, 17)
HSTATUS_VTVM = BitField("VTVM", 20)
HSTATUS_VTW = BitField("VTW", 21)
HSTATUS_VTSR = BitField("VTSR", 22)
HSTATUS_VSXL = BitField("VSXL", 32, 33)

ENVCFG_FIOM = BitField("FIOM", 0)
ENVCFG_CBIE = BitField("CBIE", 4, 5)
ENVCFG_CBCFE = BitField("CBCFE", 6)
ENVCFG_CBZE = BitField("CBZE", 7)
ENVCFG_DTE = BitField("DTE", 59)
ENVCFG_ADUE = BitField("ADUE", 61)
ENVCFG_PBMTE = BitField("PBMTE", 62)
ENVCFG_STCE = BitField("STCE", 63)

ATP_MODE = BitField("MODE", 60, 63)
ATP_PPN = BitField("PPN", 0, 43)
SATP_ASID = BitField("ASID", 44, 59)
HGATP_VMID = BitField("VMID", 44, 57)

MISA_H = BitField("H", 7)

STATEEN_ENVCFG = BitField("ENVCFG", 62)
STATEEN_SE = BitField("SE", 63)

# mhpmevent, mcyclecfg and minstretcfg: the event, and what Sscofpmf and Smcntrpmf add.
HPMEVENT_EVENT = BitField("event", 0, 55)
HPMEVENT_VUINH = BitField("VUINH", 58)
HPMEVENT_VSINH = BitField("VSINH", 59)
HPMEVENT_UINH = BitField("UINH", 60)
HPMEVENT_SINH = BitField("SINH", 61)
HPMEVENT_MINH = BitField("MINH", 62)
HPMEVENT_OF = BitField("OF", 63)
HPMEVENT_INHIBITS = (HPMEVENT_MINH.mask | HPMEVENT_SINH.mask | HPMEVENT_UINH.mask | HPMEVENT_VSINH.mask | HPMEVENT_VUINH.mask)

SSTATUS_WRITABLE = (MSTATUS_SIE.mask | MSTATUS_SPIE.mask | MSTATUS_SPP.mask | MSTATUS_FS.mask
                    | MSTATUS_SUM.mask | MSTATUS_MXR.mask | MSTATUS_SDT.mask)
MSTATUS_WRITABLE = (SSTATUS_WRITABLE | MSTATUS_MIE.mask | MSTATUS_MPIE.mask | MSTATUS_MPRV.mask | MSTATUS_TVM.mask
                    | MSTATUS_TW.mask | MSTATUS_TSR.mask | MSTATUS_GVA.mask | MSTATUS_MPV.mask | MSTATUS_MPP.mask)
HSTATUS_WRITABLE = (HSTATUS_GVA.mask | HSTATUS_SPV.mask | HSTATUS_SPVP.mask | HSTATUS_HU.mask
                    | HSTATUS_VTVM.mask | HSTATUS_VTW.mask | HSTATUS_VTSR.mask)
CACHE_BLOCK_FIELDS = ENVCFG_CBIE.mask | ENVCFG_CBCFE.mask | ENVCFG_CBZE.mask
SENVCFG_WRITABLE = ENVCFG_FIOM.mask | CACHE_BLOCK_FIELDS
HENVCFG_GATED = ENVCFG_DTE.mask | ENVCFG_ADUE.mask | ENVCFG_PBMTE.mask | ENVCFG_STCE.mask     # read-only 0 while 0 in menvcfg
MENVCFG_WRITABLE = SENVCFG_WRITABLE | HENVCFG_GATED

# Of what stateen could enable, senvcfg and henvcfg are there, and the stateen CSRs themselves.
STATEEN_WRITABLE = (STATEEN_SE.mask | STATEEN_ENVCFG.mask, *[STATEEN_SE.mask] * 3)

# Exceptions that may be delegated (section "hedeleg": 9, 10, 11, 16 and 20-23 cannot go further than HS).
HEDELEG_WRITABLE = sum(1 << n for n in (1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 18, 19))
MCOUNTINHIBIT_WRITABLE = LOW32 & ~2                     # there is no counter of time to inhibit
MEDELEG_WRITABLE = HEDELEG_WRITABLE | sum(1 << n for n in (9, 10, 20, 21, 22, 23))

S_INTERRUPTS = 1 << 1 | 1 << 5 | 1 << 9 | 1 << 13
VS_INTERRUPTS = 1 << 2 | 1 << 6 | 1 << 10
M_INTERRUPTS = 1 << 3 | 1 << 7 | 1 << 11

# Unprivileged.
csr(0x001, "fflags", 0x1F, gate=Gate.FLOAT, extension="F")
csr(0x002, "frm", 0x7, gate=Gate.FLOAT, extension="F")
csr(0x003, "fcsr", 0xFF, "", gate=Gate.FLOAT, extension="F")
csr(0xC00, "cycle", storage="", gate=Gate.COUNTER)
csr(0xC01, "time", storage="", gate=Gate.COUNTER)
csr(0xC02, "instret", storage="", gate=Gate.COUNTER)
for _n in range(3, 32):
    csr(0xC00 + _n, f"hpmcounter{_n}", storage="", gate=Gate.COUNTER, extension="Zihpm")

# Supervisor.
csr(0x100, "sstatus", SSTATUS_WRITABLE, "mstatus", twin="vsstatus")
csr(0x104, "sie", 0, "", twin="vsie")
csr(0x105, "stvec", ALL & ~2, twin="vstvec")
csr(0x106, "scounteren", LOW32)
csr(0x10A, "senvcfg", SENVCFG_WRITABLE, gate=Gate.ENVCFG)
for _n in range(4):                     # nothing that a sstateen enables is there: no C, no JVT; FCSR is for Zfinx
    csr(0x10C + _n, f"sstateen{_n}", storage="", gate=Gate.STATEEN, extension="Ssstateen")
csr(0x140, "sscratch", ALL, twin="vsscratch")
csr(0x141, "sepc", ALL & ~1, twin="vsepc")
csr(0x142, "scause", ALL, twin="vscause")
csr(0x143, "stval", ALL, twin="vstval")
csr(0x144, "sip", 0, "", twin="vsip")
csr(0x14D, "stimecmp", ALL, gate=Gate.STIMECMP, extension="Sstc", twin="vstimecmp")
csr(0x180, "satp", ALL, gate=Gate.SATP, twin="vsatp")
csr(0xDA0, "scountovf", storage="", extension="Sscofpmf")

# Hypervisor and virtual supervisor.
_H = {"hypervisor": True}
csr(0x600, "hstatus", HSTATUS_WRITABLE, **_H)
csr(0x602, "hedeleg", HEDELEG_WRITABLE, **_H)
csr(0x603, "hideleg", VS_INTERRUPTS | 1 << 13, **_H)
csr(0x604, "hie", 0, "", **_H)
csr(0x605, "htimedelta", ALL, **_H)
csr(0x606, "hcounteren", LOW32, **_H)
csr(0x607, "hgeie", ALL & ~1, **_H)
csr(0x60A, "henvcfg", MENVCFG_WRITABLE, gate=Gate.ENVCFG, **_H)
for _n in range(4):
    csr(0x60C + _n, f"hstateen{_n}", STATEEN_WRITABLE[_n], "hstateen", index=_n, gate=Gate.STATEEN, extension="Ssstateen", **_H)
csr(0x643, "htval", ALL, **_H)
csr(0x644, "hip", 0, "", **_H)
csr(0x645, "hvip", VS_INTERRUPTS, **_H)
csr(0x64A, "htinst", ALL, **_H)
csr(0x680, "hgatp", ALL, gate=Gate.HGATP, **_H)
csr(0xE12, "hgeip", **_H)
csr(0x200, "vsstatus", SSTATUS_WRITABLE, **_H)
csr(0x204, "vsie", 0, "", **_H)
csr(0x205, "vstvec", ALL & ~2, **_H)
csr(0x240, "vsscratch", ALL, **_H)
csr(0x241, "vsepc", ALL & ~1, **_H)
csr(0x242, "vscause", ALL, **_H)
csr(0x243, "vstval", ALL, **_H)
csr(0x244, "vsip", 0, "", **_H)
csr(0x24D, "vstimecmp", ALL, gate=Gate.VSTIMECMP, extension="Sstc", **_H)
csr(0x280, "vsatp", ALL, **_H)

# Machine.
csr(0xF11, "mvendorid", storage="")
csr(0xF12, "marchid", storage="")
csr(0xF13, "mimpid", storage="")
csr(0xF14, "mhartid")
csr(0xF15, "mconfigptr", storage="")
csr(0x300, "mstatus", MSTATUS_WRITABLE)
csr(0x301, "misa", MISA_H.mask)
csr(0x302, "medeleg", MEDELEG_WRITABLE)
csr(0x303, "mideleg", S_INTERRUPTS)
csr(0x304, "mie", S_INTERRUPTS | VS_INTERRUPTS | M_INTERRUPTS)
csr(0x305, "mtvec", ALL & ~2)
csr(0x306, "mcounteren", LOW32)
csr(0x30A, "menvcfg", MENVCFG_WRITABLE)
for _n in range(4):
    csr(0x30C + _n, f"mstateen{_n}", STATEEN_WRITABLE[_n], "mstateen", index=_n, extension="Smstateen")
csr(0x320, "mcountinhibit", MCOUNTINHIBIT_WRITABLE)
csr(0x321, "mcyclecfg", HPMEVENT_INHIBITS, "mhpmevent", index=0, extension="Smcntrpmf")
csr(0x322, "minstretcfg", HPMEVENT_INHIBITS, "mhpmevent", index=2, extension="Smcntrpmf")
csr(0x340, "mscratch", ALL)
csr(0x341, "mepc", ALL & ~1)
csr(0x342, "mcause", ALL)
csr(0x343, "mtval", ALL)
csr(0x344, "mip", 0, "")
csr(0x34A, "mtinst", ALL, **_H)
csr(0x34B, "mtval2", ALL, **_H)
csr(0xB00, "mcycle", ALL, "counter_offset", index=0)
csr(0xB02, "minstret", ALL, "counter_offset", index=2)
for _n in range(3, 32):
    csr(0xB00 + _n, f"mhpmcounter{_n}", ALL, "counter_offset", index=_n)
    csr(0x320 + _n, f"mhpmevent{_n}", ALL, "mhpmevent", index=_n)
for _n, _name in enumerate(("tselect", "tdata1", "tdata2", "tdata3")):     # Sdtrig without a trigger: all read 0
    csr(0x7A0 + _n, _name, storage="")
PMP_ENTRIES = 64                                        # at most: a choice
for _n in range(0, PMP_ENTRIES // 4, 2):
    csr(0x3A0 + _n, f"pmpcfg{_n}", ALL, "pmpcfg", gate=Gate.PMP, index=_n // 2)
for _n in range(PMP_ENTRIES):
    csr(0x3B0 + _n, f"pmpaddr{_n}", (1 << 54) - 1, "pmpaddr", gate=Gate.PMP, index=_n)

# Names that assembly may use of CSRs this hart does not have: an access is an illegal instruction.
_ABSENT = """
    vstart 008 vxsat 009 vxrm 00A vcsr 00F ssp 011 seed 015 jvt 017 vl C20 vtype C21 vlenb C22
    scountinhibit 120 siselect 150 sireg 151 sireg2 152 sireg3 153
    sireg4 155 sireg5 156 sireg6 157 stopei 15C srmcfg 181 scontext 5A8 stopi DB0
    vsiselect 250 vsireg 251 vsireg2 252 vsireg3 253 vsireg4 255 vsireg5 256 vsireg6 257 vstopei 25C vstopi EB0
    hvien 608 hvictl 609 hviprio1 646 hviprio2 647 hcontext 6A8
    mvien 308 mvip 309
    miselect 350 mireg 351 mireg2 352 mireg3 353 mireg4 355 mireg5 356 mireg6 357 mtopei 35C mtopi FB0
    mnscratch 740 mnepc 741 mncause 742 mnstatus 744 mseccfg 747 tinfo 7A4 tcontrol 7A5 mcontext 7A8
    dcsr 7B0 dpc 7B1 dscratch0 7B2 dscratch1 7B3
""".split()

CSR_NUMBERS: dict[str, int] = {
    **{name: int(number, 16) for name, number in zip(_ABSENT[::2], _ABSENT[1::2], strict=True)},
    **{row.name: row.number for row in CSRS.values()},
}


def csr_by_number(number: int) -> Csr | None:
    """The row of a CSR number, or None."""
    return _BY_NUMBER.get(number)
