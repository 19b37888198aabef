"""Links objects to one image that runs at any address: all that is linking here, since nothing outside may be called."""
from __future__ import annotations

import io
import struct

from elftools.elf.elffile import ELFFile

IMAGE_ALIGNMENT = 64
PC_RELATIVE = (2, 4)            # R_X86_64_PC32, R_X86_64_PLT32


class Part:
    """One object in the image: where its sections lie, and its symbols."""

    def __init__(self, object_code: bytes):
        self._elf = ELFFile(io.BytesIO(object_code))
        self._sections = list(self._elf.iter_sections())
        self._symbols = self._elf.get_section_by_name(".symtab")
        self._place: dict[int, int] = {}

    def lay_out(self, image: bytearray) -> None:
        """Append the sections that are loaded."""
        for index, section in enumerate(self._sections):
            is_loaded = section["sh_flags"] & 2 and section["sh_type"] == "SHT_PROGBITS"
            if is_loaded and not section.name.startswith(".eh_frame"):
                image += b"\0" * (-len(image) % max(IMAGE_ALIGNMENT, section["sh_addralign"]))
                self._place[index] = len(image)
                image += section.data()

    def at(self, symbol) -> int | None:
        """Where a symbol is in the image; None if it is not of this object."""
        index = symbol["st_shndx"]
        return self._place[index] + symbol["st_value"] if index in self._place else None

    def globals(self) -> dict[str, int]:
        """Global symbols that are defined here."""
        return {s.name: self.at(s) for s in self._symbols.iter_symbols()
                if s.name and s["st_info"]["bind"] == "STB_GLOBAL" and s["st_shndx"] in self._place}

    def undefined(self) -> frozenset[str]:
        """Symbols that another object must define."""
        return frozenset(s.name for s in self._symbols.iter_symbols() if s.name and s["st_shndx"] == "SHN_UNDEF")

    def relocate(self, image: bytearray, offsets: dict[str, int]) -> None:
        """Resolve references; ValueError for one that leaves the image."""
        for section in self._sections:
            if section["sh_type"] != "SHT_RELA" or section["sh_info"] not in self._place:
                continue
            for relocation in section.iter_relocations():
                symbol = self._symbols.get_symbol(relocation["r_info_sym"])
                target = self.at(symbol)
                if target is None:
                    target = offsets.get(symbol.name)
                if relocation["r_info_type"] not in PC_RELATIVE or target is None:
                    raise ValueError(f"the core refers to {symbol.name or 'a section'} by relocation "
                                     f"{relocation['r_info_type']}: it would not be position-independent")
                at = self._place[section["sh_info"]] + relocation["r_offset"]
                image[at:at + 4] = struct.pack("<i", target + relocation["r_addend"] - at)


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
