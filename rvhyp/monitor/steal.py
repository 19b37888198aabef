"""Stolen time of a vcpu, as the guest reads it in memory it shares (SBI specification, "STA Shared Memory Structure")."""
from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rvhyp.machine.clock import TICK

if TYPE_CHECKING:
    from rvhyp.monitor.vm import GuestMemory

SIZE = 64                               # bytes of the structure, and its alignment
LAYOUT = struct.Struct("<IIQB")         # sequence, flags, steal, preempted
PREEMPTED = 16                          # where preempted is


class StealTime:
    """What has been stolen since the guest gave `gpa`, in nanoseconds of virtual time; written while the vcpu does not run."""

    def __init__(self, memory: GuestMemory, gpa: int):
        self._memory, self._gpa = memory, gpa
        self._sequence = self.nanoseconds = 0

    def goes(self) -> None:
        """The vcpu must leave its hart, though it could go on."""
        self._memory.write(self._gpa + PREEMPTED, b"\1")

    def comes(self, ticks: int) -> None:
        """The vcpu is about to run; it had to wait for so many ticks.  The odd sequence number in between is seen by nobody."""
        self.nanoseconds += ticks * TICK
        self._sequence = self._sequence + 2 & 0xFFFF_FFFF
        self._memory.write(self._gpa, LAYOUT.pack(self._sequence, 0, self.nanoseconds & (1 << 64) - 1, 0))
