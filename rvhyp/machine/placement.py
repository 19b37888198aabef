"""What is in RAM at the start: programs, an initial RAM disk, the device tree; and where each goes."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Program, Segment
from rvhyp.machine.ram import MAX_SIZE, PAGE, range_text, size_text

ALIGNMENTS = (2 << 20, PAGE)            # of what is placed: large pages map it if there is room, else pages
LINKED_AT = 0x20_0000                   # from the start of RAM: where kernels are linked


class Placement(NamedTuple):
    """Addresses of the initial RAM disk (0 if there is none) and of the device tree."""

    initrd: int
    tree: int


def arrange(base: int, size: int, taken: Iterable[tuple[int, int]], initrd: int, tree: int) -> Placement | None:
    """Where an initial RAM disk and a device tree of so many bytes go in RAM.

    `taken` are (address, size) of the program.  As high as their alignment
    allows, the tree first; None if they do not fit, however they are placed.
    """
    free = _gaps(base, base + size, taken)
    for align in ALIGNMENTS:
        for names in (("tree", "initrd"), ("initrd", "tree")):
            sizes, found, gaps = {"initrd": initrd, "tree": tree}, {"initrd": 0, "tree": 0}, free
            for name in names:
                if sizes[name]:
                    at = _highest(gaps, sizes[name], align)
                    if at is None:
                        break
                    found[name] = at
                    gaps = [piece for low, high in gaps for piece in _gaps(low, high, [(at, sizes[name])])]
            else:
                return Placement(**found)
    return None


def _gaps(low: int, high: int, taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is free of low to high, as (first address, address after the last)."""
    free = []
    for address, size in sorted(taken):
        if min(address, high) > low:
            free.append((low, min(address, high)))
        low = max(low, address + size)
    return [*free, (low, high)] if high > low else free


def _highest(gaps: list[tuple[int, int]], size: int, align: int) -> int | None:
    """The highest aligned address in a gap with room for `size` bytes."""
    places = [(high - size) // align * align for low, high in gaps if (high - size) // align * align >= low]
    return max(places, default=None)


def place(programs: Sequence[Program], base: int, size: int, initrd: int, tree: int) -> Placement:
    """Where the rest goes beside programs in `size` bytes of RAM at `base`; `initrd` and `tree` are its sizes in bytes.

    BadInput, saying what does not fit, if there is no room, or if programs overlap.
    """
    ram = Segment(base, base, b"", size, 0)
    segments = [(program, segment) for program in programs for segment in program.segments]
    for program, segment in segments:
        if not (base <= segment.pa and segment.pa + segment.memsz <= base + size):
            raise BadInput(_outside(program, segment, ram), program.name, _remedy(program, segment, ram))
    for (one, lower), (other, upper) in combinations(sorted(segments, key=lambda each: each[1].pa), 2):
        if one is not other and lower.pa + lower.memsz > upper.pa:
            raise BadInput(f"{range_text(lower.pa, lower.memsz)} of it overlaps {other.name}, which is at "
                           f"{range_text(upper.pa, upper.memsz)}", one.name, "link one of them elsewhere")
    found = arrange(base, size, [(s.pa, s.memsz) for _, s in segments], initrd, tree)
    if found is None:
        what = f"the initial RAM disk of {initrd:,} bytes and the device tree" if initrd else "the device tree"
        needed = sum(_up(s.memsz) for _, s in segments) + _up(initrd) + _up(tree) + LINKED_AT
        raise BadInput(f"no room for {what} beside the program in {size_text(size)}", programs[-1].name,
                       f"give it --memory {size_text(max(2 * size, 1 << needed.bit_length()))}")
    return found


def _up(size: int) -> int:
    return -(-size // ALIGNMENTS[0]) * ALIGNMENTS[0]


def _outside(program: Program, segment: Segment, ram: Segment) -> str:
    what = "the kernel, with the memory it wants for its data," if program.is_image else "the segment"
    return (f"{what} at {range_text(segment.pa, segment.memsz)} is outside RAM, which is "
            f"{range_text(ram.pa, ram.memsz)}")


def _remedy(program: Program, segment: Segment, ram: Segment) -> str:
    linked = f"link it at {ram.pa + LINKED_AT:#x}"
    if segment.pa < ram.pa:
        return linked
    needed = 1 << (segment.pa + segment.memsz - ram.pa - 1).bit_length()
    if needed > MAX_SIZE:
        return linked
    return f"give it --memory {size_text(needed)}" + ("" if program.is_image else ", or link it lower")
