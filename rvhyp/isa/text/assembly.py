"""What assembling gives: sections at addresses, symbols, lines, and an ELF file of it all."""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from rvhyp.isa.instruction import EXTENSIONS
from rvhyp.isa.text.source import Line

ET_EXEC = 2
EM_RISCV = 243
EF_RISCV_RVC = 1
PT_LOAD = 1
PF_X, PF_W, PF_R = 1, 2, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS = 1, 2, 3, 8
SHT_RISCV_ATTRIBUTES = 0x7000_0003
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
SHN_ABS = 0xFFF1
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
ELF_HEADER, PROGRAM_HEADER = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
SECTION_HEADER, SYMBOL = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ")


@dataclass(slots=True)
class Section:
    """A section: its contents, or for one without any (.bss) only its size."""

    name: str
    flags: str                                      # of "awx", as in `.section`
    is_nobits: bool = False
    alignment: int = 1
    address: int = 0
    data: bytearray = field(default_factory=bytearray)
    reserved: int = 0                               # bytes of one without contents

    @property
    def size(self) -> int:
        return self.reserved if self.is_nobits else len(self.data)

    @property
    def rank(self) -> int:
        """Order in memory: code, constants, data, zeros."""
        return 0 if "x" in self.flags else 3 if self.is_nobits else 2 if "w" in self.flags else 1


class Symbol(NamedTuple):
    """A name and its value, modulo 2**64; `section` is None where that is no address of the program (`.equ`)."""

    name: str
    value: int
    section: str | None
    binding: int = STB_LOCAL
    size: int = 0                                   # in bytes; 0 where `.size` did not say


@dataclass(frozen=True)
class Assembly:
    """A program at its addresses."""

    sections: tuple[Section, ...]                   # those that are in memory, in the order of their addresses
    table: tuple[Symbol, ...]
    lines: dict[int, Line]                          # address of an instruction or of data: the statement it came from
    base: int
    extensions: frozenset[str] = frozenset()        # of the instructions in it

    @property
    def symbols(self) -> dict[str, int]:
        return {symbol.name: symbol.value for symbol in self.table}

    @property
    def entry(self) -> int:
        """Where execution starts: `_start`, or the base."""
        return self.symbols.get("_start", self.base)

    def section(self, name: str) -> Section:
        """The section of a name; `KeyError` if there is none."""
        for section in self.sections:
            if section.name == name:
                return section
        raise KeyError(name)

    @property
    def code(self) -> bytes:
        """The contents of .text."""
        return bytes(self.section(".text").data)

    @property
    def segments(self) -> list[tuple[int, bytes]]:
        """(address, contents) of everything that is not zero, for writing to memory without an ELF loader."""
        return [(section.address, bytes(section.data)) for section in self.sections if section.data]

    def to_elf(self) -> bytes:
        """An ELF64 executable: a PT_LOAD per section, section headers, symbols, the ISA.  Same program, same bytes."""
        loaded = [section for section in self.sections if section.size]
        body = bytearray(ELF_HEADER.size + len(loaded) * PROGRAM_HEADER.size)
        segments, headers = [], []                  # headers as in the file, but with the name itself

        def add(name, kind, data, alignment=1, link=0, info=0, entry=0):
            headers.append((name, kind, 0, 0, _pad(body, alignment), len(data), link, info, alignment, entry))
            body.extend(data)

        for section in loaded:
            offset = _pad(body, section.alignment, section.address)
            body += section.data
            writable, executable = "w" in section.flags, "x" in section.flags
            segments.append(PROGRAM_HEADER.pack(
                PT_LOAD, PF_R | PF_W * writable | PF_X * executable, offset, section.address, section.address,
                len(section.data), section.size, section.alignment))
            headers.append((section.name, SHT_NOBITS if section.is_nobits else SHT_PROGBITS,
                            SHF_ALLOC | SHF_WRITE * writable | SHF_EXECINSTR * executable, section.address, offset,
                            section.size, 0, 0, section.alignment, 0))
        symbols, names, first_global = self._symbol_table([section.name for section in loaded])
        add(".riscv.attributes", SHT_RISCV_ATTRIBUTES, _attributes(self.extensions))
        add(".symtab", SHT_SYMTAB, symbols, 8, len(headers) + 2, first_global, SYMBOL.size)
        add(".strtab", SHT_STRTAB, names)
        strings = _Strings()
        offsets = [strings.add(name) for name in (*(header[0] for header in headers), ".shstrtab")]
        add(".shstrtab", SHT_STRTAB, strings.data)
        table = _pad(body, 8)
        body += bytes(SECTION_HEADER.size)
        for offset, header in zip(offsets, headers, strict=True):
            body += SECTION_HEADER.pack(offset, *header[1:])
        start = ELF_HEADER.pack(
            b"\x7fELF\2\1\1", ET_EXEC, EM_RISCV, 1, self.entry, ELF_HEADER.size, table,
            EF_RISCV_RVC * ("C" in self.extensions), ELF_HEADER.size, PROGRAM_HEADER.size, len(loaded),
            SECTION_HEADER.size, len(headers) + 1, len(headers)) + b"".join(segments)
        body[:len(start)] = start
        return bytes(body)

    def _symbol_table(self, section_names: list[str]) -> tuple[bytes, bytes, int]:
        """Contents of .symtab and .strtab, and the index of the first symbol that is not local (these come first)."""
        strings = _Strings()
        entries = [bytes(SYMBOL.size)]
        shown = sorted((symbol for symbol in self.table if not symbol.name.startswith(".L")),
                       key=lambda symbol: symbol.binding != STB_LOCAL)
        for symbol in shown:
            index = section_names.index(symbol.section) + 1 if symbol.section in section_names else SHN_ABS
            entries.append(SYMBOL.pack(strings.add(symbol.name), symbol.binding << 4, 0, index, symbol.value, symbol.size))
        first_global = 1 + sum(symbol.binding == STB_LOCAL for symbol in shown)
        return b"".join(entries), bytes(strings.data), first_global


class _Strings:
    """A string table."""

    def __init__(self):
        self.data = bytearray(b"\0")

    def add(self, text: str) -> int:
        """The offset of a string."""
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def _attributes(extensions: frozenset[str]) -> bytes:
    """Contents of .riscv.attributes: the ISA string, by which disassemblers know which instructions to expect."""
    found = {name for extension in extensions for name in EXTENSIONS[extension].alternatives[0]}
    letters = "".join(letter for letter in "imafdqcbvh" if letter in found)
    names = sorted(name for name in found if len(name) > 1)
    isa = b"\5" + "_".join([f"rv64i{letters.lstrip('i')}", *names]).encode() + b"\0"        # 5: Tag_RISCV_arch
    file = b"\1" + struct.pack("<I", len(isa) + 5) + isa                                    # 1: of the whole file
    vendor = b"riscv\0"
    return b"A" + struct.pack("<I", 4 + len(vendor) + len(file)) + vendor + file


def _pad(body: bytearray, alignment: int, like: int = 0) -> int:
    """Grow the body to the next offset congruent to `like`."""
    body += bytes((like - len(body)) % alignment)
    return len(body)
