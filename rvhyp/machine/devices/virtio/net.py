"""virtio-net (virtio 1.2, section 5.1): a network card; queue 0 is what the guest receives, queue 1 what it sends.

No checksum or segmentation is offloaded, so the header before each frame says nothing.
"""
from __future__ import annotations

from collections import deque

from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.queue import DriverError
from rvhyp.machine.switch import LONGEST, Switch

F_MAC, F_STATUS = 1 << 5, 1 << 16
LINK_UP = 1
RECEIVE, TRANSMIT = 0, 1
HEADER = 12                             # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers
TO_GUEST = bytes(10) + (1).to_bytes(2, "little")        # num_buffers is 1 (5.1.6.4.1)
QUEUE_SIZE = 256
WAITING = 256                           # frames kept for a guest that has no buffer free: more are dropped


class Net(VirtioDevice):
    """A card with the address `mac` (6 bytes), plugged into a switch."""

    device_id = 1
    name = "net"
    features = F_MAC | F_STATUS
    queue_sizes = (QUEUE_SIZE, QUEUE_SIZE)

    def __init__(self, switch: Switch, mac: bytes):
        self._switch, self.port = switch, switch.plug(self._receive)
        self._waiting: deque[bytes] = deque()
        self._config = mac + LINK_UP.to_bytes(2, "little")

    @property
    def config(self) -> bytes:
        return self._config

    def notify(self, index: int) -> None:
        if index == TRANSMIT:
            self._transmit()
        else:
            self._fill()

    def reset(self) -> None:
        self._waiting.clear()

    def close(self) -> None:
        trouble = self._switch.close()
        if trouble:
            self.transport.report(trouble)

    def _transmit(self) -> None:
        queue = self.transport.queues[TRANSMIT]
        for chain in queue.chains():
            if chain.writable:
                raise DriverError("a device-writable buffer in the transmit queue")
            if chain.readable_size < HEADER:
                raise DriverError(f"{chain.readable_size} bytes to send, which have no room for a header")
            flags, gso_type = chain.read(0, 2)
            if flags or gso_type:
                raise DriverError("a frame for checksum or segmentation offload, which was not offered")
            self.port.send(chain.read(HEADER, LONGEST + 1), self.now())
            queue.push(chain, 0)

    @property
    def listens(self) -> bool:
        """Whether its driver is up to receive frames."""
        return self.transport.is_live and self.transport.queues[RECEIVE].is_ready

    def _receive(self, frame: bytes) -> bool:
        """A frame from the switch.  False if nobody is there to take it, or too many wait."""
        if not self.listens or len(self._waiting) >= WAITING:
            return False
        self._waiting.append(frame)
        self.transport.serve(RECEIVE)
        return True

    def _fill(self) -> None:
        """Give the guest what waits, as far as it has buffers."""
        queue = self.transport.queues[RECEIVE]
        while self._waiting:
            chain = queue.pop()
            if chain is None:
                return
            frame = TO_GUEST + self._waiting.popleft()
            if chain.readable:
                raise DriverError("a device-readable buffer in the receive queue")
            if chain.writable_size < len(frame):
                raise DriverError(f"a buffer of {chain.writable_size} bytes to receive {len(frame)} (5.1.6.3.1)")
            queue.push(chain, chain.write(frame))
