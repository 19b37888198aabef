"""The SiFive CLINT, which is the ACLINT's MSWI and MTIMER in one range (RISC-V ACLINT specification, sections 2 and 3).

    0x0000 + 4 * hart    msip       bit 0: the hart's machine software interrupt
    0x4000 + 8 * hart    mtimecmp   a machine timer interrupt is pending while mtime >= mtimecmp
    0xBFF8               mtime

It keeps no time itself: the clock and the comparators belong to whoever runs the harts and must know the next event.
"""
from __future__ import annotations

from collections.abc import Callable, MutableSequence

from rvhyp.machine.bus import BusError
from rvhyp.machine.fdt import Node, cpu_intc, reg

MTIMECMP, MTIME = 0x4000, 0xBFF8
MAX_HARTS = 4095
SOFTWARE_INTERRUPT, TIMER_INTERRUPT = 3, 7              # causes, machine level
WORD = 0xFFFF_FFFF


class Clint:
    """For harts 0 to `harts - 1`.

    `now()` is the time in ticks and `set_now(ticks)` changes it; `mtimecmp[hart]` is read and assigned (64-bit ticks);
    `msip(hart, level)` drives a hart's software interrupt.
    """

    def __init__(self, harts: int, now: Callable[[], int], set_now: Callable[[int], None],
                 mtimecmp: MutableSequence[int], msip: Callable[[int, bool], None]):
        if not 1 <= harts <= MAX_HARTS:
            raise ValueError(f"a CLINT serves 1 to {MAX_HARTS} harts, not {harts}")
        self._harts, self._now, self._set_now = harts, now, set_now
        self._mtimecmp, self._drive_msip = mtimecmp, msip
        self._msip = [False] * harts

    def read(self, offset: int, size: int) -> int:
        """An aligned word or doubleword; 0 where there is no register.  BusError for other accesses."""
        _check(offset, size)
        if offset < MTIMECMP:
            low = self._read_msip(offset // 4)
            return low | self._read_msip(offset // 4 + 1) << 32 if size == 8 else low
        value = self._read_double(offset & ~7)
        return value if size == 8 else value >> (offset & 4) * 8 & WORD

    def write(self, offset: int, size: int, value: int) -> None:
        """An aligned word or doubleword; ignored where there is no register.  BusError for other accesses."""
        _check(offset, size)
        if offset < MTIMECMP:
            for at in range(size // 4):
                self._write_msip(offset // 4 + at, value >> 32 * at)
            return
        if size == 4:
            shift = (offset & 4) * 8
            value = self._read_double(offset & ~7) & ~(WORD << shift) | value << shift
        self._write_double(offset & ~7, value)

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        interrupts = [cell for hart in range(self._harts)
                      for cell in (cpu_intc(hart), SOFTWARE_INTERRUPT, cpu_intc(hart), TIMER_INTERRUPT)]
        return [Node(f"clint@{base:x}", {"compatible": ["sifive,clint0", "riscv,clint0"], "reg": reg(base, size),
                                         "interrupts-extended": interrupts})]

    def _read_msip(self, hart: int) -> int:
        return int(hart < self._harts and self._msip[hart])

    def _write_msip(self, hart: int, value: int) -> None:
        """Only bit 0 exists."""
        if hart < self._harts:
            self._msip[hart] = bool(value & 1)
            self._drive_msip(hart, self._msip[hart])

    def _read_double(self, offset: int) -> int:
        hart = (offset - MTIMECMP) // 8
        if offset == MTIME:
            return self._now()
        return self._mtimecmp[hart] if hart < self._harts else 0

    def _write_double(self, offset: int, value: int) -> None:
        hart = (offset - MTIMECMP) // 8
        if offset == MTIME:
            self._set_now(value)
        elif hart < self._harts:
            self._mtimecmp[hart] = value


def _check(offset: int, size: int) -> None:
    if size not in (4, 8) or offset % size:
        raise BusError(f"clint: {size}-byte access at offset {offset:#x}")
