#!/usr/bin/env python3
"""Finds the instruction sequences worth a superinstruction: runs programs, samples where they are, counts what follows.

    tools/profile_sequences.py --count 150 bench/sort.elf u-boot.elf=guest > rvhyp/engine/superinstructions.py

A program is an M-mode ELF, or with =guest one that runs in VS-mode.  Every program has the same weight.
"""
from __future__ import annotations

import argparse
import collections

from rvhyp.engine.tables import HANDLERS, NUMBER
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import Kind
from rvhyp.machine.board import Board
from rvhyp.machine.loader import load
from rvhyp.machine.ram import OutsideMemory

PERIOD = 20_011                 # instructions between samples: prime, so that loops do not alias
LONGEST = 3
ENDS = {Kind.JAL, Kind.JALR, Kind.SYSTEM}
ALONE = {Kind.SYSTEM, Kind.CSR, Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL}     # their handlers end in a rule

HEADER = '''"""Superinstructions: sequences that run in one handler, found by profiling (tools/profile_sequences.py)."""

SEQUENCES: list[tuple[str, ...]] = [
'''


def handler_name(decoded, pc: int) -> str | None:
    """The interpreter's handler for an instruction at pc, if it may be part of a sequence."""
    i = decoded.instruction
    if i.kind in ALONE or i.guest:
        return None
    name = f"{i.name}.{decoded.length}"
    if i.kind in (Kind.BRANCH, Kind.JAL):
        target = pc + decoded.operands["offset"]
        return f"{name}.local" if target >> 12 == pc >> 12 else None
    if i.has_rounding_mode:
        return f"{name}.dyn" if decoded.operands["rm"] == 7 else None
    return name


def line_at(read, pc: int, limit: int = 12) -> list[str]:
    """Handlers from pc to the end of its straight line."""
    names = []
    while len(names) < limit:
        try:
            decoded = decode(int.from_bytes(read(pc, 4), "little"))
        except OutsideMemory:
            break
        name = handler_name(decoded, pc) if decoded else None
        if name is None or name not in NUMBER:
            break
        names.append(name)
        if decoded.instruction.kind in ENDS or (pc + decoded.length) >> 12 != pc >> 12:
            break
        pc += decoded.length
    return names


def samples_of_board(path: str, engine, count: int):
    """Lines at which an M-mode program was found."""
    board = Board(engine=engine)
    board.load(load(path))
    for _ in range(count):
        if board.run(PERIOD).ended.value == "exit":
            return
        yield line_at(board.machine.memory.read, int(board.machine.hart.pc))


def samples_of_guest(path: str, engine, count: int):
    """Lines at which a guest was found in VS-mode (without paging of its own)."""
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    hypervisor = Hypervisor([VmConfig("guest", load(path))], engine)
    for _ in range(count):
        if hypervisor.run(PERIOD).ended.value == "exit":
            return
        yield line_at(hypervisor.vms[0].memory.read, hypervisor.vcpus[0]["sepc"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--count", type=int, default=150, help="sequences wanted")
    parser.add_argument("--samples", type=int, default=20_000, help="samples of each program")
    options = parser.parse_args()
    from rvhyp.engine import make_engine
    engine = make_engine("interpreter")
    weight: collections.Counter = collections.Counter()
    for program in options.programs:
        path, _, kind = program.partition("=")
        found: collections.Counter = collections.Counter()
        for line in (samples_of_guest if kind else samples_of_board)(path, engine, options.samples):
            for start in range(len(line)):
                for length in range(2, min(LONGEST, len(line) - start) + 1):
                    found[tuple(line[start:start + length])] += length - 1
        total = sum(found.values()) or 1
        for sequence, count in found.items():
            weight[sequence] += count / total
    chosen: dict[tuple[str, ...], None] = {}
    for sequence, _ in weight.most_common():
        for length in range(2, len(sequence) + 1):          # a longer one is reached through the shorter
            chosen.setdefault(sequence[:length])
        if len(chosen) >= options.count:
            break
    assert all("+".join(s) in NUMBER or all(name in HANDLERS for name in s) for s in chosen)
    print(HEADER + "".join(f"    {sequence},\n" for sequence in chosen).replace("'", '"') + "]")


if __name__ == "__main__":
    main()
