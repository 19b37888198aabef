"""A found case as files for any simulator: a program that checks itself, as text and as ELF, with an explanation.

The program is the harness with one slot.  Its exit status says which side a simulator takes: 0 where it agrees with the
oracle that the case was found against, 1 where it agrees with the engine, 2 with neither.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from rvhyp.fuzz import harness as machinery
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.layout import (
    DUMP,
    DUMP_NAMES,
    DUMP_WORDS,
    R_CSR,
    R_F,
    R_LENGTH,
    R_POKE,
    R_POKES,
    R_SEED,
    R_TRAPS,
    R_WITHOUT,
    R_X,
    RESULT_SIZE,
    RESULTS,
    STATE,
    slot_code,
    slot_record,
)
from rvhyp.fuzz.lockstep import Parting
from rvhyp.fuzz.oracles import Failed, Missing, Region, Runner
from rvhyp.fuzz.qemu import Qemu
from rvhyp.isa.text import assemble, disassemble

END = """
done:
    li      t0, {place:#x}                   # {what}
    ld      t1, (t0)
    li      t2, {theirs:#x}                  # of {oracle}
    li      t3, 0
    beq     t1, t2, 1f
    li      t2, {ours:#x}                    # of {engine}
    li      t3, 1
    beq     t1, t2, 1f
    li      t3, 2
1:  slli    t3, t3, 1
    ori     t3, t3, 1
    la      t0, tohost
    sd      t3, (t0)
2:  j       2b
"""


@dataclass
class Observation:
    """A word of memory that a program leaves otherwise in two simulators."""

    place: int
    what: str
    ours: int
    theirs: int


def left_by(example: Example, runner: Runner) -> dict[int, tuple[str, int]]:
    """What an example, run alone, leaves: registers and CSRs by name, and the digest; by its place in memory."""
    found = {}
    for region, names in ((Region(DUMP, 8 * DUMP_WORDS), DUMP_NAMES),
                          (Region(RESULTS + RESULT_SIZE * example.slot, 16), ("digest", "digest of choices"))):
        words = struct.unpack(f"<{len(names)}Q", runner.run(example.image(), region, 1 << 30))
        found |= {region.address + 8 * n: each for n, each in enumerate(zip(names, words, strict=True))}
    return found


def values_left_by(runner: Runner, example: Example) -> dict[str, int]:
    """The same by name alone."""
    return dict(left_by(example, runner).values())


def observe(example: Example, one: Runner, other: Runner) -> list[Observation]:
    """What it leaves otherwise on two simulators."""
    ours, theirs = left_by(example, one), left_by(example, other)
    return [Observation(place, name, ours[place][1], theirs[place][1]) for place, (name, _) in ours.items()
            if ours[place] != theirs[place]]


def third_opinion(example: Example, isa: str) -> tuple[str, dict[int, tuple[str, int]]]:
    """What QEMU makes of an example, for cases in which nobody knows who is right; and a word why it cannot say."""
    try:
        qemu = Qemu(isa)
        if unknown := qemu.does_not_know(line.bits for line in example.lines):
            return f"QEMU does not know {unknown}", {}
        return "", left_by(example, qemu)
    except (Missing, Failed) as error:
        return f"QEMU is not asked: {error}", {}


def record_text(example: Example) -> list[str]:
    """The record's words that are not 0, as statements."""
    named = [(R_X + n, value, f"x{n}") for n, value in enumerate(example.x)]
    named += [(R_F + n, value, f"f{n}") for n, value in enumerate(example.f)]
    named += [(R_CSR + n, example.csrs.get(name, 0), name) for n, name in enumerate(STATE)]
    named += [(R_LENGTH, len(example.code()), "bytes of code"), (R_TRAPS, example.traps, "traps before it is ended"),
              (R_SEED, example.data_seed, "seed of the data"),
              (R_WITHOUT, example.absent, "bits of misa that are cleared"), (R_POKES, len(example.pokes), "words of memory:")]
    for n, (address, value) in enumerate(example.pokes):
        named += [(R_POKE + 2 * n, address, "address"), (R_POKE + 2 * n + 1, value, "value")]
    lines, at = [], 0
    for place, value, name in sorted(named):
        if value:
            if place > at:
                lines.append(f"    .zero   {8 * (place - at)}")
            lines.append(f"    .dword  {value:#018x}       # {name}")
            at = place + 1
    return lines


def code_text(example: Example) -> list[str]:
    """The program, as text; words, since each must be just as long as it was."""
    directive = {2: ".half", 4: ".word"}
    return [f"    {directive[line.size]}   {'0x' + bits[::-1].hex():12}    # {_name(bits)}"
            for line, bits in _encoded_lines(example)]


def _encoded_lines(example: Example):
    code, at = example.code(), 0
    for line in example.lines:
        yield line, code[at:at + line.size]
        at += line.size


def _name(bits: bytes) -> str:
    return disassemble(int.from_bytes(bits, "little"))


def source(example: Example, observation: Observation, engine: str, oracle: str, comment: list[str]) -> str:
    """The whole program as text for an assembler."""
    head, tail = machinery.source().split("\ndone:\n", 1)
    tail = tail[tail.index("    .balign 64\n"):]
    end = END.format(place=observation.place, what=observation.what, ours=observation.ours, theirs=observation.theirs,
                     oracle=oracle, engine=engine)
    program = ["", "# The program.", '    .section .slots, "ax"', *code_text(example), "    ecall",
               "", "# The state that it starts in.", '    .section .records, "a"', *record_text(example), ""]
    return "".join(f"# {line}\n".replace("# \n", "#\n") for line in comment) + head + end + tail + "\n".join(program)


def write(folder: Path, name: str, example: Example, observation: Observation, engine: str, oracle: str,
          comment: list[str]) -> list[Path]:
    """name.S and name.elf in a folder."""
    text = source(example, observation, engine, oracle, comment)
    places = {"text.pad": machinery.layout.PAD, "slots": slot_code(example.slot), "records": slot_record(example.slot)}
    program = assemble(text, machinery.layout.HARNESS, f"{name}.S", **places)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.S", folder / f"{name}.elf"]
    paths[0].write_text(text)
    paths[1].write_bytes(program.to_elf())
    return paths


def explanation(example: Example, parting: Parting | None, observations: list[Observation], engine: str, oracle: str,
                isa: str) -> list[str]:
    """What happens, for people: the program, where the runs part, what they leave."""
    lines = [f"program {example.number}, {len(example.lines)} instructions:"]
    lines += [f"    {_name(bits)}" for _, bits in _encoded_lines(example)]
    if parting is not None:
        lines += ["where they part:", *(f"    {line}" for line in parting.lines(engine, oracle))]
    else:
        lines.append("their commit logs are the same: memory, or what one does only while it does not log")
    silent, third = third_opinion(example, isa)
    for each in observations[:8]:
        also = f", {third[each.place][1]:#x} on QEMU" if third else ""
        lines.append(f"{each.what}: {each.ours:#x} on {engine}, {each.theirs:#x} on {oracle}{also}")
    return lines + [silent] * bool(silent)
