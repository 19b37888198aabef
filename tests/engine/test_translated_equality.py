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
from tests.engine.programs import PROGRAM, install
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
        addi s0, s0, 1
        addi s1, s1, -1
        bne s1, zero, loop
        j .
    """, PROGRAM).sections[0].data)
    bench = hold_translated(lambda each: install(each, code, mstatus=FS_DIRTY), [700, 1, 5000, 3])
    assert bench.translated and (edge == BASE or bench.hart.x[9] == 0)          # handlers lie at the start of RAM
