"""The assembler: instructions round trip, symbols, passes, errors."""
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvhyp.isa.decode import decode
from rvhyp.isa.text import AssemblyError, assemble, disassemble
from rvhyp.isa.text.blocks import BLOCKS, CONDITIONS
from rvhyp.isa.text.directives import DIRECTIVES
from rvhyp.isa.text.expression import parse_expression
from rvhyp.isa.text.pseudo import pseudos
from rvhyp.isa.text.syntax import mnemonics
from tests.isa.strategies import BY_NAME, RECORDS, words, words_of

BASE = 0x8000_0000


def size(bits):
    return 2 if bits & 3 != 3 else 4


def code(source, base=BASE, **addresses):
    """The instructions of .text as numbers."""
    data, found = assemble(source, base, **addresses).code, []
    while data:
        length = size(data[0])
        found.append(int.from_bytes(data[:length], "little"))
        data = data[length:]
    return found


def texts(source, base=BASE):
    """The program as our disassembler writes it."""
    pc, lines = base, []
    for bits in code(source, base):
        lines.append(disassemble(bits, pc))
        pc += size(bits)
    return lines


# Instructions.

@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=10)
@given(st.data())
def test_what_is_disassembled_is_assembled_again(name, data):
    bits = data.draw(words_of(BY_NAME[name]))
    relative, absolute = disassemble(bits), disassemble(bits, BASE)
    alias, far = disassemble(bits, aliases=True), disassemble(bits, 0, aliases=True)
    assert code(relative) == code(absolute) == code(alias) == code(far, 0) == [bits]


@settings(max_examples=50)
@given(st.lists(words(), max_size=40), st.booleans())
def test_a_whole_program_round_trips(program, aliases):
    pc, lines = BASE, []
    for bits in program:
        lines.append(f"    {disassemble(bits, pc, aliases)}    # {bits:#x}")
        pc += size(bits)
    assert code("\n".join(lines)) == program


@pytest.mark.parametrize("source, bits", [
    ("add x10, x11, x12", 0x00C58533), ("add a0,a1,a2", 0x00C58533), ("ADDX: add a0 , a1 ,a2", 0x00C58533),
    ("fadd.d f10, f11, f12, dyn", 0x02C5F553), ("ld s0, (fp)", 0x00043403), ("ld s0, 0( s0 )", 0x00043403),
    ("lr.w a0, 0(a1)", 0x1005A52F), ("amoadd.w.aqrl a0, a1, (a2)", 0x06B6252F), ("fence.i", 0x0000100F),
    ("fence rw,w", 0x0310000F), ("fence wr, w", 0x0310000F), ("lui a0, 0xfffff", 0xFFFFF537),
    ("lui a0, -1", 0xFFFFF537), ("csrr a0, 0x300", 0x30002573), ("csrrw a0, mstatus, x0", 0x30001573),
    ("c.addi x2, -1", 0x117D),
    ("andi a0, a0, ~3", 0xFFC57513), ("addi a0, a0, 'A'", 0x04150513), ("jalr a0, a1, 4", 0x00458567),
    ("jr 8(t0)", 0x00828067), ("sfence.vma x0, a1", 0x12B00073),
])
def test_spellings(source, bits):
    assert code(source) == [bits]


def test_comments_and_separators():
    assert texts("""
        # cpp line  # "nested
        nop ; nop // second
        /* ret
           ret */ add /* between */ a0, a1, a2
        addi a0, a0, '#' ; addi a0, a0, ';'
        addi a0, a0, '/'# no comment before this
    """) == ["addi zero, zero, 0"] * 2 + ["add a0, a1, a2", "addi a0, a0, 35", "addi a0, a0, 59", "addi a0, a0, 47"]


def test_lines_say_where_an_address_came_from():
    program = assemble("nop; li a0, 0x12345678\n\n# \n.data\nx: .word 1, 2\n.text\n /* two\nlines */ ret # here",
                       name="f.s")
    lines = {address: (line.number, line.text) for address, line in program.lines.items()}
    assert lines[BASE] == (1, "nop")
    assert lines[BASE + 4] == lines[BASE + 8] == (1, "li a0, 0x12345678")
    assert lines[BASE + 12] == (8, "ret")
    assert lines[program.symbols["x"]] == lines[program.symbols["x"] + 4] == (5, "x: .word 1, 2")
    assert program.lines[BASE].name == "f.s"


# Symbols.

def test_labels_forward_and_backward():
    assert texts("""
        start: beq a0, a1, end
        1:     j 1f
        1:     bnez a0, 1b
               beqz a0, 1f
        1:     j start
        end:   j .
    """, 0x1000) == ["beq a0, a1, 0x1014", "jal zero, 0x1008", "bne a0, zero, 0x1008", "beq a0, zero, 0x1010",
                     "jal zero, 0x1000", "jal zero, 0x1014"]


def test_a_number_as_a_target_is_an_address():
    assert texts("j 0x80000010\n bnez a0, 0x80000000\n j .+8") == [
        "jal zero, 0x80000010", "bne a0, zero, 0x80000000", "jal zero, 0x80000010"]


def test_set_may_change_and_labels_may_not():
    assert texts("""
        .set n, 1
        addi a0, a0, n
        n = n + 1
        addi a0, a0, n
        .equ m, n
        addi a0, a0, m + later
        later = 5
    """) == ["addi a0, a0, 1", "addi a0, a0, 2", "addi a0, a0, 7"]


def test_a_weak_symbol_may_be_missing():
    assert texts(".weak hook\n li a0, hook\n lui a1, %hi(hook)") == ["addi a0, zero, 0", "lui a1, 0x0"]


def test_addresses_in_parts():
    assert texts("lui a0, %hi(0x12345800)\n addi a0, a0, %lo(0x12345800)") == ["lui a0, 0x12346", "addi a0, a0, -2048"]
    assert texts("""
        near: auipc a0, %pcrel_hi(near + 0x1800)
              ld a1, %pcrel_lo(near)(a0)
    """) == ["auipc a0, 0x2", "ld a1, -2048(a0)"]


def test_addresses_at_the_top():
    """As those of a kernel: addresses are unsigned, expressions wrap."""
    program = assemble("""
        la a0, top
        lui a1, %hi(top)
        call top
        j top
        .dword top, . - 8
        top: ret
        minus = -1
    """, 0xFFFF_FFFF_8000_0000)
    assert program.symbols == {"top": 0xFFFF_FFFF_8000_0028, "minus": (1 << 64) - 1}
    assert program.code[24:40] == struct.pack("<QQ", 0xFFFF_FFFF_8000_0028, 0xFFFF_FFFF_8000_0018)
    assert program.code[:12] + program.code[16:24] == b"".join(bits.to_bytes(4, "little") for bits in (
        0x00000517, 0x02850513, 0x800005B7, 0x01C080E7, 0x0140006F))


def test_the_lower_part_may_come_first():
    assert texts("j hi\n lo: addi a0, a0, %pcrel_lo(hi)\n ret\n hi: auipc a0, %pcrel_hi(lo)\n j lo") == [
        "jal zero, 0x8000000c", "addi a0, a0, -8", "jalr zero, 0(ra)", "auipc a0, 0x0", "jal zero, 0x80000004"]


def test_sizes_that_depend_on_what_stands_ahead():
    program = assemble("start: li a0, end - start\n .zero (end - start) & 0xf0 \n nop\n .zero 0x1000\n end:")
    (lui, addiw), length = code("li a0, 0x1008 + 4"), len(program.code)
    assert program.code.startswith(lui.to_bytes(4, "little") + addiw.to_bytes(4, "little"))
    assert program.symbols["end"] - BASE == length == 0x100C


def test_a_circle_of_sizes_is_an_error():
    with pytest.raises(AssemblyError, match="depend on each other in a circle"):
        assemble("start: .zero end - start + 1\n end:")


# Compression.

def test_nothing_is_compressed_unless_asked_for():
    assert texts("""
        addi a0, a0, 1
        .option push
        .option rvc
        addi a0, a0, 1
        .option pop
        addi a0, a0, 1
        c.addi a0, 1
    """) == ["addi a0, a0, 1", "c.addi a0, 1", "addi a0, a0, 1", "c.addi a0, 1"]


def test_which_short_form():
    assert texts(".option rvc\n nop\n mv a0, a1\n mv a0, a0\n li a0, 1\n ret") == [
        "c.addi zero, 0", "c.mv a0, a1", "c.mv a0, a0", "c.li a0, 1", "c.jr ra"]


def test_parts_of_addresses_keep_their_size():
    """As with GNU, whose linker fills them in."""
    assert texts(".option rvc\n la a0, . + 5\n lw a0, %lo(4)(a0)\n lw a0, 4(a0)") == [
        "auipc a0, 0x0", "addi a0, a0, 5", "lw a0, 4(a0)", "c.lw a0, 4(a0)"]


def test_short_forms_are_those_of_c():
    """A hart with C need not have Zcb, so its forms are written by name only."""
    assert texts(".option rvc\n mul a0, a0, a1\n not a0, a0\n zext.b a0, a0\n lbu a0, 1(a1)") == [
        "mul a0, a0, a1", "xori a0, a0, -1", "andi a0, a0, 255", "lbu a0, 1(a1)"]
    assert texts("c.mul a0, a1\n c.not a0") == ["c.mul a0, a1", "c.not a0"]


@settings(max_examples=100)
@given(st.lists(st.sampled_from([record for record in RECORDS if record.encoding.width == 32]).flatmap(words_of)))
def test_compressed_code_says_the_same(program):
    source = "\n".join(disassemble(bits) for bits in program)
    short = code(".option rvc\n" + source)
    assert [meaning(bits) for bits in short] == [meaning(bits) for bits in program]


def meaning(bits):
    """The instruction and its operands; adding x0 is adding 0."""
    found = decode(bits)
    if found is None:
        return bits
    name, operands = found.instruction.name, found.operands
    if name == "add" and operands["rs1"] == 0:
        return "addi", {"rd": operands["rd"], "rs1": operands["rs2"], "imm": 0}
    return name, operands


@pytest.mark.parametrize("between, length", [(0, 2), (252, 2), (254, 4), (4090, 4)])
def test_a_branch_is_short_if_its_target_is_near(between, length):
    program = assemble(f".option rvc\n beqz a0, end\n .zero {between}\n end: nop")
    assert program.symbols["end"] - BASE == length + between
    assert size(program.code[0]) == length


def test_a_branch_that_fits_only_if_it_is_long_stays_long():
    """As a short one, its target is 256 bytes away; as a long one 254."""
    program = assemble(".option rvc\n a: beqz a0, end\n b: .zero 258 - 2 * (b - a)\n end:")
    assert (program.symbols["b"] - BASE, program.symbols["end"] - BASE) == (4, 254)


# Expressions.

class Nowhere:
    """A place with one symbol."""

    here = 0x100

    def symbol(self, name):
        return {"x": 5}[name]


@pytest.mark.parametrize("text, value", [
    ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 3 - 2", 5), ("-7 / 2", -3), ("-7 % 2", -1), ("7 / -2", -3),
    ("1 << 2 + 3", 7), ("1 | 2 + 4", 7), ("6 & 3 * 1", 2), ("1 + 2 == 3", -1), ("1 < 2 && 3 > 4", 0),
    ("2 >= 2 || 0", -1), ("1 << 63", -(1 << 63)), ("1 << 63 << 1", 0), ("-1 >> 60", 15), ("-1 >> 0", -1),
    ("0x7fffffffffffffff + 1 == 1 << 63", -1), ("0xffffffffffffffff", -1), ("0b1_01", 5),
    ("~0", -1), ("-x", -5), ("!x", 0), ("!0", 1), ("-!(0)", -1), ("- -3", 3), ("0x_ff", 255), ("0b101", 5), ("017", 15),
    ("'a'", 97), ("'\\n'", 10), ("'\\''", 39), ("' '", 32), ("'\\x41'", 65), ("'a", 97), (". + 4", 0x104), ("x^1", 4),
    ("0x80000000 >> 4", 0x0800_0000), ("x != 5", 0), ("1_000", 1000), ("(((x)))", 5), ("x%3", 2), ("%lo(0x1fff)", -1),
    ("%hi(0x1fff)", 2), ("%hi(-1)", 0),
])
def test_expressions(text, value):
    assert parse_expression(text)(Nowhere()) == value


@pytest.mark.parametrize("text, message", [
    ("", "missing"), ("1 +", "ends where a value is expected"), ("(1", r"'\)' is missing"), ("1 2", "unexpected '2'"),
    ("1)", r"unexpected '\)'"), ("a0 + 1", "a0 is a register"), ("%nope(1)", "there are %hi, %lo"),
    ("@", "cannot be part"), ("*3", r"unexpected '\*'"), ("09", "octal"),
])
def test_malformed_expressions(text, message):
    with pytest.raises(ValueError, match=message):
        parse_expression(text)


# Errors.

@pytest.mark.parametrize("source, number, message", [
    ("nop\naddd a0, a1, a2", 2, "addd is no instruction or macro; did you mean"),
    ("lwz a0, 0(a1)", 1, "lwz is no instruction or macro"),
    (".worde 1", 1, ".worde is no directive; did you mean .word"),
    ("add a0, a1", 1, "add takes 'rd, rs1, rs2' or 'rd, rs, imm'; got 'a0, a1'"),
    ("mul a0, a1, 5", 1, "rs2 must be an integer register, not '5'"),
    ("mul a0, a1", 1, "mul takes 'rd, rs1, rs2'; got 'a0, a1'"),
    ("ecall a0", 1, "ecall takes no operands; got 'a0'"),
    ("ld a0", 1, r"ld takes 'rd, imm(rs1)' or 'rd, symbol'; got 'a0'"),
    ("li a0", 1, "li takes 'rd, imm'; got 'a0'"),
    ("mv a0, 5", 1, "rs must be an integer register, not '5'"),
    ("jr x", 1, "rs must be an integer register, not 'x'"),
    ("jr fa0", 1, "rs must be an integer register, not 'fa0'"),
    ("beqz a0, a1", 1, "offset must be an expression, not 'a1'"),
    ("add a0, a1, fa2", 1, "rs2 must be an integer register, not 'fa2' (that is one of the other kind)"),
    ("fadd.s fa0, fa1, a2", 1, "fs2 must be a floating-point register, not 'a2' (that is one of the other kind)"),
    ("addi a0, a1, a2", 1, "a2 is a register; an expression is expected"),
    ("addi a0, a1, 2048", 1, "2048 does not fit: imm is -2048 to 2047"),
    ("slli a0, a1, 64", 1, "64 does not fit: shamt is 0 to 63"),
    ("lui a0, 0x100000", 1, "0x100000 does not fit: -0x80000 to 0x7ffff, or 0x80000 to 0xfffff"),
    ("c.lwsp a0, 6(sp)", 1, "6 does not fit: uimm is 0 to 252, a multiple of 4"),
    ("c.lwsp a0, 4(a1)", 1, "c.lwsp takes sp here, not 'a1'"),
    ("c.addi16sp a0, 16", 1, "c.addi16sp takes sp here, not 'a0'"),
    ("c.lw t0, 4(a1)", 1, "t0 cannot be used here: a three-bit field names one of s0, s1, a0, a1, a2, a3, a4, a5"),
    ("c.lui sp, 1", 1, "c.lui may not have rd 2"),
    ("c.lui a0, 0", 1, "c.lui may not have imm 0"),
    ("c.addi4spn a0, sp, 0", 1, "c.addi4spn may not have uimm 0"),
    ("lr.w a0, 4(a1)", 1, "the address of lr.w is a register without an offset"),
    ("fadd.s fa0, fa1, fa2, up", 1, "'up' is not a rounding mode: rne, rtz"),
    ("fence rx, w", 1, "'rx' is not a set of accesses: letters of iorw, or 0"),
    ("csrr a0, mstatsu", 1, "mstatsu is not defined, and no CSR; did you mean mstatus"),
    ("csrr a0, 4096", 1, "4096 does not fit: csr is 0 to 4095"),
    ("nop\nstart:\nj strat", 3, "strat is not defined; did you mean start"),
    ("j 1f", 1, "there is no label 1 after this"),
    ("1: nop\nj 1f\n", 2, "there is no label 1 after this"),
    ("j 2b", 1, "there is no label 2 before this"),
    ("a: nop\nb: nop\na: nop", 3, "a is already defined, at <text>:1"),
    ("x = 1\nx: nop", 2, "x has a value already"),
    ("x: nop\nx = 1", 2, "x is already defined, at <text>:1"),
    ("sp: nop", 1, "sp is a register; it cannot be defined"),
    ("beqz a0, far\n.zero 4096\nfar:", 1, "is +4100 bytes away, 6 beyond the reach of beq (-4096 to 4094)"),
    ("back: .zero 1048580\nj back", 2, "is -1048580 bytes away, 4 beyond the reach of jal (-1048576 to 1048574)"),
    ("c.j .+2048", 1, "is +2048 bytes away, 2 beyond the reach of c.j (-2048 to 2046)"),
    ("j .+3", 1, "is not a multiple of 2 bytes away (3)"),
    ("lui a0, %hi(0x80000000)", 1, "lui and addi reach -0x80000800 to 0x7ffff7ff; use la or li"),
    ("la a0, . - 0x80000801", 1, "0xfffffffffffff7ff is -0x80000801 away; auipc reaches 2 GiB"),
    ("addi a0, a0, %pcrel_lo(.)", 1, "of an auipc with %pcrel_hi, not 0x80000000"),
    ("li a0, 1 << 64", 1, "shift by 64"),
    ("li a0, 0x1_0000_0000_0000_0000", 1, "0x1_0000_0000_0000_0000 has more than 64 bits"),
    ("li a0, 1 / 0", 1, "division by zero"),
    ("addi a0, a0, (1", 1, "')' is missing"),
    (".word " + "(" * 5000, 1, "this is nested too deeply"),
])
def test_errors(source, number, message):
    with pytest.raises(AssemblyError) as caught:
        assemble(source)
    assert message in caught.value.message
    line = source.splitlines()[number - 1].strip()
    assert str(caught.value) == f"<text>:{number}: {caught.value.message}\n    {line}"
    assert (caught.value.line.number, caught.value.line.text) == (number, line)


def test_the_first_of_several_errors_is_reported():
    with pytest.raises(AssemblyError, match="^<text>:1: nowhere"):
        assemble("j nowhere\n j elsewhere")


TOKENS = [*mnemonics(), *pseudos(), *DIRECTIVES, *BLOCKS, *CONDITIONS, ".endm", ".endr", *"a0 fa0 sp 0 -1 x 1f 1b (a0)"
          " 4(a0) %lo(x) %hi( \" 's' , , , ( ) + ~ << \\a \\@ mstatus rne iorw . x: 1: = ; /* */ 09 nan".split(), "\n"]


@settings(max_examples=300)
@given(st.one_of(st.text(), st.lists(st.sampled_from(TOKENS)).map(" ".join)))
def test_any_text_is_a_program_or_an_error(source):
    try:
        assemble(source).to_elf()
    except AssemblyError as error:
        assert error.line.number >= 1


# Cost.

def test_it_needs_no_heavy_modules():
    """Numba and its like take most of a second to import."""
    script = ("import sys; from rvhyp.isa.text import *; assemble('ret').to_elf(); disassemble(0x13)\n"
              "print([name for name in ('numba', 'numpy', 'llvmlite', 'elftools', 'click') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_two_passes_suffice_for_an_ordinary_program(monkeypatch):
    from rvhyp.isa.text import assembler
    passes = []
    original = assembler.Pass.run
    monkeypatch.setattr(assembler.Pass, "run", lambda self, lines: passes.append(self.number) or original(self, lines))
    jumps = [f"l{n}: beq a0, a1, l{(n + 7) % 100}\n la a0, word\n" for n in range(100)]
    assemble("".join(jumps) + ".data\n word: .word l5")
    assert passes == [1, 2]
