"""Devices for tests."""
from __future__ import annotations

from rvhyp.machine.bus import BusError

DEVICE, DEVICE_SIZE = 0x1000_0000, 0x1000


class Recorder:
    """Remembers every access; reads give the number of accesses so far; the second half of its range refuses."""

    def __init__(self):
        self.accesses: list[tuple] = []

    def _note(self, *access) -> None:
        if access[1] >= DEVICE_SIZE // 2:
            raise BusError("refused")
        self.accesses.append(access)

    def read(self, offset: int, size: int) -> int:
        self._note("read", offset, size)
        return 0x8182_8384_8586_8788 + len(self.accesses) & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        self._note("write", offset, size, value)


class Wires:
    """A store of n to offset 8 * bit drives that bit of mip: 0 lowers it, anything else raises it.  Offset 0 is mtimecmp."""

    def __init__(self, bench):
        self.bench = bench

    def read(self, offset: int, size: int) -> int:
        return int(self.bench.hart.wires)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            self.bench.hart.mtimecmp = value
        else:
            self.bench.machine.wire(offset // 8)(bool(value))
