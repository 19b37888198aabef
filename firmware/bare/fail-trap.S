# Fails: test 2 has an illegal instruction, and the handler reports a trap that nobody expects.

    .include "riscv-test.S"

    begin
    test    2
    .word   0xffffffff
    end
