"""The compiled core in this process: the image of all handlers and rules, mapped read-only and executable, and its tables.

A cold start builds it (`rvhyp.engine.build`); a warm one maps the cached image and imports neither numba nor llvmlite.
"""
from __future__ import annotations

import ctypes
import mmap
import platform
import sys
from collections.abc import Callable

from rvhyp.engine import cache

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
TABLE_ALIGNMENT = 64

Progress = Callable[[int, int], None]          # parts done, and in all; 0 in all: another process is building, and we wait


class HostUnsupported(Exception):
    """This machine cannot run the compiled core; the message says what it needs."""


def check_host() -> None:
    """The core is made for x86-64 Linux with SSE and FMA."""
    if platform.machine() not in ("x86_64", "AMD64") or sys.platform != "linux":
        raise HostUnsupported(f"the compiled core runs on x86-64 Linux, this is {platform.machine()} {sys.platform}; "
                              "--engine reference runs anywhere, slowly")
    if " fma " not in cache.cpu_identity().replace("\n", " ") + " ":
        raise HostUnsupported("the compiled core needs a processor with FMA; --engine reference runs anywhere, slowly")


class Core:
    """The engine's entry points `run(address of a hart) -> reason` and `return_to_guest`, the exported rules by name (words in,
    a word out), and where the tables are.
    """

    def __init__(self, image: bytes, symbols: dict[str, int], exports: dict[str, tuple[int, int]],
                 tables: dict[str, tuple[int, int]]):
        size = (len(image) + mmap.PAGESIZE - 1) & -mmap.PAGESIZE
        self._map = mmap.mmap(-1, size)
        self._map.write(image)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        if _libc.mprotect(self.address, size, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError(ctypes.get_errno(), "cannot make the compiled core executable")
        self.size = len(image)
        self.builtins = {name.removeprefix("builtin_"): self.address + at
                         for name, at in symbols.items() if name.startswith("builtin_")}
        self.entries = {name: ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(self.address + symbols[name])
                        for name in ("run", "return_to_guest")}         # of the same, for threads: other Python runs meanwhile
        for name, (offset, count) in exports.items():
            setattr(self, name, ctypes.PYFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * count)(self.address + offset))
        self.pointers = {name: self.address + at for name, (at, _) in tables.items()}
        self.pointers |= {name: self.address + symbols[name]
                          for name in ("fill_read", "fill_write", "keep_read", "keep_write", "keep_either", "clear_kept")}
        self.pointers["handlers"] = self.pointers["code_base"] = self.address + symbols["handler_table"]


def build(progress: Progress) -> tuple[dict, bytes]:
    """Header and payload of a new core: the code, then each table."""
    from rvhyp.engine.build import build_image
    from rvhyp.engine.children import ChildFailed
    from rvhyp.engine.handlers import EXPORTS
    from rvhyp.engine.tables import constant_tables
    from rvhyp.isa.rule import RULES
    try:
        image, symbols = build_image(progress)
    except ChildFailed as error:
        raise HostUnsupported(f"compiling the core failed: the process that did was ended {error}, perhaps for want of memory; "
                              "--engine reference needs no compiler") from error
    payload, tables = bytearray(image), {}
    for name, table in constant_tables().items():
        payload += b"\0" * (-len(payload) % TABLE_ALIGNMENT)
        tables[name] = len(payload), len(table)
        payload += table
    exports = {name: (symbols[f"export.{name}"], len(RULES[name].parameters)) for name in EXPORTS}
    return {"symbols": symbols, "exports": exports, "tables": tables}, bytes(payload)


_core: Core | None = None


def load_core(progress: Progress | None = None) -> Core:
    """The core of this process, loaded once: from the cache if it is there, else built."""
    global _core
    if _core is None:
        _core = _load(progress)
    return _core


def _load(progress: Progress | None) -> Core:
    check_host()
    path = cache.folder() / f"core-{cache.source_key()}"
    stored = cache.read(path)
    if stored is None:
        progress = progress or (lambda done, total: None)
        with cache.lock(path.with_name("core.lock"), lambda: progress(0, 0)):
            stored = cache.read(path)           # another process may have built it meanwhile
            if stored is None:
                stored = build(progress)
                cache.write(path, *stored)
                cache.remove_others(path, "core-*")
    header, payload = stored
    return Core(payload, header["symbols"], header["exports"], header["tables"])
