"""Shrinking: what is left is small, still different, legal, and always the same."""
from dataclasses import replace
from functools import partial

import pytest

from rvhyp.fuzz.example import Example, Line, lines_of
from rvhyp.fuzz.layout import slot_code
from rvhyp.fuzz.oracles import Engine, Failed
from rvhyp.fuzz.reproducer import values_left_by
from rvhyp.fuzz.shrink import differ, shrink
from rvhyp.fuzz.targets import ISA, TARGETS
from rvhyp.isa.instruction import INSTRUCTIONS
from rvhyp.isa.text import assemble
from tests.fuzz.mutant import ADD, SUB, Mutant


def example_of(text):
    return Example(0, 0, lines_of(assemble(f".option norvc\n{text}", 0x8020_0000).code), (0,) * 32, (0,) * 32)


def texts(example):
    return [str(line) for line in example.lines]


def asked(example, answer):
    """All variants that are tried, if `answer(number, variant)` says what differs."""
    variants = []

    def different(some):
        variants.extend(some)
        return [answer(len(variants) - len(some) + n, each) for n, each in enumerate(some)]
    result = shrink(example, different, None, 5)
    return variants, result


ANSWERS = [lambda n, each: False, lambda n, each: True, lambda n, each: n % 3 == 0, lambda n, each: n * n % 7 < 3]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("dangerous, needed, text", [
    (0, 1, "sw s11, 8(t3)\n fence.i\n addi a0, a0, 1\n addi a0, a0, 2"),
    (0, 1, "sd s11, 8(t3)\n hfence.gvma zero, zero\n addi a0, a0, 1\n addi a0, a0, 2"),
    (1, 4, "addi a0, a0, 1\n sd s11, 8(t3)\n lui t3, 0x30\n add t3, t3, t4\n sfence.vma t3, zero\n addi a0, a0, 2"),
    (1, 3, "slli t3, t3, 50\n csrw vstimecmp, t3\n addi a1, a0, 1\n ecall\n addi a0, a0, 1"),
    (1, 0, "slli t3, t3, 50\n csrw vstimecmp, t3\n ecall\n addi a0, a0, 1"),
    (0, 1, "cbo.zero (t3)\n fence.i\n addi a0, a0, 1\n addi a0, a0, 2"),
    (3, 2, "addi t3, zero, 0\n csrr t3, sstatus\n bne t3, zero, .+8\n wfi\n addi a0, a0, 1"),
    (5, 4, "addi t3, zero, 0\n csrr t3, mip\n csrr s11, mie\n and t3, t3, s11\n beq t3, zero, .+8\n wfi\n addi a0, a0, 1")])
def test_what_makes_a_program_legal_is_not_left_out_alone(dangerous, needed, text, answer):
    """A store to code without FENCE.I, to an entry without its fence, and a WFI that may never end, are nobody's difference."""
    example = example_of(text)
    store, fence = example.lines[dangerous], INSTRUCTIONS[str(example.lines[needed]).split()[0]].encoding
    variants, _ = asked(example, answer)
    assert any(store not in each.lines for each in variants)
    for each in variants:
        if store in each.lines:
            assert any(line.bits & fence.mask == fence.match for line in each.lines), texts(each)


def test_a_fence_of_an_address_is_left_as_it_is_or_becomes_one_of_everything():
    example = example_of("sd s11, 8(t3)\n lui t3, 0x30\n add t3, t3, t4\n sfence.vma t3, zero")
    store = example.lines[0]
    for answer in ANSWERS:
        for each in asked(example, answer)[0]:
            if store in each.lines:
                assert texts(each)[texts(each).index(str(store)):] in (texts(example), [str(store), "sfence.vma zero, zero"])


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_programs_of_every_target_can_get_shorter(target):
    """Nothing that their dishes have makes all variants illegal."""
    batch = TARGETS[target].maker(4).batch(0, 6)
    for number in range(6):
        _, result = asked(Example.of(batch, number), lambda n, each: True)
        assert len(result.lines) <= 1


def has_sub(examples):
    return [any(line.bits & SUB.mask == SUB.match for line in each.lines) for each in examples]


def test_what_is_left_is_different_and_always_the_same():
    batch = TARGETS["remap"].maker(2).batch(0, 40)
    example = next(each for each in (Example.of(batch, n) for n in range(40)) if has_sub([each])[0])
    one, other = shrink(example, has_sub), shrink(example, has_sub)
    assert one == other and len(one.lines) == 1 and has_sub([one]) == [True]
    assert not any(one.x) and not one.pokes and not one.data_seed


def test_lines_that_only_compute_become_a_state():
    """What an instruction needs is in the registers that the program starts with."""
    text = "li t0, 7\n slli t0, t0, 20\n csrw sscratch, t0\n li t1, 5\n csrr t2, sscratch\n sub a0, t2, t1"
    batch = TARGETS["csr"].maker(1).batch(0, 1)
    example = replace(example_of(text), csrs=Example.of(batch, 0).csrs | {"mstatus": 0x7800, "mepc": slot_code(0)})
    engine, mutant = Engine("interpreter", ISA), Mutant(ISA)
    small = shrink(example, partial(differ, engine, mutant, 1), partial(values_left_by, engine))
    assert len(small.lines) == 1 and texts(small)[0].startswith("sub ")
    assert differ(engine, mutant, 1, [small]) == [True]


def test_a_variant_that_does_not_end_somewhere_is_not_different():
    """An oracle that fails says nothing of the others in its image."""
    engine = Engine("interpreter", ISA)

    class Failing:
        def run(self, image, region, instructions):
            if any(line in image.section(".slots").data for line in (SUB.match.to_bytes(4, "little"),)):
                raise Failed("did not end")
            return Mutant(ISA).run(image, region, instructions)
    batch = TARGETS["user"].maker(1).batch(0, 1)
    plain = replace(Example.of(batch, 0), lines=(Line(ADD.match, 4),))
    examples = [replace(plain, lines=(Line(bits, 4),)) for bits in (ADD.match, SUB.match, ADD.match)]
    assert differ(engine, Failing(), 1, examples) == differ(Failing(), engine, 1, examples) == [False] * 3
    wrong = [replace(plain, lines=(Line(INSTRUCTIONS["sub"].encode(rd=10, rs1=0, rs2=8), 4),)), *examples]
    assert differ(engine, Failing(), 1, wrong) == [True, False, False, False]


def test_states_stay_those_that_programs_may_start_in():
    """No CBIE of 2; what is raised for one reason or another is delegated alike."""
    csrs = {"menvcfg": 0x30, "medeleg": 0xF0, "mstatus": 0x7800, "mepc": slot_code(0)}
    for answer in ANSWERS:
        for each in asked(replace(example_of("nop"), csrs=csrs), answer)[0]:
            assert each.csrs["menvcfg"] >> 4 & 3 != 2 and each.csrs["medeleg"] >> 4 & 0xF in (0, 3, 0xC, 0xF)
