"""virtio-9p: a folder of the host as a file system of the guest (device 9; 9P2000.L is in `p9_server`)."""
from __future__ import annotations

from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.folder import Folder
from rvhyp.machine.devices.virtio.p9_server import LARGEST, Server
from rvhyp.machine.devices.virtio.p9_wire import HEADER
from rvhyp.machine.devices.virtio.queue import DriverError
from rvhyp.machine.errors import BadInput

F_MOUNT_TAG = 1 << 0
SMALLEST_REPLY = HEADER.size + 4        # an Rlerror
LONGEST_TAG = 255


class Share(VirtioDevice):
    """The folder at `path`, mounted by `tag`: mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt."""

    device_id = 9
    name = "9p"
    features = F_MOUNT_TAG
    queue_sizes = (128,)

    def __init__(self, path: str, tag: str = "share", is_read_only: bool = False):
        """BadInput if there is no such folder, or the tag is none."""
        text = tag.encode(errors="surrogateescape")
        if not 1 <= len(text) <= LONGEST_TAG:
            raise BadInput(f"a tag of {len(text)} bytes", path, f"give one of 1 to {LONGEST_TAG}")
        self._folder = Folder(path)
        self._server = Server(self._folder, is_read_only)
        self.config = len(text).to_bytes(2, "little") + text

    def notify(self, index: int) -> None:
        queue = self.transport.queues[index]
        for chain in queue.chains():
            if chain.readable_size < HEADER.size or chain.writable_size < SMALLEST_REPLY:
                raise DriverError("a 9P request without room for its header and a reply")
            size = HEADER.unpack(chain.read(0, HEADER.size))[0]
            request = chain.read(0, max(HEADER.size, min(size, LARGEST)))
            queue.push(chain, chain.write(self._server.answer(request, chain.writable_size)))

    def reset(self) -> None:
        self._server.reset()

    def close(self) -> None:
        self._server.reset()
        self._folder.close()
