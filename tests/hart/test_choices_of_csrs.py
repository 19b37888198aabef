"""What a hart does where the manual leaves a choice: PMP, interrupts, and other fields of CSRs."""
import pytest

from rvhyp.isa.choices import CHOICES
from rvhyp.isa.csr import MEDELEG_WRITABLE
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Machine
from rvhyp.machine.ram import Ram
from tests.engine.support import BASE, Bench
from tests.hart import test_choices
from tests.hart.choosing import DATA, HANDLER, HS, MPRV, NOWHERE, PMP_ALL, RWX, SV39, TABLE, both, cause, run

# Physical memory protection.

@both
@pytest.mark.parametrize("entries", [0, 16, 64])
def test_pmp_entries_that_there_are(engine, entries):
    for name, entry in (("pmpaddr0", 0), ("pmpaddr15", 15), ("pmpaddr16", 16), ("pmpaddr63", 63), ("pmpcfg0", 0), ("pmpcfg2", 8),
                        ("pmpcfg4", 16), ("pmpcfg14", 56)):
        bench = run(engine, f"csrr a0, {name}\n", chosen={"pmp-entries": entries})
        assert cause(bench) == (0 if entry < entries else 2), name
    for number in (0x3A1, 0x3AF):                                       # pmpcfg1, pmpcfg15: of RV32
        assert cause(run(engine, f"csrr a0, {number}\n", chosen={"pmp-entries": entries})) == 2


@both
@pytest.mark.parametrize("entries, number", [(0, 0), (16, 5)])
def test_pmp_entries_none_protects_nothing(engine, entries, number):
    """Without entries S-mode may do everything; with entries, nothing that none allows."""
    bench = run(engine, "ld a0, (a1)\n", chosen={"pmp-entries": entries}, pmpcfg0=0, mstatus=MPRV | HS, x11=DATA)
    assert cause(bench) == number


@both
def test_pmp_entry_63_protects(engine):
    state = dict(pmpaddr63=PMP_ALL, pmpcfg0=0, mstatus=MPRV | HS, x11=DATA)
    for config, number in ((0x1F, 0), (0x1C, 5)):
        bench = run(engine, "ld a0, (a1)\n", chosen={"pmp-entries": 64}, pmpcfg14=config << 56, **state)
        assert cause(bench) == number


@both
@pytest.mark.parametrize("grain", [0, 1, 2, 5, 10])
def test_pmp_grain_as_software_finds_it(engine, grain):
    """The manual's way: off, all ones written, the lowest bit that is one is G."""
    bench = Bench(engine, choices={"pmp-grain": grain}).set(pmpcfg0=0, pmpaddr0=-1)
    assert bench.csr("pmpaddr0") == PMP_ALL >> grain << grain
    bench.set(pmpaddr0=0, pmpcfg0=3 << 3)                               # NAPOT: bits G - 2 to 0 are ones
    assert bench.csr("pmpaddr0") == max(0, (1 << grain >> 1) - 1)
    bench.set(pmpcfg0=1 << 3)
    assert bench.csr("pmpaddr0") == 0                                   # what was written stays below
    bench.set(pmpcfg0=2 << 3)
    assert bench.csr("pmpcfg0") == (2 if grain == 0 else 3) << 3        # NA4 only with the finest


@both
@pytest.mark.parametrize("grain", [0, 9, 10])
def test_pmp_grain_rounds_regions(engine, grain):
    """TOR from 0 to DATA + 2 KiB: DATA + 3 KiB is outside, and with a grain of 4 KiB DATA too."""
    chosen, top = {"pmp-grain": grain}, (DATA + 0x800) >> 2
    state = dict(pmpaddr0=top, pmpcfg0=0xF, mstatus=MPRV | HS)
    assert cause(run(engine, "ld a0, (a1)\n", chosen=chosen, **state, x11=DATA + 0xC00)) == 5
    assert cause(run(engine, "ld a0, (a1)\n", chosen=chosen, **state, x11=DATA)) == (5 if grain == 10 else 0)
    assert cause(run(engine, "ld a0, (a1)\n", chosen=chosen, **state, x11=DATA - 8)) == 0


# Interrupts and delegation.

@both
@pytest.mark.parametrize("count", [0, 1, 5, 63])
def test_geilen(engine, count):
    bench = Bench(engine, choices={"geilen": count}).set(hgeie=-1, mie=-1, mideleg=0)
    lines = (2 << count) - 2
    assert bench.csr("hgeie") == lines
    assert bench.csr("mideleg") >> 12 & 1 == bench.csr("hie") >> 12 & 1 == bench.csr("mie") >> 12 & 1 == (count > 0)
    for number in (0, count, 63):
        bench.set(hstatus=0)
        bench.set(hstatus=number << 12)
        assert bench.csr("hstatus") >> 12 & 63 == (number if number <= count else 0)
    assert bench.csr("hgeip") == 0
    if count:
        for number in (1, count):
            drive = bench.machine.guest_wire(number)
            drive(True)
            assert bench.csr("hgeip") == 1 << number and bench.csr("hip") >> 12 & 1
            drive(False)
            assert bench.csr("hgeip") == bench.csr("hip") == 0
    for number in (0, count + 1):
        with pytest.raises(ValueError, match=f"GEILEN is {count}"):
            bench.machine.guest_wire(number)


@both
def test_a_guest_external_interrupt_is_taken_at_once(engine):
    """A device raises it between two instructions: the next one is the handler's."""
    bench = Bench(engine, choices={"geilen": 3}).set(prv=1, v=1, hgeie=4, mie=1 << 12, stvec=HANDLER)
    bench.put("nop\nj .\n")
    bench.put("j .\n", HANDLER)
    bench.run(3)
    assert bench.csr("scause") == 0
    bench.machine.guest_wire(2)(True)
    bench.run(1)
    assert bench.csr("scause") == 1 << 63 | 12 and bench.hart.pc == HANDLER and bench.hart.v == 0


@both
@pytest.mark.parametrize("value", ["waits", "nop"])
def test_wfi(engine, value):
    bench = Bench(engine, choices={"wfi": value})
    bench.put("wfi\naddi a0, a0, 1\nj .\n")
    ended = bench.run(3)
    assert ended == ([("WFI", 1)] if value == "waits" else [("budget", 3)]) and bench.hart.x[10] == (value == "nop")
    bench = run(engine, "wfi", chosen={"wfi": value}, prv=1, mstatus=1 << 21)
    assert cause(bench) == 2                                            # TW traps at once


@both
@pytest.mark.parametrize("mask", [0, 1 << 13, MEDELEG_WRITABLE])
def test_medeleg(engine, mask):
    bench = Bench(engine, choices={"medeleg": int(mask)}).set(medeleg=-1)
    assert bench.csr("medeleg") == mask
    bench = run(engine, "ld a0, (a1)\n", chosen={"medeleg": int(mask)}, medeleg=-1, prv=1, x11=NOWHERE, stvec=HANDLER,
                satp=0)
    assert (bench.csr("scause") == 5) == bool(mask >> 5 & 1)


# Other fields of CSRs.

@both
@pytest.mark.parametrize("value", ["kept", "user"])
@pytest.mark.parametrize("old", [0, 1, 3])
def test_mpp_reserved(engine, value, old):
    bench = Bench(engine, choices={"mpp-reserved": value}).set(mstatus=old << 11)
    bench.set(mstatus=2 << 11)
    assert bench.csr("mstatus") >> 11 & 3 == (old if value == "kept" else 0)


@both
@pytest.mark.parametrize("name", ["mtvec", "stvec", "vstvec"])
@pytest.mark.parametrize("modes", ["vectored", "direct"])
@pytest.mark.parametrize("alignment", CHOICES["vectored-alignment"].values)
def test_trap_vectors(engine, name, modes, alignment):
    bench = Bench(engine, choices={"tvec-modes": modes, "vectored-alignment": alignment})
    bench.set(**{name: BASE + 0x3FC})
    assert bench.csr(name) == BASE + 0x3FC                              # Direct: any address
    bench.set(**{name: BASE + 0x3FC | 1})
    assert bench.csr(name) == (BASE + 0x3FC if modes == "direct" else BASE + 0x400 - alignment | 1)


@both
@pytest.mark.parametrize("value", ["writable", "read-only"])
def test_misa_h(engine, value):
    bench = run(engine, "csrc misa, a0\ncsrr a1, hstatus\n", 2, {"misa-h": value}, x10=1 << 7)
    assert bench.csr("misa") >> 7 & 1 == (value == "read-only") and cause(bench) == (2 if value == "writable" else 0)


@both
@pytest.mark.parametrize("value", ["csr", "absent"])
@pytest.mark.parametrize("mode", [(3, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
def test_time(engine, value, mode):
    """In every mode, and with V=1 never a virtual instruction: there is no such CSR."""
    state = dict(mcounteren=-1, hcounteren=0, scounteren=-1, prv=mode[0], v=mode[1])
    bench = run(engine, "csrr a0, time\n", chosen={"time": value}, **state)
    assert cause(bench) == (2 if value == "absent" else 22 if mode[1] else 0)
    bench = run(engine, "csrr a0, cycle\n", chosen={"time": value}, **state)
    assert cause(bench) == (22 if mode[1] else 0)


# What an ISA string says.

@both
@pytest.mark.parametrize("name, bit", [("svadu", 61), ("svpbmt", 62), ("sstc", 63)])
def test_fields_of_menvcfg_need_their_extension(engine, name, bit):
    for isa, there in ((f"rv64imafdch_{name}", 1), ("rv64imafdch", 0)):
        bench = Bench(engine, isa=isa).set(menvcfg=-1, henvcfg=-1)
        assert bench.csr("menvcfg") >> bit & 1 == bench.csr("henvcfg") >> bit & 1 == there


@both
@pytest.mark.parametrize("number", ["stimecmp", "vstimecmp"])
def test_without_sstc_its_csrs_are_not_there(engine, number):
    for isa, expected in (("rv64imafdch_sstc", 0), ("rv64imafdch", 2)):
        assert cause(run(engine, f"csrr a0, {number}\n", isa=isa)) == expected


@both
def test_without_svadu_a_page_that_was_not_accessed_faults(engine):
    for isa, expected in (("rv64imafdch_svadu", 0), ("rv64imafdch", 13)):
        bench = Bench(engine, isa=isa).set(mtvec=HANDLER)
        bench.put((BASE >> 2 | RWX & ~(3 << 6)).to_bytes(8, "little"), TABLE + 16)
        bench.put("ld a0, (a1)\nj .\n")
        bench.put("j .\n", HANDLER)
        bench.set(menvcfg=-1, satp=SV39 | TABLE >> 12, mstatus=MPRV | HS, x11=DATA)
        bench.run(1)
        assert cause(bench) == expected


def test_every_choice_has_a_test_here():
    tests = " ".join(name for name in [*globals(), *vars(test_choices)] if name.startswith("test_"))
    other = {"tvec-modes": "trap_vectors", "vectored-alignment": "trap_vectors"}
    assert all(other.get(name, name.replace("-", "_")) in tests for name in CHOICES)


@pytest.mark.parametrize("isa, chosen, message", [
    ("rv64imac_zicclsm", {"misaligned": "trap"}, "names zicclsm, but misaligned is 'trap'"),
    ("rv64imac_sv57", {"widest-mode": "sv48"}, "names sv57"),
    ("rv64imac_sstvala", {"illegal-instruction-tval": "zero"}, "sstvala"),
    (None, {"geilen": 64}, "geilen must be 0 to 63, not 64"), (None, {"gelien": 1}, "did you mean geilen")])
def test_a_machine_that_cannot_be(isa, chosen, message):
    more = {"isa": isa} if isa else {}
    with pytest.raises(BadInput, match=message):
        Machine([Ram(BASE, 4096)], engine="reference", choices=chosen, **more)
