"""The monitor's handler stub: HS-mode code that serves the hottest SBI calls on the hart, without Python.

It is at stvec, and gets the ECALLs of VS-mode (the rule `enter_trap`): set_timer, old and new, and an IPI to the hart itself.
For everything else it executes WFI, which leaves the engine (the rule `wfi`) with the trap's CSRs and all registers as they
were.  Its instructions and its time are not the guest's: for guests, and in every count, it is as if Python had served the call.

sscratch leads to a page that stub and Python share; Python says there whether anything may be served.
"""
from __future__ import annotations

from functools import cache

from rvhyp.isa.text.assembler import assemble
from rvhyp.machine.ram import PAGE, Ram
from rvhyp.monitor.sbi import ipi, legacy_calls, time

# Doublewords of the shared page.
SAVED, IS_OPEN, NUMBER, SERVED, EXTENSION, FUNCTION = range(6)
NO_CALL = (1 << 64) - 1                 # in EXTENSION: it has served none since Python did

SOURCE = f"""
stub:   csrrw t0, sscratch, t0
        sd t1, {8 * SAVED}(t0)
        ld t1, {8 * IS_OPEN}(t0)
        beqz t1, python
        li t1, {time.EID:#x}
        bne a7, t1, 1f
        bnez a6, python
        csrw vstimecmp, a0
        li t1, {1 << 6}                 # VSTIP
        csrc hvip, t1
        j new
1:      li t1, {ipi.EID:#x}
        bne a7, t1, 2f
        bnez a6, python
        ld t1, {8 * NUMBER}(t0)
        bne a1, t1, python
        li t1, 1
        bne a0, t1, python
        csrsi hvip, {1 << 2}            # VSSIP
new:    li a1, 0
        j done
2:      li t1, {legacy_calls.SET_TIMER}
        bne a7, t1, python
        csrw vstimecmp, a0
        li t1, {1 << 6}
        csrc hvip, t1
done:   li a0, 0
        sd a7, {8 * EXTENSION}(t0)
        sd a6, {8 * FUNCTION}(t0)
        ld t1, {8 * SERVED}(t0)
        addi t1, t1, 1
        sd t1, {8 * SERVED}(t0)
        csrr t1, sepc
        addi t1, t1, 4
        csrw sepc, t1
        ld t1, {8 * SAVED}(t0)
        csrrw t0, sscratch, t0
        sret
python: ld t1, {8 * SAVED}(t0)
        csrrw t0, sscratch, t0
        wfi
"""


@cache
def code() -> bytes:
    """Its instructions, which do not depend on where they lie."""
    return assemble(SOURCE, 0, "stub").code


class SharedPage:
    """The page at a system physical address that the stub on one hart shares with Python: `words`."""

    def __init__(self, ram: Ram, spa: int):
        self.spa = spa
        self.words = ram.view[spa - ram.base:spa - ram.base + PAGE].cast("Q")
        self.words[EXTENSION] = NO_CALL
