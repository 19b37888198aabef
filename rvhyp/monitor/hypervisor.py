"""The monitor: HS-mode software in Python that runs guests in VS-mode on one hart and handles their exits.

The hart takes every trap into HS architecturally and returns here; the monitor reads the CSRs, decides, and executes SRET.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rvhyp.hart.state import OFFSET
from rvhyp.isa import config
from rvhyp.isa.cause import ILLEGAL_INSTRUCTION, LOAD_ACCESS_FAULT, STI, STORE_ACCESS_FAULT
from rvhyp.isa.csr import MSTATUS_SPP
from rvhyp.isa.word import MASK64
from rvhyp.machine.bus import BusError
from rvhyp.machine.clock import LONGEST_SLEEP
from rvhyp.machine.console import Input, Link, wait_for_input
from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import mmu_type
from rvhyp.machine.machine import NEVER, Ended, Machine, Outcome, Watch
from rvhyp.machine.ram import Ram
from rvhyp.monitor import emulate, needs, sbi
from rvhyp.monitor.exits import Exit, GuestException, GuestPageFault, HsInterrupt, VirtualInstruction, VsEcall
from rvhyp.monitor.gstage import GStage, PageTables
from rvhyp.monitor.pcpu import QUANTUM_END, Entries, Pcpu, Run
from rvhyp.monitor.pmu import Firmware
from rvhyp.monitor.report import report
from rvhyp.monitor.scheduler import SLICE, RoundRobin, next_wake
from rvhyp.monitor.stub import EXTENSION, NO_CALL, SharedPage
from rvhyp.monitor.stub import code as stub_code
from rvhyp.monitor.threads import Threads
from rvhyp.monitor.vcpu import ASLEEP, State, Vcpu
from rvhyp.monitor.vcpu import NEVER as NO_TIMER
from rvhyp.monitor.vm import MINIMUM_MEMORY, Vm, VmConfig

TABLES_BASE, TABLES_SIZE = 0x8000_0000, 64 << 20
FIRST_GUEST = 0x1_0000_0000
GIB = 1 << 30
MAX_VMS = 31
STOPPED_BY_MONITOR = 3                  # exit status of a guest that the monitor stopped
SEPC, MSTATUS, STIMECMP = (OFFSET[name] // 8 for name in ("sepc", "mstatus", "stimecmp"))
SCAUSE = OFFSET["scause"] // 8
A0, A1, A6, A7 = 10, 11, 16, 17
SKIPPED_CYCLES = OFFSET["skipped_cycles"] // 8
WFI, WRS_NTO = 0x1050_0073, 0x00D0_0073

Hook = Callable[[Vcpu, Exit], bool]


class Hypervisor:
    """Guests under a Python monitor.

        hypervisor = Hypervisor([VmConfig("a", load("a.elf"))])
        outcome = hypervisor.run()

    `hooks` are called before every exit is handled, with the vcpu and the exit; one that returns True has handled it.
    `choices` say what the hart does where the manual leaves a choice; BadInput for what the monitor cannot do with.  All
    vcpus take turns on one hart, and a run is the same every time; with `threads` each has a hart and a thread of the host, and
    time is the host's (rvhyp.monitor.threads).  The hottest SBI calls need no Python as long as there is no hook, unless `stub`
    is False (rvhyp.monitor.stub): what guests see is the same.
    """

    def __init__(self, configs: list[VmConfig], engine="auto", choices: Mapping[str, object] | None = None,
                 threads: bool = False, stub: bool = True):
        if not 1 <= len(configs) <= MAX_VMS:
            raise BadInput(f"{len(configs)} guests", do=f"give 1 to {MAX_VMS}")
        for each in configs:
            if each.memory < MINIMUM_MEMORY:
                raise BadInput(f"guest {each.name} has {each.memory} bytes of memory", "--memory", "give at least 1M")
        tables = Ram(TABLES_BASE, TABLES_SIZE)
        regions, at = [tables], FIRST_GUEST
        for each in configs:
            regions.append(Ram(at, each.memory))
            at = -(-(at + each.memory) // GIB) * GIB
        harts = sum(each.cpus for each in configs) if threads else 1
        self.machine = machine = Machine(regions, config.DEFAULT, engine, choices=choices, harts=harts, concurrent=threads)
        needs.check(self.machine.choices, len(configs))
        if threads and not hasattr(machine.engine, "bind_beside"):
            raise BadInput("plain Python has no threads that run at the same time", "--threads", "use another engine")
        self.rules, self.hart = self.machine.engine.rules, self.machine.hart
        allocator = PageTables(tables)
        self.vms = [Vm(each, vmid, ram, self.machine, GStage(allocator, self.machine.memory, vmid),
                       mmu_type(self.machine.choices))
                    for vmid, (each, ram) in enumerate(zip(configs, regions[1:], strict=True), 1)]
        self.vcpus = [vcpu for vm in self.vms for vcpu in vm.vcpus]
        self.hooks: list[Hook] = []
        self.has_stub = stub
        self._stub = allocator.allocate()
        tables.write(self._stub, stub_code())
        self._pages = [SharedPage(tables, allocator.allocate()) for _ in range(harts)]
        self.wait = wait_for_input              # until the host has something, or so many seconds
        self.threads = Threads(self, self.vcpus) if threads else None
        self.pcpu = self.threads.pcpus[0] if self.threads else self.make_pcpu(0, self._entries)
        self.running = self.vcpus[0]            # loaded on the hart, or the last that was
        self._scheduler = RoundRobin()
        self.machine.take_input = self.take_input
        self.machine.alarms = [vm.rtc for vm in self.vms]
        self.machine.expect_input()
        for vm in self.vms:
            vm.wakes = self.limit_slice
        self.attend: Callable[[], object] = lambda: None        # called every few milliseconds while guests run
        self._links: list[Link] = []
        self._asked: Ended | None = None
        for vm in self.vms:
            vm.boot()

    def make_pcpu(self, number: int, entries: Entries) -> Pcpu:
        """A hart of the machine, for vcpus, and what gives the functions that run it."""
        return Pcpu(self, self.machine.harts[number], entries, self._stub, self._pages[number])

    def _entries(self) -> tuple[Run, Run]:
        """What runs the one hart: somebody may have put himself in between."""
        return self.machine.run_hart, self.machine.return_to_guest

    def connect(self, link: Link) -> None:
        """Guests have a link to the outside: who waits, waits for it too.  Answers take the host's time: all time is that now."""
        self._links.append(link)
        self.machine.follow_host_clock()

    # Running.

    def run(self, max_instructions: int | None = None, seconds: float | None = None) -> Outcome:
        """Run all guests until every one has ended, or a limit is reached.

        EXIT has the first non-zero status in the order of the guests; each Vm has its own `status` and `report`.
        """
        if self.threads:
            return self.threads.run(max_instructions, seconds)
        watch = Watch(seconds)
        end = NEVER if max_instructions is None else self.machine.instret + max_instructions
        is_spent = False
        while not (ended := self.ended(watch.is_over, is_spent)):
            for vm in self.vms:
                if vm.is_rebooting:
                    self.reboot(vm)
            vcpu = self._scheduler.next(self.vcpus, self.machine.now())
            if vcpu is None:
                self.idle()
                self._look(watch, end)
            else:
                self._run_vcpu(vcpu, end, watch)
                is_spent = self.machine.instret >= end
        return ended

    @property
    def is_done(self) -> bool:
        """Whether every guest has ended."""
        return all(vm.is_over for vm in self.vms)

    def ended(self, is_late: bool, is_spent: bool) -> Outcome | None:
        """How the run has ended, if it has; whether its seconds, its instructions are spent."""
        if self.is_done:
            return Outcome(Ended.EXIT, next((vm.status for vm in self.vms if vm.status), 0))
        why = self._asked or (Ended.SECONDS if is_late else Ended.INSTRUCTIONS if is_spent else None)
        return Outcome(why) if why else None

    def reboot(self, vm: Vm) -> None:
        """Start a guest again that has asked for it, and of which nothing runs."""
        vm.reboot()
        self.fence_guest(vm, vm.vcpus)

    def _run_vcpu(self, vcpu: Vcpu, end: int, watch: Watch) -> None:
        """Run one vcpu until its slice is over, it waits, or it stops; or until the whole run must end."""
        words, machine = self.hart.words, self.machine

        def look() -> bool:
            words[QUANTUM_END] = self._look(watch, end)
            return not (machine.instret >= end or watch.is_over or self._asked)
        self.running = vcpu
        self.pcpu.run_vcpu(vcpu, partial(self._begin_slice, vcpu), look)

    def _look(self, watch: Watch, end: int) -> int:
        """Look at the host: its clock, its terminal, its links.  The instret at which to look again."""
        self.look_outside()
        return self.machine.look(watch, end)

    def look_outside(self) -> None:
        """Look at the terminal and at links."""
        self.attend()
        for link in self._links:
            link.serve()

    def quit(self) -> None:
        """End the run soon; for what is called while it goes on."""
        self._asked = Ended.QUIT

    def stand_still(self) -> None:
        """No guest runs any more: where each is can be told."""
        if self.threads:
            self.threads.stand_still()
        else:
            self.pcpu.leave_guest()

    def take_input(self) -> bool:
        """Give guests what the host has typed for them; whether there was any."""
        return any([vm.take_input() for vm in self.vms if vm.has_input and not vm.is_over])

    def sources(self) -> list[Input | Link]:
        """What of the host guests wait for."""
        return [*(vm.config.input for vm in self.vms if not vm.is_over and not vm.keyboard.waiting), *self._links]

    def idle(self) -> None:
        """Nobody can run: there is input, or time passes to the next timer, or input may come; or it is for ever."""
        alive = [vm for vm in self.vms if not vm.is_over]
        if self.machine.ring() or self.take_input():
            return
        wake = min((tick for tick in (next_wake(self.vcpus), self.machine.next_alarm()) if tick is not None), default=None)
        if wake is not None:
            self.machine.clock.pass_until(wake, partial(self.wait, self.sources()))
            return
        if any(vm.listens for vm in alive) and any(link.descriptor is not None for link in self._links):
            self.wait(self.sources(), LONGEST_SLEEP)
            return
        for vm in alive:
            if vm.config.input.is_open and not vm.keyboard.waiting:
                self.wait([vm.config.input], LONGEST_SLEEP)
                vm.take_input()
                return
        for vm in alive:
            waiting = [vcpu for vcpu in vm.vcpus if vcpu.state in ASLEEP]
            if waiting:
                self.stop(waiting[0], "waits for an interrupt that nothing can raise")
            else:
                vm.stop(STOPPED_BY_MONITOR, "all its harts have stopped")

    # Exits.

    def handle(self, vcpu: Vcpu) -> bool:
        """Deal with the exit the hart has just taken.  True if the vcpu goes on at once."""
        words = vcpu.hart.words
        words[SKIPPED_CYCLES] = words[SKIPPED_CYCLES] + self.machine.clock.exit_cycles & MASK64
        leaving = vcpu.pcpu.exits[words[SCAUSE]]
        vcpu.vm.exits[leaving.name] += 1
        for hook in self.hooks:
            if hook(vcpu, leaving):
                return vcpu.state is State.STARTED
        match leaving:
            case VsEcall():
                self._ecall(vcpu, leaving)
            case GuestPageFault():
                self._guest_page_fault(vcpu, leaving)
            case VirtualInstruction():
                return self._virtual_instruction(vcpu, leaving)
            case HsInterrupt():
                return self._interrupt(vcpu, leaving)
            case GuestException():
                self.rules.inject(vcpu.hart.address, leaving.cause, leaving.tval)
        return vcpu.state is State.STARTED

    def _ecall(self, vcpu: Vcpu, leaving: VsEcall) -> None:
        words = vcpu.hart.words
        words[SEPC] = words[SEPC] + 4 & MASK64
        pcpu, vcpu.last_call = vcpu.pcpu, (words[A7], words[A6])
        pcpu.page.words[EXTENSION] = NO_CALL
        error, value = sbi.call(pcpu.call, vcpu, words[A7], words[A6])
        words[A0] = error & MASK64
        if value is not None:
            words[A1] = value & MASK64

    def _guest_page_fault(self, vcpu: Vcpu, leaving: GuestPageFault) -> None:
        vm, gpa = vcpu.vm, leaving.device_gpa()
        attached = None if gpa is None else vm.bus.find(gpa)
        if attached is None:
            self._stop_lost(vcpu, leaving)
            return
        if vm.has_input:
            vm.take_input()
        try:
            if emulate.device_access(vcpu.hart, self.rules, attached, gpa):
                return
        except emulate.CannotFetch:
            return
        except BusError:
            pass
        is_load = leaving.access == "load"
        vcpu.pmu.count(Firmware.ACCESS_LOAD if is_load else Firmware.ACCESS_STORE)
        fault = LOAD_ACCESS_FAULT if is_load else STORE_ACCESS_FAULT
        self.rules.inject(vcpu.hart.address, fault, leaving.gva)

    def _stop_lost(self, vcpu: Vcpu, leaving: GuestPageFault) -> None:
        """The guest went where it has nothing."""
        what = "a page table" if leaving.is_implicit else {"fetch": "an instruction"}.get(leaving.access, "data")
        verb = "stored" if leaving.access == "store" and not leaving.is_implicit else "looked for"
        self.stop(vcpu, f"{leaving.name}: it {verb} {what} at guest physical {leaving.gpa:#x}, where it has neither RAM "
                         "nor a device", leaving.gva, leaving.gpa)

    def _virtual_instruction(self, vcpu: Vcpu, leaving: VirtualInstruction) -> bool:
        """WFI waits, WRS.NTO lets others run; everything else is an instruction that the guest's hart does not have."""
        hart = vcpu.hart
        try:
            insn = leaving.insn or emulate.fetch_bits(hart, self.rules)
        except emulate.CannotFetch:
            return True
        if insn == WFI and hart.words[MSTATUS] & MSTATUS_SPP.mask:
            emulate.step_over(hart, 4)
            if not vcpu.is_interrupted(self.machine.now()):
                vcpu.state = State.WAITING
            return vcpu.state is State.STARTED
        if insn == WRS_NTO:
            emulate.step_over(hart, 4)
            if self.threads:
                self.threads.give_way()
                return vcpu.state is State.STARTED
            return not any(other is not vcpu and other.state is State.STARTED for other in self.vcpus)
        vcpu.pmu.count(Firmware.ILLEGAL_INSN)
        self.rules.inject(hart.address, ILLEGAL_INSTRUCTION, leaving.insn)
        return True

    def _interrupt(self, vcpu: Vcpu, leaving: HsInterrupt) -> bool:
        """The monitor's own timer: the slice is over.  Whether the vcpu has another, since nobody else can run."""
        assert leaving.code == STI, leaving.name
        now = self.machine.now()
        if any(other.is_ready(now) for other in self.vcpus if other is not vcpu):
            self.hart.words[STIMECMP] = NO_TIMER
            return False
        self._begin_slice(vcpu)
        return True

    # What exits, SBI calls and policies use.

    def stop(self, vcpu: Vcpu, what: str, gva: int | None = None, gpa: int | None = None) -> None:
        """End a guest that cannot go on, with a report."""
        vcpu.vm.report = report(vcpu, what, gva, gpa)
        vcpu.vm.stop(STOPPED_BY_MONITOR, what)

    def _begin_slice(self, vcpu: Vcpu) -> None:
        """Set the monitor's timer to the end of its slice: soon if somebody else can run, else not before a timer wakes one."""
        now, others = self.machine.now(), [other for other in self.vcpus if other is not vcpu]
        self.hart.words[STIMECMP] = NO_TIMER
        if any(other.is_ready(now) for other in others):
            self.limit_slice()
        elif (wake := next_wake(others)) is not None:
            self.hart.words[STIMECMP] = max(wake, now + SLICE)

    def limit_slice(self) -> None:
        """Somebody else can run, or soon will: the running vcpu has no more than a slice from now on."""
        if self.threads:
            self.threads.wake()
            return
        words = self.hart.words
        words[STIMECMP] = min(words[STIMECMP], self.machine.now() + SLICE)

    def end_slice(self) -> None:
        """The running vcpu's slice is over, once its exit has been dealt with."""
        self.hart.words[STIMECMP] = self.machine.now()

    def reset(self, vm: Vm, is_shutdown: bool, has_failed: bool) -> None:
        """SBI system reset: the guest ends, or starts again."""
        status = 1 if has_failed else 0
        if is_shutdown:
            vm.stop(status, "shutdown")
        else:
            vm.ask_reboot(status)

    def fence_guest(self, vm: Vm, vcpus: list[Vcpu]) -> None:
        """Forget all translations of a guest, where these vcpus run."""
        self._on_harts(vcpus, lambda hart: self.rules.forget_guest(hart, vm.vmid))

    def fence_instructions(self, vcpus: list[Vcpu]) -> None:
        """FENCE.I where these vcpus run."""
        self._on_harts(vcpus, self.rules.forget_stale)

    def _on_harts(self, vcpus: list[Vcpu], act: Callable[[int], object]) -> None:
        """Do something with the harts of some vcpus, by their addresses; afterwards it is done."""
        if self.threads:
            self.threads.on_harts(vcpus, act)
        else:
            act(self.hart.address)

    def console_read(self, vm: Vm, size: int) -> bytes:
        """Up to `size` bytes of console input, without waiting."""
        if not vm.typed:
            vm.typed += vm.config.input.read()
        data = bytes(vm.typed[:size])
        del vm.typed[:size]
        return data
