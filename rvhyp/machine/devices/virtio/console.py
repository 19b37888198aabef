"""virtio-console (virtio 1.2, section 5.3), with one port: queue 0 is what the guest receives, queue 1 what it sends.

Input waits until the guest has sent something: Linux gives buffers first and sets its console up then, and throws away what it
received in between.
"""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.queue import DriverError

F_EMERG_WRITE = 1 << 2
EMERG_WR = 8                            # offset in the configuration space
RECEIVE, TRANSMIT = 0, 1
CHUNK = 1 << 16
LONGEST = 1 << 20                       # bytes of one chain


class Console(VirtioDevice):
    """`write(bytes)` takes what the guest sends.  Input waits here until the guest has spoken and has a buffer for it."""

    device_id = 3
    name = "console"
    features = F_EMERG_WRITE
    queue_sizes = (64, 64)
    config = bytes(12)                  # cols, rows, max_nr_ports: not offered; emerg_wr is write-only

    def __init__(self, write: Callable[[bytes], object]):
        self._send = write
        self._input = bytearray()
        self._has_spoken = False

    @property
    def waiting(self) -> int:
        """How many bytes of input the guest has not taken."""
        return len(self._input)

    def receive(self, data: bytes) -> None:
        """Input from the host."""
        self._input += data
        self.transport.serve(RECEIVE)

    def notify(self, index: int) -> None:
        if index == TRANSMIT:
            self._transmit()
        elif self._has_spoken:
            self._fill()

    def reset(self) -> None:
        self._has_spoken = False

    def write_config(self, offset: int, data: bytes) -> None:
        """Emergency write: a character, without any queue, even before the driver is up (5.3.4)."""
        if offset == EMERG_WR:
            self._send(data[:1])

    def _transmit(self) -> None:
        queue = self.transport.queues[TRANSMIT]
        for chain in queue.chains():
            if chain.writable:
                raise DriverError("a device-writable buffer in the transmit queue")
            if chain.readable_size > LONGEST:
                raise DriverError(f"{chain.readable_size} bytes to send at once; at most {LONGEST} are taken")
            for at in range(0, chain.readable_size, CHUNK):
                self._send(chain.read(at, CHUNK))
            queue.push(chain, 0)
            if not self._has_spoken:
                self._has_spoken = True
                self.transport.serve(RECEIVE)

    def _fill(self) -> None:
        queue = self.transport.queues[RECEIVE]
        while self._input:
            chain = queue.pop()
            if chain is None:
                return
            if chain.readable:
                raise DriverError("a device-readable buffer in the receive queue")
            done = chain.write(bytes(self._input[:min(chain.writable_size, CHUNK)]))
            del self._input[:done]
            queue.push(chain, done)
