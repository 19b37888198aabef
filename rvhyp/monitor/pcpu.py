"""A hart of the machine, as the monitor uses it: what vcpus run on."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rvhyp.hart.state import (
    MONITOR_PYTHON,
    MONITOR_STUB,
    OFFSET,
    REASON_BUDGET,
    REASON_HS_TRAP,
    REASON_TRAP,
    REASON_TRAP_LOOP,
    Hart,
)
from rvhyp.isa.cause import ECALL_VS, S, cause_name
from rvhyp.isa.csr import (
    CSR_NUMBERS,
    HEDELEG_WRITABLE,
    HSTATUS_SPV,
    MEDELEG_WRITABLE,
    MSTATUS_SPP,
    S_INTERRUPTS,
    VS_INTERRUPTS,
)
from rvhyp.isa.word import MASK64
from rvhyp.machine.turns import retired
from rvhyp.monitor import sbi
from rvhyp.monitor.exits import Exits
from rvhyp.monitor.pmu import GUEST_COUNTERS
from rvhyp.monitor.stub import EXTENSION, FUNCTION, IS_OPEN, NO_CALL, NUMBER, SERVED, SharedPage

if TYPE_CHECKING:
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vcpu import Vcpu

ECALL = cause_name(ECALL_VS)
V, PC, QUANTUM_END = (OFFSET[name] // 8 for name in ("v", "pc", "quantum_end"))
EXITS = 256                             # between two looks at the host: a guest that only polls retires hardly anything

Run = Callable[[], int]
Entries = Callable[[], tuple[Run, Run]]


class Pcpu:
    """`entries` gives the functions that run its hart (`Interpreter.bind`); exits and SBI calls are read through it.

    The code of the handler stub is at `stub`, and `page` is shared with it.
    """

    def __init__(self, hypervisor: Hypervisor, hart: Hart, entries: Entries, stub: int, page: SharedPage):
        self.hart, self._hypervisor = hart, hypervisor
        self._entries = entries
        self.exits, self.call = Exits(hart), sbi.Call(hypervisor)
        self.page = page
        self._prepare(stub)

    def _prepare(self, stub: int) -> None:
        """What M-mode firmware leaves to an HS-mode hypervisor: everything delegated and enabled, all memory open."""
        hart, rules = self.hart, self._hypervisor.rules
        hart.medeleg, hart.hedeleg = MEDELEG_WRITABLE, HEDELEG_WRITABLE
        hart.hideleg = VS_INTERRUPTS
        open_to_guests = ("menvcfg", "mcounteren", *(f"{x}stateen{n}" for x in "mh" for n in range(4)), "pmpaddr0")
        for name, value in (("mideleg", S_INTERRUPTS), *((name, MASK64) for name in open_to_guests), ("pmpcfg0", 0x1F),
                            ("hcounteren", GUEST_COUNTERS)):
            rules.csr_write(hart.address, CSR_NUMBERS[name], int(value))
        hart.stvec, hart.sscratch = stub, self.page.spa
        hart.monitor, hart.prv, hart.v = MONITOR_PYTHON, S, 0

    def run_vcpu(self, vcpu: Vcpu, begin: Callable[[], object], look: Callable[[], bool]) -> None:
        """Run a vcpu until its slice is over, it waits, or it stops.

        `begin` sets the slice once the vcpu is loaded.  `look` is called between two quanta and sets the end of the next; if it
        gives False, the vcpu stops where it is.
        """
        hart, words, hypervisor = self.hart, self.hart.words, self._hypervisor
        handle, (run, return_to_guest) = hypervisor.handle, self._entries()
        now = hypervisor.machine.now
        if vcpu.steal:
            vcpu.steal.comes(now() - vcpu.ready_at(now()))
        before = retired(hart)
        vcpu.load(self)
        vcpu.pmu.load(hart, hypervisor.rules)
        self._open_stub(vcpu)
        begin()
        try:
            if not look():
                return
            reason = return_to_guest()
            while True:
                exits = EXITS
                while reason == REASON_HS_TRAP:
                    if not handle(vcpu):
                        return
                    exits -= 1
                    if not exits:
                        words[QUANTUM_END] = 0          # the engine returns at once
                    reason = return_to_guest()
                if reason == REASON_TRAP_LOOP:
                    self.leave_guest()
                    hypervisor.stop(vcpu, "trap loop: it takes the same traps for ever without executing an instruction",
                                    words[PC])
                    return
                assert reason in (REASON_BUDGET, REASON_TRAP), reason
                if not look():
                    return
                reason = run()
        finally:
            self.leave_guest()
            vcpu.vm.instructions += retired(hart) - before
            vcpu.pmu.save(hart)
            self._close_stub(vcpu)
            vcpu.save(now())

    def _open_stub(self, vcpu: Vcpu) -> None:
        """Let the stub serve a vcpu, unless somebody wants to see each exit, or it counts what the firmware does."""
        words, hypervisor = self.page.words, self._hypervisor
        has_stub = hypervisor.has_stub and not hypervisor.hooks
        self.hart.monitor = MONITOR_STUB if has_stub else MONITOR_PYTHON
        self.hart.stub_cycles = hypervisor.machine.clock.exit_cycles
        words[NUMBER], words[EXTENSION] = vcpu.number, NO_CALL
        self.look_at_counters(vcpu)

    def look_at_counters(self, vcpu: Vcpu) -> None:
        """Firmware counters of a vcpu may have been started or stopped."""
        self.page.words[IS_OPEN] = not vcpu.pmu.counts_firmware

    def _close_stub(self, vcpu: Vcpu) -> None:
        """What it has done for a vcpu counts as if Python had."""
        words, vm = self.page.words, vcpu.vm
        if served := words[SERVED]:
            vm.exits[ECALL] += served
            vm.served += served
            words[SERVED] = 0
        vcpu.last_call = self.last_call(vcpu)

    def last_call(self, vcpu: Vcpu) -> tuple[int, int] | None:
        """Extension and function of the last SBI call of the vcpu that is loaded."""
        words = self.page.words
        return vcpu.last_call if words[EXTENSION] == NO_CALL else (words[EXTENSION], words[FUNCTION])

    def leave_guest(self) -> None:
        """The host interrupts a guest, if one runs, between two instructions: as a trap would, but without a cause."""
        hart = self.hart
        if hart.words[V]:
            hart.mstatus = MSTATUS_SPP.put(hart.mstatus, hart.prv)
            hart.hstatus = hart.hstatus | HSTATUS_SPV.mask
            hart.sepc = hart.pc
            hart.prv, hart.v = S, 0
