"""What shrinking may not make of a program: one of which the manual leaves open what it does, or whether it ends."""
from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from rvhyp.fuzz.example import Example, Line
from rvhyp.isa.cause import LOAD_ACCESS_FAULT, LOAD_MISALIGNED, STORE_ACCESS_FAULT, STORE_MISALIGNED
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import INSTRUCTIONS

REACH = 12                              # a fence is at most so many instructions behind its store
CBIE = 4                                # bit of menvcfg and the like
TWINS = ((LOAD_MISALIGNED, LOAD_ACCESS_FAULT), (STORE_MISALIGNED, STORE_ACCESS_FAULT))
FENCES = ("sfence.vma", "hfence.vvma", "hfence.gvma")
WFI = INSTRUCTIONS["wfi"].encode()
# What stands before a WFI that ends, or traps: as in themes/interrupts.py.
BEFORE_WFI = (("addi", "csrrs", "csrrs", "and", "beq"), ("addi", "csrrs", "bne"),
              ("addi", "csrrs", "beq", "csrrci", "addi", "csrrw", "lui", "csrrs", "addi", "sd", "csrrs"))


def _with(name: str, **operands: int) -> tuple[int, int]:
    """Mask and bits of an instruction with some operands."""
    record = INSTRUCTIONS[name]
    mask, bits = record.encoding.mask, record.encoding.match
    for operand, value in operands.items():
        mask, bits = mask | record.fields[operand].mask, bits | record.fields[operand].put(value)
    return mask, bits


TIMES = ("stimecmp", "vstimecmp", "htimedelta")
HEAD = 3                                # lines before a time is written: interrupts off, and a time that is far away

# What may be seen or not before one of these: page-table entries, code, and what makes an interrupt pending; as dishes have them.
FENCED = (
    (_with("sd", rs1=28), (*FENCES, "fence.i")), (_with("sw", rs1=28), ("fence.i", "csrrsi")), (_with("sd", rs1=27), ("csrrsi",)),
    *((_with(name, rs1=28), ("fence.i",)) for name in ("sb", "sh", "cbo.zero")),
    *((_with("csrrw", csr=CSR_NUMBERS[name]), ("ecall", *FENCES)) for name in (
        *TIMES, "satp", "vsatp", "hgatp", "pmpcfg0", *(f"pmpaddr{n}" for n in range(3, 7)))),
    *((_with(name, csr=CSR_NUMBERS["pmpcfg0"]), FENCES) for name in ("csrrs", "csrrc")))


@cache
def _needs(bits: int) -> tuple[str, ...]:
    """One of which instructions one needs behind it."""
    return next((fences for (mask, match), fences in FENCED if bits & mask == match), ())


@cache
def _is(bits: int, names: tuple[str, ...]) -> bool:
    return any(bits & INSTRUCTIONS[name].encoding.mask == INSTRUCTIONS[name].encoding.match for name in names)


@cache
def _is_time(bits: int) -> bool:
    return any(bits & mask == match for mask, match in (_with("csrrw", csr=CSR_NUMBERS[name]) for name in TIMES))


def fenced(lines: tuple[Line, ...]) -> Iterator[tuple[int, int]]:
    """From each line that needs a fence to behind the last of its fences; to behind itself if it has none."""
    for n, line in enumerate(lines):
        if fences := _needs(line.bits):
            end = next((at for at in range(n + 1, min(n + 1 + REACH, len(lines))) if _is(lines[at].bits, fences)), n)
            while end > n and end + 1 < len(lines) and _is(lines[end + 1].bits, fences):
                end += 1
            yield n, end + 1


def of_everything(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """A line with its fences, which are of all addresses and spaces, so that nothing is between that says which."""
    kept = [lines[0]]
    for line in lines[1:]:
        name = next((name for name in FENCES if _is(line.bits, (name,))), "")
        if name:
            kept.append(Line(INSTRUCTIONS[name].encode(rs1=0, rs2=0), 4))
        elif line is lines[-1] or _is(line.bits, ("fence.i", "ecall", "csrrsi")):
            kept.append(line)
    return tuple(kept)


class Legal:
    """Which variants of a program may be run."""

    def __init__(self, example: Example):
        lines = example.lines
        self._parts = {_head(lines, begin) + _bits(part) for begin, end in fenced(lines)
                       for part in (lines[begin:end], of_everything(lines[begin:end]))}

    def __call__(self, example: Example) -> bool:
        try:
            example.code()
        except ValueError:                      # a branch does not reach any more
            return False
        lines = example.lines
        return (_is_state_legal(example.csrs) and
                all(_head(lines, begin) + _bits(lines[begin:end]) in self._parts for begin, end in fenced(lines)) and
                all(_is_safe(lines[:n]) for n, line in enumerate(lines) if line.bits == WFI))


def _is_state_legal(csrs: dict[str, int]) -> bool:
    """As privileged.py has it: CBIE is not 2, and whether a misaligned address or an access fault comes first does not matter."""
    return (all(csrs.get(name, 0) >> CBIE & 3 != 2 for name in ("menvcfg", "henvcfg", "senvcfg")) and
            all(csrs.get(name, 0) >> one & 1 == csrs.get(name, 0) >> other & 1
                for name in ("medeleg", "hedeleg") for one, other in TWINS))


def _head(lines: tuple[Line, ...], begin: int) -> tuple[int, ...]:
    return _bits(lines[max(begin - HEAD, 0):begin]) if _is_time(lines[begin].bits) else ()


def _bits(lines: tuple[Line, ...]) -> tuple[int, ...]:
    return tuple(line.bits for line in lines)


def _is_safe(lines: tuple[Line, ...]) -> bool:
    """Whether a WFI behind these is only run where something ends it."""
    return any(len(lines) >= len(names) and
               all(_is(line.bits, (name,)) for line, name in zip(lines[-len(names):], names, strict=True))
               for names in BEFORE_WFI)
