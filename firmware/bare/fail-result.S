# Fails: test 3 has a wrong result.

    .include "riscv-test.S"

    begin
    test    2
    li      a0, 2
    addi    a0, a0, 2
    expect  a0, 4
    test    3
    li      a0, 2
    addi    a0, a0, 2
    expect  a0, 5
    end
