"""Links objects to one image that runs at any address: all that is linking here, since nothing outside may be called.

Objects are ELF64 files for x86-64, as LLVM writes them (System V ABI, chapter 4), and are read with `struct`: to import
pyelftools takes as long as compiling half a region.
"""
from __future__ import annotations

import struct
from typing import NamedTuple

IMAGE_ALIGNMENT = 64
PC_RELATIVE = (2, 4)            # R_X86_64_PC32, R_X86_64_PLT32
SHT_PROGBITS, SHT_SYMTAB, SHT_RELA = 1, 2, 4
SHF_ALLOC = 2
SHN_UNDEF, STB_GLOBAL = 0, 1
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELOCATION = struct.Struct("<QQq")


class Section(NamedTuple):
    """Elf64_Shdr, its fields by their names without sh_."""

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


class Symbol(NamedTuple):
    """A symbol: its name, whether it is global, its section and its place there."""

    name: str
    is_global: bool
    section: int
    value: int


class Part:
    """One object in the image: where its sections lie, and its symbols."""

    def __init__(self, object_code: bytes):
        self._data = data = object_code
        at, = struct.unpack_from("<Q", data, 0x28)
        size, count, names = struct.unpack_from("<HHH", data, 0x3A)
        self._sections = [Section(*SECTION.unpack_from(data, at + n * size)) for n in range(count)]
        self._names = self._bytes(self._sections[names])
        table = next(section for section in self._sections if section.type == SHT_SYMTAB)
        strings = self._bytes(self._sections[table.link])
        self._symbols = [Symbol(_text(strings, name), info >> 4 == STB_GLOBAL, section, value)
                         for name, info, _, section, value, _ in SYMBOL.iter_unpack(self._bytes(table))]
        self._place: dict[int, int] = {}

    def _bytes(self, section: Section) -> bytes:
        return self._data[section.offset:section.offset + section.size]

    def lay_out(self, image: bytearray) -> None:
        """Append the sections that are loaded."""
        for index, section in enumerate(self._sections):
            is_loaded = section.flags & SHF_ALLOC and section.type == SHT_PROGBITS
            if is_loaded and not _text(self._names, section.name).startswith(".eh_frame"):
                image += b"\0" * (-len(image) % max(IMAGE_ALIGNMENT, section.addralign))
                self._place[index] = len(image)
                image += self._bytes(section)

    def _at(self, symbol: Symbol) -> int | None:
        """Where a symbol is in the image; None if it is not of this object."""
        return self._place[symbol.section] + symbol.value if symbol.section in self._place else None

    def globals(self) -> dict[str, int]:
        """Global symbols that are defined here."""
        return {s.name: self._place[s.section] + s.value
                for s in self._symbols if s.name and s.is_global and s.section in self._place}

    def undefined(self) -> frozenset[str]:
        """Symbols that another object must define."""
        return frozenset(s.name for s in self._symbols if s.name and s.section == SHN_UNDEF)

    def relocate(self, image: bytearray, offsets: dict[str, int]) -> None:
        """Resolve references; ValueError for one that leaves the image."""
        for section in self._sections:
            if section.type != SHT_RELA or section.info not in self._place:
                continue
            for offset, info, addend in RELOCATION.iter_unpack(self._bytes(section)):
                symbol, kind = self._symbols[info >> 32], info & 0xFFFF_FFFF
                target = self._at(symbol)
                if target is None:
                    target = offsets.get(symbol.name)
                if kind not in PC_RELATIVE or target is None:
                    raise ValueError(f"the core refers to {symbol.name or 'a section'} by relocation {kind}: it would not be "
                                     "position-independent")
                at = self._place[section.info] + offset
                image[at:at + 4] = struct.pack("<i", target + addend - at)


def _text(strings: bytes, at: int) -> str:
    """The string at an offset of a string table."""
    return strings[at:strings.index(0, at)].decode()


def flatten(objects: list[bytes]) -> tuple[bytes, dict[str, int]]:
    """Lay out objects as one image that runs at any address, and the offsets of their global symbols.

    Only references among them are allowed: a call of anything outside is a `ValueError`.
    """
    image, parts = bytearray(), [Part(code) for code in objects]
    for part in parts:
        part.lay_out(image)
    offsets = {name: at for part in parts for name, at in part.globals().items()}
    for part in parts:
        part.relocate(image, offsets)
    return bytes(image), offsets
