"""The Supervisor Binary Interface: what a guest may ask of the monitor by ECALL (RISC-V SBI specification, version 2.0).

One file for each extension.  A function is registered by extension and function id and takes its vcpu's call; it returns an error, or
(error, value).  Unknown ones are answered with NOT_SUPPORTED.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vcpu import Vcpu

SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM, DENIED, INVALID_ADDRESS = 0, -1, -2, -3, -4, -5
ALREADY_AVAILABLE, ALREADY_STARTED, ALREADY_STOPPED = -6, -7, -8
ALL_HARTS = (1 << 64) - 1


class Call:
    """One call: the hypervisor, the calling vcpu, and a0 to a5."""

    __slots__ = ("arguments", "hypervisor", "vcpu")

    def __init__(self, hypervisor: Hypervisor, vcpu: Vcpu, arguments: list[int]):
        self.hypervisor, self.vcpu, self.arguments = hypervisor, vcpu, arguments

    @property
    def vm(self):
        return self.vcpu.vm

    def harts(self, mask: int, base: int) -> list[Vcpu] | None:
        """The vcpus of a hart mask; None if it names one that does not exist."""
        vcpus = self.vm.vcpus
        if base == ALL_HARTS:
            return vcpus
        numbers = [base + bit for bit in range(64) if mask >> bit & 1]
        return [vcpus[n] for n in numbers] if all(n < len(vcpus) for n in numbers) else None


Result = int | tuple[int, int]
FUNCTIONS: dict[int, dict[int, Callable[[Call], Result]]] = {}
LEGACY: dict[int, Callable[[Call], int]] = {}


def function(eid: int, fid: int):
    """Register an SBI function."""
    def register(body):
        FUNCTIONS.setdefault(eid, {})[fid] = body
        return body
    return register


def legacy(eid: int):
    """Register a legacy (v0.1) call: one number, one result, a1 preserved."""
    def register(body):
        LEGACY[eid] = body
        return body
    return register


def signed32(value: int) -> int:
    """Ids are 32-bit signed values, however they are extended."""
    return (value & 0xFFFF_FFFF) - ((value & 0x8000_0000) << 1)


def call(hypervisor: Hypervisor, vcpu: Vcpu, eid: int, fid: int, arguments: list[int]) -> tuple[int, int | None]:
    """Perform a call: a0, and a1 (None: leave it as it is)."""
    eid = signed32(eid)
    if old := LEGACY.get(eid):
        return old(Call(hypervisor, vcpu, arguments)), None
    body = FUNCTIONS.get(eid, {}).get(signed32(fid))
    if body is None:
        return NOT_SUPPORTED, 0
    result = body(Call(hypervisor, vcpu, arguments))
    return result if isinstance(result, tuple) else (result, 0)


def extension_exists(eid: int) -> bool:
    return signed32(eid) in FUNCTIONS or signed32(eid) in LEGACY


from rvhyp.monitor.sbi import base, dbcn, hsm, ipi, legacy_calls, rfence, srst, time  # noqa: E402, F401
