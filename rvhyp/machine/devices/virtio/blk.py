"""virtio-blk (virtio 1.2, section 5.2): a disk.

Requests are served in their order, each before the notification returns.  A request that cannot be done has its status say so;
only one that has no room for a header and a status is the driver's fault.
"""
from __future__ import annotations

from struct import Struct

from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.image import CLUSTER, SECTOR, Image
from rvhyp.machine.devices.virtio.queue import Chain, DriverError

F_SIZE_MAX, F_SEG_MAX, F_RO, F_BLK_SIZE, F_FLUSH = 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 9
F_DISCARD, F_WRITE_ZEROES = 1 << 13, 1 << 14
T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES = 0, 1, 4, 8, 11, 13
S_OK, S_IOERR, S_UNSUPP = 0, 1, 2
HEADER = Struct("<IIQ")                 # type, reserved, sector
CONFIG = Struct("<QIIHBBI12xIIIIIB3x")  # capacity in sectors, size_max, seg_max, geometry (3 fields), blk_size; of discards: most
                                        # sectors, most segments, alignment; of writing zeros: the same two, and if they may unmap
SEGMENT, UNMAP = Struct("<QII"), 1      # of a discard, or of writing zeros: sector, number of sectors, flags
ID_SIZE = 20
QUEUE_SIZE = 256
MAX_SEGMENTS, MAX_SEGMENT = QUEUE_SIZE - 2, 1 << 18
CHUNK = 1 << 20                         # bytes read or written at once
MOST_ERASED = 1 << 17                   # sectors, 64 MiB: they may have to be written
LONGEST = MAX_SEGMENTS * MAX_SEGMENT    # bytes of a request: more is refused, so that a notification cannot take for ever


class Blk(VirtioDevice):
    """A disk with its sectors in `image`; its identity is the image's name."""

    device_id = 2
    name = "blk"
    queue_sizes = (QUEUE_SIZE,)

    def __init__(self, image: Image):
        self.image = image
        self.features = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH | (
            F_RO if image.is_read_only else F_DISCARD | F_WRITE_ZEROES)
        self.config = CONFIG.pack(image.size // SECTOR, MAX_SEGMENT, MAX_SEGMENTS, 0, 0, 0, SECTOR,
                                  MOST_ERASED, 1, CLUSTER // SECTOR, MOST_ERASED, 1, 1)

    def notify(self, index: int) -> None:
        queue = self.transport.queues[index]
        for chain in queue.chains():
            queue.push(chain, self._serve(chain))

    def close(self) -> None:
        try:
            self.image.close()
        except OSError as error:
            self.transport.report(f"{self.image.name}: what was written last is lost: {error.strerror}")

    def _serve(self, chain: Chain) -> int:
        """Do a request.  How many bytes were written, from the first device-writable one on without a gap."""
        if chain.readable_size < HEADER.size or not chain.writable_size:
            raise DriverError("a block request without room for its header and its status")
        kind, _, sector = HEADER.unpack(chain.read(0, HEADER.size))
        room = chain.writable_size - 1
        try:
            status, written = self._do(chain, kind, sector * SECTOR, room)
        except OSError as error:
            self.transport.report(f"{self.image.name}: {error.strerror}")
            status, written = S_IOERR, 0
        chain.write(bytes((status,)), room)
        return written + 1 if written == room else written

    def _do(self, chain: Chain, kind: int, offset: int, room: int) -> tuple[int, int]:
        """The status, and how many bytes of data were written.  OSError where the host fails."""
        if kind == T_IN:
            return self._read(chain, offset, room)
        if kind == T_OUT:
            return self._write(chain, offset), 0
        if kind in (T_DISCARD, T_WRITE_ZEROES):
            return self._erase(chain, kind), 0
        if kind == T_FLUSH:
            self.image.flush()
            return S_OK, 0
        if kind == T_GET_ID:
            name = self.image.name.encode(errors="replace")[:ID_SIZE].ljust(ID_SIZE, b"\0")
            return S_OK, chain.write(name[:room])
        return S_UNSUPP, 0

    def _is_on_disk(self, offset: int, size: int) -> bool:
        return size % SECTOR == 0 and size <= LONGEST and offset + size <= self.image.size

    def _read(self, chain: Chain, offset: int, size: int) -> tuple[int, int]:
        if not self._is_on_disk(offset, size):
            return S_IOERR, 0
        for at in range(0, size, CHUNK):
            chain.write(self.image.read(offset + at, min(CHUNK, size - at)), at)
        return S_OK, size

    def _write(self, chain: Chain, offset: int) -> int:
        size = chain.readable_size - HEADER.size
        if self.image.is_read_only or not self._is_on_disk(offset, size):
            return S_IOERR
        for at in range(0, size, CHUNK):
            self.image.write(offset + at, chain.read(HEADER.size + at, min(CHUNK, size - at)))
        if not self.transport.features & F_FLUSH:
            self.image.flush()                      # 5.2.6.2: without flushes, what is complete is on disk
        return S_OK

    def _erase(self, chain: Chain, kind: int) -> int:
        """Discard sectors, or write zeros to them: those of the one segment that there may be."""
        feature, flags_known = (F_DISCARD, 0) if kind == T_DISCARD else (F_WRITE_ZEROES, UNMAP)
        if not self.transport.features & feature:
            return S_UNSUPP
        if chain.readable_size != HEADER.size + SEGMENT.size:
            return S_IOERR
        sector, count, flags = SEGMENT.unpack(chain.read(HEADER.size, SEGMENT.size))
        if flags & ~flags_known:
            return S_UNSUPP                         # 5.2.6.2
        offset, size = sector * SECTOR, count * SECTOR
        if count > MOST_ERASED or offset + size > self.image.size:
            return S_IOERR
        if kind == T_DISCARD:
            self.image.discard(offset, size)
        else:
            self.image.zero(offset, size, bool(flags & UNMAP))
        if not self.transport.features & F_FLUSH:
            self.image.flush()
        return S_OK
