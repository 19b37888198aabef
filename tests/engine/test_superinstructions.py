"""Superinstructions: fused exactly where they fit, and then nothing but faster than their parts, whatever happens within."""
import ctypes
import random
import struct
from functools import cache

import pytest

from rvhyp.engine.regions import REACH
from rvhyp.engine.superinstructions import SEQUENCES
from rvhyp.engine.tables import HANDLERS, LINK_FURTHEST, NUMBER, split_links
from rvhyp.hart.memory import UOP_BYTES
from rvhyp.isa.decode import Decoded, decode
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS
from tests.engine.programs import FLOATS, INTEGERS, PROGRAM, install_handlers, program, to_bytes
from tests.engine.support import BASE, ENGINES, Bench, difference

RAM, DATA, PAGES = 1 << 19, BASE + 0x1_0000, 64
FS_DIRTY = 3 << 13
REGISTERS = range(8, 16)                # those that short fields can name
START = PROGRAM + 4                     # after a fence that empties the TLB
FENCE = INSTRUCTIONS["fence"]
sequences = pytest.mark.parametrize("sequence", SEQUENCES, ids="+".join)
some_sequences = pytest.mark.parametrize("sequence", SEQUENCES[::25], ids="+".join)        # the others at length


# Instructions for a sequence.

def written(decoded: Decoded) -> tuple[str, int] | None:
    """The register that an instruction writes."""
    if "fd" in decoded.operands:
        return "f", decoded.operands["fd"]
    return ("x", decoded.operands["rd"]) if decoded.operands.get("rd") else None


def links(parts: list[Decoded], first: int, index: int) -> tuple[int, int]:
    """How many parts before one, from `first` on, each of its two operands was written; 0: by none."""
    def distance(name):
        registers = [(kind, parts[index].operands[field]) for kind, field in (("x", name), ("f", "f" + name[1:]))
                     if field in parts[index].operands]
        last = max(first, index - LINK_FURTHEST)
        return next((index - at for at in range(index - 1, last - 1, -1) if written(parts[at]) in registers), 0)
    return distance("rs1"), distance("rs2")


def fused(names: list[str], parts: list[Decoded], first: int) -> str:
    """The handler that the longest sequence from a part on should have: parts as linked as they are, or not linked at all."""
    known = {"+".join(sequence) for sequence in SEQUENCES}
    name = names[first]
    for index in range(first + 1, len(parts)):
        rs1, rs2 = links(parts, first, index)
        linked = f"{name}+{names[index]}:{rs1}{rs2}"
        longer = next((each for each in (linked, f"{name}+{names[index]}") if each in known), None)
        if longer is None:
            break
        name = longer
    return name


def draw_part(rng: random.Random, name: str, offset: int, registers) -> Decoded | None:
    """An instruction for a handler, any operands; None if these make it another one."""
    instruction, length = HANDLERS[name].parts[0].instruction, HANDLERS[name].parts[0].length
    record = instruction if length == 4 else rng.choice(
        [record for record in COMPRESSED.values() if record.expansion.partition(" ")[0] == instruction.name])
    operands = {}
    for field in record.fields.values():
        if field.is_register:
            value = rng.choice(registers)
        elif field.name == "offset" and name.endswith("local"):
            value = offset
        elif field.name == "rm":
            value = 7
        else:
            low, high = field.bounds
            value = rng.choice([v for v in (0, 1, 2, 3, 4, 8, 16, 24, -1, -8) if low <= v <= high and v % field.step == 0])
        operands[field.name] = value
    try:
        bits = record.encode(**operands)
    except ValueError:                                  # x0 in a short field
        return None
    decoded = decode(bits)
    is_it = decoded is not None and decoded.instruction is instruction and decoded.length == length
    return decoded if is_it and (length == 4 or record.matches(bits)) else None


def draw(rng: random.Random, sequence: tuple[str, ...], is_exact: bool) -> list[Decoded]:
    """Instructions for a sequence: with its links and no others; or of few registers, so that any links come about."""
    names = [split_links(each)[0] for each in sequence]
    wanted = [(packed & 3, packed >> 2) for packed in (split_links(each)[1] for each in sequence)]
    registers = REGISTERS if is_exact else (0, *rng.sample(REGISTERS, 3))
    ends = [sum(HANDLERS[name].parts[0].length for name in names[:count]) for count in range(len(names) + 1)]
    while True:
        parts: list[Decoded] = []
        for index, name in enumerate(names):
            target = rng.choice((ends[-1], ends[-1], 0))
            for _ in range(600):
                part = draw_part(rng, name, target - ends[index], registers)
                if part and (not is_exact or links([*parts, part], 0, index) == wanted[index]):
                    parts.append(part)
                    break
            else:
                break
        if len(parts) == len(names):
            return parts


# Machines.

@cache
def benches() -> list[Bench]:
    """One machine for each engine."""
    made = [Bench(engine, RAM) for engine in ENGINES]
    for bench in made:
        install_handlers(bench)
    return made


def draw_word(rng: random.Random) -> int:
    """A pointer near or far, a small number, or anything."""
    return rng.choice((lambda: DATA + 8 * rng.randrange(PAGES * 512 - 64), lambda: DATA + 8 * rng.randrange(PAGES * 512 - 64),
                       lambda: rng.randrange(9), lambda: rng.choice(INTEGERS), lambda: DATA + rng.randrange(PAGES * 4096)))()


def prepare(rng: random.Random, parts: list[Decoded]) -> dict[str, int]:
    """Place the parts, between a fence and a loop, and data on both machines; gives a state to start from."""
    code = program([INSTRUCTIONS["sfence.vma"].encode(rs1=0, rs2=0)]) + b"".join(to_bytes(part.bits) for part in parts) + program(
        [FENCE.encode(**dict.fromkeys(FENCE.fields, 0)), INSTRUCTIONS["jal"].encode(rd=0, offset=0)])
    pool = struct.pack("<512Q", *(draw_word(rng) for _ in range(512)))
    for bench in benches():
        bench.put(code, PROGRAM)
        for page in range(PAGES):
            bench.memory.write(DATA + page * 4096, pool[page * 8:] + pool[:page * 8])
    state = {f"x{n}": draw_word(rng) for n in (1, 2, *REGISTERS)}
    return state | {f"f{n}": rng.choice(FLOATS[64]) for n in (0, *REGISTERS)} | {
        "mstatus": FS_DIRTY, "prv": 3, "v": 0, "mcause": 0, "mtval": 0, "mepc": PROGRAM, "fcsr": rng.choice((0, 0, 0, 1 << 5))}


def hold(state: dict[str, int], pc: int, counts: list[int]) -> None:
    """Run both machines from a state, in slices: after each, they must be equal."""
    for bench in benches():
        bench.set(pc=pc, **state)
    for count in counts:
        returns = [bench.run(count) for bench in benches()]
        states = [bench.state() for bench in benches()]
        assert not difference(*states), (hex(pc), counts, difference(*states))
        assert returns[0] == returns[1]


def handlers(parts: list[Decoded]) -> list[str]:
    """The names of the handlers in the uops of the parts, as the interpreter has decoded them."""
    hart = benches()[ENGINES.index("interpreter")].hart

    def read(size, address):
        return int.from_bytes(ctypes.string_at(int(address), size), "little")
    names = {int(hart.code_base) + ctypes.c_int32(read(4, hart.handlers + 4 * number)).value: name
             for name, number in NUMBER.items()}
    page = read(8, hart.region_pages[0] + (PROGRAM - BASE >> 12) * 32)
    slots = [(START + sum(part.length for part in parts[:index])) % 4096 // 2 for index in range(len(parts))]
    return [names[read(8, page + slot * UOP_BYTES)] for slot in slots]


def check(rng: random.Random, sequence: tuple[str, ...], is_exact: bool) -> None:
    names = [split_links(each)[0] for each in sequence]
    parts = draw(rng, sequence, is_exact)
    steps = len(parts) + 3
    hold(prepare(rng, parts), PROGRAM, [1 + steps])
    state = prepare(rng, parts)                         # new data; the code is the same, and is decoded again
    hold(state, PROGRAM, [1 + steps])
    expected = [fused(names, parts, index) for index in range(len(parts))]
    assert handlers(parts) == expected
    if is_exact:
        assert expected[0] == "+".join(sequence)
    hold(state, START, [1] * steps)
    for index in range(1, len(parts)):                  # into the middle; and out of it
        hold(state, START + sum(part.length for part in parts[:index]), [steps])
        hold(state, START, [index, steps])


@some_sequences
def test_a_sequence_that_fits(sequence):
    for seed in range(2):
        check(random.Random(f"{sequence}{seed}"), sequence, is_exact=True)


@some_sequences
def test_its_instructions_linked_in_other_ways(sequence):
    """Links that are broken, or point elsewhere; x0; one register twice; results that are overwritten."""
    for seed in range(2):
        check(random.Random(f"{sequence}{seed}"), sequence, is_exact=False)


def test_no_sequence_reaches_further_than_regions_look_back():
    assert max(sum(part.length for part in handler.parts) // 2 for handler in HANDLERS.values()) <= REACH


def test_an_operand_from_further_back_than_a_link_leads_is_no_link():
    """The fifth part reads what the first computed: a distance of four has no room in a link's two bits, the next operand's are
    behind them."""
    far = LINK_FURTHEST + 1
    rng, sequence = random.Random(1), next(each for each in SEQUENCES if len(each) > far and each[far].endswith(":01"))
    sequence = sequence[:far + 1]
    for _ in range(20_000):
        parts = draw(rng, (*sequence[:far], split_links(sequence[far])[0]), is_exact=True)
        if written(parts[0]) == ("x", parts[far].operands.get("rs1")):
            break
    else:
        pytest.fail("no such instructions drawn")
    prepare(rng, parts)
    state = prepare(rng, parts)
    hold(state, PROGRAM, [len(parts) + 3])
    assert handlers(parts)[0] == fused([split_links(each)[0] for each in sequence], parts, 0) != "+".join(sequence)


@pytest.mark.long
@sequences
def test_a_sequence_at_length(sequence):
    for seed in range(100, 108):
        check(random.Random(f"{sequence}{seed}"), sequence, is_exact=seed % 2 == 0)
