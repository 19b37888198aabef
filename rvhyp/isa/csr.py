"""Control and status registers (Privileged ISA, chapter "CSR Listing").

The "h" upper halves do not exist on RV64.
"""
from __future__ import annotations


def _numbered(name: str, first: int, indices) -> dict[str, int]:
    """name3, name4 ... at consecutive numbers, `first` being that of index 0."""
    return {f"{name}{i}": first + i for i in indices}


CSR_NUMBERS: dict[str, int] = {
    # Unprivileged.
    "fflags": 0x001, "frm": 0x002, "fcsr": 0x003,
    "vstart": 0x008, "vxsat": 0x009, "vxrm": 0x00A, "vcsr": 0x00F, "ssp": 0x011, "seed": 0x015, "jvt": 0x017,
    "cycle": 0xC00, "time": 0xC01, "instret": 0xC02, **_numbered("hpmcounter", 0xC00, range(3, 32)),
    "vl": 0xC20, "vtype": 0xC21, "vlenb": 0xC22,
    # Supervisor.
    "sstatus": 0x100, "sie": 0x104, "stvec": 0x105, "scounteren": 0x106, "senvcfg": 0x10A,
    **_numbered("sstateen", 0x10C, range(4)), "scountinhibit": 0x120,
    "sscratch": 0x140, "sepc": 0x141, "scause": 0x142, "stval": 0x143, "sip": 0x144, "stimecmp": 0x14D,
    "siselect": 0x150, "sireg": 0x151, "sireg2": 0x152, "sireg3": 0x153, "sireg4": 0x155, "sireg5": 0x156,
    "sireg6": 0x157, "stopei": 0x15C, "satp": 0x180, "srmcfg": 0x181, "scontext": 0x5A8, "scountovf": 0xDA0,
    "stopi": 0xDB0,
    # Virtual supervisor.
    "vsstatus": 0x200, "vsie": 0x204, "vstvec": 0x205, "vsscratch": 0x240, "vsepc": 0x241, "vscause": 0x242,
    "vstval": 0x243, "vsip": 0x244, "vstimecmp": 0x24D, "vsiselect": 0x250, "vsireg": 0x251, "vsireg2": 0x252,
    "vsireg3": 0x253, "vsireg4": 0x255, "vsireg5": 0x256, "vsireg6": 0x257, "vstopei": 0x25C, "vsatp": 0x280,
    "vstopi": 0xEB0,
    # Hypervisor.
    "hstatus": 0x600, "hedeleg": 0x602, "hideleg": 0x603, "hie": 0x604, "htimedelta": 0x605, "hcounteren": 0x606,
    "hgeie": 0x607, "hvien": 0x608, "hvictl": 0x609, "henvcfg": 0x60A, **_numbered("hstateen", 0x60C, range(4)),
    "htval": 0x643, "hip": 0x644, "hvip": 0x645, "hviprio1": 0x646, "hviprio2": 0x647, "htinst": 0x64A,
    "hgatp": 0x680, "hcontext": 0x6A8, "hgeip": 0xE12,
    # Machine.
    "mvendorid": 0xF11, "marchid": 0xF12, "mimpid": 0xF13, "mhartid": 0xF14, "mconfigptr": 0xF15,
    "mstatus": 0x300, "misa": 0x301, "medeleg": 0x302, "mideleg": 0x303, "mie": 0x304, "mtvec": 0x305,
    "mcounteren": 0x306, "mvien": 0x308, "mvip": 0x309, "menvcfg": 0x30A, **_numbered("mstateen", 0x30C, range(4)),
    "mcountinhibit": 0x320, "mcyclecfg": 0x321, "minstretcfg": 0x322, **_numbered("mhpmevent", 0x320, range(3, 32)),
    "mscratch": 0x340, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343, "mip": 0x344, "mtinst": 0x34A, "mtval2": 0x34B,
    "miselect": 0x350, "mireg": 0x351, "mireg2": 0x352, "mireg3": 0x353, "mireg4": 0x355, "mireg5": 0x356,
    "mireg6": 0x357, "mtopei": 0x35C, "mtopi": 0xFB0,
    **_numbered("pmpcfg", 0x3A0, range(0, 16, 2)), **_numbered("pmpaddr", 0x3B0, range(64)),
    "mnscratch": 0x740, "mnepc": 0x741, "mncause": 0x742, "mnstatus": 0x744, "mseccfg": 0x747,
    "tselect": 0x7A0, "tdata1": 0x7A1, "tdata2": 0x7A2, "tdata3": 0x7A3, "tinfo": 0x7A4, "tcontrol": 0x7A5,
    "mcontext": 0x7A8, "dcsr": 0x7B0, "dpc": 0x7B1, "dscratch0": 0x7B2, "dscratch1": 0x7B3,
    "mcycle": 0xB00, "minstret": 0xB02, **_numbered("mhpmcounter", 0xB00, range(3, 32)),
}
