"""QEMU is asked about what was found: what it makes of a program, or why it cannot say."""
from dataclasses import replace

import pytest

from rvhyp.fuzz import qemu, reproducer
from rvhyp.fuzz.example import Example, Line
from rvhyp.fuzz.oracles import ORACLES, Failed
from rvhyp.fuzz.reproducer import Observation, explanation, left_by, third_opinion
from rvhyp.fuzz.targets import ISA, TARGETS
from rvhyp.isa.instruction import INSTRUCTIONS
from tests.firmware.peers import needs_qemu


def program(*words: int) -> Example:
    """A program of these instructions, in M-mode."""
    example = Example.of(TARGETS["user"].maker(1).batch(3, 1), 3)
    return replace(example, lines=tuple(Line(bits, 4) for bits in words))


def encoded(name: str, **operands: int) -> int:
    return INSTRUCTIONS[name].encode(**operands)


@needs_qemu
def test_it_leaves_in_registers_and_memory_what_our_engine_does():
    example = program(encoded("mulh", rd=11, rs1=12, rs2=13), encoded("sd", rs2=11, rs1=9, imm=0),
                      encoded("lh", rd=14, rs1=9, imm=2), encoded("csrrw", rd=15, csr=0x340, rs1=0))
    why, theirs = third_opinion(example, ISA)
    ours = left_by(example, ORACLES["interpreter"].make(ISA))
    assert why == "" and theirs.keys() == ours.keys()
    registers = {name: value for name, value in ours.values() if name[0] in "xf"}
    assert {name: value for name, value in theirs.values() if name in registers} == registers
    assert registers["x11"] != example.x[11] and registers["x14"] != example.x[14]


@needs_qemu
def test_it_is_not_asked_about_what_it_does_not_know():
    example = program(encoded("amocas.q", aq=0, rl=0, rd=10, rs1=9, rs2=12))
    assert third_opinion(example, ISA) == ("QEMU does not know amocas.q", {})


@needs_qemu
def test_the_explanation_has_its_values():
    example = program(encoded("add", rd=11, rs1=12, rs2=13))
    place, value = next((place, value) for place, (name, value) in third_opinion(example, ISA)[1].items() if name == "x11")
    lines = explanation(example, None, [Observation(place, "x11", 1, 2)], "interpreter", "spike", ISA)
    assert lines[-1].strip() == f"x11: 0x1 on interpreter, 0x2 on spike, {value:#x} on QEMU"
    assert value == (example.x[12] + example.x[13]) % (1 << 64)


def test_without_qemu_the_explanation_says_so(monkeypatch):
    monkeypatch.setattr(qemu, "find", lambda program: None)
    lines = explanation(program(encoded("add", rd=11, rs1=12, rs2=13)), None, [Observation(0, "x11", 1, 2)], "a", "b", ISA)
    assert lines[-2].strip() == "x11: 0x1 on a, 0x2 on b"
    assert lines[-1].startswith("QEMU is not asked: qemu-system-riscv64 not found")


@needs_qemu
def test_a_qemu_that_does_not_start_is_no_failure_of_ours(monkeypatch):
    monkeypatch.setattr(qemu, "MACHINE", "nothing-like-it")
    with pytest.raises(Failed, match="ended with status 1"):
        qemu.Qemu(ISA).run(program(encoded("add", rd=11, rs1=12, rs2=13)).image(), reproducer.Region(0, 8), 1)
