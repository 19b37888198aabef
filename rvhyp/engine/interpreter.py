"""The threaded interpreter: runs a hart in compiled code until there is a reason to return."""
from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from functools import partial

from rvhyp.engine.builtin import builtin
from rvhyp.engine.core import Core, Progress, load_core
from rvhyp.hart.memory import PAGE_BYTES
from rvhyp.hart.state import Hart
from rvhyp.isa.instruction import EXTENSIONS

POOL_BYTES = 128 << 20                  # bound of decoded code; touched as it is used
WORK_BYTES = 4 << 13
HEADER_BYTES = 64
MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)      # in Python since 3.13


class CodePool:
    """Memory of decoded pages, and the scratch page for single steps."""

    def __init__(self, size: int = POOL_BYTES):
        if size < PAGE_BYTES:
            raise ValueError(f"a pool of {size} bytes has no room for one decoded page of {PAGE_BYTES}")
        self._map = mmap.mmap(-1, HEADER_BYTES + WORK_BYTES + PAGE_BYTES + size,
                              flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.worklist = self.address + HEADER_BYTES
        self.scratch = self.worklist + WORK_BYTES
        first = self.scratch + PAGE_BYTES
        words = memoryview(self._map)[:HEADER_BYTES].cast("Q")
        words[0], words[1], words[2] = first, first, first + size // PAGE_BYTES * PAGE_BYTES


class Interpreter:
    """Runs harts on the compiled core."""

    name = "interpreter"

    def __init__(self, pool_bytes: int = POOL_BYTES, progress: Progress | None = None):
        self.core: Core = load_core(progress)
        self.rules = self.core          # exported rules: the hart's address, then words
        self.pool_bytes = pool_bytes

    def attach(self, hart: Hart, beside: Hart | None = None) -> None:
        """Give a hart the core's tables and a pool of decoded pages, which lives as long as the hart: it points into its RAM.

        Harts of one machine share the pool of the first, `beside`; they run one after the other.
        """
        for name, address in self.core.pointers.items():
            setattr(hart, name, address)
        hart.code_pool = pool = beside.code_pool if beside else CodePool(self.pool_bytes)
        hart.pool, hart.worklist, hart.scratch = pool.address, pool.worklist, pool.scratch
        hart.compressed_extension = EXTENSIONS["C"].number
        self.core.prepare_scratch(hart.address)

    def tend(self, hart: Hart) -> None:
        """Called between two slices of a hart, now and then."""

    def rest(self) -> None:
        """Called by a thread of the host that may have called `tend`, before it ends."""

    def figures(self) -> dict[str, object]:
        """What it did, for `--stats` and `--json`; `trouble` says what went wrong, though the run went on."""
        return {"name": self.name, "trouble": ""}

    def bind(self, hart: Hart) -> tuple[Callable[[], int], Callable[[], int]]:
        """Two functions that run an attached hart and give the reason to return: from hart.pc; and after the monitor's SRET.

        They return when instret is hart.quantum_end at the latest.
        """
        return self._builtin("run", hart), self._builtin("return_to_guest", hart)

    def bind_beside(self, hart: Hart) -> tuple[Callable[[], int], Callable[[], int]]:
        """As `bind`; other threads of the host run Python while these run."""
        address = hart.address
        return tuple(partial(self.core.entries[name], address) for name in ("run", "return_to_guest"))

    def bind_covered(self, hart: Hart) -> Callable[[], int]:
        """A function as the first of these, which also notes coverage in the area at hart.coverage (rvhyp.engine.coverage).

        hart.stop_at_traps must be 1.
        """
        return self._builtin("run_covered", hart)

    def _builtin(self, name: str, hart: Hart) -> Callable[[], int]:
        return builtin(name, self.core.builtins[name], hart.address)
