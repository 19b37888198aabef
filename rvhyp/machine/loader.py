"""Programs: ELF files and Linux Images read into segments, and placed in memory.

ELF segments load at their physical addresses (p_paddr).  A position-independent program linked at 0 is moved to RAM.
"""
from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from rvhyp.machine import elf
from rvhyp.machine.compressed import unpacked
from rvhyp.machine.errors import BadInput
from rvhyp.machine.memory_map import RAM_BASE
from rvhyp.machine.ram import MAX_SIZE, Memory, range_text, size_text
from rvhyp.machine.source import Source
from rvhyp.machine.symbols import Symbols

MOVABLE_BELOW = 0x1_0000                # a position-independent program that starts below was not linked for a place

IMAGE_HEADER = struct.Struct("<8sQQQIIQQII")
IMAGE_MAGIC, IMAGE_MAGIC_AT = b"RSC\x05", 56
IMAGE_BIG_ENDIAN = 1                    # flag
IMAGE_ALIGN = 1 << 21


class Segment(NamedTuple):
    """`data`, then zeros up to `memsz` bytes, at `pa`; `flags` are PF_R, PF_W, PF_X."""

    pa: int
    va: int
    data: bytes
    memsz: int
    flags: int

    def holds(self, va: int) -> bool:
        return self.va <= va < self.va + self.memsz


@dataclass
class Program:
    """What is to be placed in memory, and where it starts: `entry` is a physical address."""

    name: str
    entry: int
    segments: list[Segment]
    symbol_table: Symbols = field(default_factory=Symbols)
    is_image: bool = False              # a Linux Image: its place follows from where RAM is

    @property
    def symbols(self) -> dict[str, int]:
        """Values by name, as linked: virtual addresses, and absolute numbers."""
        return self.symbol_table.by_name

    def physical(self, va: int) -> int:
        """Where the byte linked at `va` is loaded; `va` itself where there is none."""
        return next((s.pa + va - s.va for s in self.segments if s.holds(va)), va)

    def _physical_symbol(self, name: str) -> int | None:
        va = self.symbols.get(name)
        return None if va is None else self.physical(va)

    @property
    def tohost(self) -> int | None:
        """Physical address of the host-target interface's `tohost`, if the program has one."""
        return self._physical_symbol("tohost")

    @property
    def fromhost(self) -> int | None:
        return self._physical_symbol("fromhost")

    @property
    def begin_signature(self) -> int | None:
        """Physical address of the first byte of a compliance test's signature."""
        return self._physical_symbol("begin_signature")

    @property
    def end_signature(self) -> int | None:
        return self._physical_symbol("end_signature")

    def symbol_at(self, va: int) -> str | None:
        """`name` or `name+0x10`: the last symbol at or before an address of the program, or None."""
        nearest = self.symbol_table.nearest(va)
        if nearest is None or not any(s.holds(va) and s.holds(va - nearest[1]) for s in self.segments):
            return None
        name, distance = nearest
        return f"{name}+{distance:#x}" if distance else name


def load_elf(source: str | os.PathLike[str] | bytes, name: str | None = None) -> Program:
    """Read an ELF64 program from a path or from bytes; `name` is what messages call it.

    Raises BadInput, saying what is wrong and what to do, for whatever cannot run here.  Damaged symbols are no reason.
    """
    with Source(source, name) as file:
        return _load_elf(file)


def load(source: str | os.PathLike[str] | bytes, name: str | None = None, base: int = RAM_BASE) -> Program:
    """An ELF64 program, or a Linux Image, which goes to the first place for it in the RAM at `base`.  As `load_elf`.

    Either may be compressed (rvhyp.machine.compressed).
    """
    with Source(source, name) as packed, unpacked(packed) as file:
        image = file.read(0, min(file.size, IMAGE_HEADER.size), "the start")
        return _load_image(file, image, base) if image[IMAGE_MAGIC_AT:].startswith(IMAGE_MAGIC) else _load_elf(file)


def _load_image(file: Source, header: bytes, base: int) -> Program:
    """A raw kernel; its header says how much memory it wants, bss included.

    "text_offset" is counted from a 2 MiB boundary; the entry point is the first byte (Linux, boot-image-header.rst).
    """
    if len(header) < IMAGE_HEADER.size:
        raise BadInput("is a truncated Linux Image", file.name, "copy or build it again")
    _, text_offset, image_size, flags, *_ = IMAGE_HEADER.unpack(header)
    if flags & IMAGE_BIG_ENDIAN:
        raise BadInput("is a big-endian Linux Image", file.name, "build it for little-endian RISC-V")
    if text_offset + image_size >= 1 << 56:
        raise BadInput("is a Linux Image with a damaged header", file.name, "copy or build it again")
    pa = -(-base // IMAGE_ALIGN) * IMAGE_ALIGN + text_offset
    data = file.read(0, file.size, "the kernel")
    return Program(file.name, pa, [Segment(pa, pa, data, max(image_size, len(data)), elf.PF_R | elf.PF_W | elf.PF_X)],
                   is_image=True)


def _load_elf(file: Source) -> Program:
    header = elf.read_file_header(file)
    loaded = [h for h in elf.read_program_headers(file, header) if h.type == elf.PT_LOAD and h.memsz]
    if not loaded:
        raise BadInput("has no loadable segment", file.name, "link it as an executable")
    is_movable = header.type == elf.ET_DYN and min(h.paddr for h in loaded) < MOVABLE_BELOW
    bias = RAM_BASE if is_movable else 0
    _check_segments(file, loaded, bias)
    segments = [Segment(h.paddr + bias, h.vaddr + bias, file.read(h.offset, h.filesz, "a segment"), h.memsz, h.flags)
                for h in loaded]
    entry = _physical_entry(file.name, header.entry + bias, segments)
    return Program(file.name, entry, segments, Symbols(*elf.read_symbol_tables(file, header), bias))


def _check_segments(file: Source, loaded: list[elf.ProgramHeader], bias: int) -> None:
    """Before any of them is read: sizes, addresses, overlaps."""
    for h in loaded:
        where = f"the segment at {h.paddr + bias:#x}"
        if h.filesz > h.memsz:
            raise BadInput(f"{where} has more bytes in the file than in memory", file.name, "build it again")
        if max(h.paddr, h.vaddr) + bias + h.memsz > 1 << 64:
            raise BadInput(f"{where} ends beyond the 64-bit address space", file.name, "build it again")
    if sum(h.filesz for h in loaded) > 2 * file.size:
        raise BadInput("its segments repeat the same bytes of the file many times", file.name, "build it again")
    loaded = sorted(loaded, key=lambda h: h.paddr)
    for below, above in zip(loaded, loaded[1:], strict=False):
        if below.paddr + below.memsz > above.paddr:
            raise BadInput(f"the segments at {range_text(below.paddr + bias, below.memsz)} and "
                           f"{range_text(above.paddr + bias, above.memsz)} overlap", file.name, "link it again")


def _physical_entry(name: str, entry: int, segments: list[Segment]) -> int:
    """The entry point is a virtual address; some linker scripts give the physical one."""
    if entry % 2:
        raise BadInput(f"the entry point {entry:#x} is odd", name, "link it with a symbol of code as its entry")
    executable = [s for s in segments if s.flags & elf.PF_X or not s.flags]    # old linkers leave flags out
    for s in executable:
        if s.va <= entry < s.va + len(s.data):
            return s.pa + entry - s.va
    for s in executable:
        if s.pa <= entry < s.pa + len(s.data):
            return entry
    raise BadInput(f"the entry point {entry:#x} is in no executable segment", name,
                   "link it with a symbol of code as its entry (ENTRY in the linker script, or ld -e)")


def place(program: Program, memory: Memory) -> None:
    """Copy the segments to RAM and clear the rest of them.  BadInput, before anything is written, if one is outside."""
    for s in program.segments:
        if not memory.contains(s.pa, s.memsz):
            raise BadInput(f"the segment at {range_text(s.pa, s.memsz)} is outside RAM, which is "
                           + (" and ".join(range_text(ram.base, ram.size) for ram in memory.regions) or "absent"),
                           program.name, _remedy(s, memory))
    for s in program.segments:
        memory.write(s.pa, s.data)
        memory.zero(s.pa + len(s.data), s.memsz - len(s.data))


def _remedy(segment: Segment, memory: Memory) -> str:
    """More memory, if that would help; else other addresses."""
    base = max([ram.base for ram in memory.regions if ram.base <= segment.pa], default=None)
    if base is not None:
        needed = 1 << (segment.pa + segment.memsz - base - 1).bit_length()
        if needed <= MAX_SIZE:
            return f"give it --memory {size_text(needed)}, or link it lower"
    return f"link it at {memory.regions[0].base if memory.regions else RAM_BASE:#x}"
