"""A CSR, or a bit of one, is there only with the extension that it belongs to."""
import pytest

from tests.engine.support import BASE, ENGINES, Bench

both = pytest.mark.parametrize("engine", ENGINES)
ALL = (1 << 64) - 1
HANDLER = BASE + 0x100
WITH = {
    "zihpm": [f"hpmcounter{n}" for n in (3, 17, 31)],
    "sscofpmf": ["scountovf"],
    "smcntrpmf": ["mcyclecfg", "minstretcfg"],
    "smstateen": [f"{x}stateen{n}" for x in "msh" for n in range(4)],
    "ssstateen": [f"{x}stateen{n}" for x in "sh" for n in range(4)],
}
CASES = [(isa, name, True) for isa, names in WITH.items() for name in names]
CASES += [("zicntr", name, False) for names in WITH.values() for name in names]
CASES += [("ssstateen", f"mstateen{n}", False) for n in range(4)]
CASES += [("sscofpmf", "hpmcounter3", False), ("zihpm", "scountovf", False), ("zicntr", "mhpmcounter3", True),
          ("zicntr", "mhpmevent31", True), ("zicntr", "mcountinhibit", True), ("zicntr", "cycle", True)]


def traps(engine: str, isa: str, source: str, **state: int) -> int:
    """mcause of an instruction; 0 if it completes."""
    bench = Bench(engine, isa=isa).set(mtvec=HANDLER, **state)
    bench.put(source)
    bench.put("j .\n", HANDLER)
    bench.run(1)
    return bench.csr("mcause")


@both
@pytest.mark.parametrize("extension, name, is_there", CASES)
def test_it_is_there_with_its_extension(engine, extension, name, is_there):
    assert traps(engine, f"rv64imafdch_{extension}", f"csrr a0, {name}\n") == (0 if is_there else 2)


@both
@pytest.mark.parametrize("isa, is_there", [("rv64imac", False), ("rv64imafc", True)])
def test_fcsr_belongs_to_f(engine, isa, is_there):
    assert traps(engine, isa, "csrr a0, fcsr\n", mstatus=3 << 13) == (0 if is_there else 2)


@both
@pytest.mark.parametrize("isa, hstateen, misa", [("rv64imafdch_smstateen", True, 1), ("rv64imafdc_smstateen", False, 0)])
def test_without_h_misa_cannot_say_h(engine, isa, hstateen, misa):
    """misa holds what the hart supports: H cannot be switched on where it is not, nor its CSRs come to be (section "misa")."""
    bench = Bench(engine, isa=isa).set(misa=ALL)
    assert bench.csr("misa") >> 7 & 1 == misa
    for name in ("hstateen0", "hstatus", "vsatp"):
        assert traps(engine, isa, f"csrr a0, {name}\n", misa=ALL) == (0 if hstateen else 2)


@both
@pytest.mark.parametrize("isa, cause", [("rv64imafdch", 0), ("rv64imafdch_ssstateen", 0), ("rv64imafdch_smstateen", 2)])
def test_what_is_not_there_closes_no_gate(engine, isa, cause):
    """Without Smstateen nothing keeps senvcfg from HS; with it, reset does (chapter "Smstateen/Ssstateen")."""
    assert traps(engine, isa, "csrr a0, senvcfg\n", prv=1) == cause


@both
@pytest.mark.parametrize("isa, cause", [("rv64imafdch", 0), ("rv64imafdch_ssstateen", 22), ("rv64imafdch_smstateen", 2)])
def test_a_hypervisor_has_a_gate_of_its_own(engine, isa, cause):
    """hstateen0 is 0 here after reset; without it a guest has its senvcfg."""
    assert traps(engine, isa, "csrr a0, senvcfg\n", prv=1, v=1) == cause


@both
def test_filters_are_those_of_the_extensions(engine):
    """Bits 63:58 of mhpmevent come with Sscofpmf; with Smcntrpmf alone they are those of cycle and instret."""
    bench = Bench(engine, isa="rv64imafdch_smcntrpmf").set(mhpmevent3=ALL, mcyclecfg=ALL)
    assert bench.csr("mhpmevent3") == 0 and bench.csr("mcyclecfg") == 31 << 58
