# Fails: test 2 has an illegal instruction, and there is no handler: it traps for ever.

    .include "riscv-test.S"

    .equ NO_CODE, 0x4000_0000

    begin
    li      t0, NO_CODE
    csrw    mtvec, t0
    test    2
    .word   0xffffffff
    end
