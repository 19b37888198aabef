"""The ELF file of an assembly, read back by an independent reader."""
import io

import pytest
from elftools.elf.elffile import ELFFile

from rvhyp.isa.text import assemble

SOURCE = """
    .globl _start, message
    .weak hook
    .equ answer, 42
    nop
_start:
    la a0, message
    hlv.w a1, (a0)
    c.addi a0, 1
.Lhidden:
    wfi
hook:
    fadd.d fa0, fa0, fa0
    .rodata
message: .asciz "hello"
    .data
    .align 12
table: .dword _start, -1
    .size table, 16
    .bss
buffer: .zero 0x5000
    .section .comment
    .asciz "dropped"
"""


@pytest.fixture(scope="module")
def program():
    return assemble(SOURCE)


@pytest.fixture(scope="module")
def elf(program):
    return ELFFile(io.BytesIO(program.to_elf()))


def test_header(elf, program):
    assert elf.get_machine_arch() == "RISC-V" and elf.elfclass == 64 and elf.little_endian
    assert elf["e_type"] == "ET_EXEC"
    assert elf["e_entry"] == program.entry == 0x8000_0004
    assert elf["e_flags"] == 1                      # RVC: there is a c.addi


def test_segments_hold_the_sections(elf, program):
    segments = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    assert len(segments) == elf.num_segments() == len(program.sections) == 4
    for segment, section in zip(segments, program.sections, strict=True):
        assert segment["p_vaddr"] == segment["p_paddr"] == section.address
        assert segment.data() == bytes(section.data)
        assert segment["p_memsz"] == section.size
        assert segment["p_offset"] % segment["p_align"] == segment["p_vaddr"] % segment["p_align"]
    assert [segment["p_flags"] for segment in segments] == [5, 4, 6, 6]     # RX, R, RW, RW
    assert segments[2]["p_vaddr"] % 0x1000 == 0


def test_section_headers(elf, program):
    names = [section.name for section in elf.iter_sections()]
    assert names == ["", ".text", ".rodata", ".data", ".bss", ".riscv.attributes", ".symtab", ".strtab", ".shstrtab"]
    for section in program.sections:
        header = elf.get_section_by_name(section.name)
        assert (header["sh_addr"], header["sh_size"]) == (section.address, section.size)
        if section.name != ".bss":
            assert header.data() == bytes(section.data)
    assert elf.get_section_by_name(".bss")["sh_type"] == "SHT_NOBITS"
    flags = [elf.get_section_by_name(section.name)["sh_flags"] for section in program.sections]
    assert flags == [6, 2, 3, 3]                    # alloc and execute, alloc, alloc and write
    attributes, = elf.get_section_by_name(".riscv.attributes").iter_subsections()
    arch, = [attribute.value for part in attributes.iter_subsubsections() for attribute in part.iter_attributes()
             if attribute.tag == "TAG_ARCH"]
    assert arch == "rv64idch"


def test_symbols(elf, program):
    table = elf.get_section_by_name(".symtab")
    symbols = {symbol.name: symbol for symbol in table.iter_symbols() if symbol.name}
    assert {name: symbol["st_value"] for name, symbol in symbols.items()} == {
        name: value for name, value in program.symbols.items() if name != ".Lhidden"}
    assert {name: symbol["st_info"]["bind"] for name, symbol in symbols.items()} == {
        "_start": "STB_GLOBAL", "message": "STB_GLOBAL", "hook": "STB_WEAK",
        "answer": "STB_LOCAL", "table": "STB_LOCAL", "buffer": "STB_LOCAL"}
    assert {name: symbol["st_size"] for name, symbol in symbols.items() if symbol["st_size"]} == {"table": 16}
    assert symbols["answer"]["st_shndx"] == "SHN_ABS"
    assert elf.get_section(symbols["buffer"]["st_shndx"]).name == ".bss"
    bindings = [symbol["st_info"]["bind"] for symbol in table.iter_symbols()]
    assert "STB_LOCAL" not in bindings[table["sh_info"]:] and set(bindings[:table["sh_info"]]) == {"STB_LOCAL"}


def test_the_same_program_is_the_same_file(program):
    assert program.to_elf() == assemble(SOURCE).to_elf() == assemble(SOURCE, name="elsewhere.s").to_elf()
    assert assemble("nop").to_elf() != program.to_elf()


def test_without_compressed_code_the_file_says_so():
    elf = ELFFile(io.BytesIO(assemble("nop", 0).to_elf()))
    assert (elf["e_flags"], elf["e_entry"], elf.num_segments()) == (0, 0, 1)
    assert ELFFile(io.BytesIO(assemble("").to_elf())).num_segments() == 0


def test_large_zeros_are_not_in_the_file():
    assert len(assemble("nop\n.bss\n.zero 1 << 28").to_elf()) < 2000
