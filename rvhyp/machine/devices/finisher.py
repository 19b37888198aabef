"""SiFive's test finisher: one write ends the run.

    0x0000_5555          pass: stop with status 0
    0x<code> 3333        fail: stop with status <code>
    0x0000_7777          reset
"""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.machine.bus import BusError
from rvhyp.machine.fdt import Node, Ref, reg

PASS, FAIL, RESET = 0x5555, 0x3333, 0x7777


class Finisher:
    """`stop(status)` powers the machine off, `reset()` restarts it.  Other values are ignored; reads are 0."""

    def __init__(self, stop: Callable[[int], None], reset: Callable[[], None]):
        self._stop, self._reset = stop, reset

    def read(self, offset: int, size: int) -> int:
        _check(offset, size)
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Act on the low half of a write to offset 0.  A failure without a code stops with 1: 0 would say it passed."""
        _check(offset, size)
        if offset:
            return
        command = value & 0xFFFF
        if command == PASS:
            self._stop(0)
        elif command == FAIL:
            self._stop(value >> 16 & 0xFFFF or 1)
        elif command == RESET:
            self._reset()

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        """The device, and how an operating system powers off and reboots with it."""
        return [
            Node(f"test@{base:x}", {"compatible": ["sifive,test1", "sifive,test0", "syscon"], "reg": reg(base, size)},
                 label="test"),
            Node("poweroff", {"compatible": "syscon-poweroff", "regmap": Ref("test"), "offset": 0, "value": PASS}),
            Node("reboot", {"compatible": "syscon-reboot", "regmap": Ref("test"), "offset": 0, "value": RESET}),
        ]


def _check(offset: int, size: int) -> None:
    """Any aligned access that holds the 16-bit command."""
    if size not in (2, 4, 8) or offset % size:
        raise BusError(f"finisher: {size}-byte access at offset {offset:#x}")
