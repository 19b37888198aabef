#!/usr/bin/env python3
"""Finds the instruction sequences worth a superinstruction: samples programs, records what they really run, and chooses greedily.

    tools/profile_sequences.py --count 200 firmware/prebuilt/*.elf u-boot.elf=guest > rvhyp/engine/superinstructions.py

A program is an M-mode ELF, or with =guest one that runs in VS-mode.  Every program has the same weight.
"""
from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator

from rvhyp.engine import make_engine
from rvhyp.engine.tables import HANDLERS
from rvhyp.isa.decode import Decoded, decode
from rvhyp.isa.instruction import Kind
from rvhyp.machine.board import Board
from rvhyp.machine.loader import load
from rvhyp.machine.ram import OutsideMemory

PERIOD = 20_011                 # instructions between samples: prime, so that loops do not alias
LONGEST = 4                     # instructions in a sequence
FURTHEST = 3                    # how far back a link may lead
PATH = 24                       # instructions recorded at most
AT_ONCE = 4                     # sequences chosen between two counts
ALONE = {Kind.SYSTEM, Kind.CSR, Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL}     # their handlers end in a rule
Sequence = tuple[str, ...]      # handlers by name, with links (rvhyp.engine.tables.split_links)
Step = tuple[str, int, int]     # a handler, and how many instructions before it rs1 and rs2 were computed (0: further away)
Path = tuple[Step, ...]         # instructions run one after the other, without a taken branch between them

HEADER = '''"""Superinstructions: sequences that run in one handler, found by profiling (tools/profile_sequences.py)."""

SEQUENCES: list[tuple[str, ...]] = [
'''


def decoded_at(read: Callable[[int, int], bytes], pc: int) -> Decoded | None:
    """The instruction at pc, if it may be part of a sequence."""
    try:
        decoded = decode(int.from_bytes(read(pc, 4), "little"))
    except OutsideMemory:
        return None
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


def recorded(step: Callable[[int], int], read: Callable[[int, int], bytes]) -> Path | None:
    """The next path of a program; `step(n)` runs n instructions and gives the pc.  None if there is nothing to learn here."""
    pc = step(PERIOD)
    for _ in range(PATH):                           # a path begins where a branch led
        before, pc = pc, step(1)
        if not 0 <= pc - before <= 4:
            break
    path: list[Step] = []
    past: list[Decoded] = []
    while len(path) < PATH and (decoded := decoded_at(read, pc)) and (name := handler_name(decoded, pc)) in HANDLERS:
        path.append((name, distance(past, decoded, "1"), distance(past, decoded, "2")))
        past = [*past, decoded][-FURTHEST:]
        before, pc = pc, step(1)
        if pc != before + decoded.length or pc >> 12 != before >> 12:
            break
    return tuple(path) if len(path) > 1 else None


class Ended(Exception):
    """The program has ended."""


def paths_of_board(path: str, engine) -> Iterator[Path | None]:
    """Paths of an M-mode program."""
    board = Board(engine=engine)
    board.load(load(path))

    def step(count: int) -> int:
        if board.run(count).ended.value == "exit":
            raise Ended
        return int(board.machine.hart.pc)
    while True:
        yield recorded(step, board.machine.memory.read)


def paths_of_guest(path: str, engine) -> Iterator[Path | None]:
    """Paths of a guest in VS-mode (without paging of its own)."""
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    hypervisor = Hypervisor([VmConfig("guest", load(path))], engine)

    def step(count: int) -> int:
        if hypervisor.run(count).ended.value == "exit":
            raise Ended
        return hypervisor.vcpus[0]["sepc"]
    while True:
        yield recorded(step, hypervisor.vms[0].memory.read)


def sampled(program: str, engine, samples: int) -> dict[Path, float]:
    """Weight of each path of a program; all its instructions together weigh 1."""
    path, _, kind = program.partition("=")
    found: Counter[Path] = Counter()
    try:
        for _, each in zip(range(samples), (paths_of_guest if kind else paths_of_board)(path, engine), strict=False):
            if each:
                found[each] += 1
    except Ended:
        pass
    total = sum(len(each) * count for each, count in found.items()) or 1
    return {each: count / total for each, count in found.items()}


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--count", type=int, default=200, help="sequences wanted")
    parser.add_argument("--samples", type=int, default=2_000, help="samples of each program")
    options = parser.parse_args()
    engine = make_engine("interpreter")
    weights: Counter[Path] = Counter()
    for program in options.programs:
        weights.update(sampled(program, engine, options.samples))
    chosen = choose(weights, options.count)
    for kept in (0, len(chosen)):
        handlers = sum(weight * sum(1 for _ in covered(path, set(chosen[:kept]))) for path, weight in weights.items())
        print(f"{kept} sequences: {handlers / len(options.programs):.2f} handlers per instruction", file=sys.stderr)
    print(HEADER + "".join(f"    {sequence},\n" for sequence in chosen).replace("'", '"') + "]")


if __name__ == "__main__":
    main()
