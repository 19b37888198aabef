"""The Supervisor Binary Interface: what a guest may ask of the monitor by ECALL (RISC-V SBI specification, version 3.0).

One file for each extension.  A function is registered by extension and function id and takes its vcpu's call; it returns an
error, or (error, value).  Unknown ones are answered with NOT_SUPPORTED; so are extensions that are not here: CPPC, NACL, SSE,
DBTR, MPXY.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vcpu import Vcpu

SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM, DENIED, INVALID_ADDRESS = 0, -1, -2, -3, -4, -5
ALREADY_AVAILABLE, ALREADY_STARTED, ALREADY_STOPPED, NO_SHMEM, DENIED_LOCKED = -6, -7, -8, -9, -14
ALL_HARTS = ALL_ONES = (1 << 64) - 1


class Call:
    """The call being made on a hart: the hypervisor, the calling vcpu (loaded on its hart), and a0 to a5."""

    __slots__ = ("hypervisor", "vcpu")

    def __init__(self, hypervisor: Hypervisor):
        self.hypervisor = hypervisor

    @property
    def arguments(self) -> list[int]:
        """a0 to a5."""
        return self.vcpu.hart.words[10:16].tolist()

    @property
    def vm(self):
        return self.vcpu.vm

    def is_ram(self, low: int, high: int, size: int) -> bool:
        """Whether a range of physical memory (section "Shared memory physical address range parameter") is the guest's RAM."""
        return high == 0 and self.vm.memory.contains(low, size)

    def is_code(self, address: int) -> bool:
        """Whether a hart can start there."""
        return address % 2 == 0 and self.vm.memory.contains(address, 2)

    def others(self, vcpus: list[Vcpu]) -> list[Vcpu]:
        """Those of them that are not the caller."""
        return [vcpu for vcpu in vcpus if vcpu is not self.vcpu]

    def harts(self, mask: int, first: int) -> list[Vcpu] | None:
        """The vcpus of a hart mask; None if it names one that does not exist."""
        vcpus = self.vm.vcpus
        if first == ALL_HARTS:
            return vcpus
        numbers = [first + bit for bit in range(64) if mask >> bit & 1]
        return [vcpus[n] for n in numbers] if all(n < len(vcpus) for n in numbers) else None


Result = int | tuple[int, int]
FUNCTIONS: dict[tuple[int, int], Callable[[Call], Result]] = {}
LEGACY: dict[int, Callable[[Call], int]] = {}
LEGACY_SPACE = range(16)            # extension ids of version 0.1, which return nothing in a1
EXTENSIONS: dict[int, tuple[str, str]] = {}
WORD = 0xFFFF_FFFF                  # ids are 32-bit values, however they are extended


def extension(eid: int, name: str, title: str) -> int:
    """Register an extension: its id, its short name, and the title of its chapter."""
    EXTENSIONS[eid] = name, title
    return eid


def name_of(eid: int, fid: int) -> str:
    """A call as people name it, "HSM hart_start"; in numbers if it is none of ours."""
    eid, fid = eid & WORD, fid & WORD
    if eid in LEGACY:
        return f"legacy {LEGACY[eid].__name__}"
    name = EXTENSIONS[eid][0] if eid in EXTENSIONS else f"{eid:#x}"
    return f"{name} {FUNCTIONS[eid, fid].__name__ if (eid, fid) in FUNCTIONS else fid}"


def function(eid: int, fid: int):
    """Register an SBI function."""
    def register(body):
        FUNCTIONS[eid, fid] = body
        return body
    return register


def legacy(eid: int):
    """Register a legacy (v0.1) call: one number, one result, a1 preserved."""
    def register(body):
        LEGACY[eid] = body
        return body
    return register


def call(made: Call, vcpu: Vcpu, eid: int, fid: int) -> tuple[int, int | None]:
    """Perform a call of a vcpu: the new a0, and a1 (None: leave it as it is)."""
    made.vcpu = vcpu
    body = FUNCTIONS.get((eid & WORD, fid & WORD))
    if body is not None:
        result = body(made)
        return result if isinstance(result, tuple) else (result, 0)
    if old := LEGACY.get(eid & WORD):
        return old(made), None
    return NOT_SUPPORTED, None if eid & WORD in LEGACY_SPACE else 0


def extension_exists(eid: int) -> bool:
    """Whether any function of an extension is here."""
    return eid & WORD in LEGACY or eid & WORD in EXTENSIONS


from rvhyp.monitor.sbi import (  # noqa: E402, F401
    base,
    dbcn,
    fwft,
    hsm,
    ipi,
    legacy_calls,
    pmu,
    rfence,
    srst,
    sta,
    susp,
    time,
)
