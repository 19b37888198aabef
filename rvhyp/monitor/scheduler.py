"""Which vcpu runs next: round robin over those that can, one time slice each."""
from __future__ import annotations

from collections.abc import Iterable

from rvhyp.monitor.vcpu import ASLEEP, State, Vcpu

SLICE = 10_000                          # ticks: one millisecond of the timebase


class RoundRobin:
    """Vcpus in a fixed order; the one after the last that ran comes first."""

    def __init__(self):
        self._last: Vcpu | None = None

    def next(self, vcpus: list[Vcpu], now: int) -> Vcpu | None:
        """A vcpu that can run at `now`; waking those whose interrupt has come.  None if all wait or have stopped."""
        start = vcpus.index(self._last) + 1 if self._last in vcpus else 0
        for vcpu in vcpus[start:] + vcpus[:start]:
            if vcpu.is_ready(now):
                if vcpu.state is not State.STARTED:
                    vcpu.wake()
                self._last = vcpu
                return vcpu
        return None


def next_wake(vcpus: Iterable[Vcpu]) -> int | None:
    """The earliest tick at which the timer of a waiting vcpu wakes it; None if no timer is set."""
    ticks = [vcpu.wake_at() for vcpu in vcpus if vcpu.state in ASLEEP]
    return min((tick for tick in ticks if tick is not None), default=None)
