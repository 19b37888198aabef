"""What is different from one type of virtio device to the next."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvhyp.machine.devices.virtio.mmio import VirtioMmio


class VirtioDevice:
    """A device behind a transport: a subclass says what it is, and serves its queues.

    It works with `self.transport`: `queues`, `features` (as negotiated), `serve`, `report`.  DriverError from `notify` ends the
    device until the driver resets it; an error of one request is that request's own business.
    """

    device_id: int                      # virtio 1.2, section 5
    name: str                           # "blk", for people
    features = 0                        # offered, of its own type (bits 0 to 23)
    queue_sizes: tuple[int, ...]        # the largest size of each queue
    config = b""                        # the configuration space, little-endian
    transport: VirtioMmio               # set when it is plugged in

    def write_config(self, offset: int, data: bytes) -> None:
        """The driver writes to the configuration space: ignored, where nothing in it is the driver's."""

    def notify(self, index: int) -> None:
        """Serve queue `index`: the driver is up, the queue is ready."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what belongs to the driver that was there."""

    def close(self) -> None:
        """Nothing uses it any more: what it holds of the host is given back."""
