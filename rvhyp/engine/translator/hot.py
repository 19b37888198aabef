"""What a run found hot and had no time to translate: kept for `rvhyp cache warm`, which has."""
from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rvhyp.engine import cache
from rvhyp.engine.translator.store import Records, Store, key
from rvhyp.engine.translator.worker import Demands, Product, Request, make

KEPT = 400                      # pages of one run
MANY = 2000                     # pages that are remembered at a time: a guest may make code without end


@dataclass(eq=False)
class HotPage:
    """A page in which the interpreter was found, how often at which slot, and the slots that were decoded then."""

    page: bytes
    demands: Demands
    decoded: list[int]
    looks: Counter[int] = field(default_factory=Counter)


class HotPages:
    """The hot pages of a run."""

    def __init__(self):
        self._pages: dict[int, HotPage] = {}            # by checksum

    def note(self, page: bytes, slot: int, demands: Demands, decoded: Callable[[], list[int]]) -> None:
        """The interpreter was found at a slot of a page.  What is decoded is asked for rarely, since it takes long to say."""
        checksum = zlib.crc32(page)
        if checksum not in self._pages:
            if len(self._pages) >= MANY:
                self._pages = dict(sorted(self._pages.items(), key=lambda item: -item[1].looks.total())[:MANY // 2])
            self._pages[checksum] = HotPage(page, demands, [])
        hot = self._pages[checksum]
        hot.looks[slot] += 1
        total = hot.looks.total()
        if total & (total - 1) == 0:
            hot.decoded = decoded()

    def drop(self, page: bytes, product: Product) -> None:
        """What a region covers is not hot any more."""
        if hot := self._pages.get(zlib.crc32(page)):
            for slot in [slot for slot in hot.looks if product.has(slot)]:
                del hot.looks[slot]

    def save(self) -> None:
        """Keep the hottest pages for later."""
        hottest = sorted((hot for hot in self._pages.values() if hot.looks), key=lambda hot: -hot.looks.total())[:KEPT]
        if hottest:
            _file().append([(zlib.crc32(hot.page), {"decoded": hot.decoded, "demands": hot.demands,
                                                    "looks": [*hot.looks.items()]}, hot.page) for hot in hottest])


def _file() -> Records:
    return Records(cache.folder() / f"hot-{key()}")


def kept() -> list[HotPage]:
    """The pages that runs have kept, the hottest first."""
    pages: dict[tuple[bytes, Demands], HotPage] = {}
    for header, page in _file():
        demands = Demands(*header["demands"])
        hot = pages.setdefault((page, demands), HotPage(page, demands, []))
        hot.decoded = sorted({*hot.decoded, *header["decoded"]})
        hot.looks.update(dict(header["looks"]))
    return sorted(pages.values(), key=lambda hot: -hot.looks.total())


def warm(progress: Callable[[int, int], None]) -> int:
    """Translate what is hot, on all processors; gives the number of new regions.  `progress(done, total)` counts pages.

    `ChildFailed` if a process that compiles dies.
    """
    from rvhyp.engine.children import available_cores, call_in_children
    store, pages, made = Store(), kept(), 0
    progress(0, len(pages))
    calls = [(_warm_page, number, hot, store.find(hot.page, hot.demands)) for number, hot in enumerate(pages)]
    for done, (number, products) in enumerate(call_in_children(calls, available_cores()), 1):
        for product in products:
            store.add(pages[number].page, pages[number].demands, product)
        made += len(products)
        progress(done, len(pages))
    _file().path.unlink(missing_ok=True)
    return made


def _warm_page(number: int, hot: HotPage, known: list[Product]) -> tuple[int, list[Product]]:
    """In a child: the regions of a page that are wanted besides those known."""
    made: list[Product] = []
    slots = [slot for slot, _ in hot.looks.most_common()]
    while slots := [slot for slot in slots if not any(product.has(slot) for product in known + made)]:
        slot, *slots = slots
        taken = frozenset(entry for product in known + made for entry in product.entries)
        if product := make(Request(hot.page, slot, hot.decoded, taken, hot.demands, others=tuple(slots))):
            made.append(product)
    return number, made
