# Fails: test 2 never ends.

    .include "riscv-test.S"

    begin
    test    2
1:  addi    a0, a0, 1
    j       1b
    end
