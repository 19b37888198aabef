"""Guest external interrupts, driven by stores: one double-word whose bit n is the level of number n, as hgeip shows it.

It stands for the interrupt controller that a hart with guest external interrupts has (Hypervisor extension, "Hypervisor Guest
External Interrupt Registers"), for programs that test what a hart does with them.
"""
from __future__ import annotations

from collections.abc import Sequence

from rvhyp.machine.bus import BusError, Irq
from rvhyp.machine.fdt import Node, reg


class GuestExternal:
    """`lines[n - 1]` drives number n."""

    def __init__(self, lines: Sequence[Irq]):
        self._lines, self._levels = lines, 0

    def read(self, offset: int, size: int) -> int:
        _check(offset, size)
        return self._levels

    def write(self, offset: int, size: int, value: int) -> None:
        """Drive all lines; bits of numbers that do not exist are ignored."""
        _check(offset, size)
        self._levels = value & (1 << len(self._lines) + 1) - 2
        for number, drive in enumerate(self._lines, 1):
            drive(bool(value >> number & 1))

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        return [Node(f"guest-external@{base:x}", {"compatible": "rvhyp,guest-external", "reg": reg(base, size)})]


def _check(offset: int, size: int) -> None:
    if size != 8 or offset:
        raise BusError(f"guest external interrupts: {size}-byte access at offset {offset:#x}")
