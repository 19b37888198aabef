"""The virtio transport over MMIO, version 2 (virtio 1.2, section 4.2): registers, feature negotiation, status, interrupts.

A register is one aligned 32-bit access; the configuration space behind them, from 0x100, is read by 1, 2, 4 or 8 bytes.
"""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.machine.bus import BusError, Irq
from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.queue import F_EVENT_IDX, F_INDIRECT_DESC, DriverError, GuestRam, SplitQueue
from rvhyp.machine.fdt import Node, reg, wired

MAGIC, VERSION, VENDOR = 0x7472_6976, 2, 0x4856_5652                # "virt"; "RVVH"
(MAGIC_VALUE, VERSION_, DEVICE_ID, VENDOR_ID) = range(0x000, 0x010, 4)
DEVICE_FEATURES, DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x010, 0x014, 0x020, 0x024
QUEUE_SEL, QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY = 0x030, 0x034, 0x038, 0x044, 0x050
INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x060, 0x064, 0x070
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x080, 0x090, 0x0A0        # low word; the high one is 4 further
SHM_LENGTH, SHM_BASE = 0x0B0, 0x0B8
CONFIG_GENERATION, CONFIG = 0x0FC, 0x100
AREAS = {QUEUE_DESC: "desc", QUEUE_DRIVER: "avail", QUEUE_DEVICE: "used"}
NO_SHARED_MEMORY = 0xFFFF_FFFF
LINES_TOLD = 3                          # about one device; a guest can make trouble as often as it likes

F_VERSION_1 = 1 << 32
TRANSPORT_FEATURES = F_VERSION_1 | F_INDIRECT_DESC | F_EVENT_IDX
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED = 1, 2, 4, 8, 64, 128
DRIVERS = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED   # status bits that are the driver's
USED_BUFFER, CONFIG_CHANGE = 1, 2                                   # InterruptStatus


class VirtioMmio:
    """One virtio device on a bus.  `memory` is the guest's RAM, `irq` the interrupt line, `report` takes lines for people."""

    def __init__(self, device: VirtioDevice, memory: GuestRam, irq: Irq, report: Callable[[str], object] = lambda text: None):
        self.device, self.memory = device, memory
        self.trouble = ""               # why the device last needed a reset, or had trouble with the host
        self._told: set[str] = set()
        self._irq, self._irq_level, self._report = irq, False, report
        self._offered = device.features | TRANSPORT_FEATURES
        self.queues = [SplitQueue(memory, size) for size in device.queue_sizes]
        self._generation = 0
        self._clear()
        device.transport = self
        self._readers: dict[int, Callable[[], int]] = {
            MAGIC_VALUE: lambda: MAGIC, VERSION_: lambda: VERSION, DEVICE_ID: lambda: device.device_id, VENDOR_ID: lambda: VENDOR,
            DEVICE_FEATURES: lambda: self._offered >> 32 * self._offered_word & 0xFFFF_FFFF if self._offered_word < 2 else 0,
            QUEUE_NUM_MAX: lambda: self._selected.maximum if self._selected else 0,
            QUEUE_READY: lambda: int(self._selected is not None and self._selected.is_ready),
            INTERRUPT_STATUS: lambda: self._interrupts, STATUS: lambda: self.status,
            CONFIG_GENERATION: lambda: self._generation,
            **{at: lambda: NO_SHARED_MEMORY for at in (SHM_LENGTH, SHM_LENGTH + 4, SHM_BASE, SHM_BASE + 4)},
        }
        self._writers: dict[int, Callable[[int], None]] = {
            DEVICE_FEATURES_SEL: self._select_offered, DRIVER_FEATURES_SEL: self._select_accepted,
            DRIVER_FEATURES: self._accept, QUEUE_SEL: self._select_queue, QUEUE_NUM: self._set_size, QUEUE_READY: self._set_ready,
            QUEUE_NOTIFY: self.serve, INTERRUPT_ACK: self._acknowledge, STATUS: self._set_status,
            **{area + 4 * high: self._area_writer(name, 32 * high) for area, name in AREAS.items() for high in (0, 1)},
        }

    def _clear(self) -> None:
        self.status = 0
        self.features = 0               # accepted by the driver; negotiated once FEATURES_OK is set
        self._offered_word = self._accepted_word = self._interrupts = 0
        self._selected: SplitQueue | None = self.queues[0] if self.queues else None

    # The bus.

    def read(self, offset: int, size: int) -> int:
        """A register, 0 where none can be read, or the configuration space.  BusError for other sizes of access."""
        if offset >= CONFIG:
            if size not in (1, 2, 4, 8) or offset % size:
                raise BusError(f"virtio: {size}-byte access to the configuration at {offset - CONFIG:#x}")
            at = offset - CONFIG
            return int.from_bytes(self.device.config[at:at + size], "little")
        if size != 4 or offset % 4:
            raise BusError(f"virtio: {size}-byte access at offset {offset:#x}")
        reader = self._readers.get(offset)
        return reader() if reader else 0

    def write(self, offset: int, size: int, value: int) -> None:
        """A register, ignored where none can be written, or the configuration space.  BusError as for `read`."""
        if offset >= CONFIG:
            if size not in (1, 2, 4, 8) or offset % size:
                raise BusError(f"virtio: {size}-byte access to the configuration at {offset - CONFIG:#x}")
        elif size != 4 or offset % 4:
            raise BusError(f"virtio: {size}-byte access at offset {offset:#x}")
        try:
            if offset >= CONFIG:
                self.device.write_config(offset - CONFIG, value.to_bytes(size, "little"))
            elif offset in self._writers:
                self._writers[offset](value)
        except DriverError as error:
            self._fail(error)

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        return [Node(f"virtio_mmio@{base:x}", {"compatible": "virtio,mmio", "reg": reg(base, size), "dma-coherent": True,
                                               **wired(interrupt)})]

    # What a device uses.

    @property
    def is_live(self) -> bool:
        """Whether the driver is up, and has broken nothing since its last reset."""
        return self.status & (DRIVER_OK | NEEDS_RESET | FAILED) == DRIVER_OK

    def serve(self, index: int) -> None:
        """Have the device look at a queue: the driver notifies, or the host has something for it.  Nothing if it cannot be."""
        if not self.is_live or index >= len(self.queues) or not self.queues[index].is_ready:
            return
        queue = self.queues[index]
        try:
            self.device.notify(index)
            queue.ask_for_more()
        except DriverError as error:
            self._fail(error)
        if any([queue.take_interrupt() for queue in self.queues if queue.is_ready]):
            self._interrupt(USED_BUFFER)

    def config_changed(self) -> None:
        """The device's configuration is another one now (2.5.1, 4.2.2.1)."""
        self._generation = self._generation + 1 & 0xFFFF_FFFF
        if self.status & DRIVER_OK:
            self._interrupt(CONFIG_CHANGE)

    def report(self, text: str) -> None:
        """Tell of trouble, but not the same twice, nor for ever; the last such line is kept."""
        self.trouble = f"virtio-{self.device.name}: {text}"
        if self.trouble not in self._told and len(self._told) < LINES_TOLD:
            self._told.add(self.trouble)
            self._report(self.trouble)

    def _fail(self, error: DriverError) -> None:
        """The driver broke a rule (2.1.2): the device stands still until it is reset."""
        if self.status & NEEDS_RESET:
            return
        self.report(f"its driver broke a rule, the device needs a reset: {error}")
        self.status |= NEEDS_RESET
        if self.status & DRIVER_OK:
            self._interrupt(CONFIG_CHANGE)

    # Interrupts.

    def _interrupt(self, kind: int) -> None:
        self._interrupts |= kind
        self._drive()

    def _acknowledge(self, value: int) -> None:
        self._interrupts &= ~value
        self._drive()

    def _drive(self) -> None:
        level = self._interrupts != 0
        if level != self._irq_level:
            self._irq_level = level
            self._irq(level)

    # Registers.

    def _select_offered(self, value: int) -> None:
        self._offered_word = value

    def _select_accepted(self, value: int) -> None:
        self._accepted_word = value

    def _accept(self, value: int) -> None:
        """Half of the features the driver understands; too late once FEATURES_OK is set (3.1.1)."""
        if self.status & FEATURES_OK or self._accepted_word > 1:
            return
        shift = 32 * self._accepted_word
        self.features = self.features & ~(0xFFFF_FFFF << shift) | value << shift

    def _set_status(self, value: int) -> None:
        """Bits are set one after the other and never cleared, except by writing 0, which resets the device (2.1, 4.2.2.1)."""
        if not value:
            self.reset()
            return
        fresh = value & DRIVERS & ~self.status
        if fresh & FEATURES_OK:
            if self.features & ~self._offered or not self.features & F_VERSION_1:
                fresh &= ~FEATURES_OK               # 2.2.2: the driver looks whether it stayed
            for queue in self.queues:
                queue.features = self.features
        self.status |= fresh
        if fresh & DRIVER_OK and not self.status & FEATURES_OK:
            raise DriverError("DRIVER_OK without FEATURES_OK")

    def reset(self) -> None:
        """As at power-on; the driver starts anew (2.4)."""
        for queue in self.queues:
            queue.reset()
        self._clear()
        self._drive()
        self.device.reset()

    def _select_queue(self, value: int) -> None:
        self._selected = self.queues[value] if value < len(self.queues) else None

    def _queue_to_change(self) -> SplitQueue | None:
        """The selected queue.  DriverError if it is in use (4.2.2.2)."""
        if self._selected and self._selected.is_ready:
            raise DriverError("a queue is changed while it is ready")
        return self._selected

    def _set_size(self, value: int) -> None:
        queue = self._queue_to_change()
        if queue:
            queue.size = value

    def _area_writer(self, name: str, shift: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            queue = self._queue_to_change()
            if queue:
                setattr(queue, name, getattr(queue, name) & ~(0xFFFF_FFFF << shift) | value << shift)
        return write

    def _set_ready(self, value: int) -> None:
        queue = self._selected
        if not queue or bool(value & 1) == queue.is_ready:
            return
        if value & 1:
            queue.enable()
        else:
            queue.disable()
