"""Our benchmark programs: retired instructions per second in steady state, and of whole processes beside the peers."""
from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
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

OURS, INTERPRETED = "rvhyp translator", "rvhyp interpreter"
WARM_CACHE, COLD_CACHE = "warm", "cold"
WARM, WARM_UPS = 0.95, 10               # runs before the first that counts: until so much of one is translated, but not more
QUIET = 2                               # ... and nothing is, in so many runs


class Engines(NamedTuple):
    """Ours; `counting` is a translator whose code counts the instructions that it retires."""

    translator: Translator
    interpreter: Interpreter
    counting: Translator


@dataclass
class Measurement:
    """One program on one simulator: what each run cost, as a whole process and in steady state (without its start)."""

    program: str
    runner: str
    cache: str                          # of translated code: "warm" or "cold"; "" for those that have none
    instructions: int
    command: list[str]
    whole: list[Cost] = field(default_factory=list)
    steady: list[Cost] = field(default_factory=list)
    translated: float | None = None     # the part of its instructions that retired in translated code, in steady state

    def mips(self, runs: str, clock: str = "cpu") -> float:
        """Median million instructions per second of `runs` ("whole" or "steady"), by the "cpu" or "wall" clock; not a number if
        they took no time that could be told from the start's."""
        seconds = median(getattr(cost, clock) for cost in getattr(self, runs))
        return self.instructions / seconds / 1e6 if seconds > 0 else float("nan")


def with_words(name: str, **words: int) -> bytes:
    """The ELF of a program of ours with other numbers at some of its symbols."""
    import firmware
    from rvhyp.machine.loader import load
    original = firmware.load(name)
    data, image = bytearray(original), load(original, name)
    for symbol, value in words.items():
        at = image.symbols.get(symbol)
        segment = next((each for each in image.segments if at is not None and each.holds(at)), None)
        if segment is None:
            raise BadInput(f"has no symbol `{symbol}` in a segment", name)
        start = original.index(segment.data) + at - segment.va
        data[start:start + 8] = value.to_bytes(8, "little")
    return bytes(data)


def run_here(elf: bytes, name: str, engine) -> tuple[Cost, int]:
    """Run on a board in this process; what it cost without loading anything, and the instructions."""
    cost, board = _run_here(elf, name, engine)
    return cost, board.machine.instret


def _run_here(elf: bytes, name: str, engine):
    from rvhyp.machine.board import Board
    from rvhyp.machine.loader import load
    board = Board(engine=engine)
    board.load(load(elf, name))
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = board.run()
    cost = Cost(time.perf_counter() - wall, time.process_time() - cpu)
    if outcome.ended is not Ended.EXIT or outcome.status:
        raise BadInput(f"did not pass its own check: {outcome}", name)
    return cost, board


def iterations_for(name: str, wanted: int, engine) -> int:
    """How often a benchmark repeats its work in about so many instructions."""
    one, two = (run_here(with_words(name, iterations=count), name, engine)[1] for count in (1, 2))
    return max(1, wanted // (two - one))


def translated_part(elf: bytes, name: str, engine) -> float:
    """Of the instructions of a run here, the part that retired in translated code, which counts them."""
    warm_up(elf, name, engine)
    machine = _run_here(elf, name, engine)[1].machine
    return int(machine.hart.translated_retired) / machine.instret


def warm_up(elf: bytes, name: str, engine) -> None:
    """Run until nearly all is translated and nothing new is, or as often as there is hope."""
    quiet = 0
    for _ in range(WARM_UPS):
        made, looks, translated = engine.made, engine.looks, engine.translated_looks
        run_here(elf, name, engine)
        is_warm = engine.translated_looks - translated >= WARM * (engine.looks - looks)
        quiet = quiet + 1 if is_warm and engine.made == made else 0
        if quiet == QUIET:
            break


def measure(name: str, wanted: int, rounds: int, engines: Engines, peers: list[Peer]) -> list[Measurement]:
    """One benchmark on everything, in turn: ours in this process and as a process, each peer as a process.

    Steady state is without start, and behind runs in which the translator has come to rest.  A peer's is a run less one of a
    single iteration, which is nearly all start.
    """
    elf = with_words(name, iterations=iterations_for(name, wanted, engines.interpreter))
    _, count = run_here(elf, name, engines.interpreter)
    warm_up(elf, name, engines.translator)
    with tempfile.TemporaryDirectory() as folder:
        path, short = Path(folder) / f"{name}.elf", Path(folder) / "short.elf"
        path.write_bytes(elf)
        short.write_bytes(with_words(name, iterations=1))
        command = [*RVHYP, "bare", "--engine"]
        ours, cold = (Measurement(name, OURS, cache, count, [*command, "translator", path.name])
                      for cache in (WARM_CACHE, COLD_CACHE))
        interpreted = Measurement(name, INTERPRETED, "", count, [*command, "interpreter", path.name])
        others = [Measurement(name, peer.name, "", count, peer.command(path.name)) for peer in peers]
        for _ in range(rounds):
            ours.steady.append(run_here(elf, name, engines.translator)[0])
            interpreted.steady.append(run_here(elf, name, engines.interpreter)[0])
            for each in (ours, interpreted):
                each.whole.append(process.run([*each.command[:-1], str(path)]))
            with process.cold_cache() as environment:
                cold.whole.append(process.run([*cold.command[:-1], str(path)], environment))
            for peer, other in zip(peers, others, strict=True):
                whole, start = (process.run(peer.command(str(each))) for each in (path, short))
                other.whole.append(whole)
                other.steady.append(Cost(whole.wall - start.wall, whole.cpu - start.cpu))
    ours.translated = translated_part(elf, name, engines.counting)
    return [ours, cold, interpreted, *others]


def costs_of_iteration(name: str, variants: list[dict[str, int]], iterations: int, rounds: int, engines: Engines,
                       peers: list[Peer]) -> list[dict[str, float]]:
    """Seconds of CPU time of one iteration, by runner, for each variant; medians of the rounds.

    That is a run less one of a single iteration; `iterations` are at least 2.  A variant gives other numbers to symbols of the
    program, and in each round all are run in turn.
    """
    runners = {OURS: partial(_cost_here, name, engines.translator), INTERPRETED: partial(_cost_here, name, engines.interpreter),
               **{peer.name: partial(_cost_of_peer, peer) for peer in peers}}
    found: list[dict[str, list[float]]] = [{} for _ in variants]
    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for number, words in enumerate(variants):
            pairs.append([Path(folder) / f"{name}-{number}-{count}.elf" for count in (iterations, 1)])
            for path, count in zip(pairs[-1], (iterations, 1), strict=True):
                path.write_bytes(with_words(name, iterations=count, **words))
            warm_up(pairs[-1][0].read_bytes(), name, engines.translator)
        for _ in range(rounds):
            for runner, cost in runners.items():
                for costs, (path, short) in zip(found, pairs, strict=True):
                    costs.setdefault(runner, []).append(cost(path) - cost(short))
    return [{runner: median(each) / (iterations - 1) for runner, each in costs.items()} for costs in found]


def _cost_here(name: str, engine, path: Path) -> float:
    return run_here(path.read_bytes(), name, engine)[0].cpu


def _cost_of_peer(peer: Peer, path: Path) -> float:
    return process.run(peer.command(str(path))).cpu
