"""Extensions in a guest: what it is told it has, it may use without an exit; cache-block operations on devices are refused."""
import re

import pytest

from rvhyp.machine.fdt import isa_extensions
from rvhyp.monitor.vm import GUEST_ISA
from tests.monitor.guest import boot

ENGINES = ("interpreter", "reference")
USES = """
    la s0, block
    cbo.zero 0(s0)
    cbo.clean 0(s0)
    cbo.flush 0(s0)
    cbo.inval 0(s0)
    prefetch.w 0(s0)
    ld a0, 8(s0)                # 0
    li t0, 6
    li t1, 3
    clmul t0, t0, t1            # 10
    add a0, a0, t0
    li t0, 0x3C00
    fmv.h.x ft0, t0
    fadd.h ft0, ft0, ft0
    fcvt.w.h t0, ft0            # 2
    add a0, a0, t0
    li t1, 5
    amocas.d t1, t0, (s0)       # 0
    add a0, a0, t1
    wrs.nto
    pause
    csrr t0, hpmcounter3         # 0
    add a0, a0, t0
    csrr t0, sstateen0          # 0
    add a0, a0, t0
    csrw senvcfg, zero
    j exit
    .balign 64
block:
    .dword 1, 2, 3, 4, 5, 6, 7, 8
"""
REFUSED = """
    la t0, trap
    csrw stvec, t0
    li s1, 0x10000003
    cbo.{name} 0(s1)
    li a0, 98
    j exit
    .balign 4
trap:
    csrr a0, scause
    csrr t0, stval
    beq t0, s1, exit
    li a0, 99
    j exit
"""


@pytest.mark.parametrize("on", ENGINES)
def test_a_guest_may_use_what_it_has(on):
    run = boot(USES, on=on)
    assert run.outcome.status == 12
    assert run.vm.exits == {"store/AMO guest-page fault": 1}        # the test finisher, at the end


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("name", ["zero", "clean", "flush", "inval"])
def test_devices_have_no_blocks(on, name):
    run = boot(REFUSED.format(name=name), on=on)
    assert run.outcome.status == 7


def test_the_device_tree_says_so():
    _, names = isa_extensions(GUEST_ISA)
    assert {"zba", "zbb", "zbs", "zicbom", "zicbop", "zicboz", "zfh", "zfhmin", "zihpm", "ssstateen"} <= set(names)
    assert not {"h", "smstateen", "smcntrpmf", "sscofpmf", "shlcofideleg"} & set(names)
    run = boot("    mv a0, zero\n    j exit\n")
    tree = run.vm.device_tree()
    assert len(re.findall(rb"riscv,cbo[mpz]-block-size\0", tree)) == 3
