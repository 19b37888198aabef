"""What CSRs hold: writable bits, views of one another, read-only fields (tables of the CSRs in the Privileged ISA).

The identifiers in brackets are those of the list of statements about the hypervisor extension that these tests follow."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.csr import CSRS
from tests.engine.programs import INTEGERS, MODES, uniform64
from tests.engine.support import BASE, ENGINES, Bench, difference, examples
from tests.hart.csr_model import (
    ALL,
    BY_OTHER_RULES,
    CBIE,
    EVENTS,
    FS,
    HEDELEG,
    MPP,
    S_BITS,
    SDT,
    SIE,
    SSTATUS,
    UXL,
    VS_BITS,
    WRITABLE,
)

SD, STCE, ADUE, PBMTE, DTE = 1 << 63, 1 << 63, 1 << 61, 1 << 62, 1 << 59
both = pytest.mark.parametrize("engine", ENGINES)
values = st.one_of(st.sampled_from(INTEGERS), uniform64)
STATEEN = {f"{x}stateen{n}": ALL for x in "mh" for n in range(4)}
# Nothing is masked by what is above it.
OPEN = {"menvcfg": ALL & ~STCE, "henvcfg": DTE, "mideleg": ALL, "hideleg": ALL} | STATEEN


def expected(name: str, before: int, value: int) -> int:
    """What a CSR reads after `value` is written."""
    mask, fixed = WRITABLE[name]
    result = value & mask | fixed
    if name == "mstatus" and result & MPP == 2 << 11:
        result = result & ~MPP | before & MPP
    if name in ("menvcfg", "henvcfg", "senvcfg") and result & CBIE == 2 << 4:       # reserved (H-CSR-021)
        result = result & ~CBIE | before & CBIE
    if name.startswith("mhpmevent") and result % (1 << 56) not in EVENTS:
        result &= ALL << 56
    if name in ("mstatus", "sstatus", "vsstatus"):
        result = result & ~SIE if result & SDT else result
        result |= SD if result & FS == FS else 0
    return result


@both
@pytest.mark.parametrize("name", WRITABLE)
def test_writable_bits(engine, name):
    """All ones, zeros, and anything: exactly the writable bits change."""
    @examples(12)
    @given(st.lists(values, min_size=2, max_size=6))
    def check(written):
        bench = Bench(engine).set(**OPEN)
        if name == "henvcfg":
            bench.set(menvcfg=ALL)
        for value in (ALL, 0, *written):
            before = bench.csr(name)
            bench.set(**{name: value})
            assert bench.csr(name) == expected(name, before, value), hex(value)
    check()


def test_every_csr_has_a_rule_here():
    assert {*WRITABLE, *BY_OTHER_RULES} == {*CSRS}


@both
def test_reset(engine):
    """M-mode, nothing translated, nothing enabled (H-BASE-001); misa says H (H-BASE-002)."""
    bench = Bench(engine)
    hart = bench.hart
    assert (hart.prv, hart.v) == (3, 0)
    for name in ("hgatp", "vsatp", "satp", "mie", "medeleg", "hedeleg", "hideleg", "menvcfg", "mcounteren", "hstatus", "mip"):
        assert bench.csr(name) == WRITABLE.get(name, (0, 0))[1], name
    assert bench.csr("mstatus") == 0xA << 32 and bench.csr("vsstatus") == UXL
    assert bench.csr("misa") == 2 << 62 | sum(1 << ord(c) - ord("A") for c in "IMAFDCBHSU")


# Translation registers.

ATPS = ("satp", "vsatp", "hgatp")


@both
@pytest.mark.parametrize("name", ATPS)
@pytest.mark.parametrize("mode", range(16))
def test_modes_of_translation(engine, name, mode):
    """Bare, 39, 48, 57 (H-BASE-011).  Another MODE voids a write of satp, vsatp (H-CSR-006), of hgatp just itself (H-CSR-003)."""
    bench = Bench(engine).set(**{name: 8 << 60 | 0x1234 << 44 | 0x54321 << 12})
    before = bench.csr(name)
    value = mode << 60 | ALL >> 4
    bench.set(**{name: value})
    legal = mode in (0, 8, 9, 10)
    if name == "hgatp":                                     # VMID of 14 bits, root aligned to 16 KiB (H-CSR-004, H-CSR-005)
        assert bench.csr(name) == (mode if legal else 8) << 60 | 0x3FFF << 44 | (1 << 44) - 4
    else:
        assert bench.csr(name) == (value if legal else before)


# Status.

@both
@pytest.mark.parametrize("mpp", range(4))
@pytest.mark.parametrize("old", [0, 1, 3])
def test_mpp_holds_modes_that_exist(engine, mpp, old):
    bench = Bench(engine).set(mstatus=old << 11)
    bench.set(mstatus=mpp << 11)
    assert bench.csr("mstatus") >> 11 & 3 == (old if mpp == 2 else mpp)


@both
@given(values, values)
@examples(15)
def test_sstatus_is_a_view_of_mstatus(engine, first, second):
    bench = Bench(engine).set(mstatus=first)
    before = bench.csr("mstatus")
    assert bench.csr("sstatus") == before & (SSTATUS | UXL | SD)
    bench.set(sstatus=second)
    assert bench.csr("mstatus") & ~SD == before & ~SD & ~SSTATUS | second & SSTATUS
    assert bench.csr("vsstatus") == UXL                             # its own register


@both
def test_sd_is_each_ones_own(engine):
    """(H-CSR-018)"""
    bench = Bench(engine).set(mstatus=FS)
    assert bench.csr("sstatus") & SD and not bench.csr("vsstatus") & SD
    bench.set(mstatus=1 << 13, vsstatus=FS)
    assert not bench.csr("sstatus") & SD and bench.csr("vsstatus") & SD


@both
@pytest.mark.parametrize("mode", MODES)
def test_floating_point_state_is_dirty_for_host_and_guest(engine, mode):
    """An instruction that changes it sets FS to 3, with V=1 in both registers (H-CSR-019)."""
    prv, v = MODES[mode]
    bench = Bench(engine).set(mstatus=1 << 13, vsstatus=1 << 13, prv=prv, v=v)
    bench.put("fmv.d.x ft0, zero\n")
    bench.run(1)
    assert bench.csr("mstatus") & FS == FS
    assert bench.csr("vsstatus") & FS == (FS if v else 1 << 13)


@both
@pytest.mark.parametrize("source, dirty", [("fmv.x.d a0, ft0", 0), ("feq.d a0, ft0, ft1", 0), ("fclass.s a0, ft0", 0),
                                           ("fsd ft0, (s0)", 0), ("frflags a0", 0), ("flt.d a0, ft2, ft0", 1),
                                           ("fsflags zero", 1), ("fld ft0, (s0)", 1),
                                           ("fsgnj.d ft0, ft0, ft0", 1), ("fcvt.w.d a0, ft2", 1), ("fcvt.w.d a0, ft0", 0),
                                           ("fadd.d ft0, ft0, ft1", 1)])
def test_what_makes_floating_point_state_dirty(engine, source, dirty):
    """Writing an f register, raising a flag, writing fcsr; reading does not."""
    bench = Bench(engine).set(mstatus=2 << 13, x8=BASE + 0x800, f2=0x7FF8 << 48)
    bench.put(source)
    bench.run(1)
    assert bench.hart.traps == 0 and bench.csr("mstatus") & FS == (FS if dirty else 2 << 13)


# Delegation.

@both
def test_delegation_registers(engine):
    """(H-BASE-005 to H-BASE-008)"""
    bench = Bench(engine).set(mideleg=0, medeleg=ALL, hedeleg=ALL, hideleg=ALL)
    assert bench.csr("mideleg") == VS_BITS
    assert bench.csr("hideleg") == VS_BITS                          # bit 13 only where mideleg has it
    bench.set(mideleg=ALL, hideleg=ALL)
    assert bench.csr("hideleg") == VS_BITS | 1 << 13
    bench.set(mideleg=0)
    assert bench.csr("hideleg") == VS_BITS
    assert bench.csr("hedeleg") == HEDELEG
    assert all(bench.csr("medeleg") >> n & 1 for n in (10, 20, 21, 22, 23))
    assert not any(bench.csr("medeleg") >> n & 1 for n in (0, 11, 14, 16, 17))


# Interrupt bits: state, and views of it.

@both
def test_views_of_mie(engine):
    """(H-CSR-011 to H-CSR-013)"""
    bench = Bench(engine).set(mie=ALL, mideleg=1 << 1 | 1 << 5)
    assert bench.csr("sie") == 1 << 1 | 1 << 5 and bench.csr("hie") == VS_BITS
    bench.set(hideleg=1 << 6)
    assert bench.csr("vsie") == 1 << 5
    bench.set(vsie=0)                                               # H-CSR-015: shifted, delegated bits only
    assert bench.csr("hie") == VS_BITS & ~(1 << 6) and bench.csr("mie") == 0x2EAE & ~(1 << 6)
    bench.set(sie=0)
    assert bench.csr("mie") == (0x2EAE & ~(1 << 6)) & ~(1 << 1 | 1 << 5)
    bench.set(mie=0, hie=ALL)
    assert bench.csr("mie") == VS_BITS
    bench.set(mideleg=ALL, hideleg=ALL, mie=0, vsie=ALL)
    assert bench.csr("mie") == VS_BITS | 1 << 13 and bench.csr("sie") == 1 << 13


@both
def test_vssip_is_one_bit(engine):
    """hip, hvip, mip, and where delegated vsip (H-CSR-008, H-CSR-014)."""
    bench = Bench(engine).set(hideleg=VS_BITS)
    views = {"mip": 2, "hip": 2, "hvip": 2, "vsip": 1}
    for name, bit in views.items():
        for value in (1, 0):
            bench.set(**{name: value << bit})
            assert all(bench.csr(other) == value << at for other, at in views.items()), name
    bench.set(hideleg=0, vsip=1 << 1)
    assert bench.csr("hvip") == bench.csr("vsip") == 0


@both
def test_vsip_of_bits_that_are_not_delegated_is_zero(engine):
    """(H-CSR-013)"""
    bench = Bench(engine).set(hvip=VS_BITS)
    for bits in (0, 4, 0x40, 0x400, VS_BITS):
        bench.set(hideleg=bits)
        assert bench.csr("vsip") == bits >> 1
    assert bench.csr("sip") == 0 and bench.csr("hip") == VS_BITS       # H-CSR-012


@both
def test_read_only_pending_bits(engine):
    """hip and mip change VSSIP alone; vsip.STIP and SEIP are hvip's to change (H-CSR-009, H-CSR-014)."""
    bench = Bench(engine).set(hideleg=VS_BITS, mideleg=S_BITS, hip=ALL)
    assert bench.csr("hvip") == 4
    bench.set(hvip=VS_BITS, hip=0)
    assert bench.csr("hvip") == 0x440
    bench.set(vsip=0)
    assert bench.csr("hvip") == 0x440
    bench.set(mip=ALL)
    assert bench.csr("mip") == 0x2222 | VS_BITS
    bench.set(sip=0)
    assert bench.csr("mip") == 0x220 | VS_BITS
    bench.set(mideleg=0, mip=0, sip=ALL)
    assert bench.csr("mip") & S_BITS == 0


@both
def test_hvip_shows_software_bits_alone(engine):
    """(H-CSR-010)"""
    bench = Bench(engine).set(menvcfg=STCE, henvcfg=STCE, vstimecmp=0, wires=1 << 10)
    assert bench.csr("hip") == 1 << 6 | 1 << 10 and bench.csr("hvip") == 0
    bench.set(hvip=0)
    assert bench.csr("hip") == 1 << 6 | 1 << 10


@both
def test_stip_belongs_to_the_comparator_or_to_software(engine):
    """(H-INT-018)"""
    bench = Bench(engine).set(mip=1 << 5)
    assert bench.csr("mip") == 1 << 5
    bench.set(menvcfg=STCE)
    assert bench.csr("mip") == 0
    bench.set(stimecmp=0)
    assert bench.csr("mip") == 1 << 5
    bench.set(mip=0)
    assert bench.csr("mip") == 1 << 5
    bench.set(stimecmp=ALL)
    assert bench.csr("mip") == 0


@both
@pytest.mark.parametrize("instruction, software", [
    ("csrs mip, zero", 0), ("csrsi mip, 2", 0), ("csrci mip, 2", 0), ("csrrw a1, mip, a2", 1)])
def test_read_modify_write_of_seip(engine, instruction, software):
    """Reads give the wire or the software bit; what is written back is the software bit alone (H-CSR-017)."""
    bench = Bench(engine).set(wires=1 << 9, x12=1 << 9)
    bench.put(f"{instruction}\ncsrr a0, mip\n")
    bench.run(2)
    assert bench.hart.x[10] & 1 << 9
    bench.set(wires=0)
    assert bench.csr("mip") >> 9 & 1 == software


# henvcfg under menvcfg.

@both
@pytest.mark.parametrize("bit", [STCE, ADUE, PBMTE])
def test_henvcfg_is_masked_by_menvcfg(engine, bit):
    """Reads 0 and ignores writes while the menvcfg bit is 0; what was written before comes back (H-CSR-020)."""
    bench = Bench(engine).set(menvcfg=ALL, henvcfg=ALL)
    bench.set(menvcfg=ALL & ~bit)
    assert not bench.csr("henvcfg") & bit
    bench.set(henvcfg=0)
    assert bench.csr("henvcfg") == 0
    bench.set(menvcfg=ALL)
    assert bench.csr("henvcfg") == bit
    bench.set(henvcfg=0)
    assert bench.csr("henvcfg") == 0


# Twins.

TWINS = {"sstatus": "vsstatus", "sie": "vsie", "stvec": "vstvec", "sscratch": "vsscratch", "sepc": "vsepc", "scause": "vscause",
         "stval": "vstval", "sip": "vsip", "satp": "vsatp", "stimecmp": "vstimecmp"}


@both
@pytest.mark.parametrize("name", TWINS)
def test_a_guest_has_registers_of_its_own(engine, name):
    """A write in VS changes the VS register and no other (H-CSR-001); so do the views of it."""
    bench = Bench(engine).set(menvcfg=STCE, henvcfg=STCE, mcounteren=2, hcounteren=2, hideleg=VS_BITS, prv=1, v=1)
    bench.run(0)
    before = bench.csrs()
    bench.put(f"li a0, {1 << 1 | 1 << 5}\ncsrw {name}, a0\ncsrr a1, {name}\nj .\n")
    bench.run(3)
    assert bench.hart.traps == 0
    after = bench.csrs()
    changed = {key.removeprefix("csr ") for key in difference(before, after)} - {"cycle", "instret", "mcycle", "minstret", "time"}
    # vsie and vsip are views of mie and of hvip; a comparator makes its own bit pending
    views = {"sie": {"mie", "hie"}, "sip": {"mip", "hip", "hvip"}, "stimecmp": {"mip", "hip", "vsip"}}.get(name, set())
    assert changed <= {TWINS[name]} | views and TWINS[name] in changed
    assert bench.hart.x[11] == bench.csr(TWINS[name])


@both
@pytest.mark.parametrize("name", ["scounteren", "senvcfg"])
def test_registers_that_host_and_guest_share(engine, name):
    """(H-CSR-002)"""
    bench = Bench(engine).set(prv=1, v=1, **STATEEN)
    bench.put(f"csrwi {name}, 1\n")
    bench.run(1)
    assert bench.csr(name) == 1


# Without H.

@both
def test_without_h_nothing_of_it_shows(engine):
    """(H-BASE-002, H-BASE-003)"""
    bench = Bench(engine).set(mstatus=1 << 39 | 1 << 38, hvip=VS_BITS, mie=ALL, medeleg=ALL, hstatus=1 << 7)
    bench.set(misa=0)
    assert not bench.csr("misa") & 1 << 7
    assert not bench.csr("mstatus") & (1 << 39 | 1 << 38)
    assert bench.csr("mip") == 0 and bench.csr("mie") == 0x2AAA and bench.csr("mideleg") == 0
    assert not bench.csr("medeleg") & (1 << 10 | 15 << 20)
    bench.set(mstatus=1 << 39 | 1 << 38, mie=ALL, mip=ALL)
    assert not bench.csr("mstatus") & (1 << 39 | 1 << 38) and bench.csr("mie") == 0x2AAA and bench.csr("mip") == 0x2222


@both
@pytest.mark.parametrize("instruction", ["mret", "sret"])
def test_without_h_no_return_sets_v(engine, instruction):
    """(H-BASE-003)"""
    bench = Bench(engine).set(mstatus=1 << 39, hstatus=1 << 7, mepc=BASE, sepc=BASE)
    bench.set(misa=0)
    bench.put(instruction)
    bench.run(1)
    assert bench.hart.v == 0 and bench.hart.prv == 0


@both
def test_without_h_its_interrupts_are_not_taken(engine):
    """What hvip held is not pending."""
    bench = Bench(engine).set(hvip=VS_BITS, mie=ALL, menvcfg=STCE, henvcfg=STCE, vstimecmp=0, mtvec=BASE + 0x100)
    bench.set(misa=0, prv=0)
    bench.put("nop\nnop\nj .\n")
    bench.run(5)
    assert bench.hart.traps == 0


# Floating point from outside.

@both
@pytest.mark.parametrize("frm", range(8))
def test_reading_fcsr_from_python_is_not_computing(engine, frm):
    """Flags that Python's own arithmetic raised are not the hart's, and the hart's rounding is not Python's."""
    bench = Bench(engine).set(frm=frm)
    third = 1 / float(bench.hart.next_hart and 3)                   # inexact
    assert bench.csr("fflags") == 0 and bench.csr("fcsr") == frm << 5
    assert 1 / float(bench.hart.next_hart and 3) == third == 0.3333333333333333


@both
def test_flags_are_sticky(engine):
    bench = Bench(engine).set(mstatus=FS, f1=0x3FF0 << 48, f2=0x4008 << 48)
    bench.put("fdiv.d ft0, ft1, ft3\nfdiv.d ft0, ft1, ft2\nfrflags a0\nfsflags a1, zero\nfrflags a2\nfsflagsi a3, 31\nfrcsr a4\n")
    bench.run(7)
    assert [int(bench.hart.x[n]) for n in range(10, 15)] == [9, 9, 0, 0, 31]
