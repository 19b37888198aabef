"""Smaller programs that show the same: all variants of a step run as one batch, so that a step takes a fraction of a second.

A step tries, from the coarse to the fine: fewer instructions, then nothing in registers, CSRs as they are usual, fewer page-table
entries, simpler operands.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rvhyp.fuzz.example import Example, Line
from rvhyp.fuzz.harness import variants
from rvhyp.fuzz.layout import RESULT_SIZE, RESULTS, SLOTS
from rvhyp.fuzz.menu import POINTERS
from rvhyp.fuzz.oracles import Failed, Region, Runner
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import INSTRUCTIONS

AT_ONCE = 128                           # variants in one batch
PER_VARIANT = 100_000                   # of a variant, at most, with what the harness does for it
KEEP = {"mepc", "mstatus", "stvec", "vstvec", "satp", "vsatp", "hgatp"}     # CSRs without which a program would not run

def _store(name: str) -> tuple[int, int]:
    """Mask and bits of a store by register 28: to page-table entries or to code, see dishes.py and themes/code.py."""
    record = INSTRUCTIONS[name]
    return record.encoding.mask | record.fields["rs1"].mask, record.encoding.match | record.fields["rs1"].put(28)


# Stores to page-table entries and to code; behind one, what says where a fence is for may come, and then a fence.
_FENCES = "sfence.vma", "hfence.vvma", "hfence.gvma", "fence.i"
FENCED = ((_store("sd"), _FENCES), *((_store(name), ("fence.i",)) for name in ("sb", "sh", "sw", "cbo.zero")))
BEFORE_FENCES = "lui", "addi", "slli", "srli", "add", "or", "csrrs"

# What stands before a WFI that ends, or traps: as in themes/interrupts.py.
WFI = INSTRUCTIONS["wfi"].encode()
BEFORE_WFI = (("addi", "csrrs", "csrrs", "and", "beq"), ("addi", "csrrs", "bne"),
              ("addi", "csrrs", "beq", "csrrci", "addi", "csrrw", "lui", "csrrs", "addi", "sd", "csrrs"))
Different = Callable[[list[Example]], list[bool]]


def differ(one: Runner, other: Runner, words: int, examples: list[Example]) -> list[bool]:
    """Which of some variants of a program do not leave the same in two simulators; `words` of each result count.

    A variant that does not end in the first simulator counts as not different: leaving instructions out makes endless loops.
    """
    ends = _that_end(one, examples)
    kept = [example for example, result in zip(examples, ends, strict=True) if result is not None]
    others = iter(_run(other, kept) or [None] * len(kept))
    return [result is not None and result[:8 * words] != (next(others) or b"")[:8 * words] for result in ends]


def _that_end(runner: Runner, examples: list[Example]) -> list[bytes | None]:
    """Results, None for those that do not end."""
    results = _run(runner, examples)
    if results is not None:
        return list(results)
    if len(examples) == 1:
        return [None]
    half = len(examples) // 2
    return _that_end(runner, examples[:half]) + _that_end(runner, examples[half:])


def _run(runner: Runner, examples: list[Example]) -> list[bytes] | None:
    if not examples:
        return []
    image = variants(b"".join(example.slot_bytes() for example in examples), b"".join(example.record() for example in examples),
                     examples[0].slot)
    try:
        data = runner.run(image, Region(RESULTS, SLOTS * RESULT_SIZE), PER_VARIANT * (1 + len(examples)))
    except Failed:
        return None
    return [data[at:at + RESULT_SIZE] for at in range(0, RESULT_SIZE * len(examples), RESULT_SIZE)]


def shrink(example: Example, different: Different, seconds: float = 60) -> Example:
    """The smallest variant that is still different, found in this time."""
    end = time.monotonic() + seconds
    best, is_better = example, True
    while is_better and time.monotonic() < end:
        before = best
        for step in (fewer_lines, less_state, simpler_operands):
            best = _descend(best, step, different, end)
        is_better = best != before
    return best


def _descend(best: Example, step: Callable[[Example], Iterable[Example]], different: Different, end: float) -> Example:
    """Take the first variant of a step that is different, again and again."""
    while time.monotonic() < end:
        found = _first(step(best), different, end)
        if found is None:
            return best
        best = found
    return best


def _first(examples: Iterable[Example], different: Different, end: float) -> Example | None:
    waiting = iter(examples)
    while time.monotonic() < end:
        some = [example for _, example in zip(range(AT_ONCE), waiting, strict=False)]
        if not some:
            return None
        for example, is_different in zip(some, different(some), strict=True):
            if is_different:
                return example
    return None


def fewer_lines(example: Example) -> Iterator[Example]:
    """Without a half of its lines, a quarter, and so on."""
    count = len(example.lines)
    size = count
    while size:
        for first in range(0, count, size):
            if size < count:
                yield from _if_it_fits(example.without(first, min(size, count - first)))
        size //= 2


def _if_it_fits(example: Example) -> Iterator[Example]:
    """A branch may not reach any more; without its fence a changed page-table entry, or changed code, may be seen or not; and
    nothing may end a WFI without the look at what is pending."""
    try:
        example.code()
    except ValueError:
        return
    for (mask, bits), fences in FENCED:
        for n, line in enumerate(example.lines):
            if line.bits & mask == bits and not _is_fenced(example.lines[n + 1:], fences):
                return
    if all(_is_safe(example.lines[:n]) for n, line in enumerate(example.lines) if line.bits == WFI):
        yield example


def _is(line: Line, name: str) -> bool:
    encoding = INSTRUCTIONS[name].encoding
    return line.bits & encoding.mask == encoding.match


def _is_safe(lines: tuple[Line, ...]) -> bool:
    """Whether a WFI behind these is only run where something ends it."""
    return any(len(lines) >= len(names) and all(map(_is, lines[-len(names):], names)) for names in BEFORE_WFI)


def _is_fenced(lines: tuple[Line, ...], fences: tuple[str, ...]) -> bool:
    for line in lines:
        if any(_is(line, name) for name in fences):
            return True
        if not any(_is(line, name) for name in BEFORE_FENCES):
            return False
    return False


def less_state(example: Example) -> Iterator[Example]:
    """Registers 0, all or one by one; CSRs 0; page-table entries left out."""
    plain = tuple(value if n in POINTERS else 0 for n, value in enumerate(example.x))
    if any(example.f):
        yield replace(example, f=(0,) * 32)
    if plain != example.x:
        yield replace(example, x=plain)
    for name, value in example.csrs.items():
        if value and name not in KEEP:
            yield replace(example, csrs=example.csrs | {name: 0})
    for n, value in enumerate(example.x):
        if value and n not in POINTERS:
            yield replace(example, x=(*example.x[:n], 0, *example.x[n + 1:]))
    for n, value in enumerate(example.f):
        if value:
            yield replace(example, f=(*example.f[:n], 0, *example.f[n + 1:]))
    for n in range(len(example.pokes)):
        yield replace(example, pokes=(*example.pokes[:n], *example.pokes[n + 1:]))
    for n, value in enumerate(example.x):       # what is left: a small number does as well, perhaps
        if value > 1 and n not in POINTERS:
            yield replace(example, x=(*example.x[:n], 1, *example.x[n + 1:]))


def simpler_operands(example: Example) -> Iterator[Example]:
    """Immediates 0, the uncompressed form of a compressed instruction."""
    for n, line in enumerate(example.lines):
        decoded = decode(line.bits)
        if decoded is None or line.target is not None:
            continue
        record = decoded.compressed or decoded.instruction
        for name, f in record.fields.items():
            if name in ("imm", "uimm", "shamt") and line.bits & f.mask:
                bits = line.bits & ~f.mask
                if record.matches(bits):
                    yield example.with_line(n, Line(bits, line.size))
        if decoded.compressed is not None:
            yield example.with_line(n, Line(decoded.instruction.encode(**decoded.operands), 4))
