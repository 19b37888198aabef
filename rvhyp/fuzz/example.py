"""One program as typed values: what the cold loop shrinks, shows and writes down."""
from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from rvhyp.fuzz.generate import ECALL, Batch
from rvhyp.fuzz.harness import image
from rvhyp.fuzz.layout import (
    R_CSR,
    R_F,
    R_LENGTH,
    R_POKE,
    R_POKES,
    R_SEED,
    R_TRAPS,
    R_WITHOUT,
    R_X,
    RECORD_WORDS,
    SLOT_SIZE,
    STATE,
    UNSAID,
)
from rvhyp.fuzz.menu import TARGET
from rvhyp.isa.decode import decode
from rvhyp.isa.text import disassemble
from rvhyp.isa.text.assembly import Assembly

AUIPC_TARGET = 0x17 | TARGET << 7       # auipc x29, 0: what follows adds a distance


@dataclass(frozen=True)
class Line:
    """An instruction; `target` is the line that it leads to, `origin` that from which the distance counts, if not its own."""

    bits: int
    size: int
    target: int | None = None
    origin: int | None = None

    def __str__(self) -> str:
        return disassemble(self.bits)


@dataclass(frozen=True)
class Example:
    """A program and the state that it starts in."""

    number: int
    slot: int
    lines: tuple[Line, ...]
    x: tuple[int, ...]
    f: tuple[int, ...]
    csrs: dict[str, int] = field(default_factory=dict)
    pokes: tuple[tuple[int, int], ...] = ()
    data_seed: int = 0
    traps: int = 64
    absent: int = 0                     # bits of misa that are cleared

    @classmethod
    def of(cls, batch: Batch, number: int) -> Example:
        """A program of a batch."""
        row = number - batch.first
        return cls.read(number, batch.slot + row, batch.code[row].tobytes(), batch.records[row].tobytes())

    @classmethod
    def read(cls, number: int, slot: int, code: bytes, words: bytes) -> Example:
        """A program from what stands in its slot and what the harness reads."""
        record = np.frombuffer(words, np.uint64).tolist()
        pairs = record[R_POKE:R_POKE + 2 * record[R_POKES]]
        return cls(number, slot, lines_of(code[:record[R_LENGTH]]), tuple(record[R_X:R_X + 32]),
                   tuple(record[R_F:R_F + 32]), dict(zip(STATE, record[R_CSR:R_CSR + len(STATE)], strict=True)),
                   tuple(zip(pairs[::2], pairs[1::2], strict=True)), record[R_SEED], record[R_TRAPS],
                   record[R_WITHOUT])

    def code(self) -> bytes:
        """The program's bytes, jumps as far as they have to go."""
        offsets, at = [], 0
        for line in self.lines:
            offsets.append(at)
            at += line.size
        offsets.append(at)
        return b"".join(_encoded(line, offsets, n).to_bytes(line.size, "little") for n, line in enumerate(self.lines))

    def slot_bytes(self) -> bytes:
        """What stands in its slot."""
        return (self.code() + ECALL.to_bytes(4, "little")).ljust(SLOT_SIZE, b"\0")

    def record(self) -> bytes:
        """What the harness reads."""
        words = np.zeros(RECORD_WORDS, np.uint64)
        words[R_X:R_X + 32], words[R_F:R_F + 32] = self.x, self.f
        words[R_CSR:R_CSR + len(STATE)] = [self.csrs.get(name, UNSAID.get(name, 0)) for name in STATE]
        words[R_LENGTH], words[R_POKES] = len(self.code()), len(self.pokes)
        words[R_TRAPS], words[R_SEED] = self.traps, self.data_seed
        words[R_WITHOUT] = self.absent
        for n, pair in enumerate(self.pokes):
            words[R_POKE + 2 * n:R_POKE + 2 * n + 2] = pair
        return words.tobytes()

    def image(self) -> Assembly:
        """An image of it alone."""
        return image(self.slot_bytes(), self.record(), self.slot)

    def without(self, first: int, count: int) -> Example:
        """The same with some lines left out; what led to them leads to the one behind them."""
        def moved(line: int | None) -> int | None:
            return line if line is None or line < first else first if line < first + count else line - count
        kept = [line for n, line in enumerate(self.lines) if not first <= n < first + count]
        return replace(self, lines=tuple(line if line.target is None else
                                         replace(line, target=moved(line.target), origin=moved(line.origin)) for line in kept))

    def with_line(self, n: int, line: Line) -> Example:
        """The same with another line."""
        return replace(self, lines=(*self.lines[:n], line, *self.lines[n + 1:]))


def lines_of(code: bytes) -> tuple[Line, ...]:
    """The instructions in some bytes, with what they lead to."""
    parts, at = [], 0
    while at < len(code):
        bits = int.from_bytes(code[at:at + 4], "little")
        size = 4 if bits & 3 == 3 else 2
        parts.append((at, bits & (1 << 8 * size) - 1, size))
        at += size
    place = {offset: n for n, (offset, _, _) in enumerate(parts)} | {len(code): len(parts)}
    lines = []
    for n, (at, bits, size) in enumerate(parts):
        decoded = decode(bits)
        operands = decoded.operands if decoded else {}
        target = origin = None
        if "offset" in operands:
            target = place.get(at + operands["offset"])
        elif n and parts[n - 1][1] == AUIPC_TARGET and operands.get("rs1") == TARGET and "imm" in operands:
            origin, target = n - 1, place.get(parts[n - 1][0] + operands["imm"])
        lines.append(Line(bits, size, target, origin))
    return tuple(lines)


def _encoded(line: Line, offsets: list[int], n: int) -> int:
    """The bits of a line, with its distance."""
    if line.target is None:
        return line.bits
    decoded = decode(line.bits)
    assert decoded is not None
    record = decoded.compressed or decoded.instruction
    distance = record.fields["imm" if line.origin is not None else "offset"]
    value = offsets[line.target] - offsets[n if line.origin is None else line.origin]
    return line.bits & ~distance.mask | distance.put(value)
