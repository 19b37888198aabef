"""A found case as files for any simulator: a program that checks itself, as text and as ELF, with an explanation.

The program is the harness with one slot.  Its exit status says which side a simulator takes: 0 where it agrees with the
oracle that the case was found against, 1 where it agrees with the engine, 2 with neither.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rvhyp.fuzz import harness as machinery
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.layout import (
    DUMP,
    DUMP_NAMES,
    EDGE,
    FRAMES,
    PAD,
    PAGE,
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
    UNSAID,
    slot_code,
    slot_record,
)
from rvhyp.fuzz.lockstep import Parting
from rvhyp.fuzz.oracles import Failed, Missing, Region, Runner
from rvhyp.fuzz.qemu import Qemu
from rvhyp.fuzz.shrink import PER_VARIANT
from rvhyp.isa.csr import MSTATUS_MPP, MSTATUS_MPV
from rvhyp.isa.text import assemble, disassemble

MODES = {(0, False): "U-mode", (1, False): "HS-mode", (3, False): "M-mode", (3, True): "M-mode",
         (0, True): "VU-mode", (1, True): "VS-mode"}
DIGESTS = ("digest", "digest of choices")
IN_WORDS = {"traps": "digest of what traps reported", "digest": "digest of all that was left",
            "digest of choices": "digest of what the manual leaves to the hart"}
SHOWN = 8                               # words that differ, in an explanation
USUAL = {"stvec": PAD, "vstvec": PAD}   # CSRs that need not be told
LINK = """ENTRY(_start)
SECTIONS {{
    . = {harness:#x}; .text : {{ *(.text) }}
    . = {pad:#x}; .text.pad : {{ *(.text.pad) }}
    . = {slots:#x}; .slots : {{ *(.slots) }}
    . = {records:#x}; .records : {{ *(.records) }}
}}
"""
HOW = """Exit status: 0 if this leaves what it does on {oracle}, 1 if what it does on {engine}, 2 otherwise.  To build it:
clang --target=riscv64 -march=rv64gch_sstc_smstateen -nostdlib -static -fuse-ld=lld -Wl,-T,{name}.ld -o {name}.elf {name}.S
"""

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


def _read(example: Example, runner: Runner, address: int, names: Sequence[str],
          limit: int = 1 << 30) -> dict[int, tuple[str, int]]:
    """Words that an example, run alone, leaves: name and value by place."""
    words = struct.unpack(f"<{len(names)}Q", runner.run(example.image(), Region(address, 8 * len(names)), limit))
    return {address + 8 * n: each for n, each in enumerate(zip(names, words, strict=True))}


def left_by(example: Example, runner: Runner) -> dict[int, tuple[str, int]]:
    """What an example, run alone, leaves: registers, CSRs, data and page-table entries by name, and the digest."""
    found = _read(example, runner, DUMP, DUMP_NAMES)
    data = [f"memory at {FRAMES + 8 * n:#x}" for n in range(2 * PAGE // 8)]
    found |= {place: each for place, each in _read(example, runner, FRAMES, data).items()
              if not EDGE <= place % PAGE < PAGE - EDGE}
    if example.pokes:                           # behind each address stands what became of the entry
        names = [name for address, _ in example.pokes for name in ("", f"page-table entry at {address:#x}")]
        words = _read(example, runner, slot_record(example.slot) + 8 * R_POKE, names)
        found |= {place: each for place, each in words.items() if each[0]}
    return found | _read(example, runner, RESULTS + RESULT_SIZE * example.slot, DIGESTS)


def values_left_by(runner: Runner, example: Example) -> dict[str, int]:
    """Registers and CSRs that an example, run alone, leaves; `Failed` if it takes long."""
    return dict(_read(example, runner, DUMP, DUMP_NAMES, PER_VARIANT).values())


def observe(example: Example, one: Runner, other: Runner) -> list[Observation]:
    """What it leaves otherwise on two simulators."""
    ours, theirs = left_by(example, one), left_by(example, other)
    found = [Observation(place, name, ours[place][1], theirs[place][1]) for place, (name, _) in ours.items()
             if ours[place] != theirs[place]]
    return [each for each in found if each.what not in DIGESTS] or found


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
    named += [(R_CSR + n, example.csrs.get(name, UNSAID.get(name, 0)), name) for n, name in enumerate(STATE)]
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
    """name.S and name.elf in a folder, and name.ld, by which a linker makes the one of the other."""
    text = source(example, observation, engine, oracle, comment)
    text = "".join(f"# {line}\n" for line in HOW.format(name=name, engine=engine, oracle=oracle).splitlines()) + "#\n" + text
    places = {"text.pad": machinery.layout.PAD, "slots": slot_code(example.slot), "records": slot_record(example.slot)}
    program = assemble(text, machinery.layout.HARNESS, f"{name}.S", **places)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{suffix}" for suffix in (".S", ".elf", ".ld")]
    paths[0].write_text(text)
    paths[1].write_bytes(program.to_elf())
    paths[2].write_text(LINK.format(harness=machinery.layout.HARNESS, pad=machinery.layout.PAD, slots=places["slots"],
                                    records=places["records"]))
    return paths


def explanation(example: Example, parting: Parting | None, observations: list[Observation], engine: str, oracle: str,
                isa: str) -> list[str]:
    """What happens, for people: the program, where the runs part, what they leave."""
    count = len(example.lines)
    lines = [f"program {example.number}, made smaller: {count} instruction{'s' * (count != 1)}, from the state below"]
    lines += [f"    {_name(bits)}" for _, bits in _encoded_lines(example)] or ["    (none: what the harness does is enough)"]
    lines += ["it starts so, all else being 0:", *(f"    {line}" for line in state_text(example))]
    if parting is not None:
        lines += ["where they part:", *(f"    {line}" for line in parting.lines(engine, oracle))]
    else:
        lines.append("both retire the same instructions, which write the same to registers")
    silent, third = third_opinion(example, isa)
    lines += ["what they leave:"] * bool(observations)
    for each in observations[:SHOWN]:
        also = f", {third[each.place][1]:#x} on QEMU" if third else ""
        lines.append(f"    {IN_WORDS.get(each.what, each.what)}: {each.ours:#x} on {engine}, {each.theirs:#x} on {oracle}{also}")
    if more := len(observations) - SHOWN:
        lines += [f"    and {more} more words"] * (more > 0)
    return lines + [silent] * bool(silent)


def state_text(example: Example) -> list[str]:
    """The state that an example starts in, for people: what is not 0."""
    csrs = example.csrs
    mstatus = csrs.get("mstatus", 0)
    mode = MSTATUS_MPP.get(mstatus), bool(MSTATUS_MPV.get(mstatus)) and not example.absent
    name = MODES[mode]
    lines = [f"in {name}, at {csrs.get('mepc', 0):#x}" + ", misa.H cleared" * bool(example.absent)]
    values = [(f"x{n}", value) for n, value in enumerate(example.x)] + [(f"f{n}", value) for n, value in enumerate(example.f)]
    for some in (values, csrs.items()):
        told = [f"{name} {value:#x}" for name, value in some if value and name != "mepc" and USUAL.get(name) != value]
        lines += [", ".join(told[at:at + 6]) for at in range(0, len(told), 6)]
    lines += [f"page-table entry at {address:#x}: {value:#x}" for address, value in example.pokes]
    return lines + [f"it ends with trap {example.traps}"] * (example.traps < 8)
