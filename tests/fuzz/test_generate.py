"""Generated programs: the same from the same seed however they are made, made of instructions, and sure to end."""
import os
import subprocess
import sys

import numpy as np
import pytest

from rvhyp.fuzz.example import Example
from rvhyp.fuzz.generate import DISHES, Genes, generate, with_control
from rvhyp.fuzz.layout import R_LENGTH, SLOT_SIZE, SLOTS
from rvhyp.fuzz.menu import POINTERS, REPEATS, Dish, fixed, word_of
from rvhyp.fuzz.targets import TARGETS
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import Kind

WRITERS = {kind for kind in Kind} - {Kind.BRANCH, Kind.STORE, Kind.FENCE, Kind.SYSTEM, Kind.MEMORY}


@pytest.fixture(params=sorted(TARGETS), scope="module")
def maker(request):
    return TARGETS[request.param].maker(7)


def test_a_program_depends_on_seed_and_number_alone(maker):
    whole = maker.batch(SLOTS - 40, 40)
    part = maker.batch(SLOTS - 30, 3)
    assert np.array_equal(whole.code[10:13], part.code) and np.array_equal(whole.records[10:13], part.records)
    other = TARGETS[maker.target.name].maker(8).batch(SLOTS - 30, 3)
    assert not np.array_equal(part.code, other.code) and not np.array_equal(part.records, other.records)


BYTES_OF_ALL = """
import hashlib
from rvhyp.fuzz.targets import TARGETS
batches = [target.maker(7).batch(0, 32) for target in TARGETS.values()]
print(hashlib.sha256(b"".join(batch.code.tobytes() + batch.records.tobytes() for batch in batches)).hexdigest())
"""


def test_a_program_is_the_same_in_every_process():
    """The order of a set of names is not: Python hashes strings otherwise in each."""
    seen = {subprocess.run([sys.executable, "-c", BYTES_OF_ALL], env=os.environ | {"PYTHONHASHSEED": seed}, check=True,
                           capture_output=True).stdout for seed in ("1", "2")}
    assert len(seen) == 1


def test_programs_are_made_of_instructions(maker):
    batch = maker.batch(0, 64)
    lines = [line for n in range(64) for line in Example.of(batch, n).lines]
    unknown = [line for line in lines if decode(line.bits) is None and line.bits != 0]
    assert not unknown
    assert 80 < len(lines) / 64 < SLOT_SIZE / 3
    assert (batch.records[:, R_LENGTH] > 0).all() and batch.rows.shape == (64, DISHES + 1)


def test_a_jump_over_long_dishes_goes_to_the_beginning_of_one():
    """A compressed branch reaches 254 bytes: what it does not reach it must not enter in its middle."""
    long = Dish("long", [fixed("addi", rd=0, rs1=0, imm=0)] * 20)
    menu = with_control([long, *(Dish(name, [word_of(name)]) for name in ("beq", "jal", "c.beqz", "c.j"))])
    batch, jumps = generate(menu, Genes.fresh(7, 0, 64), 0), 0
    for row, code in zip(batch.rows, batch.code, strict=True):
        begins = np.cumsum([0, *menu.lengths[row[row >= 0]]])
        for at, name in zip(begins, (menu.names[n] for n in row[row >= 0]), strict=False):
            if name in ("beq", "jal", "c.beqz", "c.j"):
                offset = decode(int.from_bytes(code[at:at + 4].tobytes(), "little")).operands["offset"]
                assert offset > 0 and at + offset in begins
                jumps += 1
    assert jumps > 200


def test_reserved_registers_are_not_written_but_by_loops(maker):
    batch = maker.batch(0, 64)
    for n in range(64):
        away = 0                                                # how far the stack pointer is, until the next instruction
        for line in Example.of(batch, n).lines:
            decoded = decode(line.bits)
            if decoded and decoded.compressed and decoded.compressed.name == "c.addi16sp":
                away += decoded.operands["imm"]
                continue
            assert away == 0
            if decoded is None or decoded.instruction.kind not in WRITERS:
                continue
            rd = decoded.operands.get("rd")
            assert rd not in POINTERS
            if rd == REPEATS:
                assert decoded.operands == {"rd": REPEATS, "rs1": REPEATS, "imm": -1}


def test_a_program_becomes_typed_values_and_back(maker):
    batch = maker.batch(100, 20)
    for n in range(20):
        example = Example.of(batch, 100 + n)
        assert example.slot_bytes() == batch.code[n].tobytes() and example.record() == batch.records[n].tobytes()


def test_jumps_follow_when_lines_go():
    example = Example.of(TARGETS["user"].maker(7).batch(0, 1), 0)
    n, line = next((n, line) for n, line in enumerate(example.lines) if line.target is not None and line.target > n + 2)
    shorter = example.without(n + 1, 1)
    assert shorter.lines[n].target == line.target - 1
    before, after = (decode(int.from_bytes(each.code()[sum(part.size for part in each.lines[:n]):][:4], "little")).operands
                     for each in (example, shorter))
    key = "offset" if line.origin is None else "imm"
    assert before[key] - after[key] == example.lines[n + 1].size
