"""The translating engine: the interpreter, and regions of hot code among its uops.

Now and then (`tend`) it looks where the hart is.  A place where the interpreter is found again and again is translated, by another
process while the guest goes on; what was translated before, now or in an earlier run, comes from the store.
"""
from __future__ import annotations

import ctypes
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from rvhyp.engine.codepages import POOL_FIRST, POOL_NEXT
from rvhyp.engine.core import Progress
from rvhyp.engine.interpreter import POOL_BYTES, Interpreter
from rvhyp.engine.translator.arena import Arena
from rvhyp.engine.translator.blocks import leaders
from rvhyp.engine.translator.store import Store
from rvhyp.engine.translator.worker import Product, Request
from rvhyp.hart.memory import HEADER_HOST, HEADER_PA, HEADER_UNDECODED, PAGE_BYTES, SLOTS, UOP_BYTES
from rvhyp.hart.state import OFFSET, TLB_ENTRIES, Hart

PAGE, HALF = 4096, 2
WORTHWHILE = 8                  # looks that find the interpreter at work before anything is compiled
DOUBTFUL = 6                    # looks that find code that is translated, but not running so, less those that do
SEEN = 2                        # looks that find it in one page before that page is


class Compiler:
    """The process that compiles, started when it is first asked, and asked one thing at a time.  It may die: then nothing more comes."""

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        self.is_busy = False
        self.is_dead = False

    def ask(self, request: Request) -> None:
        if self._process is None:
            self._start()
        if not self.is_dead:
            self._give(request)

    def _start(self) -> None:
        from multiprocessing import Pipe
        self._connection, theirs = Pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rvhyp.engine.translator", str(theirs.fileno())], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        except OSError:
            self.is_dead = True
        theirs.close()

    def _give(self, request: Request) -> None:
        try:
            self._connection.send(request)
            self.is_busy = True
        except OSError:
            self.is_dead = True

    def answer(self) -> Product | None:
        """What has been made since, if anything; `is_busy` is False from then on."""
        if not self.is_busy:
            return None
        try:
            if not self._connection.poll():
                return None
            self.is_busy = False
            return self._connection.recv()
        except (EOFError, OSError):
            self.is_dead, self.is_busy = True, False
            return None

    def wait(self, seconds: float) -> None:
        """Until there is an answer."""
        if self.is_busy:
            with suppress(OSError):
                self._connection.poll(seconds)

    def close(self) -> None:
        if self._process:
            self._connection.close()
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass(eq=False)
class Translation:
    """A region of a page, and its code."""

    product: Product
    address: int | None = None                  # host address of its function, once it is in the arena
    doubt: int = 0                              # how much it looks as if it was not entered


@dataclass(eq=False)
class Page:
    """What is known of a page of decoded code, at one host address."""

    address: int                                # of the decoded page
    pa: int
    host: int                                   # of the guest's bytes
    heat: Counter = field(default_factory=Counter)          # looks that found the interpreter there, by slot
    translations: list[Translation] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)          # slots where nothing can be translated
    is_searched: bool = False                   # the store was asked


class Translator(Interpreter):
    """Runs harts on the compiled core, and translates what is hot."""

    name = "translator"

    def __init__(self, pool_bytes: int = POOL_BYTES, progress: Progress | None = None):
        super().__init__(pool_bytes, progress)
        self.arena, self.store, self.compiler = Arena(), Store(), Compiler()
        self._pages: dict[int, Page] = {}
        self._asked: tuple[Page, int, bytes] | None = None      # page, slot, bytes it was asked for
        self.looks = self.translated_looks = self.regions = 0

    def attach(self, hart: Hart) -> None:
        super().attach(hart)
        hart.translated_low, hart.translated_high = self.arena.low, self.arena.high

    def tend(self, hart: Hart) -> None:
        """Look where a hart is that has just left the engine at the end of a slice: some instruction, each as likely as another."""
        self.looks += 1
        self._take(hart)
        was_translated = hart.words[IN_REGION]
        hart.words[IN_REGION] = 0
        place = self._place(hart)
        if place is None:
            return
        address, slot = place
        page = self._page(address)
        if not page.is_searched:
            page.is_searched = True
            page.translations += map(Translation, self.store.find(self._bytes(page), int(hart.extensions)))
        self._install(hart, page)
        if self._is_hot(page, slot, was_translated):
            page.heat[slot] += 1
            self._ask(hart, page)

    def _is_hot(self, page: Page, slot: int, was_translated: int) -> bool:
        """Whether the instruction at a slot runs in the interpreter, as far as can be told."""
        for each in page.translations:
            if any(start <= slot < end for start, end in each.product.cover):
                self.translated_looks += 1
                each.doubt = max(0, each.doubt + (-1 if was_translated else 1))
                if each.doubt < DOUBTFUL:
                    return False
                each.doubt = 0
        return slot not in page.refused

    def _place(self, hart: Hart) -> tuple[int, int] | None:
        """The decoded page and slot of hart.pc, by the fetch TLB."""
        words = hart.words
        pc = words[PC]
        at = FETCH + 2 * (pc >> 12 & TLB_ENTRIES - 1)
        if words[at] != (pc & ~0xFFF) + words[FETCH_CONTEXT]:
            return None
        return (pc & ~0xFFF) + words[at + 1] & (1 << 64) - 1, (pc & 0xFFF) >> 1

    def _page(self, address: int) -> Page:
        pa, host = _word(address + HEADER_PA), _word(address + HEADER_HOST)
        page = self._pages.get(address)
        if page is None or page.pa != pa or page.host != host:
            page = self._pages[address] = Page(address, pa, host)
        return page

    def _bytes(self, page: Page) -> bytes:
        return ctypes.string_at(page.host, PAGE)

    def _decoded(self, page: Page) -> list[int]:
        """The slots of a page that are decoded."""
        undecoded = _word(page.address + HEADER_UNDECODED)
        uops = memoryview(ctypes.string_at(page.address, UOP_BYTES * SLOTS)).cast("Q")[::2].tolist()
        return [slot for slot, handler in enumerate(uops) if handler != undecoded]

    def _install(self, hart: Hart, page: Page) -> None:
        """Put a page's regions among its uops, where they fit: it may have been decoded anew, or been written to."""
        data = None
        for each in page.translations:
            entries = each.product.entries
            if not self.arena.low <= _word(page.address + UOP_BYTES * entries[0]) < self.arena.high:
                data = data or self._bytes(page)
                if each.product.fits(data) and self._has_place(each):
                    for slot in entries:
                        self.rules.region_install(hart.address, page.address, slot, each.address)

    def _has_place(self, each: Translation) -> bool:
        """Put the code of a region in the arena, if it is not there; False if there is no room for it."""
        if each.address is None:
            places = self.arena.add([each.product.code])
            if places is None:
                return False
            each.address = places[0] + each.product.start
            self.regions += 1
        return True

    def _ask(self, hart: Hart, page: Page) -> None:
        if self.compiler.is_busy or self.compiler.is_dead or self.looks - self.translated_looks < WORTHWHILE:
            return
        if page.heat.total() < SEEN:
            return
        (slot, _), = page.heat.most_common(1)
        data = self._bytes(page)
        self._asked = page, slot, data
        self.compiler.ask(Request(data, slot, self._decoded(page), self._entries(page), int(hart.extensions)))
        page.heat.clear()

    def _take(self, hart: Hart) -> None:
        """Put in what was compiled, if the page is still as it was."""
        if not self.compiler.is_busy:
            return
        product = self.compiler.answer()
        if self.compiler.is_busy or self._asked is None:
            return
        page, slot, data = self._asked
        if product is None:
            page.refused.add(slot)
            return
        self.store.add(data, int(hart.extensions), product)
        if self._pages.get(page.address) is page and _word(page.address + HEADER_PA) == page.pa:
            page.translations.append(Translation(product))
            self._install(hart, page)

    def decoded(self, hart: Hart) -> dict[int, list[int]]:
        """Slots that are decoded, by the system physical address of their page."""
        pool, found = int(hart.pool), {}
        first, end = _word(pool + POOL_FIRST), _word(pool + POOL_NEXT)
        for address in range(first, end, PAGE_BYTES):
            page = self._page(address)
            found[page.pa] = self._decoded(page)
        return found

    def translate(self, hart: Hart, pa: int, slots: list[int], limit: int) -> int:
        """Translate all of some slots of a page of RAM, now and before they run; gives the number of regions.

        Each slot that control can come to is an entry of a region of at most `limit` instructions.
        """
        page = self._page(self.rules.code_page(hart.address, pa))
        data, extensions, made = self._bytes(page), int(hart.extensions), 0
        for slot in sorted(set(leaders(data, slots, extensions).values())):
            if slot in self._entries(page):
                continue
            self.compiler.ask(Request(data, slot, slots, self._entries(page), extensions, limit))
            while self.compiler.is_busy:
                self.compiler.wait(1)
                if product := self.compiler.answer():
                    page.translations.append(Translation(product))
                    self._install(hart, page)
                    made += 1
        return made

    def _entries(self, page: Page) -> frozenset[int]:
        return frozenset(entry for each in page.translations for entry in each.product.entries)

    def close(self) -> None:
        """End the process that compiles."""
        self.compiler.close()


IN_REGION, PC, FETCH_CONTEXT, FETCH = (OFFSET[name] // 8 for name in ("in_region", "pc", "fetch_context", "fetch_tlb"))


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value
