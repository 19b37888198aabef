"""What one trap costs: into HS, where the monitor handles it in Python, and within the guest."""
from __future__ import annotations

import time
from typing import NamedTuple

from rvhyp.bench.peers import Peer
from rvhyp.bench.programs import Engines, costs_of_iteration

TURNS = 200_000


class Loop(NamedTuple):
    """A guest that does nothing but trap `turns` times; `cause` is the name under which the monitor counts that."""

    name: str
    source: str
    turns: int
    cause: str = ""
    has_python: bool = True             # whether Python serves it, if the monitor counts it


END = """
    addi s0, s0, -1
    bnez s0, 1b
    li a7, 8
    ecall
"""
LOOPS = (
    Loop("SBI call, Python monitor", """
_start: li s0, TURNS
1:  li a7, 0x10
    li a6, 0
    ecall
""" + END, TURNS, "ecall from VS-mode"),
    Loop("SBI set_timer, the monitor's stub", """
_start: li s0, TURNS
1:  li a7, 0x54494D45
    li a6, 0
    li a0, -1
    ecall
""" + END, 10 * TURNS, "ecall from VS-mode", has_python=False),
    Loop("device load, Python monitor", """
_start: li s0, TURNS
    li t0, 0x10000007           # SCR of the UART
1:  lbu t1, 0(t0)
""" + END, TURNS, "load guest-page fault"),
    Loop("EBREAK, VS to VS, assembly handler", """
_start: li s0, TURNS
    la t0, trap
    csrw stvec, t0
1:  ebreak
""" + END + """
    .balign 4
trap:
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    sret
""", 20 * TURNS),
)


def measure(loop: Loop, engine) -> float:
    """Microseconds of CPU time for one turn."""
    from rvhyp import Hypervisor, VmConfig, assemble, load
    program = load(assemble(loop.source.replace("TURNS", str(loop.turns)), 0x8020_0000).to_elf(), "loop")
    hypervisor = Hypervisor([VmConfig("loop", program, 16 << 20)], engine)
    cpu = time.process_time()
    outcome = hypervisor.run()
    cpu = time.process_time() - cpu
    vm = hypervisor.vms[0]
    exits = vm.exits
    assert outcome.status == 0 and (not loop.cause or exits[loop.cause] >= loop.turns), exits
    assert (vm.served >= loop.turns) != loop.has_python, vm.served
    assert loop.cause or int(hypervisor.hart.traps) >= loop.turns
    return cpu / loop.turns * 1e6


class Program(NamedTuple):
    """A program for the bare board that does nothing but trap, once in an iteration."""

    name: str
    program: str


PROGRAMS = (
    Program("ECALL, VS to HS and back, assembly handler", "trap-hs"),
    Program("ECALL, VU to VS and back, assembly handler", "trap-vs"),
)


def measure_program(program: Program, turns: int, rounds: int, engines: Engines, peers: list[Peer]) -> dict[str, float]:
    """Microseconds of CPU time for one turn, by runner."""
    costs, = costs_of_iteration(program.program, [{}], turns, rounds, engines, peers)
    return {runner: cost * 1e6 for runner, cost in costs.items()}
