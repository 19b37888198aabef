"""What a hart does where the manual leaves a choice: each choice of `rvhyp.isa.choices` by a small program, on both engines."""
import pytest

from tests.engine.support import BASE, Bench
from tests.hart.choosing import DATA, GVA, HANDLER, NOWHERE, RWX, SV39, TABLE, both, cause, run, run_guest

# What traps write.

@both
@pytest.mark.parametrize("value, tinst", [("transformed", 0x0000_3503), ("zero", 0)])
def test_tinst(engine, value, tinst):
    """ld a0, (a1) with rs1 replaced by 0."""
    bench = run(engine, "ld a0, (a1)\n", chosen={"tinst": value}, x11=0x1000)
    assert cause(bench) == 5 and bench.csr("mtinst") == tinst and bench.csr("mtval") == 0x1000


@both
@pytest.mark.parametrize("tinst", ["transformed", "zero"])
def test_tinst_zero_keeps_pseudoinstructions(engine, tinst):
    """The manual demands them where htval is not zero."""
    bench = run_guest(engine, "ld a0, (a1)\n", {"tinst": tinst}, g_mapped=False, x11=DATA)
    assert cause(bench) == 21 and bench.csr("mtinst") == 0x3000 and bench.csr("mtval2") == (TABLE + 16) >> 2


@both
@pytest.mark.parametrize("value", ["address", "zero"])
def test_guest_page_fault_tval2(engine, value):
    chosen = {"guest-page-fault-tval2": value}
    bench = run_guest(engine, "ld a0, (a1)\n", chosen, g_mapped=False, x11=DATA)            # of a page table
    is_zero = value == "zero"
    assert cause(bench) == 21 and bench.csr("mtval") == DATA and bench.csr("mstatus") & GVA
    assert (bench.csr("mtval2"), bench.csr("mtinst")) == ((0, 0) if is_zero else ((TABLE + 16) >> 2, 0x3000))
    bench = run_guest(engine, "ld a0, (a1)\n", chosen, vsatp=0, x11=0x1000)                 # of the access itself
    assert cause(bench) == 21 and bench.csr("mtval2") == (0 if is_zero else 0x1000 >> 2)
    assert bench.csr("mtinst") == 0x3503


@both
@pytest.mark.parametrize("value", ["instruction", "zero"])
@pytest.mark.parametrize("source, v, number, bits", [(".word 0xffffffff", 0, 2, 0xFFFF_FFFF), (".half 0", 0, 2, 0),
                                                     ("csrr a0, hstatus", 1, 22, 0x6000_2573), ("mret", 1, 2, 0x3020_0073)])
def test_illegal_instruction_tval(engine, value, source, v, number, bits):
    bench = run(engine, source, chosen={"illegal-instruction-tval": value}, prv=3 - 2 * v, v=v)
    assert cause(bench) == number and bench.csr("mtval") == (bits if value == "instruction" else 0)


@both
@pytest.mark.parametrize("value", ["pc", "zero"])
@pytest.mark.parametrize("v", [0, 1])
def test_ebreak_tval(engine, value, v):
    """GVA says whether there is a guest's address."""
    bench = run(engine, "ebreak", chosen={"ebreak-tval": value}, prv=1, v=v)
    assert cause(bench) == 3 and bench.csr("mtval") == (BASE if value == "pc" else 0)
    assert bool(bench.csr("mstatus") & GVA) == (value == "pc" and v == 1)


# Accesses to memory.

ACCESSES = [("ld a0, (a1)", 4), ("lhu a0, (a1)", 4), ("sd a0, (a1)", 6), ("sh a0, (a1)", 6), ("c.lw a0, (a1)", 4),
            ("fld fa0, (a1)", 4), ("fsw fa0, (a1)", 6), ("hlv.w a0, (a1)", 4), ("hsv.d a0, (a1)", 6)]


@both
@pytest.mark.parametrize("source, number", ACCESSES)
@pytest.mark.parametrize("value", ["supported", "trap"])
def test_misaligned(engine, value, source, number):
    bench = run(engine, source, chosen={"misaligned": value}, x11=DATA + 1, mstatus=3 << 13)
    assert cause(bench) == (number if value == "trap" else 0)
    if value == "trap":
        assert bench.csr("mtval") == DATA + 1 and bench.csr("mtinst") != 0
        assert bool(bench.csr("mstatus") & GVA) == source.startswith("h")


@both
@pytest.mark.parametrize("source, number", ACCESSES)
def test_aligned_accesses_never_trap(engine, source, number):
    bench = run(engine, source, chosen={"misaligned": "trap", "misaligned-priority": "high"}, x11=DATA + 8, mstatus=3 << 13)
    assert cause(bench) == 0


@both
@pytest.mark.parametrize("priority, number", [("low", 13), ("high", 4)])
@pytest.mark.parametrize("address", [NOWHERE + 1, 0xBFFF_FFFF])         # all of it, or its second part, is not mapped
def test_misaligned_priority(engine, priority, number, address):
    bench = run_guest(engine, "ld a0, (a1)\n", {"misaligned": "trap", "misaligned-priority": priority}, x11=address)
    assert cause(bench) == number
    assert bench.csr("mtval") == (0xC000_0000 if (priority, address) == ("low", 0xBFFF_FFFF) else address)


@both
@pytest.mark.parametrize("priority, number", [("low", 15), ("high", 6)])
@pytest.mark.parametrize("source", ["amoadd.w a0, a2, (a1)", "sc.d a0, a2, (a1)", "amocas.q a0, a2, (a1)"])
def test_misaligned_priority_of_atomics(engine, priority, number, source):
    bench = run_guest(engine, source, {"misaligned-priority": priority}, x11=NOWHERE + 2)
    assert cause(bench) == number


@both
@pytest.mark.parametrize("value, load, store", [("address-misaligned", 4, 6), ("access-fault", 5, 7)])
def test_misaligned_atomic(engine, value, load, store):
    for source, number in (("lr.w a0, (a1)", load), ("sc.w a0, a2, (a1)", store), ("amoor.d a0, a2, (a1)", store)):
        bench = run(engine, source, chosen={"misaligned-atomic": value}, x11=DATA + 2)
        assert cause(bench) == number and bench.csr("mtval") == DATA + 2, source


@both
@pytest.mark.parametrize("value", ["translates", "skips-translation"])
def test_failed_sc(engine, value):
    chosen = {"failed-sc": value}
    bench = run_guest(engine, "sc.w a0, a2, (a1)\n", chosen, x11=NOWHERE, x10=77)
    assert (cause(bench), int(bench.hart.x[10])) == ((15, 77) if value == "translates" else (0, 1))
    bench = run(engine, "sc.w a0, a2, (a1)\n", chosen=chosen, x11=DATA + 1)
    assert cause(bench) == 6                                            # aligned it must be
    bench = run(engine, "lr.w a3, (a1)\nsc.w a0, a2, (a1)\n", 2, chosen, x11=DATA, x12=5, x10=9)
    assert cause(bench) == 0 and bench.hart.x[10] == 0 and bench.word(DATA) == 5


# Address translation.

@both
@pytest.mark.parametrize("widest, modes", [("sv57", (0, 8, 9, 10)), ("sv48", (0, 8, 9)), ("sv39", (0, 8)), ("bare", (0,))])
def test_widest_mode(engine, widest, modes):
    bench = Bench(engine, choices={"widest-mode": widest})
    for name in ("satp", "vsatp", "hgatp"):
        for mode in range(16):
            bench.set(**{name: modes[-1] << 60})
            bench.set(**{name: mode << 60 | 0x54 << 44 | 0x1230})
            assert bench.csr(name) >> 60 == (mode if mode in modes else modes[-1])
            written = mode in modes or name == "hgatp"
            assert bench.csr(name) & (1 << 60) - 1 == (0x54 << 44 | 0x1230) * written


@both
@pytest.mark.parametrize("width", [0, 1, 9, 16])
def test_asid_bits(engine, width):
    bench = Bench(engine, choices={"asid-bits": width})
    for name in ("satp", "vsatp"):
        bench.set(**{name: SV39 | 0xFFFF << 44})
        assert bench.csr(name) == SV39 | ((1 << width) - 1) << 44


@both
@pytest.mark.parametrize("width", [0, 1, 7, 14])
def test_vmid_bits(engine, width):
    bench = Bench(engine, choices={"vmid-bits": width}).set(hgatp=SV39 | 0xFFFF << 44)
    assert bench.csr("hgatp") == SV39 | ((1 << width) - 1) << 44


@both
@pytest.mark.parametrize("fence, chosen", [("sfence.vma x0, a2", {"asid-bits": 4}), ("sfence.vma x0, a2", {"asid-bits": 0})])
def test_fences_ignore_bits_of_an_asid_that_are_not_there(engine, fence, chosen):
    """The page is mapped elsewhere, and the fence is for the ASID with bits above ASIDLEN."""
    bench = Bench(engine, choices=chosen)
    root, other = 1 << 30, DATA + 0x1000
    for address, value in ((TABLE + 8, BASE >> 2 | RWX), (TABLE + 16, BASE >> 2 | RWX), (DATA, 1), (other, 2)):
        bench.put(value.to_bytes(8, "little"), address)
    low = 1 if chosen["asid-bits"] else 0
    bench.put(f"ld a0, (a1)\nsd a4, (a3)\n{fence}\nld a5, (a1)\nj .\n")
    bench.set(satp=SV39 | low << 44 | TABLE >> 12, prv=1, x11=root + DATA - BASE, x13=TABLE + 8, x14=0, x12=0x130 | low)
    bench.set(stvec=HANDLER, medeleg=1 << 13)
    bench.put("j .\n", HANDLER)
    bench.run(4)
    assert bench.hart.x[10] == 1 and bench.csr("scause") == 13 and bench.hart.x[15] == 0


@both
@pytest.mark.parametrize("value", ["ignored", "warl"])
def test_vsatp_unsupported_mode(engine, value):
    """With V=0 only: with V=1 it is ignored."""
    bench = Bench(engine, choices={"vsatp-unsupported-mode": value}).set(vsatp=SV39 | 3)
    bench.set(vsatp=5 << 60 | 7 << 44 | 9)
    assert bench.csr("vsatp") == (SV39 | 3 if value == "ignored" else SV39 | 7 << 44 | 9)
    bench.set(vsatp=SV39 | 3, prv=1, v=1, x10=5 << 60 | 9)
    bench.hart.vsatp = 3                                                # Bare, so that it can fetch
    bench.put("csrw satp, a0\nj .\n")
    bench.run(1)
    assert bench.csr("vsatp") == 3


@both
@pytest.mark.parametrize("value", ["kept", "zero"])
def test_bare_fields(engine, value):
    bench = Bench(engine, choices={"bare-fields": value})
    for name, fields in (("satp", 7 << 44 | 9), ("vsatp", 7 << 44 | 9), ("hgatp", 7 << 44 | 8)):
        bench.set(**{name: fields})
        assert bench.csr(name) == (fields if value == "kept" else 0)
        bench.set(**{name: SV39 | fields})
        assert bench.csr(name) == SV39 | fields
