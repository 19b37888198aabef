"""What idle guests cost: the speed of a busy one beside them, and in real time the host.  All are Debian's, as prepared.

Guests boot once, under one monitor, and then the busy one is measured with more or fewer of the others beside it, in turns:
in another process it would lie elsewhere, and have another speed for it.
"""
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from rvhyp.bench.linux import GUEST, PROMPT, prepared
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load
from rvhyp.machine.machine import Ended
from rvhyp.monitor.hypervisor import Hypervisor
from rvhyp.monitor.vcpu import State
from rvhyp.monitor.vm import VmConfig

IDLE = "console=ttyS0 cryptomgr.notests"                        # to a shell, which waits at its prompt
BUSY = IDLE + ' rdinit=/bin/busybox -- sh -c "while :; do i=$((i+1)); done"'
MEMORY = 512 << 20
BOOT, STEP = 20_000_000_000, 100_000_000                        # instructions: the most that all boots take; between two looks
SETTLE, WINDOW = 30_000_000, 150_000_000                        # instructions: after a change; measured
TURNS = 10                                                      # measurements in a round
SECONDS = 5                                                     # of a measurement in real time


class Guests:
    """Guests, booted: of `busy` or "" one that computes without end, and `idle` ones at their prompts."""

    def __init__(self, engine, idle: int, busy: str = BUSY):
        folder = prepared()
        kernel, initrd = load(folder / "Image"), (folder / "initrd").read_bytes()
        said = [bytearray() for _ in range(idle)]
        configs = [VmConfig(f"idle{n}", kernel, MEMORY, output=said[n].extend, bootargs=IDLE, initrd=initrd) for n in range(idle)]
        if busy:
            configs.append(VmConfig("busy", kernel, MEMORY, bootargs=busy, initrd=initrd))
        self.hypervisor = Hypervisor(configs, engine)
        self._idle = self.hypervisor.vms[:idle]
        while not all(PROMPT in text for text in said):
            self._run(STEP)
            if self.hypervisor.machine.instret > BOOT:
                raise BadInput("does not come to its prompt", GUEST, "prepare it again")

    def _run(self, instructions: int | None, seconds: float | None = None) -> None:
        outcome = self.hypervisor.run(instructions, seconds)
        if outcome.ended not in (Ended.INSTRUCTIONS, Ended.SECONDS):
            raise BadInput(f"ended while it was measured: {outcome.ended.value}", GUEST)

    @contextmanager
    def _with(self, beside: int) -> Iterator[None]:
        """All but so many of the idle guests stand still."""
        vcpus = [vcpu for vm in self._idle[beside:] for vcpu in vm.vcpus]
        states = [vcpu.state for vcpu in vcpus]
        for vcpu in vcpus:
            vcpu.state = State.STOPPED
        try:
            yield
        finally:
            for vcpu, state in zip(vcpus, states, strict=True):
                vcpu.state = state

    def speed(self, beside: int) -> float:
        """Million instructions of the busy guest's own per second of CPU time, with so many idle ones beside it."""
        busy = self.hypervisor.vms[-1]
        with self._with(beside):
            self._run(SETTLE)
            retired, start = busy.instructions, time.process_time()
            self._run(WINDOW)
            return (busy.instructions - retired) / (time.process_time() - start) / 1e6

    def share(self) -> float:
        """The part of a core that they take in real time."""
        cpu, wall = time.process_time(), time.perf_counter()
        self._run(None, SECONDS)
        return (time.process_time() - cpu) / (time.perf_counter() - wall)


def lost_beside(engine, rounds: int, most: int = 2) -> tuple[float, list[float]]:
    """The busy guest's speed alone, in MIPS; and the parts of it that 1 to `most` idle guests beside it take."""
    guests = Guests(engine, most)
    speeds = [[guests.speed(beside) for beside in range(most + 1)] for _ in range(TURNS * rounds)]
    return (median(alone for alone, *_ in speeds),
            [median(1 - each[beside] / each[0] for each in speeds) for beside in range(1, most + 1)])


def share_in_real_time(engine, rounds: int) -> float:
    """The part of a core that one idle guest takes with --realtime."""
    guests = Guests(engine, 1, busy="")
    guests.hypervisor.machine.follow_host_clock()
    guests.share()                              # it finds that it has slept
    return median(guests.share() for _ in range(rounds))
