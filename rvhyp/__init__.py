"""A RISC-V hypervisor in Python: guests in VS-mode under a scriptable HS-mode monitor, on a compiled RV64 core with H.

    from rvhyp import Hypervisor, VmConfig, load

    hypervisor = Hypervisor([VmConfig("guest", load("guest.elf"), output=print)])
    hypervisor.hooks.append(lambda vcpu, leaving: print(leaving.name, hex(leaving.pc)))
    print(hypervisor.run().status)
"""
from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False       # type checkers know the name; importing typing for it would take longer than all else here
if TYPE_CHECKING:
    from rvhyp.engine import make_engine
    from rvhyp.isa.text import assemble, disassemble
    from rvhyp.machine.board import Board
    from rvhyp.machine.errors import BadInput
    from rvhyp.machine.loader import Program, load
    from rvhyp.machine.machine import Ended, Outcome
    from rvhyp.monitor.exits import (
        Exit,
        GuestException,
        GuestPageFault,
        HsInterrupt,
        VirtualInstruction,
        VsEcall,
    )
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vcpu import Vcpu
    from rvhyp.monitor.vm import Vm, VmConfig

_HOME = {
    "make_engine": "rvhyp.engine",
    "assemble": "rvhyp.isa.text", "disassemble": "rvhyp.isa.text",
    "Board": "rvhyp.machine.board",
    "BadInput": "rvhyp.machine.errors",
    "Program": "rvhyp.machine.loader", "load": "rvhyp.machine.loader",
    "Ended": "rvhyp.machine.machine", "Outcome": "rvhyp.machine.machine",
    **dict.fromkeys(("Exit", "GuestException", "GuestPageFault", "HsInterrupt", "VirtualInstruction", "VsEcall"),
                    "rvhyp.monitor.exits"),
    "Hypervisor": "rvhyp.monitor.hypervisor",
    "Vcpu": "rvhyp.monitor.vcpu",
    "Vm": "rvhyp.monitor.vm", "VmConfig": "rvhyp.monitor.vm",
}
__all__ = [
    "BadInput", "Board", "Ended", "Exit", "GuestException", "GuestPageFault", "HsInterrupt", "Hypervisor", "Outcome", "Program",
    "Vcpu", "VirtualInstruction", "Vm", "VmConfig", "VsEcall", "__version__", "assemble", "disassemble", "load", "make_engine",
]


def __getattr__(name: str):
    """Import a public name when it is first used: a command line that needs one part does not load the others."""
    if name not in _HOME:
        raise AttributeError(f"module 'rvhyp' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
