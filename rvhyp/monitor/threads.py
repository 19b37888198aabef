"""Vcpus at the same time, each on a hart and a thread of the host: translated and interpreted code runs on all of them at once.

Python runs under one lock, the monitor's: exits, devices, SBI calls.  A thread lets go of it while its hart runs: it is *away*.
What others want to change there they ask for, and the thread does it when it is back; asking ends its quantum, so that takes no
longer than a slice (rvhyp.hart.interrupt, LOOK_PERIOD).

The first thread of the process looks at the host: terminal, networks, clocks, limits.
"""
from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rvhyp.hart.state import OFFSET
from rvhyp.machine.clock import TIMEBASE
from rvhyp.machine.console import Input, Link, wait_for_input
from rvhyp.machine.machine import Outcome, Watch
from rvhyp.machine.turns import retired
from rvhyp.monitor.pcpu import QUANTUM_END, Pcpu, Run
from rvhyp.monitor.vcpu import ASLEEP, NEVER, State, Vcpu

if TYPE_CHECKING:
    from rvhyp.monitor.hypervisor import Hypervisor

QUANTUM = 200_000               # instructions between two looks at what a hart does
BUSY_SLEEP = 0.005              # seconds between two looks at the host while a guest runs
PATIENCE = 1                    # seconds to wait for harts to stand still when the process is to end
STIMECMP, RUNNING = (OFFSET[name] // 8 for name in ("stimecmp", "running"))


class VcpuThread:
    """A vcpu, the hart it runs on, and what others want of it while it is away."""

    def __init__(self, threads: Threads, vcpu: Vcpu, number: int):
        self._threads, self.vcpu = threads, vcpu
        machine = threads.hypervisor.machine
        away = tuple(map(self._away, machine.engine.bind_beside(machine.harts[number])))
        self.pcpu = threads.hypervisor.make_pcpu(number, lambda: away)
        self.is_away, self.requests = False, []
        vcpu.reach = self.reach

    def _away(self, function: Run) -> Run:
        """An entry of the engine that lets go of the lock, and serves requests afterwards."""
        lock = self._threads.lock

        def run() -> int:
            self.is_away = True
            lock.release()
            reason = function()
            lock.acquire()
            self.is_away = False
            if self.requests:
                self._serve()
            return reason
        return run

    def _serve(self) -> None:
        requests, self.requests = self.requests, []
        for request in requests:
            request()
        self._threads.served.notify_all()

    def reach(self, action: Callable[[], object]) -> None:
        """Do something with the hart or with what is loaded there: now, or as soon as it is back."""
        if self.is_away:
            self.requests.append(action)
            self.end_quantum()
        else:
            action()

    def end_quantum(self) -> None:
        """Let it be back soon, if it is away."""
        self.pcpu.hart.words[QUANTUM_END] = 0

    def body(self) -> None:
        """The thread: run the vcpu whenever it can, and sleep else."""
        threads, vcpu, machine = self._threads, self.vcpu, self._threads.hypervisor.machine
        with threads.lock:
            try:
                while not threads.is_over:
                    now = machine.now()
                    if vcpu.is_ready(now):
                        if vcpu.state is not State.STARTED:
                            vcpu.wake()
                        self.pcpu.run_vcpu(vcpu, self._begin, self._look)
                    else:
                        wake = vcpu.wake_at() if vcpu.state in ASLEEP else None
                        threads.woken.wait(None if wake is None else max(0, (wake - now) / TIMEBASE))
            except BaseException as error:
                threads.failure = threads.failure or error
            finally:
                threads.is_over = threads.is_over or threads.failure is not None

    def _begin(self) -> None:
        self.pcpu.hart.words[STIMECMP] = NEVER           # nobody else wants the hart

    def _look(self) -> bool:
        """Between two quanta: whether to go on."""
        hart, engine = self.pcpu.hart, self._threads.hypervisor.machine.engine
        if self._threads.is_over or self.vcpu.state is not State.STARTED:
            return False
        engine.tend(hart)
        hart.words[QUANTUM_END] = retired(hart) + QUANTUM
        return True


class Threads:
    """All vcpus of a hypervisor, and the loop of the first thread."""

    def __init__(self, hypervisor: Hypervisor, vcpus: Sequence[Vcpu]):
        self.hypervisor = hypervisor
        self.lock = threading.Lock()
        self.served = threading.Condition(self.lock)        # a thread is back and has done what was asked
        self.woken = threading.Condition(self.lock)         # a vcpu may be ready, or all is over
        self.is_over, self.failure = False, None
        self._each = [VcpuThread(self, vcpu, number) for number, vcpu in enumerate(vcpus)]
        hypervisor.wait = self._wait
        self._running: list[threading.Thread] = []

    @property
    def pcpus(self) -> list[Pcpu]:
        return [each.pcpu for each in self._each]

    def on_harts(self, vcpus: Iterable[Vcpu], act: Callable[[int], object]) -> None:
        """Do something with the harts of some vcpus, by their addresses; afterwards it is done.  For a thread that is back."""
        wanted = set(vcpus)
        chosen = [each for each in self._each if each.vcpu in wanted]
        for each in chosen:
            each.reach(partial(act, each.pcpu.hart.address))
        while any(each.requests for each in chosen) and not self.is_over:
            self.served.wait()

    def give_way(self) -> None:
        """A vcpu waits for another: let other threads of the host run."""
        self.lock.release()
        os.sched_yield()
        self.lock.acquire()

    def wake(self) -> None:
        """A vcpu may be ready."""
        self.woken.notify_all()

    def _wait(self, sources: Iterable[Input | Link], seconds: float) -> None:
        """Sleep so long, or until the host has something."""
        self.lock.release()
        try:
            wait_for_input(sources, seconds)
        finally:
            self.lock.acquire()

    # The first thread.

    def run(self, max_instructions: int | None, seconds: float | None) -> Outcome:
        """As `Hypervisor.run`; the limit of instructions is of all harts together, and looked at now and then."""
        hypervisor, watch = self.hypervisor, Watch(seconds)
        start, self.is_over = hypervisor.machine.instret, False
        self._running = [threading.Thread(target=each.body, name=f"{each.vcpu.vm.name} {each.vcpu.number}", daemon=True)
                         for each in self._each]
        for thread in self._running:
            thread.start()
        try:
            with self.lock:
                while not self.is_over:
                    retired_now = hypervisor.machine.instret - start
                    watch.look(retired_now)
                    is_spent = max_instructions is not None and retired_now >= max_instructions
                    if ended := hypervisor.ended(watch.is_over, is_spent):
                        return ended
                    self._look()
        finally:
            self._end()
        raise self.failure

    def _look(self) -> None:
        """Look after guests that must stop or start again, and after the host; then sleep."""
        hypervisor = self.hypervisor
        for each in self._each:
            if each.is_away and each.vcpu.state is not State.STARTED:
                each.end_quantum()
        for vm in hypervisor.vms:
            if vm.is_rebooting and not any(vcpu.hart for vcpu in vm.vcpus):
                hypervisor.reboot(vm)
                self.wake()
        hypervisor.look_outside()
        hypervisor.machine.ring()
        hypervisor.take_input()
        now = hypervisor.machine.now()
        if any(vcpu.hart or vcpu.is_ready(now) for vcpu in hypervisor.vcpus):
            self._wait(hypervisor.sources(), BUSY_SLEEP)
        elif not hypervisor.is_done:
            hypervisor.idle()

    def _end(self) -> None:
        """No thread goes on; each has left its guest where it was."""
        with self.lock:
            self.is_over = True
            for each in self._each:
                each.end_quantum()
            self.woken.notify_all()
            self.served.notify_all()
            self.hypervisor.machine.engine.rest()
        for thread in self._running:
            thread.join()
        self._running = []

    def stand_still(self) -> None:
        """The process is about to end, maybe in the middle of `run`: no hart runs any more, and no thread comes back."""
        if self._running:
            self.is_over, end = True, time.monotonic() + PATIENCE
            while any(each.pcpu.hart.words[RUNNING] for each in self._each) and time.monotonic() < end:
                for each in self._each:
                    each.end_quantum()
                time.sleep(0.001)
            self.lock.acquire(timeout=0.1)              # this thread may hold it
        for each in self._each:
            each.pcpu.leave_guest()
