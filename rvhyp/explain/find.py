"""The traps of a run, and the one to explain.

Runs are deterministic: the same program is run once to see its traps, and again up to the chosen one, which is then taken in
plain Python, from the state before it: what the first run saw is only compared with the result.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rvhyp.explain.step import Watched
from rvhyp.explain.trap import Explanation
from rvhyp.hart.state import OFFSET, REASON_TRAP, REASON_TRAP_LOOP
from rvhyp.hart.trap import TRAP_LOOP
from rvhyp.isa.cause import ECALL_M, ECALL_S, ECALL_U, ECALL_VS, INTERRUPT, SEI, SSI, STI, M, cause_name, mode_name
from rvhyp.isa.csr import HSTATUS_GVA, HSTATUS_SPV, MSTATUS_GVA, MSTATUS_MPP, MSTATUS_MPV, MSTATUS_SPP
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Machine, Outcome

ECALLS = (ECALL_U, ECALL_S, ECALL_VS, ECALL_M)
TRAPS, PRV, V, QUANTUM_END = (OFFSET[name] // 8 for name in ("traps", "prv", "v", "quantum_end"))


class Runner(Protocol):
    """A bare board, or a hypervisor with its guests."""

    machine: Machine

    def run(self, max_instructions: int | None = None, seconds: float | None = None) -> Outcome: ...


class Trap(NamedTuple):
    """A trap that the engine has taken, as the registers say it; `number` counts from 1.

    `tval2` and `tinst` are htval and htinst, or mtval2 and mtinst; a trap into VS-mode has neither, nor GVA.
    """

    number: int
    instret: int
    mode: str
    pc: int
    cause: int
    tval: int
    gva: int
    tval2: int
    tinst: int
    taken_in: str

    @property
    def name(self) -> str:
        return cause_name(self.cause)

    @property
    def is_ecall(self) -> bool:
        return self.cause in ECALLS


def trap_taken(machine: Machine) -> Trap:
    """The trap that a machine's hart has just taken."""
    hart, number, instret = machine.hart, int(machine.hart.traps), machine.instret
    if hart.prv == M:
        status = hart.mstatus
        return Trap(number, instret, mode_name(MSTATUS_MPP.get(status), MSTATUS_MPV.get(status)), int(hart.mepc),
                    int(hart.mcause), int(hart.mtval), int(MSTATUS_GVA.get(status)), int(hart.mtval2), int(hart.mtinst), "M")
    if hart.v:
        cause = int(hart.vscause)
        cause += cause & INTERRUPT != 0 and cause & ~INTERRUPT in (SSI, STI, SEI)       # VSSI, ... as the hart itself counts them
        return Trap(number, instret, mode_name(MSTATUS_SPP.get(hart.vsstatus), 1), int(hart.vsepc), cause,
                    int(hart.vstval), 0, 0, 0, "VS")
    return Trap(number, instret, mode_name(MSTATUS_SPP.get(hart.mstatus), HSTATUS_SPV.get(hart.hstatus)), int(hart.sepc),
                int(hart.scause), int(hart.stval), int(HSTATUS_GVA.get(hart.hstatus)), int(hart.htval), int(hart.htinst), "HS")


class Attached:
    """Takes the place of a machine's two ways to run its hart."""

    def __init__(self, machine: Machine):
        self.machine, self._words = machine, machine.hart.words
        self._run, self._return = machine.run_hart, machine.return_to_guest
        machine.run_hart, machine.return_to_guest = self.run, self.return_to_guest

    def run(self) -> int:
        """Run from hart.pc."""
        raise NotImplementedError

    def return_to_guest(self) -> int:
        """The monitor's SRET, and on."""
        self.machine.engine.rules.return_to_guest(self.machine.hart.address)
        return self.machine.run_hart()


class Recorder(Attached):
    """Gives each trap to `on_trap`.

    It notices trap loops itself: the engine, left at each trap, takes every one for the first.
    """

    def __init__(self, machine: Machine, on_trap: Callable[[Trap], object]):
        super().__init__(machine)
        self._on_trap, self._seen = on_trap, self._words[TRAPS]
        self._instret, self._repeats = -1, 0
        machine.hart.stop_at_traps = 1

    def run(self) -> int:
        return self._note(self._run())

    def return_to_guest(self) -> int:
        return self._note(self._return())

    def _note(self, reason: int) -> int:
        if self._words[TRAPS] == self._seen:
            return reason
        self._seen = self._words[TRAPS]
        trap = trap_taken(self.machine)
        self._on_trap(trap)
        self._repeats = self._repeats + 1 if trap.instret == self._instret else 1
        self._instret = trap.instret
        return REASON_TRAP_LOOP if reason == REASON_TRAP and self._repeats > TRAP_LOOP else reason


class Reached(Exception):
    """The trap has been explained: the run need not go on."""


class Replay(Attached):
    """Runs as it is until shortly before a trap, and from there watched, in plain Python."""

    def __init__(self, machine: Machine, trap: Trap):
        super().__init__(machine)
        self._watched, self._number, self._slow_from = Watched(machine.hart), trap.number, max(0, trap.instret - 1)
        self.explanation: Explanation | None = None

    def run(self) -> int:
        machine = self.machine
        if machine.instret < self._slow_from:
            self._words[QUANTUM_END] = min(self._words[QUANTUM_END], self._slow_from)
            return self._run()
        reason = self._watched.run()
        if self._words[TRAPS] == self._number:
            self.explanation = self._watched.explanation
            raise Reached
        return reason


def explain(make: Callable[[], Runner], trap: Trap, max_instructions: int | None = None,
            seconds: float | None = None) -> Explanation:
    """Why a trap of the run that `make` begins was taken.  TimeoutError if it was not reached again in time."""
    runner = make()
    replay = Replay(runner.machine, trap)
    try:
        outcome = runner.run(max_instructions, seconds)
    except Reached:
        return replay.explanation
    raise TimeoutError(f"trap {trap.number} was not reached again: {outcome.ended.value}")


# Choosing one.

@dataclass
class Wanted:
    """Which trap of a run: `number`, or the last that fits.  With nothing given the last one that is no environment call: these
    are how programs report and end.

    `__call__` looks at each trap in turn.
    """

    number: int | None = None
    pc: int | None = None
    cause: int | None = None
    any_last: bool = False
    count: int = 0                          # of all traps
    fitting: int = 0
    chosen: Trap | None = None
    last: Trap | None = None

    def __call__(self, trap: Trap) -> None:
        self.count, self.last = trap.number, trap
        if self.fits(trap):
            self.fitting += 1
            if not (self.is_default and self.chosen and self.chosen[1:] == trap[1:]):       # of a trap loop the first one
                self.chosen = trap

    def fits(self, trap: Trap) -> bool:
        if self.number is not None:
            return trap.number == self.number
        if self.pc is not None or self.cause is not None:
            return self.pc in (None, trap.pc) and self.cause in (None, trap.cause)
        return self.any_last or not trap.is_ecall

    @property
    def is_default(self) -> bool:
        return self.number is None and self.pc is None and self.cause is None and not self.any_last

    def choose(self) -> Trap:
        """The trap, at the end of the run.  BadInput if no trap fits."""
        if self.last is None:
            raise BadInput("no trap was taken in this run", do="a longer run, or another program, may have some")
        if self.chosen is None and self.is_default:
            return self.last                # environment calls only
        if self.chosen is not None:
            return self.chosen
        if self.number is not None:
            raise BadInput(f"there is no trap {self.number}: the run has {self.count}", do="see them with --list")
        where = [] if self.pc is None else [f"at pc {self.pc:#x}"]
        what = [] if self.cause is None else [f"with cause {cause_name(self.cause)}"]
        raise BadInput(f"none of the {self.count} traps is {' '.join(where + what)}", do="see them with --list")


def differences(found: Explanation, trap: Trap) -> list[str]:
    """What the explanation computed otherwise than the engine did; nothing, unless the engine used a stale translation."""
    cause, tval2 = found.reported
    names = ["instret", "mode", "pc", "tval", "taken_in"]
    if found.taken_in != "VS":
        names += ["gva", "tinst"]
    wrong = [name for name in names if getattr(found, name) != getattr(trap, name)]
    return wrong + ["cause"] * (cause != trap.cause) + ["tval2"] * (found.taken_in != "VS" and tval2 != trap.tval2)
