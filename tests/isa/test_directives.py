"""Directives: data, space, sections, macros, conditions."""
import struct

import pytest

from rvhyp.isa.text import AssemblyError, assemble

BASE = 0x8000_0000


def data(source, **more):
    """What a source puts into .data."""
    return bytes(assemble(".data\n" + source, **more).section(".data").data)


@pytest.mark.parametrize("source, expected", [
    (".byte 1, -1, 255, 'a', -128", b"\x01\xff\xffa\x80"),
    (".half 0x1234, -2\n.2byte 1\n.short 2\n.hword 3", bytes.fromhex("3412 feff 0100 0200 0300")),
    (".word 0x12345678, -1\n.4byte 1\n.long 2\n.int 3", bytes.fromhex("78563412 ffffffff 01000000 02000000 03000000")),
    (".dword 1 << 63, -1\n.quad 1\n.8byte 2", struct.pack("<4Q", 1 << 63, (1 << 64) - 1, 1, 2)),
    (".byte", b""),
    (".ascii \"a\\n\\\"\\\\\\t\\0\", \"b;#/*\"", b"a\n\"\\\t\0b;#/*"),
    (".asciz \"hi\"\n.string \"\", \"\\x41\\101\"", b"hi\0\0AA\0"),
    (".ascii \"\u00e9\"", "\u00e9".encode()),
    (".zero 3\n.space 2, 7\n.skip 1", bytes([0, 0, 0, 7, 7, 0])),
    (".fill 3, 2, 0x1ff\n.fill 2\n.fill 1, 4, -2", bytes.fromhex("ff01 ff01 ff01 00 00 feffffff")),
    (".float 1.5, -inf\n.double 0.1", struct.pack("<ffd", 1.5, float("-inf"), 0.1)),
    (".float NaN\n.double nan", bytes.fromhex("ffffff7f ffffffffffffff7f")),
    (".byte 1\n.align 2\n.byte 2\n.balign 8, 0xff\n.byte 3\n.p2align 0", b"\1\0\0\0\2\xff\xff\xff\3"),
    (".byte 1\n.balign 8, 0, 3\n.byte 2\n.balign 4,, 2\n .byte 3", b"\1\2\0\0\3"),
    ("start: .byte 1\n.org 4\n.byte 2\n.org start + 6, 0xee\n.byte 3", b"\1\0\0\0\2\xee\3"),
    ("x: .word 1f - x, . - x\n1: .word 2f - 1b\n2:", struct.pack("<III", 8, 4, 4)),
    (".rept 2\n.byte 1\n.rept 2\n.byte 2\n.endr\n.endr", bytes([1, 2, 2] * 2)),
    (".irp n, 1, 2+3, 9\n.byte \\n * 2\n.endr", bytes([2, 8, 18])),
    (".rept 0\n.byte 1\n.endr\n.byte 2", b"\2"),
])
def test_data(source, expected):
    assert data(source) == expected


def test_code_is_aligned_with_nops():
    code = assemble("c.nop\n.align 3\nnop\n.balign 16\nret\n .align 3, 0xaa\n ret").code
    assert code == bytes.fromhex("0100 0100 13000000 13000000 13000000 67800000 aaaaaaaa 67800000")
    assert assemble(".byte 1\n.align 2\nret").code == bytes.fromhex("01 00 0100 67800000")


# Sections.

def test_sections_follow_each_other():
    program = assemble("""
        .data
        d: .byte 1
        .section .rodata
        r: .byte 2
        .bss
        .balign 64
        b: .zero 100
        .text
        t: nop
        .section .data.more, "aw", @progbits
        m: .byte 3
        .rodata
        .byte 4
        .section .text.cold
        c: ret
        .section .comment
        .asciz "not in memory"
        .section .note.GNU-stack, "", @progbits
    """)
    assert [(section.name, section.address - BASE, section.size) for section in program.sections] == [
        (".text", 0, 4), (".text.cold", 0x10, 4), (".rodata", 0x20, 2), (".data", 0x30, 1), (".data.more", 0x40, 1),
        (".bss", 0x80, 100)]
    assert {name: value - BASE for name, value in program.symbols.items()} == {
        "t": 0, "c": 0x10, "r": 0x20, "d": 0x30, "m": 0x40, "b": 0x80}
    assert program.segments == [(BASE, b"\x13\0\0\0"), (BASE + 0x10, b"\x67\x80\0\0"), (BASE + 0x20, b"\2\4"),
                                (BASE + 0x30, b"\1"), (BASE + 0x40, b"\3")]


def test_sections_may_be_placed():
    program = assemble("la a0, x\n.data\nx: .word x\n.bss\ny: .zero 4", 0x1000, data=0x20_0000)
    assert (program.symbols["x"], program.symbols["y"]) == (0x20_0000, 0x20_0010)
    assert bytes(program.section(".data").data) == struct.pack("<I", 0x20_0000)
    assert assemble("a: nop", text=0x4000).symbols == {"a": 0x4000}
    assert assemble("a: nop", text=0x4000).entry == 0x4000


def test_alignment_of_a_section_moves_it():
    program = assemble("nop\n.data\n.byte 1\n.align 12\ntable: .dword 1\n.rodata\n.balign 256\nr: .byte 1")
    assert program.symbols == {"table": BASE + 0x2000, "r": BASE + 0x100}


def test_large_bss_takes_no_memory():
    program = assemble(".bss\n.zero 1 << 28\nend: .zero 1 << 28")
    assert program.section(".bss").size == 1 << 29 and not program.section(".bss").data
    assert program.symbols["end"] == BASE + (1 << 28)


# Macros and conditions.

def test_macros():
    assert data("""
        .macro pair a, b=7
        .byte \\a, \\b
        .endm
        .macro each first:req, rest:vararg
        .ascii "\\first"
        .byte \\rest
        .endm
        .macro label name
        \\name\\()_\\@: .byte . - \\name\\()_\\@
        .endm
        .macro countdown n
        .if \\n
        .byte \\n
        countdown (\\n - 1)
        .endif
        .endm
        pair 1
        pair 1, 2
        pair b=3, a=4
        pair (1 + 1), 'x'
        each z, 8, 9
        label here
        label here
        countdown 3
    """) == bytes([1, 7, 1, 2, 4, 3, 2, 120, 122, 8, 9, 0, 0, 3, 2, 1])


def test_quotes_around_arguments():
    """As in the GNU assembler: they hold an argument together, and are no part of it, but in what is left over."""
    assert data("""
        .macro text of, more="z", rest:vararg
        .ascii "\\of\\more"
        .byte 0\\rest
        .endm
        text "a, b (c"
        text more="y", of="x\\n"
        text "1", 2, + 3
        .irp each, "4, 5", 6
        .byte \\each
        .endr
    """) == b"a, b (cz\0" b"x\ny\0" b"12\3" b"\4\5\6"
    assert data('.macro all of:vararg\n.ascii \\of\n.endm\nall "a", "b"') == b"ab"


def test_macros_without_commas_and_before_instructions():
    program = assemble(".macro add2 x y\n add \\x, \\x, \\y\n.endm\n.macro ret\n nop\n.endm\n add2 a0, a1\n ret")
    assert program.code == bytes.fromhex("3305b500 13000000")


def test_conditions():
    assert data("""
        one = 1
        .if one == 1
        .byte 1
        .if 0
        .byte 2
        .elseif later > 4
        .byte 3
        .else
        .byte 4
        .endif
        .else
        .byte 5
        .if 1
        .byte 6
        .endif
        .macro never
        .endif
        .endm
        .endif
        .ifdef one
        .byte 7
        .endif
        .ifndef one
        .byte 8
        .else
        .byte 9
        .endif
        .ifdef later
        .byte 10
        .endif
        later = 5
        .ifb
        .byte 11
        .endif
        .ifnb x
        .byte 12
        .endif
    """) == bytes([1, 3, 7, 9, 11, 12])


def test_labels_before_conditions():
    program = assemble("a: .if 1\n nop\n b: .else\n c: nop\n d: .endif\n e: .if 0\n nop\n .endif")
    assert {name: value - BASE for name, value in program.symbols.items()} == {"a": 0, "b": 4, "e": 4}


def test_only_the_last_pass_counts():
    """What stands ahead is guessed at first: a guess may not be an error."""
    assert data("""
        .if last - first != 4
        .error "a guess"
        .endif
        first: .word end - first
        last:
        .balign last - first
        .balign (later - 4) * 3
        later = 12 / 3
        end:
    """) == b"\4\0\0\0"


def test_an_error_in_a_macro_names_the_call():
    source = ".macro inner r\n addi \\r, \\r, 5000\n.endm\n.macro outer\n inner a0\n.endm\n nop\n outer"
    with pytest.raises(AssemblyError) as caught:
        assemble(source, name="m.s")
    assert str(caught.value) == (
        "m.s:2: 5000 does not fit: imm is -2048 to 2047\n    addi a0, a0, 5000"
        "\n    in the macro called at m.s:5: inner a0\n    in the macro called at m.s:8: outer")


# What is ignored, and what is wrong.

def reader(**sources):
    """What `.include` reads from."""
    def read(name):
        if name not in sources:
            raise FileNotFoundError(2, "No such file or directory")
        return sources[name]
    return read


def test_include():
    include = reader(numbers=".equ two, 2\n.macro three\n.byte 3\n.endm", more='.include "numbers"\n.byte two')
    assert data('.byte 1\n.include "more"\nthree\n.include "more"', include=include) == b"\1\2\3\2"
    assert data('.if 0\n.include "absent"\n.endif\n.byte 1', include=include) == b"\1"


@pytest.mark.parametrize("name, start", [
    ("absent", "<text>:2: absent cannot be included: No such file or directory"),
    ("misspelt", "misspelt:2: adi is no instruction"),
    ("undefined", "undefined:1: nowhere is not defined"),
    ("again", "again:1: again includes itself"),
])
def test_errors_in_what_is_included(name, start):
    include = reader(misspelt="nop\nadi a0, a0, 1", undefined="j nowhere", again='.include "again"')
    with pytest.raises(AssemblyError) as error:
        assemble(f'nop\n.include "{name}"\nnop', include=include)
    assert str(error.value).startswith(start)


def test_nothing_to_include_from():
    with pytest.raises(AssemblyError, match="x cannot be included: nothing says where to look for it"):
        assemble('.include "x"')


def test_sizes_of_symbols():
    program = assemble("""
        .size f, end - f
        f: ret
        end:
        .size table, 8
        table: .dword 0
    """)
    assert {symbol.name: symbol.size for symbol in program.table} == {"f": 4, "end": 0, "table": 8}


def test_what_says_nothing_to_an_assembler_is_ignored():
    assert assemble("""
        .file "x.c"
        .option nopic
        .attribute arch, "rv64gc"
        .globl f
        .type f, @function
        f: .cfi_startproc
        ret
        .cfi_endproc
        .ident "none"
    """).code == bytes.fromhex("67800000")


@pytest.mark.parametrize("source, number, message", [
    (".byte 256", 1, "256 is 256, which does not fit: -128 to 255"),
    (".byte -129", 1, "-129 is -129, which does not fit: -128 to 255"),
    (".dword 1 << 64", 1, "shift by 64"),
    (".byte x", 1, "x is not defined"),
    (".byte 1,, 2", 1, "an expression is missing"),
    (".zero", 1, ".zero takes 1 to 2 operands, not 0"),
    (".size f", 1, ".size takes 2 operands, not 1"),
    (".size f, -1", 1, "-1 is -1, which does not fit: 0 to"),
    (".equ x", 1, ".equ takes 2 operands, not 1"),
    (".globl", 1, ".globl takes 1 or more operands, not 0"),
    (".zero -1", 1, "-1 is -1, which does not fit: 0 to"),
    (".zero 1 << 40", 1, "1 << 40 is 1099511627776, which does not fit: 0 to 268435456"),
    (".balign 3", 1, "alignment 3 is not a power of two"),
    (".align 40", 1, "40 is 40, which does not fit: 0 to 28"),
    (".ascii abc", 1, "abc is not a string in quotes"),
    (".ascii \"abc", 1, "\"abc is not a string in quotes"),
    ("nop\n.zero 8\n.org 4", 3, ".org 0x4: .text has 0xc bytes already"),
    (".bss\n.word 1", 2, ".bss holds zeros only"),
    (".option nonsense", 1, "'nonsense' is not an option"),
    (".option pop", 1, ".option pop without .option push"),
    (".error \"too old\"", 1, "too old"),
    (".macro m\nnop", 1, ".macro has no .endm"),
    (".rept 3\nnop", 1, ".rept has no .endr"),
    ("nop\n.endm", 2, ".endm is no directive"),
    (".if 1\nnop", 1, ".if has no .endif"),
    ("nop\n.endif", 2, ".endif without .if"),
    (".else", 1, ".else without .if"),
    (".macro m a:bad\n.endm", 1, "'a:bad' is not a macro parameter"),
    (".macro\n.endm", 1, ".macro wants a name, not ''"),
    (".macro m a:req\n.endm\nm", 3, "macro m wants a value for a"),
    (".macro m a\n.endm\nm 1, 2", 3, "macro m takes 1 arguments; '2' is one more"),
    (".macro m\nm\n.endm\nm", 2, "nested more than 64 deep"),
])
def test_errors(source, number, message):
    with pytest.raises(AssemblyError) as caught:
        assemble(source)
    assert message in caught.value.message
    assert caught.value.line.number == number


def test_sections_that_cannot_be_placed():
    with pytest.raises(AssemblyError, match=".text at 0x1000 reaches to 0x1010, over .data at 0x1008"):
        assemble(".zero 16\n.data\n.byte 1", 0x1000, data=0x1008)
    with pytest.raises(AssemblyError, match=".text at 0x1004 is not aligned to 0x10, as it asks for"):
        assemble("nop\n.align 4", 0x1004)
