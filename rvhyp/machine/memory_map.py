"""The board's physical addresses, in one place.

    0x0010_0000   test finisher: power off, reset
    0x0010_1000   real-time clock, PLIC source 11
    0x0200_0000   CLINT: timer, software interrupts
    0x0C00_0000   PLIC
    0x1000_0000   UART, PLIC source 10
    0x1000_1000   virtio, eight places of 0x1000 bytes, PLIC sources 1 to 8
    0x2800_0000   guest external interrupts, where the hart has any
    0x8000_0000   RAM

The places are those of the SiFive boards and of QEMU's `virt`, where guests that carry no device tree expect them.
"""
from __future__ import annotations

from typing import NamedTuple


class Range(NamedTuple):
    """Bytes `base` to `base + size - 1`."""

    base: int
    size: int


FINISHER = Range(0x0010_0000, 0x1000)
CLINT = Range(0x0200_0000, 0x1_0000)
PLIC = Range(0x0C00_0000, 0x400_0000)
UART = Range(0x1000_0000, 0x100)
UART_INTERRUPT = 10
RTC = Range(0x0010_1000, 0x1000)
RTC_INTERRUPT = 11
VIRTIO = [Range(0x1000_1000 + 0x1000 * n, 0x1000) for n in range(8)]
VIRTIO_INTERRUPTS = range(1, 9)         # place by place
GUEST_EXTERNAL = Range(0x2800_0000, 0x1000)
RAM_BASE = 0x8000_0000
