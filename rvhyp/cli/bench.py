"""rvhyp bench: our benchmark programs on our engines, beside Spike where it is installed."""
from __future__ import annotations

import hashlib
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import click

from rvhyp.cli.common import guarded, plain_table, say, start_engine, write_json
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended

CALIBRATE = 2                   # iterations of a first run, from which the number for the wanted instructions follows
EXITS = 200_000


@dataclass
class Measurement:
    """One program on one runner: seconds of each run, and what ran."""

    program: str
    runner: str
    instructions: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def mips(self) -> float:
        """Median million instructions per CPU second."""
        return self.instructions / statistics.median(self.cpu) / 1e6


def patched(program, iterations: int) -> bytes:
    """The ELF of a benchmark with another number of iterations."""
    import firmware
    data = bytearray(firmware.load(program.name))
    from rvhyp.machine.loader import load
    image = load(bytes(data), program.name)
    at = image.symbols["iterations"]
    for segment in image.segments:
        if segment.holds(at):
            start = data.index(segment.data) + at - segment.va
            data[start:start + 8] = iterations.to_bytes(8, "little")
            return bytes(data)
    raise BadInput("has no symbol `iterations` in a segment", program.name)


def run_ours(elf: bytes, name: str, engine) -> tuple[float, float, int]:
    """Wall and CPU seconds in steady state (a loaded engine), and instructions."""
    from rvhyp.machine.board import Board
    from rvhyp.machine.loader import load
    board = Board(engine=engine)
    board.load(load(elf, name))
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = board.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if outcome.ended is not Ended.EXIT or outcome.status:
        raise BadInput(f"did not pass its own check: {outcome}", name)
    return wall, cpu, board.machine.instret


def run_process(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a whole process."""
    before, wall = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    wall, after = time.perf_counter() - wall, getrusage(RUSAGE_CHILDREN)
    if result.returncode:
        raise BadInput(f"{command[0]} failed: {result.stderr.decode(errors='replace').strip()[:200]}", command[-1])
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spike_command() -> list[str] | None:
    """How to run Spike, if it works here (it needs dtc)."""
    spike = shutil.which("spike")
    return [spike, "--isa=rv64gc_zicntr"] if spike and shutil.which("dtc") else None


def measure_program(program, wanted: int, rounds: int, engine, peers: dict[str, list[str]]) -> list[Measurement]:
    """One benchmark: ours in steady state, and as whole processes ours and each peer, in turn."""
    import sys
    *_, small = run_ours(patched(program, CALIBRATE), program.name, engine)
    *_, smaller = run_ours(patched(program, 1), program.name, engine)
    iterations = max(1, wanted // max(1, small - smaller))
    elf = patched(program, iterations)
    *_, count = run_ours(elf, program.name, engine)
    steady = Measurement(program.name, "interpreter, steady", count)
    commands = {"interpreter, process": [sys.executable, "-m", "rvhyp", "bare"], **peers}
    processes = {name: Measurement(program.name, name, count) for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{program.name}.elf"
        path.write_bytes(elf)
        for _ in range(rounds):
            wall, cpu, _ = run_ours(elf, program.name, engine)
            steady.wall.append(wall)
            steady.cpu.append(cpu)
            for name, command in commands.items():
                wall, cpu = run_process([*command, str(path)])
                processes[name].wall.append(wall)
                processes[name].cpu.append(cpu)
    return [steady, *processes.values()]


def measure_exit(source: str, engine) -> float:
    """Microseconds of CPU for one exit of a guest that does nothing else."""
    from rvhyp import Hypervisor, VmConfig, assemble, load
    program = load(assemble(source.replace("EXITS", str(EXITS)), 0x8020_0000).to_elf(), "exits")
    hypervisor = Hypervisor([VmConfig("exits", program, 16 << 20)], engine)
    cpu = time.process_time()
    hypervisor.run()
    cpu = time.process_time() - cpu
    assert sum(hypervisor.vms[0].exits.values()) >= EXITS
    return cpu / EXITS * 1e6


SBI_LOOP = """
_start: li s0, EXITS
1:  li a7, 0x10
    li a6, 0
    ecall
    addi s0, s0, -1
    bnez s0, 1b
    li a7, 8
    ecall
"""
MMIO_LOOP = """
_start: li s0, EXITS
    li t0, 0x10000000
1:  lbu t1, 7(t0)
    addi s0, s0, -1
    bnez s0, 1b
    li a7, 8
    ecall
"""
VS_TRAP_LOOP = """
_start: li s0, EXITS
    la t0, trap
    csrw stvec, t0
1:  ebreak
    addi s0, s0, -1
    bnez s0, 1b
    li a7, 8
    ecall
    .balign 4
trap:
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    sret
"""


def measure_traps(engine) -> dict[str, float]:
    """Microseconds of one trap and back."""
    from rvhyp import Hypervisor, VmConfig, assemble, load
    result = {"SBI call, Python monitor": measure_exit(SBI_LOOP, engine),
              "device load, Python monitor": measure_exit(MMIO_LOOP, engine)}
    count = EXITS * 20
    program = load(assemble(VS_TRAP_LOOP.replace("EXITS", str(count)), 0x8020_0000).to_elf(), "traps")
    hypervisor = Hypervisor([VmConfig("traps", program, 16 << 20)], engine)
    cpu = time.process_time()
    hypervisor.run()
    result["EBREAK, VS to VS, assembly handler"] = (time.process_time() - cpu) / count * 1e6
    return result


def ratio(measurements: list[Measurement], program: str, of: str, to: str) -> str:
    """How many times faster one runner is than another."""
    by_runner = {m.runner: m for m in measurements if m.program == program}
    if of not in by_runner or to not in by_runner:
        return "-"
    return f"{by_runner[of].mips / by_runner[to].mips:.2f}x"


def document(measurements, traps, rounds) -> dict:
    """Everything, for programs."""
    import firmware
    return {
        "rounds": rounds, "traps_us": traps,
        "programs": [{"program": m.program, "runner": m.runner, "instructions": m.instructions, "wall_s": m.wall, "cpu_s": m.cpu,
                      "mips": m.mips, "sha256": hashlib.sha256(firmware.load(m.program)).hexdigest()} for m in measurements],
    }


@click.command()
@click.argument("programs", nargs=-1, metavar="[PROGRAM...]")
@click.option("--instructions", type=click.IntRange(1_000_000), default=1_000_000_000, show_default=True, metavar="N",
              help="About how many instructions each program runs.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N", help="Runs; medians are shown.")
@click.option("--json", "json_path", metavar="FILE", help="Write everything measured as JSON; - is stdout.")
@guarded
def bench(programs, instructions, rounds, json_path):
    """Measure our benchmark programs, each of which checks its own result, and traps.

    MIPS are medians of retired instructions per CPU second: in steady state, and as a whole process with a warm cache. Where
    Spike (and dtc) are installed, they run the same files in the same rounds.
    """
    import firmware
    known = {name: firmware.find(name) for name in firmware.names() if firmware.find(name).is_benchmark}
    for name in programs:
        if name not in known:
            raise BadInput("is no benchmark program", name, f"there are {', '.join(known)}")
    engine = start_engine("interpreter")
    spike = spike_command()
    peers = {"spike, process": spike} if spike else {}
    if not spike:
        say("spike or dtc is not installed: no comparison")
    measurements: list[Measurement] = []
    for name in programs or known:
        say(f"{name} ...")
        measurements += measure_program(known[name], instructions, rounds, engine, peers)
    traps = measure_traps(engine)
    rows = []
    for name in dict.fromkeys(m.program for m in measurements):
        of = {m.runner: m for m in measurements if m.program == name}
        cells = [f"{of[r].mips:.0f}" if r in of else "-" for r in ("interpreter, steady", "interpreter, process", "spike, process")]
        rows.append([name, f"{of['interpreter, steady'].instructions / 1e6:.0f}", *cells,
                     ratio(measurements, name, "interpreter, steady", "spike, process"),
                     ratio(measurements, name, "interpreter, process", "spike, process")])
    click.echo(plain_table(["program", "M instructions", "MIPS steady", "MIPS process", "Spike", "steady/Spike", "process/Spike"], rows),
               err=json_path == "-")
    click.echo(plain_table(["trap and back", "us"], [[name, f"{value:.2f}"] for name, value in traps.items()]), err=json_path == "-")
    click.echo(f"peak memory {getrusage(RUSAGE_SELF).ru_maxrss >> 10} MiB; caches warm; CPU seconds, medians of {rounds}",
               err=json_path == "-")
    write_json(json_path, document(measurements, traps, rounds))
    return 0


