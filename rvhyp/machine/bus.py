"""The bus: devices by address range, and the contract a device keeps.

A device sees the offset into its own range, never an absolute address; what it drives (an interrupt line, a console, a
clock) is a callable it was given.  The same classes serve the board and a virtual machine.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import Node
from rvhyp.machine.ram import range_text

Irq = Callable[[bool], None]            # an interrupt line: called with its new level


class BusError(Exception):
    """Nothing answers: the hart that made the access takes an access fault."""


class Device(Protocol):
    """What the bus asks of a device: `offset` and `size` in bytes, little-endian values below 2**(8 * size).

    An access the device has no answer for raises BusError, before it has any effect.
    """

    def read(self, offset: int, size: int) -> int: ...

    def write(self, offset: int, size: int, value: int) -> None: ...

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        """How the device tree describes it, attached there and with that PLIC source (0: none)."""


class Attached(NamedTuple):
    """A device, the range it answers in, and its interrupt source (0: none)."""

    base: int
    size: int
    device: Device
    name: str
    interrupt: int


class Bus:
    """Devices in one physical address space; `taken` are (base, size, name) of what is not devices, such as RAM."""

    def __init__(self, taken: Iterable[tuple[int, int, str]] = ()):
        self.devices: list[Attached] = []               # by address
        self._bases: list[int] = []
        self._taken = list(taken)

    def attach(self, base: int, size: int, device: Device, name: str, interrupt: int = 0) -> None:
        """Put `device` at `base` to `base + size - 1`.  BadInput if the range is empty or not free.

        Its interrupt line is already wired; `interrupt` is for the device tree.
        """
        if base < 0 or size <= 0 or base + size > 1 << 64:
            raise BadInput(f"a range of {size} bytes at {base:#x} is no place for a device", name)
        for other_base, other_size, other in self._taken + [(d.base, d.size, d.name) for d in self.devices]:
            if base < other_base + other_size and other_base < base + size:
                raise BadInput(f"{range_text(base, size)} overlaps {other} at {range_text(other_base, other_size)}",
                               name, "move one of them")
        at = bisect_right(self._bases, base)
        self.devices.insert(at, Attached(base, size, device, name, interrupt))
        self._bases.insert(at, base)

    def nodes(self) -> list[Node]:
        """The device tree nodes of all devices."""
        return [node for d in self.devices for node in d.device.nodes(d.base, d.size, d.interrupt)]

    def find(self, pa: int, size: int = 1) -> Attached | None:
        """The device that answers for all `size` bytes at `pa`, or None."""
        at = bisect_right(self._bases, pa) - 1
        if at >= 0:
            attached = self.devices[at]
            if pa + size <= attached.base + attached.size:
                return attached
        return None

    def read(self, pa: int, size: int) -> int:
        """Load `size` bytes.  BusError if no device claims them all, or the device refuses."""
        attached = self.find(pa, size)
        if attached is None:
            raise BusError(f"no device answers a {size}-byte read at {pa:#x}")
        return attached.device.read(pa - attached.base, size)

    def write(self, pa: int, size: int, value: int) -> None:
        """Store the low `size` bytes of `value`.  BusError as for `read`."""
        attached = self.find(pa, size)
        if attached is None:
            raise BusError(f"no device answers a {size}-byte write at {pa:#x}")
        attached.device.write(pa - attached.base, size, value & (1 << 8 * size) - 1)
