"""The bare board: a machine with the usual devices, on which M-mode programs run."""
from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from rvhyp.isa import config
from rvhyp.isa.cause import MEI, MSI, SEI, S
from rvhyp.machine import memory_map
from rvhyp.machine import placement as placing
from rvhyp.machine.clock import TICK, TIMEBASE
from rvhyp.machine.console import Input
from rvhyp.machine.devices.clint import Clint
from rvhyp.machine.devices.finisher import Finisher
from rvhyp.machine.devices.guestexternal import GuestExternal
from rvhyp.machine.devices.htif import Htif
from rvhyp.machine.devices.plic import Context, Plic
from rvhyp.machine.devices.rtc import Rtc
from rvhyp.machine.devices.uart import Uart
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Program, place
from rvhyp.machine.machine import Ended, Machine, Outcome
from rvhyp.machine.ram import Ram

DEFAULT_MEMORY = 128 << 20
ROM_BASE, ROM_SIZE = 0x1000, 0xF000             # holds the device tree, or what firmware is told of a kernel
FW_DYNAMIC_INFO = struct.Struct("<6Q")          # magic, version, next_addr, next_mode, options, boot_hart (OpenSBI, fw_dynamic.h)
FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION = int.from_bytes(b"OSBI", "little"), 2


class Comparators:
    """mtimecmp of the harts, as the CLINT sees them."""

    def __init__(self, machine: Machine):
        self._harts = machine.harts

    def __getitem__(self, hart: int) -> int:
        return int(self._harts[hart].mtimecmp)

    def __setitem__(self, hart: int, ticks: int) -> None:
        self._harts[hart].mtimecmp = ticks


class Board:
    """Harts in M-mode with RAM at 0x8000_0000, CLINT, PLIC, UART, real-time clock, test finisher and HTIF.

    `output(bytes)` is the console, `input` where typed bytes come from.  With `choices` that give the hart guest external
    interrupts there is a device that drives them.
    """

    def __init__(self, memory: int = DEFAULT_MEMORY, isa: str = config.DEFAULT, engine="auto",
                 output: Callable[[bytes], object] = lambda data: None, input: Input | None = None,
                 choices: Mapping[str, object] | None = None, cpus: int = 1):
        self.machine = Machine([Ram(ROM_BASE, ROM_SIZE), Ram(memory_map.RAM_BASE, memory)], isa, engine, choices=choices,
                               harts=cpus)
        machine, bus = self.machine, self.machine.bus
        self.output, self._input = output, input or Input(None)
        self.plic = Plic([Context(hart, cause, machine.wire(cause, hart)) for hart in range(cpus) for cause in (MEI, SEI)])
        self.uart = Uart(output, self.plic.line(memory_map.UART_INTERRUPT), self._input.is_piped)
        self.rtc = Rtc(machine.wall, self.plic.line(memory_map.RTC_INTERRUPT))
        software = [machine.wire(MSI, hart) for hart in range(cpus)]
        clint = Clint(cpus, machine.now, self._set_mtime, Comparators(machine), lambda hart, level: software[hart](level))
        bus.attach(*memory_map.FINISHER, Finisher(machine.stop, self._reboot), "test finisher")
        bus.attach(*memory_map.RTC, self.rtc, "real-time clock", memory_map.RTC_INTERRUPT)
        bus.attach(*memory_map.CLINT, clint, "CLINT")
        bus.attach(*memory_map.PLIC, self.plic, "PLIC")
        bus.attach(*memory_map.UART, self.uart, "UART", memory_map.UART_INTERRUPT)
        if count := machine.choices["geilen"]:
            lines = [machine.guest_wire(number) for number in range(1, count + 1)]
            bus.attach(*memory_map.GUEST_EXTERNAL, GuestExternal(lines), "guest external interrupts")
        machine.take_input, machine.alarms = self._take_input, [self.rtc]
        machine.expect_input()
        machine.wait = self._wait_for_input
        self.htif: Htif | None = None
        self.program: Program | None = None

    def load(self, program: Program) -> None:
        """Place a program and point the harts at its entry: a0 = hart id, a1 = device tree.  BadInput if it does not fit."""
        machine = self.machine
        if program.tohost is not None and program.tohost + 8 >= 1 << 64:
            raise BadInput(f"its tohost, at {program.tohost:#x}, is at the end of the address space", do="link it lower")
        place(program, machine.memory)
        self.program = program
        for number, hart in enumerate(machine.harts):
            hart.pc, hart.x[10] = program.entry, number
            if program.tohost is not None:
                hart.watch_low, hart.watch_high = program.tohost, program.tohost + 8
        if program.tohost is not None:
            self.htif = Htif(machine.memory, program.tohost, program.fromhost, self.output, machine.stop)
            machine.on_watch = self._tohost

    def give_device_tree(self) -> None:
        """Write the device tree to ROM, and its address to a1, as firmware expects it."""
        self.machine.memory.write(ROM_BASE, self.device_tree())
        for hart in self.machine.harts:
            hart.x[11] = ROM_BASE

    def give_kernel(self, kernel: Program, initrd: bytes = b"", bootargs: str = "") -> None:
        """Place what the loaded firmware starts in S-mode, and tell it where: a1 = device tree, a2 = OpenSBI's fw_dynamic_info.

        BadInput if it does not fit beside the firmware.
        """
        assert self.program
        memory, ram = self.machine.memory, self.machine.memory.regions[-1]
        room = len(self.device_tree(bootargs, (0, 0) if initrd else None))
        placement = placing.place([self.program, kernel], ram.base, ram.size, len(initrd), room)
        place(kernel, memory)
        if initrd:
            memory.write(placement.initrd, initrd)
        disk = (placement.initrd, placement.initrd + len(initrd)) if initrd else None
        memory.write(placement.tree, self.device_tree(bootargs, disk))
        memory.write(ROM_BASE, FW_DYNAMIC_INFO.pack(FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION, kernel.entry, S, 0, 0))
        for hart in self.machine.harts:
            hart.x[11], hart.x[12] = placement.tree, ROM_BASE

    def device_tree(self, bootargs: str = "", initrd: tuple[int, int] | None = None) -> bytes:
        """The board as a flattened device tree; `initrd` is (start, end), the address after its last byte."""
        from rvhyp.machine.fdt import Cpu, device_tree, mmu_type
        ram = self.machine.memory.regions[-1]
        cpus = [Cpu(number, self.machine.isa, mmu_type(self.machine.choices)) for number in range(len(self.machine.harts))]
        return device_tree([(ram.base, ram.size)], cpus, TIMEBASE, self.machine.bus.nodes(), bootargs,
                           f"/soc/serial@{memory_map.UART.base:x}", initrd)

    def run(self, max_instructions: int | None = None, seconds: float | None = None) -> Outcome:
        """Run until the program ends; see `Machine.run`."""
        return self.machine.run(max_instructions, seconds)

    def _reboot(self) -> None:
        self.machine.outcome = Outcome(Ended.REBOOT)

    def _set_mtime(self, ticks: int) -> None:
        """The program sets mtime: no clock on the wall goes with it."""
        machine = self.machine
        machine.clock.epoch += (machine.now() - ticks) * TICK
        machine.set_now(ticks)

    def _tohost(self) -> None:
        self.htif.handle(self.machine.memory.word(self.program.tohost))
        if data := self._input.read():
            self.htif.receive(data)

    def _take_input(self) -> None:
        """Give the UART what the host has typed, if the program has read all that came before."""
        if not self.uart.waiting and self._input.is_open:
            if data := self._input.read():
                self.uart.receive(data)

    def _wait_for_input(self, seconds: float) -> bool:
        """Wait for typed bytes; False if none can ever come."""
        if not self._input.is_open:
            return False
        if data := self._input.read(seconds):
            self.uart.receive(data)
        return True
