"""The platform-level interrupt controller (RISC-V PLIC specification 1.0.0), all sources level-triggered.

    0x000000 + 4 * source         priority; 0 never interrupts
    0x001000 + source / 8         pending bits
    0x002000 + 0x80 * context     enable bits
    0x200000 + 0x1000 * context   threshold; at 4 more, claim (read) and complete (write)

Bit sets are integers: bit n is source n.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rvhyp.machine.bus import BusError, Irq
from rvhyp.machine.fdt import PLIC, Node, cpu_intc, reg

PENDING, ENABLE, CONTEXT = 0x1000, 0x2000, 0x20_0000
ENABLE_STRIDE, CONTEXT_STRIDE = 0x80, 0x1000
THRESHOLD, CLAIM = 0, 4
MAX_SOURCES, MAX_CONTEXTS = 1023, 15872
PRIORITY_BITS = 3                       # as SiFive's


class Context(NamedTuple):
    """An interrupt target: an external interrupt of a hart (cause 11 machine, 9 supervisor), driven through `irq`."""

    hart: int
    cause: int
    irq: Irq


class Plic:
    """Sources 1 to `sources`, for `contexts` in the order of their numbers."""

    def __init__(self, contexts: Sequence[Context], sources: int = 64):
        if not 1 <= sources <= MAX_SOURCES or len(contexts) > MAX_CONTEXTS:
            raise ValueError(f"a PLIC has 1 to {MAX_SOURCES} sources and at most {MAX_CONTEXTS} contexts, "
                             f"not {sources} and {len(contexts)}")
        self._contexts = list(contexts)
        self._sources = sources
        self._implemented = (1 << sources + 1) - 2                  # source 0 does not exist
        self._notified = [False] * len(contexts)
        self._level = 0                 # the lines from the devices
        self.reset()

    def reset(self) -> None:
        """As at power-on, with the lines as the devices drive them."""
        self._priority = [0] * (self._sources + 1)
        self._enable = [0] * len(self._contexts)
        self._threshold = [0] * len(self._contexts)
        self._pending = self._level     # requests in the core
        self._closed = self._level      # gateways that wait for completion
        self._notify()

    def line(self, source: int) -> Irq:
        """The interrupt line a device drives."""
        if not 1 <= source <= self._sources:
            raise ValueError(f"interrupt source {source} is not in 1 to {self._sources}")

        def drive(level: bool) -> None:
            bit = 1 << source
            self._level = self._level | bit if level else self._level & ~bit
            self._forward(bit)

        return drive

    def read(self, offset: int, size: int) -> int:
        """An aligned word; reserved ones are 0.  BusError for other accesses: "accessed atomically with LW and SW"."""
        _check(offset, size)
        if offset < PENDING:
            return self._priority[offset // 4] if offset // 4 <= self._sources else 0
        if offset < ENABLE:
            return _word_of(self._pending, (offset - PENDING) // 4)
        if offset < CONTEXT:
            context, at = divmod(offset - ENABLE, ENABLE_STRIDE)
            return _word_of(self._enable[context], at // 4) if context < len(self._contexts) else 0
        context, at = divmod(offset - CONTEXT, CONTEXT_STRIDE)
        if context < len(self._contexts):
            if at == THRESHOLD:
                return self._threshold[context]
            if at == CLAIM:
                return self._claim(context)
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """An aligned word; ignored where reserved or read-only.  BusError for other accesses."""
        _check(offset, size)
        if offset < PENDING:
            if 1 <= offset // 4 <= self._sources:
                self._priority[offset // 4] = value & (1 << PRIORITY_BITS) - 1
        elif ENABLE <= offset < CONTEXT:
            context, at = divmod(offset - ENABLE, ENABLE_STRIDE)
            if context < len(self._contexts):
                shift = at // 4 * 32
                kept = self._enable[context] & ~(0xFFFF_FFFF << shift)
                self._enable[context] = (kept | value << shift) & self._implemented
        elif offset >= CONTEXT:
            context, at = divmod(offset - CONTEXT, CONTEXT_STRIDE)
            if context < len(self._contexts):
                if at == THRESHOLD:
                    self._threshold[context] = value & (1 << PRIORITY_BITS) - 1
                elif at == CLAIM:
                    self._complete(context, value)
        self._notify()

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        targets = [cell for context in self._contexts for cell in (cpu_intc(context.hart), context.cause)]
        return [Node(f"plic@{base:x}", {
            "compatible": ["sifive,plic-1.0.0", "riscv,plic0"], "reg": reg(base, size), "interrupt-controller": True,
            "#interrupt-cells": 1, "#address-cells": 0, "riscv,ndev": self._sources, "interrupts-extended": targets,
        }, label=PLIC.label)]

    def _forward(self, bit: int) -> None:
        """A gateway turns its asserted line into one request, then closes until the request is completed.

        "The gateway does not have the facility to retract an interrupt request once forwarded to the PLIC core."
        """
        request = self._level & bit & ~self._closed
        self._pending |= request
        self._closed |= request
        if request:
            self._notify()

    def _best(self, context: int) -> tuple[int, int]:
        """(priority, source) of the request that interrupts first, or (0, 0): equal priorities by lowest number."""
        candidates = self._pending & self._enable[context]
        best = source = 0
        while candidates:
            number = (candidates & -candidates).bit_length() - 1
            candidates &= candidates - 1
            if self._priority[number] > best:
                best, source = self._priority[number], number
        return best, source

    def _claim(self, context: int) -> int:
        """"The claim operation is not affected by the setting of the priority threshold register."""
        _, source = self._best(context)
        if source:
            self._pending &= ~(1 << source)
            self._notify()
        return source

    def _complete(self, context: int, source: int) -> None:
        """Open the gateway.  "If the completion ID does not match an interrupt source that is currently enabled for the
        target, the completion is silently ignored."
        """
        bit = 1 << source if source <= self._sources else 0
        if self._enable[context] & bit:
            self._closed &= ~bit
            self._forward(bit)

    def _notify(self) -> None:
        """Drive the targets whose notification changed."""
        for number, context in enumerate(self._contexts):
            level = self._best(number)[0] > self._threshold[number]
            if level != self._notified[number]:
                self._notified[number] = level
                context.irq(level)


def _word_of(bits: int, index: int) -> int:
    return bits >> 32 * index & 0xFFFF_FFFF


def _check(offset: int, size: int) -> None:
    if size != 4 or offset % 4:
        raise BusError(f"plic: {size}-byte access at offset {offset:#x}")
