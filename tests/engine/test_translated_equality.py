"""Translated code held to the interpreter by the properties that hold the interpreter to plain Python."""
import inspect

import pytest

from rvhyp.isa.text import assemble
from tests.engine import (
    test_contexts,
    test_equality,
    test_equality_choices,
    test_equality_control,
    test_equality_memory,
    test_self_modifying,
)
from tests.engine.programs import DATA, PROGRAM, install
from tests.engine.support import BASE, SIZE, hold_translated

FS_DIRTY = 3 << 13
MODULES = test_contexts, test_equality, test_equality_choices, test_equality_control, test_equality_memory, test_self_modifying
PROPERTIES = [(module, name) for module in MODULES for name, function in vars(module).items()
              if name.startswith("test_") and list(inspect.signature(function).parameters) == ["count"]
              and "hold_equal" in inspect.getsource(function)]


@pytest.mark.parametrize("count", [4, pytest.param(400, marks=pytest.mark.long)])
@pytest.mark.parametrize("module, name", PROPERTIES, ids=[name for _, name in PROPERTIES])
def test_translated_code_is_equal(module, name, count, monkeypatch):
    monkeypatch.setattr(module, "hold_equal", hold_translated)
    getattr(module, name)(count)


def test_there_are_properties():
    assert len(PROPERTIES) >= 10


@pytest.mark.parametrize("edge", [BASE, BASE + SIZE, 0, 1 << 64, 1 << 63], ids=hex)
def test_accesses_beside_ram_trap_and_touch_nothing(edge):
    """Every byte around both ends of RAM, beyond which lie guard pages, and of the address space; several off one register."""
    code = bytes(assemble(f"""
        li s0, {(edge - 40) % (1 << 64):#x}
        li s1, 80
    loop:
        ld a0, -8(s0)
        lw a1, 0(s0)
        lbu a2, 8(s0)
        sd s1, -16(s0)
        sh s1, 6(s0)
        fld f1, 16(s0)
        fsd f1, -24(s0)
        amoadd.w a3, s1, (s0)
        lr.w a4, (s0)
        sc.w a5, s1, (s0)
        addi s0, s0, 1
        addi s1, s1, -1
        bne s1, zero, loop
        j .
    """, PROGRAM).sections[0].data)
    bench = hold_translated(lambda each: install(each, code, mstatus=FS_DIRTY), [700, 1, 7000, 3])
    assert bench.translated and (edge == BASE or bench.hart.x[9] == 0)          # handlers lie at the start of RAM


# LR and SC in translated code: one after the other counts; off addresses that are aligned or not; to code of the very region.
COUNTED = """
loop:   lr.d    a0, (s0)
        addi    a0, a0, 1
        sc.d    a1, a0, (s0)
        add     a2, a2, a1
        sc.w    a3, a0, (s0)            # without a reservation
        add     a2, a2, a3
        addi    s1, s1, -1
        bnez    s1, loop
        j       .
"""
MISALIGNED = """
loop:   lr.w    a0, (s0)
        sc.w    a1, s1, (s0)
        add     a2, a2, a1
        addi    s0, s0, 1
        addi    s1, s1, -1
        bnez    s1, loop
        j       .
"""
PATCHED = """
        la      s0, patched
        lw      s2, 0(s0)               # addi a3, a3, 1
        li      s3, 0x00768693          # addi a3, a3, 7
loop:   lr.w    a0, (s0)
        sc.w    a1, s3, (s0)
        mv      t0, s2
        mv      s2, s3
patched: addi   a3, a3, 1
        mv      s3, t0
        addi    s1, s1, -1
        bnez    s1, loop
        j       .
"""


@pytest.mark.parametrize("text", [COUNTED, MISALIGNED, PATCHED], ids=["counted", "misaligned", "patched"])
def test_reservations(text):
    code = bytes(assemble(text, PROGRAM).sections[0].data)
    bench = hold_translated(lambda each: install(each, code, x8=DATA, x9=200), [700, 1, 5000, 3])
    assert bench.translated and bench.hart.x[9] == 0
