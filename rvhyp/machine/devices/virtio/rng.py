"""virtio-rng (virtio 1.2, section 5.4): an entropy source, deterministic unless it is told to be the host's."""
from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256

from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.queue import DriverError

LONGEST = 1 << 16                       # bytes for one request, however many it has room for

Source = Callable[[int], bytes]         # so many random bytes


def seeded(seed: int) -> Source:
    """The same bytes for the same seed, every time: SHA-256 of the seed and a counter.  No secret may hang on them."""
    counter, left = 0, b""

    def more(size: int) -> bytes:
        nonlocal counter, left
        blocks = [left]
        for _ in range(-(-(size - len(left)) // 32)):
            blocks.append(sha256(b"%d %d" % (seed, counter)).digest())
            counter += 1
        data = b"".join(blocks)
        left = data[size:]
        return data[:size]

    return more


class Rng(VirtioDevice):
    """Random bytes from `source`: `seeded(n)`, or `os.urandom`."""

    device_id = 4
    name = "rng"
    queue_sizes = (8,)

    def __init__(self, source: Source | None = None):
        self._source = source or seeded(0)

    def notify(self, index: int) -> None:
        queue = self.transport.queues[index]
        for chain in queue.chains():
            if chain.readable:
                raise DriverError("a device-readable buffer in the queue for random bytes")
            queue.push(chain, chain.write(self._source(min(chain.writable_size, LONGEST))))


HOST: Source = os.urandom
