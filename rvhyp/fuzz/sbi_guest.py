"""The guest that makes the SBI calls of `rvhyp.fuzz.sbi`, and another one beside it."""
from __future__ import annotations

from functools import cache

from rvhyp.fuzz.sbi_model import EVENTS, HSM, IPI, LINKED, SHUTDOWN, TEXT

HARTS, CALLS = 4, 40                    # at most: of a guest, of a hart
ROUNDS = 4                              # how often hart 0 lets the others go on when it has made its own calls
SOURCE = f"""
_start:
    la   s3, harts              # hart 0 starts the others
    ld   s3, (s3)
1:  addi s3, s3, -1
    beqz s3, go
    mv   a0, s3
    la   a1, other
    li   a2, 0
    li   a7, {HSM}
    li   a6, 0
    ecall
    j    1b
other:                          # a hart that was started, or wakes: a0 and a1 go to its place
    la   t0, started
    slli t1, a0, 4
    add  t0, t0, t1
    sd   a0, 0(t0)
    sd   a1, 8(t0)
    j    2f
go: li   a0, 0
2:  mv   tp, a0
    csrwi sie, 2                # software interrupts end a suspension; none is taken
    slli t0, tp, 3
    la   s4, made
    add  s4, s4, t0
    la   s5, count
    add  s5, s5, t0
    ld   s5, (s5)
3:  ld   s2, (s4)
    bgeu s2, s5, done
    addi t1, s2, 1              # a call that does not return is made once, too
    sd   t1, (s4)
    li   t0, {CALLS}
    mul  t0, t0, tp
    add  s2, s2, t0
    la   s0, calls
    slli t0, s2, 6
    add  s0, s0, t0
    la   s1, answers
    slli t0, s2, 4
    add  s1, s1, t0
    ld   a7, 0(s0)
    ld   a6, 8(s0)
    ld   a0, 16(s0)
    ld   a1, 24(s0)
    ld   a2, 32(s0)
    ld   a3, 40(s0)
    ld   a4, 48(s0)
    ld   a5, 56(s0)
call:
    ecall
    sd   a0, 0(s1)
    sd   a1, 8(s1)
    j    3b
done:
    beqz tp, finish
4:  csrci sip, 2
    wfi
    j    4b
finish:
    li   s6, {ROUNDS}
5:  la   t0, made
    la   t1, count
    li   t2, {HARTS}
6:  ld   t3, (t0)
    ld   t4, (t1)
    bltu t3, t4, 7f
    addi t0, t0, 8
    addi t1, t1, 8
    addi t2, t2, -1
    bnez t2, 6b
    j    8f
7:  li   a7, {IPI}
    li   a6, 0
    li   a0, 0
    li   a1, -1
pause:
    ecall
    addi s6, s6, -1
    bnez s6, 5b
8:  li   a7, {SHUTDOWN}
    ecall
    .balign 8
harts:   .dword 0
count:   .zero 8 * {HARTS}
made:    .zero 8 * {HARTS}
started: .zero 16 * {HARTS}
text:    .ascii "{TEXT.decode().strip()}\\n"
    .balign 16
events:
{"".join(f"    .word {event}, 0{chr(10)}    .dword {data}{chr(10)}" for event, data, _ in EVENTS)}
calls:   .zero 64 * {CALLS * HARTS}
answers: .zero 16 * {CALLS * HARTS}
    .balign 4096
shared:  .zero 4096 * {HARTS}
stolen:  .zero 64 * {HARTS}
"""
NEIGHBOUR = """
_start:
    li   s0, 2000
1:  addi s0, s0, -1
    bnez s0, 1b
    li   a7, 1
    li   a0, 'k'
    ecall
    li   a7, 8
    ecall
"""


@cache
def programs():
    """Both of them."""
    from rvhyp.isa.text import assemble
    from rvhyp.machine.loader import load
    return tuple(load(assemble(source, LINKED, name).to_elf(), name)
                 for source, name in ((SOURCE, "guest"), (NEIGHBOUR, "other")))


def places() -> dict[str, int]:
    """Addresses in the guest's program."""
    return programs()[0].symbols
