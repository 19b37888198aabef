"""Our benchmark programs: retired instructions per second in steady state, and of whole processes beside the peers."""
from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from rvhyp.bench import process
from rvhyp.bench.peers import Peer
from rvhyp.bench.process import RVHYP, Cost
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended

if TYPE_CHECKING:
    from rvhyp.engine.interpreter import Interpreter
    from rvhyp.engine.translator.engine import Translator

OURS, INTERPRETED = "rvhyp", "rvhyp interpreter"
WARM, WARM_UPS = 0.95, 5                # runs before the first that counts: until so much of one is translated, but not more


class Engines(NamedTuple):
    """Ours."""

    translator: Translator
    interpreter: Interpreter


@dataclass
class Measurement:
    """One program on one simulator: what each run cost, as a whole process and in steady state (without its start)."""

    program: str
    runner: str
    instructions: int
    command: list[str]
    whole: list[Cost] = field(default_factory=list)
    steady: list[Cost] = field(default_factory=list)
    translated: float | None = None     # the part of its instructions that ran translated, in steady state, as looks tell

    def mips(self, runs: str, clock: str = "cpu") -> float:
        """Median million instructions per second of `runs` ("whole" or "steady"), by the "cpu" or "wall" clock."""
        return self.instructions / median(getattr(cost, clock) for cost in getattr(self, runs)) / 1e6


def with_iterations(name: str, iterations: int) -> bytes:
    """The ELF of a benchmark that repeats its work so often."""
    import firmware
    from rvhyp.machine.loader import load
    data = bytearray(firmware.load(name))
    image = load(bytes(data), name)
    at = image.symbols["iterations"]
    for segment in image.segments:
        if segment.holds(at):
            start = data.index(segment.data) + at - segment.va
            data[start:start + 8] = iterations.to_bytes(8, "little")
            return bytes(data)
    raise BadInput("has no symbol `iterations` in a segment", name)


def run_here(elf: bytes, name: str, engine) -> tuple[Cost, int]:
    """Run on a board in this process; what it cost without loading anything, and the instructions."""
    from rvhyp.machine.board import Board
    from rvhyp.machine.loader import load
    board = Board(engine=engine)
    board.load(load(elf, name))
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = board.run()
    cost = Cost(time.perf_counter() - wall, time.process_time() - cpu)
    if outcome.ended is not Ended.EXIT or outcome.status:
        raise BadInput(f"did not pass its own check: {outcome}", name)
    return cost, board.machine.instret


def iterations_for(name: str, wanted: int, engine) -> int:
    """How often a benchmark repeats its work in about so many instructions."""
    one, two = (run_here(with_iterations(name, count), name, engine)[1] for count in (1, 2))
    return max(1, wanted // (two - one))


def translated_part(elf: bytes, name: str, engine) -> tuple[Cost, float]:
    """A run here: its cost, and the part of its instructions that ran translated, as far as looks at the hart can tell."""
    looks, translated = engine.looks, engine.translated_looks
    cost, _ = run_here(elf, name, engine)
    return cost, (engine.translated_looks - translated) / max(1, engine.looks - looks)


def measure(name: str, wanted: int, rounds: int, engines: Engines, peers: list[Peer]) -> list[Measurement]:
    """One benchmark on everything, in turn: ours in this process and as a process, each peer as a process.

    Steady state is without start, and behind runs in which the translator has come to rest.  A peer's is a run less one of a
    single iteration, which is nearly all start.
    """
    elf = with_iterations(name, iterations_for(name, wanted, engines.interpreter))
    _, count = run_here(elf, name, engines.interpreter)
    for _ in range(WARM_UPS):
        if translated_part(elf, name, engines.translator)[1] >= WARM:
            break
    with tempfile.TemporaryDirectory() as folder:
        path, short = Path(folder) / f"{name}.elf", Path(folder) / "short.elf"
        path.write_bytes(elf)
        short.write_bytes(with_iterations(name, 1))
        ours = Measurement(name, OURS, count, [*RVHYP, "bare", path.name])
        interpreted = Measurement(name, INTERPRETED, count, [*RVHYP, "bare", "--engine", "interpreter", path.name])
        others = [Measurement(name, peer.name, count, peer.command(path.name)) for peer in peers]
        shares = []
        for _ in range(rounds):
            cost, share = translated_part(elf, name, engines.translator)
            ours.steady.append(cost)
            shares.append(share)
            interpreted.steady.append(run_here(elf, name, engines.interpreter)[0])
            for each in (ours, interpreted):
                each.whole.append(process.run([*each.command[:-1], str(path)]))
            for peer, other in zip(peers, others, strict=True):
                whole, start = (process.run(peer.command(str(each))) for each in (path, short))
                other.whole.append(whole)
                other.steady.append(Cost(whole.wall - start.wall, whole.cpu - start.cpu))
    ours.translated = median(shares)
    return [ours, interpreted, *others]
