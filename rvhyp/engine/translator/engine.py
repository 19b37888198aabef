"""The translating engine: the interpreter, and regions of hot code among its uops.

Now and then (`tend`) it looks where the hart is: at some instruction, each as likely as another.  Code that is found in the
interpreter again and again is translated by another process while the guest goes on; what was made before comes from the store.
"""
from __future__ import annotations

import ctypes
import weakref
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

from rvhyp.engine.core import Progress
from rvhyp.engine.decoded import decoded_slots, word
from rvhyp.engine.interpreter import POOL_BYTES, Interpreter
from rvhyp.engine.translator.arena import Arena
from rvhyp.engine.translator.hot import HotPages
from rvhyp.engine.translator.process import Compiler
from rvhyp.engine.translator.store import Store
from rvhyp.engine.translator.worker import Demands, Product, Request
from rvhyp.hart.memory import HEADER_HOST, HEADER_PA, UOP_BYTES
from rvhyp.hart.state import OFFSET, TLB_ENTRIES, Hart
from rvhyp.isa.choices import MISALIGNED_TRAPS

PAGE = 4096
LIMITS = 40, 3, 12, 1, 80       # instructions of regions that are made ahead of time, by turns: they are to be of all sorts
PERIOD = 20_000                 # instructions between two looks, at least
WORTHWHILE = 25                 # looks that find the interpreter at work before a process is started that compiles ...
LITTLE, MUCH = 8, 200           # ... and if they are less than one of so many of all, then so many
SEEN = 2                        # ... that find it in one page before that page is
CROWD = 64                      # regions of a page
DOUBTFUL = 4                    # looks that find translated code interpreted, less those that find it running as it should
RARELY = 4                      # of so many looks that find translated code running, one looks where it is
NEAR = 2                        # bits of a slot that make no difference to that
IN_REGION, TENDED, PC, SLICE_END, BUDGET, FETCH_CONTEXT, FETCH = (
    OFFSET[name] // 8 for name in ("in_region", "tended", "pc", "slice_end", "budget", "fetch_context", "fetch_tlb"))


@dataclass(eq=False)
class Translation:
    """A region of a page, and its code."""

    product: Product
    address: int | None = None                  # host address of its function, once it is in the arena


@dataclass(eq=False)
class Page:
    """What is known of a page of decoded code."""

    address: int                                # of the decoded page, on the host
    pa: int
    host: int                                   # of the guest's bytes, on the host
    heat: Counter = field(default_factory=Counter)              # looks that found the interpreter there, by slot
    translations: list[Translation] = field(default_factory=list)
    doubt: Counter = field(default_factory=Counter)             # how much it looks as if translated code was not entered there
    refused: set[int] = field(default_factory=set)              # slots of which nothing could be made
    searched: int | None = None                                 # checksum of the bytes that the store was asked about

    def add(self, product: Product) -> None:
        """Know one more region; where there are many, those made from other bytes than there are now go."""
        if any(product.entries == each.product.entries and product.source == each.product.source for each in self.translations):
            return
        self.translations.append(Translation(product))
        self.heat = Counter({slot: looks for slot, looks in self.heat.items() if not product.has(slot)})
        self.doubt.clear()
        if len(self.translations) > CROWD:
            data = self.bytes()
            self.translations = [each for each in self.translations if each.product.fits(data)]

    def bytes(self) -> bytes:
        """The guest's bytes."""
        return ctypes.string_at(self.host, PAGE)

    def entries(self) -> frozenset[int]:
        """Slots at which its regions are entered."""
        return frozenset(entry for each in self.translations for entry in each.product.entries)


@dataclass(eq=False)
class Asked:
    """What the compiler is busy with."""

    page: Page
    request: Request


class Translator(Interpreter):
    """Runs harts on the compiled core, and translates what is hot."""

    name = "translator"

    def __init__(self, pool_bytes: int = POOL_BYTES, progress: Progress | None = None, counted: bool = False,
                 compiler: Compiler | None = None):
        """`counted`: translated code counts what it retires, in `translated_retired` of its hart, and is slower for it.  A given
        `compiler` is that of several engines, of which one at a time has something translated.
        """
        super().__init__(pool_bytes, progress)
        self._counted = counted
        self.store, self.compiler = Store(), compiler or Compiler()
        self._pages: weakref.WeakKeyDictionary[Hart, dict[int, Page]] = weakref.WeakKeyDictionary()     # by address
        self._asked: Asked | None = None
        self.looks = self.translated_looks = self.regions = self.made = 0
        self._hot = HotPages()
        weakref.finalize(self, _end, None if compiler else self.compiler, self._hot)

    def attach(self, hart: Hart, beside: Hart | None = None) -> None:
        super().attach(hart, beside)
        hart.code_arena = arena = beside.code_arena if beside else Arena()
        hart.translated_low, hart.translated_high = arena.low, arena.high
        self._pages[hart] = self._pages[beside] if beside else {}

    def rest(self) -> None:
        """The process that compiles ends with the thread that has started it: better so than unawares."""
        self.compiler.close()
        self._asked = None

    def figures(self) -> dict[str, object]:
        """Besides name and trouble: the part of all instructions that ran translated, as far as looks at the hart, so many, can
        tell; regions put to use; regions made in this run."""
        trouble = "the process that translates died again and again: no more was translated" if self.compiler.is_dead else ""
        return {"name": self.name, "translated": self.translated_looks / max(1, self.looks), "looks": self.looks,
                "regions": self.regions, "made": self.made, "trouble": trouble}

    def tend(self, hart: Hart) -> None:
        """Look where a hart is that has just left the engine at the end of a slice."""
        instret = hart.words[SLICE_END] - hart.words[BUDGET]
        if 0 <= instret - hart.words[TENDED] < PERIOD:
            return
        hart.words[TENDED] = instret
        self.looks += 1
        was_translated = hart.words[IN_REGION]
        hart.words[IN_REGION] = 0
        if was_translated and self._asked is None and self.looks % RARELY:
            self.translated_looks += 1          # all is as it should be, as far as can be told for next to nothing
            return
        self._take(hart)
        place = self._place(hart)
        if place is None:
            return
        page, slot = place
        if page.searched is None:
            self._search(hart, page, page.bytes())
        self._install(hart, page)
        if self._is_hot(page, slot, bool(was_translated)):
            data = page.bytes()
            if self._search(hart, page, data):
                self._install(hart, page)
            page.heat[slot] += 1
            if not self._counted:
                self._hot.note(data, slot, self._demands(hart), partial(decoded_slots, page.address))
            self._ask(hart, page)

    def _search(self, hart: Hart, page: Page, data: bytes) -> bool:
        """Ask the store about a page; False if it was asked about these bytes already."""
        checksum = zlib.crc32(data)
        if checksum == page.searched:
            return False
        page.searched = checksum
        for product in self.store.find(data, self._demands(hart)):
            page.add(product)
        return True

    def _demands(self, hart: Hart) -> Demands:
        return Demands(int(hart.extensions), int(MISALIGNED_TRAPS.get(hart.choices)), int(self._counted))

    def _is_hot(self, page: Page, slot: int, was_translated: bool) -> bool:
        """Whether the instruction at a slot runs in the interpreter, as far as can be told.

        `was_translated`: translated code saw that the slice would end, but that may have been in code that led to this.
        """
        if any(each.product.has(slot) for each in page.translations):
            self.translated_looks += 1
            near = slot >> NEAR
            page.doubt[near] = max(0, page.doubt[near] + (-RARELY if was_translated else 1))
            if page.doubt[near] < DOUBTFUL or slot in page.entries():
                return False
        return slot not in page.refused

    def _place(self, hart: Hart) -> tuple[Page, int] | None:
        """The decoded page and slot of hart.pc, by the fetch TLB."""
        words = hart.words
        pc = words[PC]
        at = FETCH + 2 * (pc >> 12 & TLB_ENTRIES - 1)
        if words[at] != (pc & ~0xFFF) + words[FETCH_CONTEXT]:
            return None
        return self._page(hart, (pc & ~0xFFF) + words[at + 1] & (1 << 64) - 1), (pc & 0xFFF) >> 1

    def _page(self, hart: Hart, address: int) -> Page:
        """The page at an address in the pool, which may have been another one when it was last looked at."""
        pages, pa, host = self._pages[hart], word(address + HEADER_PA), word(address + HEADER_HOST)
        page = pages.get(address)
        if page is None or page.pa != pa or page.host != host:
            page = pages[address] = Page(address, pa, host)
        return page

    def _install(self, hart: Hart, page: Page) -> None:
        """Put a page's regions among its uops, where they fit: it may have been decoded anew, or been written to."""
        arena, data = hart.code_arena, b""
        for each in page.translations:
            entries = each.product.entries
            if arena.low <= word(page.address + UOP_BYTES * entries[0]) < arena.high:
                continue
            data = data or page.bytes()
            if not each.product.fits(data):
                continue
            if not self._has_place(hart, each):
                return                          # this page, too, is forgotten
            for slot in entries:
                self.rules.region_decode(hart.address, page.address, slot)
            if each.product.fits(page.bytes()):         # still: another hart's store is noticed from now on
                for slot in entries:
                    self.rules.region_install(page.address, slot, each.address)

    def _has_place(self, hart: Hart, each: Translation) -> bool:
        """Put the code of a region in the hart's arena, if it is not there; False if there is no room for it."""
        if each.address is None:
            at = hart.code_arena.add(each.product.code)
            if at is None:
                self._forget(hart)
                return False
            each.address = at + each.product.start
            self.regions += 1
        return True

    def _forget(self, hart: Hart) -> None:
        """Begin anew with an empty arena: no uop leads there any more, and nothing translated in it is running."""
        self.rules.flush_pool(hart.address)
        self._pages[hart].clear()
        hart.code_arena.clear()

    def _ask(self, hart: Hart, page: Page) -> None:
        if self.compiler.is_busy or self.compiler.is_dead:
            return
        if page.heat.total() < SEEN or not (self.compiler.is_running or self._is_worth_a_process()):
            return
        slot, *others = (slot for slot, _ in page.heat.most_common())
        page.heat.clear()
        request = Request(page.bytes(), slot, decoded_slots(page.address), page.entries(), self._demands(hart),
                          others=tuple(others))
        self._asked = Asked(page, request)
        self.compiler.ask(request)

    def _is_worth_a_process(self) -> bool:
        """Whether so much is interpreted that it pays to start one, which takes a tenth of a second."""
        found = self.looks - self.translated_looks
        return found >= WORTHWHILE and (found >= MUCH or found * LITTLE >= self.looks)

    def _take(self, hart: Hart) -> None:
        """Use what has been compiled, if the answer has come."""
        asked = self._asked
        if asked is None:
            return
        product = self.compiler.answer()
        if self.compiler.is_busy:
            return
        self._asked = None
        if product is None:
            asked.page.refused.add(asked.request.slot)
            return
        self.store.add(asked.request.page, asked.request.demands, product)
        self._hot.drop(asked.request.page, product)
        self.made += 1
        for owner, pages in self._pages.items():
            for page in list(pages.values()):
                if page.host == asked.page.host and page.searched is not None:
                    page.add(product)
                    if owner is hart and self._page(hart, page.address) is page:
                        self._install(hart, page)       # another hart does when it is next found there

    # Ahead of time.

    def translate(self, hart: Hart, pa: int, slots: list[int], limit: int) -> int:
        """Translate all of some slots of a page of RAM, now and before they run; gives the number of regions.

        Each slot that control can come to is an entry of a region of at most `limit` instructions.
        """
        from rvhyp.engine.translator.blocks import leaders
        while self.compiler.is_busy:                # with what was hot, or what another engine asked that is gone
            self.compiler.wait(1)
            if self._asked:
                self._take(hart)
            else:
                self.compiler.answer()
        page = self._page(hart, self.rules.code_page(hart.address, pa))
        data, demands, made = page.bytes(), self._demands(hart), 0
        for slot in sorted(set(leaders(data, slots, demands.extensions).values())):
            if slot in page.entries():
                continue
            self.compiler.ask(Request(data, slot, slots, page.entries(), demands, limit))
            while self.compiler.is_busy:
                self.compiler.wait(1)
                if product := self.compiler.answer():
                    page.add(product)
                    made += 1
        self._install(hart, page)
        return made

    def translate_all(self, hart: Hart, pages: Mapping[int, list[int]], limits: Sequence[int] = LIMITS) -> int:
        """The same for all of some pages, as `decoded` gives them, with limits by turns."""
        turns = zip(pages.items(), cycle(limits), strict=False)
        return sum(self.translate(hart, pa, slots, limit) for (pa, slots), limit in turns)


def _end(compiler: Compiler | None, hot: HotPages) -> None:
    """The engine is not wanted any more, or the process ends."""
    if compiler:
        compiler.close()
    hot.save()
