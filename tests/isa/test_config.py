"""ISA strings: what they imply, what they need, and what a hart without an extension does with its instructions."""
import pytest

from rvhyp.isa import config
from rvhyp.isa.config import extension_mask, misa_letters, with_implied
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import COMPRESSED, EXTENSIONS, INSTRUCTIONS
from rvhyp.machine.fdt import isa_extensions
from tests.engine.support import BASE, ENGINES, Bench

NAMES = isa_extensions(config.DEFAULT)[1]
BASE_NAMES = ["i", "m", "a", "f", "d", "c"]


def is_on(name, names):
    """Whether an instruction decodes under the names of an ISA string."""
    return extension_mask(names) >> INSTRUCTIONS[name].extension.number & 1


def test_the_default_has_everything():
    assert extension_mask(NAMES) == (1 << len(EXTENSIONS)) - 1 and len(EXTENSIONS) <= 64
    assert set(config.SWITCHABLE) - set(NAMES) == {"zbkc"}              # all of it is in Zbc
    assert misa_letters(NAMES) == "ABCDFHIMSU"


def test_names_that_stand_for_others():
    assert with_implied(["i", "b", "c"]) == ["i", "b", "zba", "zbb", "zbs", "c"]
    assert with_implied(["zfh"]) == ["zfh", "zfhmin"]
    assert {"h", "ssstateen", "shvsatpa"} < set(with_implied(["i", "sha"]))
    assert with_implied(["smstateen"]) == ["smstateen", "ssstateen"]
    assert isa_extensions("rv64ib")[1] == ["i", "b", "zba", "zbb", "zbs"]
    assert is_on("sh1add", ["i", "b"]) and is_on("fcvt.s.h", ["i", "f", "zfh"])


@pytest.mark.parametrize("names, letters", [
    (["i", "b"], "BISU"), (["i", "zba", "zbb", "zbs"], "BISU"), (["i", "zba", "zbb"], "ISU"),
    (["i", "zba", "zbs", "zbc"], "ISU")])
def test_misa_b_is_three_extensions(names, letters):
    assert misa_letters(names) == letters


@pytest.mark.parametrize("names, message", [
    (["i", "d"], "'d' needs 'f'"), (["i", "zfh"], "'zfhmin' needs 'f'"), (["i", "zfhmin"], "'zfhmin' needs 'f'"),
    (["i", "zfa"], "'zfa' needs 'f'"), (["i", "zacas"], "'zacas' needs 'a'"), (["i", "zabha"], "'zabha' needs 'a'"),
    (["i", "shlcofideleg"], "'shlcofideleg' needs 'sscofpmf'"), (["i", "shtvala"], "'shtvala' needs 'h'"),
    (["i", "zcb"], "'zcb' needs 'c'"), (["i", "zbd"], "unknown extension 'zbd'")])
def test_what_names_need(names, message):
    with pytest.raises(ValueError, match=message):
        extension_mask(names)


@pytest.mark.parametrize("name, one, other", [
    ("andn", "zbb", "zbkb"), ("rori", "zbb", "zbkb"), ("zext.h", "zbb", "zbkb"), ("clmul", "zbc", "zbkc"),
    ("clmulh", "zbc", "zbkc")])
def test_instructions_of_two_extensions(name, one, other):
    assert is_on(name, ["i", one]) and is_on(name, ["i", other]) and not is_on(name, ["i"])


@pytest.mark.parametrize("name, names", [
    ("fcvt.d.h", ["f", "d", "zfhmin"]), ("fli.d", ["f", "d", "zfa"]), ("fround.h", ["f", "zfhmin", "zfh", "zfa"]),
    ("amocas.b", ["a", "zabha", "zacas"])])
def test_instructions_that_two_extensions_have_only_together(name, names):
    assert is_on(name, ["i", *names])
    assert not is_on(name, ["i", *names[:-1]]) and not is_on(name, ["i", *(n for n in names if n != names[-2])])


def test_what_only_one_of_two_has():
    assert is_on("packw", ["i", "zbkb"]) and not is_on("packw", ["i", "zbb"])
    assert is_on("rev8", ["i", "zbkb"]) and not is_on("clz", ["i", "zbkb"])
    assert is_on("flh", ["i", "f", "zfhmin"]) and not is_on("fadd.h", ["i", "f", "zfhmin"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("isa, source, is_there", [
    ("rv64ib", "zext.h a0, a1", True), ("rv64i_zbkb", "packw a0, a1, zero", True), ("rv64ib", "packw a0, a1, a2", False),
    ("rv64i", "zext.h a0, a1", False), ("rv64i", "cbo.zero (sp)", False), ("rv64i_zicboz", "cbo.zero (sp)", True),
    ("rv64i", "ori zero, a0, 33", True), ("rv64i", "prefetch.r 32(a0)", True), ("rv64i", "mop.r.3 a0, a1", False),
    ("rv64i_zimop", "mop.r.3 a0, a1", True), ("rv64ic", "c.mul a0, a1", False), ("rv64imc", "c.mul a0, a1", True),
    ("rv64ic", "c.not a0", True), ("rv64ia", "amocas.w a0, a1, (sp)", False), ("rv64ia_zacas", "amocas.w a0, a1, (sp)", True)])
def test_a_hart_without_it_traps(engine, isa, source, is_there):
    bench = Bench(engine, isa=isa)
    bench.put(source, BASE)
    bench.put("j .", BASE + 0x100)
    bench.set(mtvec=BASE + 0x100, x2=BASE + 0x1000)
    bench.run(1)
    assert (bench.hart.pc == BASE + 0x100) == (not is_there)


def test_special_cases_are_found_before_what_they_are_cases_of():
    assert decode(INSTRUCTIONS["packw"].encode(rd=1, rs1=2, rs2=0)).instruction.name == "zext.h"
    assert decode(INSTRUCTIONS["ori"].encode(rd=0, rs1=2, imm=33)).instruction.name == "prefetch.r"
    assert decode(INSTRUCTIONS["ori"].encode(rd=0, rs1=2, imm=34)).instruction.name == "ori"
    assert decode(INSTRUCTIONS["ori"].encode(rd=1, rs1=2, imm=33)).instruction.name == "ori"


def test_compressed_forms_of_extensions_need_them():
    for name, needed in (("c.mul", "m"), ("c.sext.b", "zbb"), ("c.zext.h", "zbb"), ("c.zext.w", "zba")):
        expansion = COMPRESSED[name].expansion.partition(" ")[0]
        assert is_on(expansion, ["i", "c", needed]) and not is_on(expansion, ["i", "c"])
