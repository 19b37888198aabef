"""A rule that says something else in plain Python than in the compiled core is noticed."""
import ast

import pytest

from rvhyp.isa.rule import RULES, _Literals
from tests.engine.paging import FULL, A, D, U, W
from tests.explain.test_cases import VA_DATA, bare, guest


def without_w():
    guest("sd x2, 8(x4)", data=FULL & ~U & ~W)


def without_d():
    guest("sd x2, (x4)", g_data=FULL & ~D, menvcfg=0)


def without_a():
    guest("ld x2, (x4)", g_data=FULL & ~A, x4=VA_DATA + 4, menvcfg=0)


def without_table():
    guest("ld x2, (x4)", without=["leaf table"])


def ecall():
    bare("ecall", prv=0, v=1, medeleg=1 << 8, hedeleg=1 << 8)


def timer():
    bare("j .", mstatus=10, mideleg=0, mie=-1, mip=0x20)


def counter():
    bare("csrr a0, instret", prv=1, v=1, mcounteren=7, hcounteren=3, medeleg=-1)


@pytest.mark.parametrize("case, rule, old, new", [
    (without_w, "first_stage_allows", "pte & PTE_W", "pte & PTE_R"),
    (without_w, "transformed_instruction", "insn &= 32534655", "insn &= 32534654"),
    (without_w, "raise_at", "h.trap_gva = v", "h.trap_gva = 0"),
    (without_d, "second_stage", "PTE_A | PTE_D if is_store", "PTE_A if is_store"),
    (without_a, "guest_page_fault", "gpa >> 2", "gpa >> 3"),
    (without_a, "guest_page_fault", "20 + access", "21 + access"),
    (without_table, "guest_page_fault", "h.trap_inst = PSEUDO_READ", "h.trap_inst = PSEUDO_WRITE"),
    (ecall, "enter_trap", "h.hideleg if is_interrupt else h.hedeleg", "h.hideleg"),
    (ecall, "enter_trap", "h.mideleg if is_interrupt else h.medeleg", "h.mideleg"),
    (timer, "first_of", "ready & SSIP", "ready & STIP"),
    (timer, "vector", "base = tvec & ~3", "base = tvec | 4"),
    (counter, "hypervisor_gate_closed", "number & 31", "number & 1"),
    (counter, "deliver", "cause == VIRTUAL_INSTRUCTION", "cause == 0"),
])
def test_is_noticed(monkeypatch, case, rule, old, new):
    record = RULES[rule]
    source = ast.unparse(record.tree())
    assert old in source
    module = _Literals().visit(ast.parse(source.replace(old, new)))
    scope = dict(record.plain.__globals__)
    exec(compile(ast.fix_missing_locations(module), "<mutation>", "exec"), scope)
    case()
    monkeypatch.setitem(record.__dict__, "plain", scope[rule])
    with pytest.raises(AssertionError):
        case()
