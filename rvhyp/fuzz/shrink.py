"""Smaller programs that show the same: all variants of a step run as one batch, so that a step takes a fraction of a second.

A step has some edits, each of which makes a program simpler.  All are tried alone, then those together that left the program
different: so a program gets much smaller with every two batches.  Steps go from the coarse to the fine: fewer instructions, a
later beginning, no translation, nothing in registers, CSRs as they are usual, fewer page-table entries, simpler operands.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from rvhyp.fuzz.example import Example, Line
from rvhyp.fuzz.harness import variants
from rvhyp.fuzz.layout import PAD, PAGE, RAM_BASE, RAM_SIZE, RESULT_SIZE, RESULTS, SLOTS, STATE, slot_code
from rvhyp.fuzz.legal import TWINS, Legal, fenced, of_everything
from rvhyp.fuzz.menu import POINTERS
from rvhyp.fuzz.oracles import Failed, Region, Runner, is_over
from rvhyp.isa.csr import CSR_NUMBERS, ENVCFG_DTE, MSTATUS_FS, MSTATUS_MPP, MSTATUS_MPV
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS

AT_ONCE = 128                           # variants in one batch
LONG = 5                                # seconds: a batch that stops at its limit of instructions takes a part of one
PER_VARIANT = 100_000                   # of a variant, at most, with what the harness does for it
FEW = 24                                # lines of a program that may begin later
KEEP = {"mepc", "mstatus", "stvec", "vstvec", "satp", "vsatp", "hgatp"}     # CSRs without which a program would not run
NOPS = {4: INSTRUCTIONS["addi"].encode(rd=0, rs1=0, imm=0), 2: COMPRESSED["c.addi"].encoding.match}
NAMES = {number: name for name, number in CSR_NUMBERS.items() if name in STATE}
ONES = (1 << 64) - 1
NARROW_ONES = (0x3FF0_0000_0000_0000, 0xFFFF_FFFF_3F80_0000, 0xFFFF_FFFF_FFFF_3C00)     # 1.0 of each format

Different = Callable[[list[Example]], list[bool]]
Values = Callable[[Example], dict[str, int]]    # registers and CSRs that a program leaves; `Failed` if it does not end
Edit = Callable[[Example], Example]             # gives a program that is simpler, or the same
Step = Callable[[Example], Iterable[Edit]]


def differ(one: Runner, other: Runner, words: int, examples: list[Example]) -> list[bool]:
    """Which of some variants of a program do not leave the same in two simulators; `words` of each result count.

    A variant that does not end in both counts as not different: leaving instructions out makes endless loops.
    """
    ours = _that_end(one, examples)
    kept = [example for example, result in zip(examples, ours, strict=True) if result is not None]
    others = iter(_that_end(other, kept))
    theirs = [None if result is None else next(others) for result in ours]
    return [result is not None and their is not None and result[:8 * words] != their[:8 * words]
            for result, their in zip(ours, theirs, strict=True)]


def _that_end(runner: Runner, examples: list[Example]) -> list[bytes | None]:
    """Results, None for those that do not end; for all if it takes long to find out, as where one instruction does not end."""
    begin = time.monotonic()
    results = _run(runner, examples)
    if results is not None:
        return list(results)
    if len(examples) == 1 or time.monotonic() - begin > LONG:
        return [None] * len(examples)
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
    results = [data[at:at + RESULT_SIZE] for at in range(0, RESULT_SIZE * len(examples), RESULT_SIZE)]
    return results if is_over(results[-1]) else None


def shrink(example: Example, different: Different, values: Values | None = None, seconds: float = 60) -> Example:
    """The smallest variant that is still different, found in this time."""
    search = Search(example, different, time.monotonic() + seconds)
    later = [partial(later_beginning, values), partial(known_results, values)] if values else []
    before = None
    while search.best != before and search.has_time():
        before = search.best
        for step in (shorter, *parts(search.best), whole_fences, *later, less_state, simpler_operands, fewer_bits):
            search.take(step)
    return search.best


class Search:
    """The best variant until now."""

    def __init__(self, example: Example, different: Different, end: float):
        self.best, self.different, self.end, self.is_legal = example, different, end, Legal(example)

    def has_time(self) -> bool:
        return time.monotonic() < self.end

    def take(self, step: Step) -> None:
        """Apply the edits of a step that can be, each alone and together, until none can."""
        while self.has_time():
            before, edits = self.best, list(step(self.best))
            for at in range(0, len(edits), AT_ONCE):
                if self.has_time():
                    self._some(edits[at:at + AT_ONCE])
            if self.best == before:
                return

    def _some(self, edits: list[Edit]) -> None:
        good = [edit for edit, is_different in zip(edits, self._are_different([edit(self.best) for edit in edits]), strict=True)
                if is_different]
        together, variant = [], self.best
        for edit in good:
            variant = edit(variant)
            together.append(variant)
        for variant, is_different in zip(together[::-1], self._are_different(together[::-1]), strict=True):
            if is_different:
                self.best = variant
                return

    def _are_different(self, examples: list[Example]) -> list[bool]:
        """False for those that may not be run, or are what we have."""
        keys = [_key(example) for example in examples]
        tried = {key: example for key, example in zip(keys, examples, strict=True)
                 if example != self.best and self.is_legal(example)}
        known = dict(zip(tried, self.different(list(tried.values())) if tried else [], strict=True))
        return [known.get(key, False) for key in keys]


def _key(example: Example) -> tuple:
    """What can be looked up, since a dictionary cannot."""
    return tuple(tuple(value.items()) if isinstance(value, dict) else value for value in vars(example).values())


# Steps: edits are in an order in which each can be applied after those before it, so lines go from the last to the first.

def shorter(example: Example) -> Iterator[Edit]:
    """Without all lines from one on; the most that can be left out is the last of them."""
    count = len(example.lines)
    for n in range(count - 1, 0, -1):
        yield lambda each, n=n: each.without(n, len(each.lines) - n) if n < len(each.lines) else each


def parts(example: Example) -> Iterator[Step]:
    """Without a half of the lines, a quarter, and so on, down to one."""
    size = len(example.lines) // 2
    while size:
        yield partial(_without_parts, size)
        size //= 2


def _without_parts(size: int, example: Example) -> Iterator[Edit]:
    count = len(example.lines)
    if size < count:
        for first in reversed(range(0, count, size)):
            yield lambda each, first=first: each.without(first, min(size, len(each.lines) - first))


def whole_fences(example: Example) -> Iterator[Edit]:
    """What needs a fence left out with it; or the fence is of everything."""
    for begin, end in reversed(list(fenced(example.lines))):
        yield lambda each, begin=begin, end=end: each.without(begin, end - begin)
        kept = of_everything(example.lines[begin:end])
        yield partial(_replaced, begin, end, kept)


def _replaced(begin: int, end: int, kept: tuple[Line, ...], example: Example) -> Example:
    """Some lines are others, not more."""
    if len(example.lines) < end or len(kept) > end - begin:
        return example
    shorter = example.without(begin + len(kept), end - begin - len(kept))
    return replace(shorter, lines=(*shorter.lines[:begin], *kept, *shorter.lines[begin + len(kept):]))


def _left_by(values: Values, example: Example, count: int) -> dict[str, int]:
    """What the first lines leave; nothing if they do not end."""
    try:
        return values(example.without(count, len(example.lines) - count))
    except Failed:
        return {}


def later_beginning(values: Values, example: Example) -> Iterator[Edit]:
    """Without the first lines, from the registers, or from all the state, that they leave."""
    if len(example.lines) > FEW:
        return
    for n in range(1, len(example.lines)):
        left = _left_by(values, example, n)
        if not left:
            continue
        x = tuple(left[f"x{m}"] for m in range(32))
        f = tuple(left[f"f{m}"] for m in range(32))
        rest = example.without(0, n)
        csrs = {name: left[name] for name in STATE if name not in ("mepc", "mcause", "mtval")}
        begin = left["mepc"] - len(example.without(n, len(example.lines)).code())
        is_here = (begin - slot_code(example.slot)) % PAGE == 0
        csrs |= {"mepc": begin if is_here else example.csrs.get("mepc", 0)}
        for variant in (replace(rest, x=x, f=f), replace(rest, x=x, f=f, csrs=example.csrs | csrs)):
            yield lambda each, variant=variant: variant


def known_results(values: Values, example: Example) -> Iterator[Edit]:
    """Without a line, but with what it leaves in its register or CSR."""
    if len(example.lines) > FEW:
        return
    for n in reversed(range(len(example.lines))):
        decoded = decode(example.lines[n].bits)
        operands = decoded.operands if decoded else {}
        rd, name = operands.get("rd", 0), NAMES.get(operands.get("csr", -1), "")
        left = _left_by(values, example, n + 1) if rd or name else {}
        if not left:
            continue
        rest = example.without(n, 1)
        if rd and rd not in POINTERS:
            yield lambda each, rest=rest, rd=rd, left=left: replace(rest, x=(*rest.x[:rd], left[f"x{rd}"], *rest.x[rd + 1:]))
        if name and name not in ("mepc", "mstatus"):
            yield lambda each, rest=rest, name=name, left=left: replace(rest, csrs=rest.csrs | {name: left[name]})


def less_state(example: Example) -> Iterator[Edit]:
    """No translation, M-mode; registers 0, all or one by one; CSRs 0; page-table entries left out; an earlier end."""
    yield bare
    if not any(fenced(example.lines)):          # in M-mode it may be another fence that is needed
        yield machine_mode
    yield lambda each: replace(each, f=(0,) * 32)
    yield lambda each: replace(each, x=tuple(value if n in POINTERS else 0 for n, value in enumerate(each.x)))
    for name, value in example.csrs.items():
        if value and name not in KEEP:
            yield partial(_with_csr, name, 0)
    for n in reversed(range(len(example.pokes))):
        yield lambda each, n=n: replace(each, pokes=(*each.pokes[:n], *each.pokes[n + 1:]))
    for n, value in enumerate(example.x):
        if value:
            yield partial(_with_x, n, 0)
    for n, value in enumerate(example.f):
        if value:
            yield partial(_with_f, n, 0)
    for traps in (4, 3, 2, 1):
        if traps < example.traps:
            yield lambda each, traps=traps: replace(each, traps=traps)
    if example.absent:
        yield lambda each: replace(each, absent=0)
    if example.data_seed:
        yield lambda each: replace(each, data_seed=0)


def _with_csr(name: str, value: int, example: Example) -> Example:
    return replace(example, csrs=example.csrs | {name: value})


def _with_x(n: int, value: int, example: Example) -> Example:
    return replace(example, x=(*example.x[:n], value, *example.x[n + 1:]))


def _with_f(n: int, value: int, example: Example) -> Example:
    return replace(example, f=(*example.f[:n], value, *example.f[n + 1:]))


def bare(example: Example) -> Example:
    """All addresses are physical ones."""
    csrs = example.csrs
    if not any(csrs.get(name) for name in ("satp", "vsatp", "hgatp")):
        return example
    offset = csrs["mepc"] - slot_code(example.slot)
    x = tuple((value - offset) & ONES if 0 <= ((value - offset) & ONES) - RAM_BASE < RAM_SIZE else value for value in example.x)
    vectors = {name: PAD | csrs[name] & 1 for name in ("stvec", "vstvec")}
    return replace(example, x=x, pokes=(), csrs=csrs | vectors | {"satp": 0, "vsatp": 0, "hgatp": 0,
                                                                  "mepc": slot_code(example.slot)})


def machine_mode(example: Example) -> Example:
    """Without translation, begin in M-mode; see `no_double_traps_beside_m` in privileged.py."""
    csrs = example.csrs
    if csrs.get("mepc") != slot_code(example.slot):
        return example
    example = _with_csr("menvcfg", csrs["menvcfg"] & ~ENVCFG_DTE.mask, example)
    return _with_csr("mstatus", csrs["mstatus"] & ~MSTATUS_MPV.mask | MSTATUS_MPP.mask, example)


def simpler_operands(example: Example) -> Iterator[Edit]:
    """No operation; immediates 0; registers x0; the uncompressed form of a compressed instruction."""
    for n, line in enumerate(example.lines):
        decoded = decode(line.bits)
        if line.bits != NOPS[line.size]:
            yield partial(_with_line, n, line, Line(NOPS[line.size], line.size))
        if decoded is None or line.target is not None:
            continue
        record = decoded.compressed or decoded.instruction
        for name, f in record.fields.items():
            if name in ("imm", "uimm", "shamt", "rs1", "rs2", "rd") and line.bits & f.mask:
                bits = line.bits & ~f.mask
                if record.matches(bits):
                    yield partial(_with_line, n, line, Line(bits, line.size))
        if decoded.compressed is not None:
            yield partial(_with_line, n, line, Line(decoded.instruction.encode(**decoded.operands), 4))


def _with_line(n: int, old: Line, new: Line, example: Example) -> Example:
    return example.with_line(n, new) if example.lines[n] == old else example


def fewer_bits(example: Example) -> Iterator[Edit]:
    """Registers 1, CSRs and registers without a bit: only those are left that matter."""
    for n, value in enumerate(example.f):
        if value and value not in NARROW_ONES:
            for one in NARROW_ONES:
                yield partial(_with_f, n, one)
    for n, value in enumerate(example.x):
        if value > 1:
            yield partial(_with_x, n, 1)
    kept = MSTATUS_MPP.mask | MSTATUS_MPV.mask | MSTATUS_FS.mask
    for name, value in example.csrs.items():
        if name not in KEEP | {"pmpcfg0"} or name == "mstatus":         # W without R is reserved
            for bit in reversed(range(64)):
                if value >> bit & 1 and not (name == "mstatus" and kept >> bit & 1):
                    bits = sum(1 << n for n in next((twins for twins in TWINS if bit in twins and "edeleg" in name), (bit,)))
                    yield lambda each, name=name, bits=bits: _with_csr(name, each.csrs[name] & ~bits, each)
    for n, value in enumerate(example.x):
        for bit in reversed(range(64)):
            if value >> bit & 1:
                yield lambda each, n=n, bit=bit: _with_x(n, each.x[n] & ~(1 << bit), each)
