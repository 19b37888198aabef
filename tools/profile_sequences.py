#!/usr/bin/env python3
"""Finds the instruction sequences worth a superinstruction: samples real guests, records what they run, and chooses greedily.

    rvhyp guests prepare debian                             # and debian-sid, u-boot
    tools/profile_sequences.py > new.py && mv new.py rvhyp/engine/superinstructions.py

What is run is in RUNS, each with its weight.  Samples are taken at fixed counts of instructions in virtual time: the same guests
give the same list, whatever the host does meanwhile.  The versions of the guests stand at the head of the list.
"""
from __future__ import annotations

import argparse
import ctypes
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass

import firmware
from rvhyp.bench.linux import BOOT
from rvhyp.cli.opening import open_one
from rvhyp.engine.interpreter import Interpreter
from rvhyp.engine.superinstructions import SEQUENCES
from rvhyp.engine.tables import HANDLERS, LINK_FURTHEST
from rvhyp.guests.store import find
from rvhyp.hart.memory import HEADER_HOST
from rvhyp.hart.state import OFFSET, TLB_ENTRIES, Hart
from rvhyp.isa.decode import Decoded, decode
from rvhyp.isa.instruction import Kind
from rvhyp.machine.board import Board
from rvhyp.machine.loader import load
from rvhyp.machine.machine import Machine
from rvhyp.monitor.hypervisor import Hypervisor
from rvhyp.monitor.vm import VmConfig

COUNT = 1000                    # sequences
SAMPLES = 10_000                # of each run, about
LONGEST = 8                     # instructions in a sequence
PATH = 24                       # instructions recorded at most
AT_ONCE = 4                     # sequences chosen between two counts
ALONE = {Kind.SYSTEM, Kind.CSR, Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL}     # their handlers end in a rule
Sequence = tuple[str, ...]      # handlers by name, with links (rvhyp.engine.tables.split_links)
Step = tuple[str, int, int]     # a handler, and how many instructions before it rs1 and rs2 were computed (0: further away)
Path = tuple[Step, ...]         # instructions run one after the other, without a taken branch between them


@dataclass(frozen=True)
class Run:
    """What is sampled: how much it counts, and so many instructions of it."""

    weight: int
    instructions: int


GUESTS = {"debian": Run(12, 1_060_000_000), "debian-sid": Run(4, 1_060_000_000), "u-boot": Run(4, 60_000_000)}
BENCHMARKS = {name: Run(1, 60_000_000) for name in sorted(firmware.names()) if firmware.find(name).is_benchmark}
RUNS = GUESTS | BENCHMARKS

FILE = '''"""Superinstructions: sequences that run in one handler, found by profiling (tools/profile_sequences.py).

{runs}
"""

# Those that are not the beginning of a longer one, the best first.  What they begin with are sequences too.
LONGEST = """
{longest}
"""


def _sequences() -> list[tuple[str, ...]]:
    longest = [tuple(text.split("+")) for text in LONGEST.split()]
    return list(dict.fromkeys(each[:count] for each in longest for count in range(2, len(each) + 1)))


SEQUENCES: list[tuple[str, ...]] = _sequences()
'''


def decoded_at(read: Callable[[int], int | None], pc: int) -> Decoded | None:
    """The instruction at pc, if it may be part of a sequence."""
    bits = read(pc)
    decoded = None if bits is None else decode(bits)
    if decoded is None or decoded.instruction.kind in ALONE or decoded.instruction.guest:
        return None
    return decoded


def handler_name(decoded: Decoded, pc: int) -> str:
    """The interpreter's handler for an instruction at pc."""
    i, name = decoded.instruction, f"{decoded.instruction.name}.{decoded.length}"
    if i.kind in (Kind.BRANCH, Kind.JAL):
        target = pc + decoded.operands["offset"]
        return f"{name}.local" if target >> 12 == pc >> 12 else ""
    if i.has_rounding_mode:
        return f"{name}.dyn" if decoded.operands["rm"] == 7 else ""
    return name


def writes(decoded: Decoded) -> tuple[str, int] | None:
    """The register an instruction writes, if it is one that can be read."""
    for field, file in (("rd", "x"), ("fd", "f")):
        if field in decoded.operands:
            return (file, decoded.operands[field]) if file == "f" or decoded.operands[field] else None
    return None


def reads(decoded: Decoded, number: str) -> tuple[str, int] | None:
    """The register of the operand rs1 or fs1 (number "1"), or rs2 or fs2."""
    for field, file in (("rs" + number, "x"), ("fs" + number, "f")):
        if field in decoded.operands:
            return file, decoded.operands[field]
    return None


def distance(before: list[Decoded], decoded: Decoded, number: str) -> int:
    """How many instructions before an operand was computed; 0 if by none of these."""
    wanted = reads(decoded, number)
    return next((back for back, each in enumerate(reversed(before), 1) if wanted and writes(each) == wanted), 0)


def recorded(read: Callable[[int], int | None], period: int) -> Generator[int, int | None, Path | None]:
    """The next path of a program; None if there is nothing to learn here.

    It yields how many instructions to run, and is sent the pc behind them: None if the program is not there then.
    """
    pc = yield period
    for _ in range(PATH):                           # a path begins where a branch led
        before, pc = pc, (yield 1)
        if before is None or pc is None:
            return None
        if not 0 <= pc - before <= 4:
            break
    path: list[Step] = []
    past: list[Decoded] = []
    while len(path) < PATH and (decoded := decoded_at(read, pc)) and (name := handler_name(decoded, pc)) in HANDLERS:
        path.append((name, distance(past, decoded, "1"), distance(past, decoded, "2")))
        past = [*past, decoded][-LINK_FURTHEST:]
        before, pc = pc, (yield 1)
        if pc is None or pc != before + decoded.length or pc >> 12 != before >> 12:
            break
    return tuple(path) if len(path) > 1 else None


class Recorder(Interpreter):
    """The interpreter; what one machine runs is sampled."""

    def __init__(self, period: int):
        super().__init__()
        self.paths: Counter[Path] = Counter()
        self.machine: Machine | None = None
        self._course = self._record(period)
        self._wanted = next(self._course)           # instret of the next look

    def tend(self, hart: Hart) -> None:
        if self.machine is None:
            return
        now = self.machine.instret
        if now >= self._wanted:
            is_there = now == self._wanted and not (hart.monitor and not hart.v)
            self._wanted = now + self._course.send(int(hart.pc) if is_there else None)
        self.machine.quantum = self._wanted - now

    def _record(self, period: int) -> Generator[int, int | None, None]:
        while True:
            path = yield from recorded(self._read, period)
            if path:
                self.paths[path] += 1

    def _read(self, pc: int) -> int | None:
        """The four bytes at pc, from the page that the fetch TLB has for it; None if it has none, or they lie in two pages."""
        hart = self.machine.hart
        page, offset, at = pc & ~0xFFF, pc & 0xFFF, OFFSET["fetch_tlb"] // 8 + 2 * (pc >> 12 & TLB_ENTRIES - 1)
        if hart.words[at] != (page + int(hart.fetch_context)) % (1 << 64) or offset > 0xFFC:
            return None
        host = ctypes.c_uint64.from_address((page + hart.words[at + 1]) % (1 << 64) + HEADER_HOST).value
        return int.from_bytes(ctypes.string_at(host + offset, 4), "little")


def sampled(name: str, run: Run) -> dict[Path, float]:
    """Weight of each path of a run; all instructions together have the run's."""
    recorder = Recorder(run.instructions // SAMPLES)
    if name in GUESTS:
        opened = open_one(name, name, None, BOOT if name.startswith("debian") else None, b"")
        hypervisor = Hypervisor([VmConfig(name, opened.program, opened.memory, bootargs=opened.bootargs, initrd=opened.initrd)],
                                recorder)
        recorder.machine = hypervisor.machine
        hypervisor.run(run.instructions)
    else:
        board = Board(engine=recorder)
        board.load(load(firmware.load(name), name))
        recorder.machine = board.machine
        board.run(run.instructions)
    total = sum(len(each) * count for each, count in recorder.paths.items())
    print(f"{name}: {recorder.paths.total()} paths in {recorder.machine.instret} instructions", file=sys.stderr)
    return {each: run.weight * count / total for each, count in recorder.paths.items()}


def grown(sequence: Sequence, step: Step) -> tuple[Sequence, Sequence]:
    """A sequence with one handler more, and the same without that one's links."""
    name, *distances = step
    links = "".join(str(each) if each <= len(sequence) else "0" for each in distances)
    return (*sequence, name if links == "00" else f"{name}:{links}"), (*sequence, name)


def covered(path: Path, chosen: Collection[Sequence]) -> Iterator[tuple[Sequence, int]]:
    """The handlers that run a path, as the decoder fuses them: the sequence, and where the next one begins."""
    at = 0
    while at < len(path):
        sequence: Sequence = (path[at][0],)
        at += 1
        while at < len(path):
            longer = next((each for each in grown(sequence, path[at]) if each in chosen), None)
            if longer is None:
                break
            sequence = longer
            at += 1
        yield sequence, at


def choose(weights: dict[Path, float], count: int) -> list[Sequence]:
    """Sequences, the best first: each time those that, put after what runs already, save most dispatches."""
    chosen: dict[Sequence, None] = {}
    while len(chosen) < count:
        saved: Counter[Sequence] = Counter()
        for path, weight in weights.items():
            for sequence, end in covered(path, chosen):
                if end < len(path) and len(sequence) < LONGEST:
                    saved[grown(sequence, path[end])[0]] += weight
        if not saved:
            break
        for sequence, _ in saved.most_common(min(AT_ONCE, count - len(chosen))):
            chosen[sequence] = None
    return list(chosen)


def described(name: str, run: Run) -> str:
    """A line of the list's head."""
    found = find(name) if name in GUESTS else None
    return f"{name} (weight {run.weight}): " + (",\n    ".join(found[1].packages) if found else "firmware/bench")


def written(chosen: list[Sequence]) -> str:
    """The file of the list."""
    beginnings = {each[:-1] for each in chosen}
    longest = " ".join("+".join(each) for each in chosen if each not in beginnings)
    return FILE.format(runs="\n".join(described(name, run) for name, run in RUNS.items()),
                       longest=textwrap.fill(longest, 130, break_on_hyphens=False, break_long_words=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT, help="sequences wanted")
    options = parser.parse_args()
    weights: dict[str, dict[Path, float]] = {name: sampled(name, run) for name, run in RUNS.items()}
    together: Counter[Path] = Counter()
    for each in weights.values():
        together.update(each)
    chosen = choose(together, options.count)
    for name, paths in weights.items():
        before, after = (sum(weight * sum(1 for _ in covered(path, known)) for path, weight in paths.items()) / RUNS[name].weight
                         for known in (set(SEQUENCES), set(chosen)))
        print(f"{name}: {before:.3f} handlers per instruction before, {after:.3f} now", file=sys.stderr)
    print(written(chosen), end="")


if __name__ == "__main__":
    main()
