"""What a hart has decoded: its pages of code, and their slots (half-words) that have a uop."""
from __future__ import annotations

import ctypes

from rvhyp.hart.memory import HEADER_PA, HEADER_UNDECODED, PAGE_BYTES, SLOTS, UOP_BYTES
from rvhyp.hart.state import Hart


def decoded(hart: Hart) -> dict[int, list[int]]:
    """Slots that are decoded, by the system physical address of their page."""
    from rvhyp.engine.codepages import POOL_FIRST, POOL_NEXT
    pool = int(hart.pool)
    pages = range(word(pool + POOL_FIRST), word(pool + POOL_NEXT), PAGE_BYTES)
    return {word(page + HEADER_PA): decoded_slots(page) for page in pages}


def decoded_slots(page: int) -> list[int]:
    """The slots of a page, by its host address."""
    undecoded = word(page + HEADER_UNDECODED)
    uops = memoryview(ctypes.string_at(page, UOP_BYTES * SLOTS)).cast("Q")[::2].tolist()
    return [slot for slot, handler in enumerate(uops) if handler != undecoded]


def word(address: int) -> int:
    """The word at a host address."""
    return ctypes.c_uint64.from_address(address).value
