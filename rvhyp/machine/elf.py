"""ELF64 files for RISC-V: the headers a loader needs (System V ABI, chapters 4 and 5; RISC-V ELF psABI, chapter 8).

Read with `struct` and checked field by field.  pyelftools would serve, but importing it takes 30 ms of a start that has
500, and on damaged files it raises whatever comes first; this module takes 2 ms and raises BadInput.
"""
from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from rvhyp.machine.errors import BadInput
from rvhyp.machine.source import Source

MAGIC = b"\x7fELF"
EI_CLASS, EI_DATA, E_MACHINE = 4, 5, 18         # offsets, the same in every kind of file
CLASSES = {1: 32, 2: 64}
ORDERS: dict[int, Literal["little", "big"]] = {1: "little", 2: "big"}
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
EM_RISCV = 243
PT_LOAD, PT_INTERP = 1, 3
PF_X, PF_W, PF_R = 1, 2, 4
SHT_SYMTAB = 2

FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
FILE_HEADER32_SIZE = 52
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
HEAD = 8                                # bytes that tell kinds of files apart
MAX_TABLE = 1 << 24                     # bytes of a symbol or string table; larger ones are not read

MACHINES = {2: "SPARC", 3: "x86 (32-bit)", 8: "MIPS", 20: "PowerPC", 21: "PowerPC (64-bit)", 22: "S/390", 40: "Arm",
            43: "SPARC V9", 50: "IA-64", 62: "x86-64", 183: "AArch64", 247: "BPF", 258: "LoongArch"}
KINDS = {ET_REL: ("is an object file that was not linked", "link it with ld -Ttext=0x80000000"),
         ET_CORE: ("is a core dump", "give the program that is to run")}
OTHERS = {b"\x1f\x8b": ("is compressed with gzip, not an ELF file", "gunzip it"),
          b"\xfd7zXZ": ("is compressed with xz, not an ELF file", "unxz it"),
          b"\x28\xb5\x2f\xfd": ("is compressed with zstd, not an ELF file", "unzstd it"),
          b"!<arch>": ("is a static library, not an ELF file", "link a program from it"),
          b"#!": ("is a script, not an ELF file", "give a program for RISC-V")}


class FileHeader(NamedTuple):
    """Elf64_Ehdr, its fields by their names without e_."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class ProgramHeader(NamedTuple):
    """Elf64_Phdr, without p_."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


class SectionHeader(NamedTuple):
    """Elf64_Shdr, without sh_."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


def read_file_header(source: Source) -> FileHeader:
    """BadInput unless it is an executable for this machine."""
    ident = source.read(0, min(source.size, HEAD), "the start")
    if not ident.startswith(MAGIC):
        what, do = next((text for magic, text in OTHERS.items() if ident.startswith(magic)),
                        ("is not an ELF file", "give an ELF64 program for RISC-V"))
        raise BadInput(what, source.name, do)
    ident = source.read(0, FILE_HEADER32_SIZE, "the ELF header")
    bits, order = CLASSES.get(ident[EI_CLASS]), ORDERS.get(ident[EI_DATA])
    if not bits or not order:
        raise BadInput(f"has a damaged ELF header (class {ident[EI_CLASS]}, byte order {ident[EI_DATA]})", source.name,
                       "build it again")
    machine = int.from_bytes(ident[E_MACHINE:E_MACHINE + 2], order)
    if machine != EM_RISCV:
        raise BadInput(f"is a program for {MACHINES.get(machine, f'machine number {machine}')}", source.name,
                       "build it for RISC-V (rv64)")
    if bits != 64:
        raise BadInput("is a 32-bit program", source.name, "build it for rv64")
    if order != "little":
        raise BadInput("is big-endian", source.name, "build it for little-endian RISC-V")
    header = FileHeader._make(FILE_HEADER.unpack(source.read(0, FILE_HEADER.size, "the ELF header")))
    if header.type not in (ET_EXEC, ET_DYN):
        what, do = KINDS.get(header.type, (f"is of no known ELF type ({header.type})", "build it again"))
        raise BadInput(what, source.name, do)
    return header


def read_program_headers(source: Source, header: FileHeader) -> list[ProgramHeader]:
    """BadInput if the table is damaged, or asks for a dynamic linker."""
    if not header.phnum:
        raise BadInput("has no loadable segment", source.name, "link it as an executable")
    if header.phentsize != PROGRAM_HEADER.size:
        raise BadInput(f"has program headers of {header.phentsize} bytes, not {PROGRAM_HEADER.size}", source.name,
                       "build it again")
    table = source.read(header.phoff, header.phnum * PROGRAM_HEADER.size, "the program header table")
    headers = [ProgramHeader._make(fields) for fields in PROGRAM_HEADER.iter_unpack(table)]
    if any(h.type == PT_INTERP for h in headers):
        raise BadInput("needs a dynamic linker and an operating system", source.name,
                       "link it with -static -nostdlib at 0x80000000")
    return headers


def read_symbol_tables(source: Source, header: FileHeader) -> tuple[bytes, bytes]:
    """The symbol table and its strings; both empty if there are none, or if anything about them is wrong.

    Symbols only serve reports, and the search for `tohost`: a stripped or damaged table never fails a load.
    """
    try:
        if not header.shoff or header.shentsize != SECTION_HEADER.size:
            return b"", b""
        count = header.shnum or _first_section(source, header).size     # 0: more than fit in e_shnum; it says
        if count * SECTION_HEADER.size > MAX_TABLE:
            return b"", b""
        table = source.read(header.shoff, count * SECTION_HEADER.size, "the section header table")
        sections = [SectionHeader._make(fields) for fields in SECTION_HEADER.iter_unpack(table)]
        for section in sections:
            if section.type == SHT_SYMTAB and section.link < count:
                strings = sections[section.link]
                if section.size <= MAX_TABLE and strings.size <= MAX_TABLE:
                    return (source.read(section.offset, section.size, "the symbol table"),
                            source.read(strings.offset, strings.size, "the string table"))
    except BadInput:
        pass
    return b"", b""


def _first_section(source: Source, header: FileHeader) -> SectionHeader:
    data = source.read(header.shoff, SECTION_HEADER.size, "a section header")
    return SectionHeader._make(SECTION_HEADER.unpack(data))
