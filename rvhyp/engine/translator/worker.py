"""The process that compiles regions: it keeps llvmlite's weight, and the time it takes, out of the one that runs guests.

It answers each `Request` with a `Product`, or None where nothing can be translated, over a pipe, until the other end is closed.
"""
from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BESIDE, ROOM = 4, 25             # other places of a page that a region is entered at, and instructions more for each


class Demands(NamedTuple):
    """What code depends on besides the guest's bytes: the hart's mask of extensions; whether misaligned accesses trap; whether it
    counts what it retires (`Hart.translated_retired`), which takes time."""

    extensions: int
    traps_misaligned: int
    counted: int = 0


class Request(NamedTuple):
    """What to translate: the page's bytes, the slot where the guest was found, slots that are decoded, those at which translated
    code is entered already, how many instructions at most, and other slots where the guest was found."""

    page: bytes
    slot: int
    decoded: list[int]
    taken: frozenset[int]
    demands: Demands
    limit: int = 150            # the time to compile a region grows faster than it does
    others: tuple[int, ...] = ()


class Product(NamedTuple):
    """A translated region: slots it is entered at, ranges of slots it was made from and the bytes there, its code, where that
    begins."""

    entries: list[int]
    cover: list[tuple[int, int]]
    source: bytes
    code: bytes
    start: int
    instructions: int

    def has(self, slot: int) -> bool:
        """Whether it was made from a slot, among others."""
        return any(start <= slot < end for start, end in self.cover)

    def fits(self, page: bytes) -> bool:
        """Whether a page still has the bytes that this was made from."""
        return covered(page, self.cover) == self.source


def covered(page: bytes, cover: list[tuple[int, int]]) -> bytes:
    """The bytes of ranges of slots, one after the other."""
    return b"".join(page[2 * start:2 * end] for start, end in cover)


def make(request: Request) -> Product | None:
    """Translate the region that begins with the block of a slot, or with the head of the loop it is in; and with it what else was
    found hot in the page, as far as there is room.
    """
    from rvhyp.engine.translator.blocks import discover, doors, leaders
    from rvhyp.engine.translator.compiler import compile_text
    from rvhyp.engine.translator.flow import loop_head
    from rvhyp.engine.translator.lower import translated
    page, extensions = request.page, request.demands.extensions
    begins = leaders(page, request.decoded, extensions)
    slot = begins.get(request.slot, request.slot)
    slot = request.slot if slot in request.taken else slot
    region = discover(page, [slot], extensions, request.limit)
    if region is None:
        return None
    head = loop_head(region, slot)
    if head != slot and head not in request.taken:
        region = discover(page, [head], extensions, request.limit) or region
    first, entered = region.entries[0], doors(page, request.decoded, extensions) - request.taken
    way = max((door for door in entered if door < first), default=first)        # where the function begins, as a rule
    if way != first and (function := discover(page, [way], extensions, request.limit)) and first in function.blocks:
        region = function
    there = {insn.slot for block in region.blocks.values() for insn in block.insns}
    beside = dict.fromkeys(begins.get(other, other) for other in request.others if other not in there)
    beside = [other for other in beside if other not in request.taken][:BESIDE]
    if region.entries[0] != first:
        beside.insert(0, region.entries[0])
    if beside:
        region = discover(page, [first, *beside], extensions, request.limit + ROOM * len(beside)) or region
    region.entries = [entry for entry in region.entries if entry not in request.taken or entry == region.entries[0]]
    text = translated(region, bool(request.demands.traps_misaligned), bool(request.demands.counted))
    code, start = compile_text(text, "region")
    cover = region.cover()
    return Product(region.entries, cover, covered(page, cover), code, start, region.size)


def serve(connection: Connection) -> None:
    """Answer requests until nobody sends any."""
    while True:
        try:
            request = connection.recv()
            connection.send(make(request))
        except (EOFError, OSError):
            return


def main() -> None:
    """Serve the descriptor that the command line names.  Ctrl-C is for whoever started us; we end when that does."""
    from multiprocessing.connection import Connection

    from rvhyp.engine.children import end_with
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(os.getppid())
    serve(Connection(int(sys.argv[1])))
