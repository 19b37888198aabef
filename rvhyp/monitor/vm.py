"""A virtual machine: guest-physical memory, devices, vcpus; what its guest may see and touch."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rvhyp.isa import config
from rvhyp.machine import memory_map
from rvhyp.machine.bus import Bus
from rvhyp.machine.clock import TIMEBASE
from rvhyp.machine.console import Input
from rvhyp.machine.devices.finisher import Finisher
from rvhyp.machine.devices.plic import Context, Plic
from rvhyp.machine.devices.rtc import Rtc
from rvhyp.machine.devices.uart import Uart
from rvhyp.machine.devices.virtio.console import Console
from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.mmio import VirtioMmio
from rvhyp.machine.devices.virtio.net import Net
from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import Cpu, device_tree
from rvhyp.machine.loader import Program
from rvhyp.machine.machine import Machine
from rvhyp.machine.placement import place
from rvhyp.machine.ram import Memory, OutsideMemory, Ram
from rvhyp.monitor.gstage import GStage
from rvhyp.monitor.vcpu import VSEIP, State, Vcpu

# What a guest has of it: not H, and nothing that is for M-mode or for a hypervisor.
# Svade and Svadu: A and D are set by page faults until the guest asks for more (SBI, FWFT).
GUEST_ISA = config.DEFAULT.replace("h_", "_", 1).replace("_svadu", "_svade_svadu").replace(
    "_shlcofideleg_smcntrpmf_smstateen_sscofpmf_ssdbltrp", "_ssstateen")
SUPERVISOR_EXTERNAL = 9
MINIMUM_MEMORY = 1 << 20


@dataclass
class VmConfig:
    """What a guest is given: `program` to boot, RAM in bytes, the number of harts, where its console goes and comes from.

    `initrd` is an initial RAM disk; with `dtb` its device tree is this one, where ours describes the devices it has.  `virtio`
    are more devices, in the order of their places; `tell` takes lines about their troubles.  A guest that reboots starts again,
    or ends if not `reboots`.
    """

    name: str
    program: Program
    memory: int = 128 << 20
    cpus: int = 1
    output: Callable[[bytes], object] = field(default=lambda data: None)
    input: Input = field(default_factory=lambda: Input(None))
    bootargs: str = ""
    initrd: bytes = b""
    dtb: bytes = b""                    # a flattened device tree of the user's
    dtb_name: str = "device tree"       # what messages call it
    virtio: Sequence[VirtioDevice] = ()
    reboots: bool = True
    tell: Callable[[str], object] = field(default=lambda text: None)


class GuestMemory:
    """A guest's RAM by guest-physical address, for devices and SBI calls; `OutsideMemory` for everything else."""

    def __init__(self, memory: Memory, gpa: int, spa: int, size: int):
        self._memory, self.base, self.size = memory, gpa, size
        self._shift = spa - gpa

    def contains(self, gpa: int, size: int) -> bool:
        """Whether `size` bytes at gpa are this guest's RAM."""
        return self.base <= gpa and size >= 0 and gpa + size <= self.base + self.size

    def _spa(self, gpa: int, size: int) -> int:
        if not self.contains(gpa, size):
            raise OutsideMemory(gpa, size)
        return gpa + self._shift

    def read(self, gpa: int, size: int) -> bytes:
        return self._memory.read(self._spa(gpa, size), size)

    def write(self, gpa: int, data: bytes) -> None:
        self._memory.write(self._spa(gpa, len(data)), data)

    def zero(self, gpa: int, size: int) -> None:
        self._memory.zero(self._spa(gpa, size), size)

    def word(self, gpa: int) -> int:
        return self._memory.word(self._spa(gpa, 8))

    @property
    def regions(self) -> list[GuestMemory]:
        """Itself, as the loader's messages want to name it."""
        return [self]


class Vm:
    """A guest under the monitor.  `exits` counts its traps into HS by name, `instructions` what it has retired; `status` is set
    when it has ended.
    """

    def __init__(self, config: VmConfig, vmid: int, ram: Ram, machine: Machine, gstage: GStage,
                 mmu_type: str = "sv57"):
        self.config, self.name, self.vmid = config, config.name, vmid
        self.gstage, self._mmu_type = gstage, mmu_type
        self.now = machine.now                  # the host's time in ticks; the guest's begins at 0 when it boots
        self.htimedelta = 0
        gstage.map(memory_map.RAM_BASE, ram.base, ram.size)
        self.memory = GuestMemory(machine.memory, memory_map.RAM_BASE, ram.base, ram.size)
        self.vcpus = [Vcpu(self, number) for number in range(config.cpus)]
        self.wakes: Callable[[], object] = lambda: None         # called when an interrupt comes to a vcpu that waits
        self.exits: Counter[str] = Counter()
        self.served = 0                         # of these, by the handler stub, without Python
        self.instructions = 0
        self.status: int | None = None
        self.is_rebooting, self.reboots = False, 0      # what it has asked for, and how often it has been done
        self.report = ""
        self.why = ""
        self._initrd = 0                        # its guest-physical address, once it is placed
        self.has_input = config.input.is_open
        self.typed = bytearray()                # input taken for SBI calls and not read yet
        self.bus = Bus([(memory_map.RAM_BASE, ram.size, "RAM")])
        self.plic = Plic([Context(vcpu.number, cause, self._external(vcpu, cause))
                          for vcpu in self.vcpus for cause in (11, SUPERVISOR_EXTERNAL)])
        self.uart = Uart(config.output, self.plic.line(memory_map.UART_INTERRUPT), config.input.is_piped)
        self.rtc = Rtc(machine.wall, self.plic.line(memory_map.RTC_INTERRUPT))
        self.bus.attach(*memory_map.FINISHER, Finisher(self.stop, self.ask_reboot), "test finisher")
        self.bus.attach(*memory_map.RTC, self.rtc, "real-time clock", memory_map.RTC_INTERRUPT)
        self.bus.attach(*memory_map.PLIC, self.plic, "PLIC")
        self.bus.attach(*memory_map.UART, self.uart, "UART", memory_map.UART_INTERRUPT)
        self.virtio = [self._attach(device, place) for place, device in enumerate(config.virtio)]

    def _attach(self, device: VirtioDevice, place: int) -> VirtioMmio:
        """Plug a virtio device into one of the places there are."""
        if place >= len(memory_map.VIRTIO):
            raise BadInput(f"{len(self.config.virtio)} virtio devices", self.name, f"give at most {len(memory_map.VIRTIO)}")
        device.now = self.now
        where, interrupt = memory_map.VIRTIO[place], memory_map.VIRTIO_INTERRUPTS[place]
        transport = VirtioMmio(device, self.memory, self.plic.line(interrupt),
                               lambda text: self.config.tell(f"guest {self.name}: {text}"))
        self.bus.attach(*where, transport, f"virtio-{device.name}", interrupt)
        return transport

    @property
    def troubles(self) -> list[str]:
        """A line for each device that has, or had, trouble with the guest or the host."""
        return [f"{transport.trouble} (at {where.base:#x})"
                for transport, where in zip(self.virtio, memory_map.VIRTIO, strict=False) if transport.trouble]

    @property
    def listens(self) -> bool:
        """Whether a network could wake it: a driver of a card is up."""
        return any(isinstance(device, Net) and device.listens for device in self.config.virtio)

    @staticmethod
    def _external(vcpu: Vcpu, cause: int) -> Callable[[bool], None]:
        """The line from the PLIC to a vcpu.  A guest has no M-mode: its context exists, and leads nowhere."""
        if cause != SUPERVISOR_EXTERNAL:
            return lambda level: None
        return lambda level: vcpu.set_pending(VSEIP, level)

    def stop(self, status: int, why: str = "") -> None:
        """The guest has ended, with its own status."""
        if self.status is None:
            self.status, self.why = status, why
        self.rtc.reset()                        # no alarm keeps time going for it
        self.is_rebooting = False
        for vcpu in self.vcpus:
            vcpu.state = State.STOPPED

    @property
    def is_over(self) -> bool:
        return self.status is not None

    def ask_reboot(self, status: int = 0) -> None:
        """The guest wants to start again: `reboot`, once none of its harts runs.  If it may not, it ends with that status."""
        if self.is_over:
            return
        if not self.config.reboots:
            self.stop(status, "reboot")
            return
        self.is_rebooting = True
        for vcpu in self.vcpus:
            vcpu.state = State.STOPPED

    def reboot(self) -> None:
        """Start again, as at power-on: nothing is left but what disks, clocks and lines keep: images, the date, typed input.

        Its translations must be forgotten.
        """
        self.is_rebooting = False
        self.reboots += 1
        self.memory.zero(self.memory.base, self.memory.size)
        for device in (*self.virtio, self.uart, self.rtc, self.plic):       # the PLIC last: by then nobody drives its lines
            device.reset()
        self.boot()

    def boot(self) -> None:
        """Place the program, the initial RAM disk and the device tree, and start hart 0.  `BadInput` if they do not fit."""
        self.htimedelta = -self.now() % (1 << 64)
        program, initrd, memory = self.config.program, self.config.initrd, self.memory
        placement = place([program], memory.base, memory.size, len(initrd), len(self.device_tree()))
        for segment in program.segments:
            memory.write(segment.pa, segment.data)
            memory.zero(segment.pa + len(segment.data), segment.memsz - len(segment.data))
        self._initrd = placement.initrd
        if initrd:
            memory.write(placement.initrd, initrd)
        memory.write(placement.tree, self.device_tree())
        self.vcpus[0].start(program.entry, 0, placement.tree)

    def device_tree(self) -> bytes:
        """The guest's machine as a flattened device tree: the user's, completed, or one of ours."""
        config, uart = self.config, f"/soc/serial@{memory_map.UART.base:x}"
        initrd = (self._initrd, self._initrd + len(config.initrd)) if config.initrd else None
        if config.dtb:
            from rvhyp.machine.usertree import complete
            return complete(config.dtb, config.dtb_name, (self.memory.base, self.memory.size), config.bootargs, uart, initrd)
        cpus = [Cpu(vcpu.number, GUEST_ISA, self._mmu_type) for vcpu in self.vcpus]
        return device_tree([(self.memory.base, self.memory.size)], cpus, TIMEBASE, self.bus.nodes(), config.bootargs, uart,
                           initrd)

    @property
    def keyboard(self) -> Uart | Console:
        """Where input goes: a virtio console, which keeps it until its driver is up, else the UART."""
        return next((device for device in self.config.virtio if isinstance(device, Console)), self.uart)

    def take_input(self, seconds: float = 0) -> bool:
        """Give the guest what the host has typed, if it has read all that came before."""
        keyboard = self.keyboard
        if keyboard.waiting:
            return False
        source = self.config.input
        data = source.read(seconds)
        self.has_input = source.is_open
        if data:
            keyboard.receive(data)
        return bool(data)
