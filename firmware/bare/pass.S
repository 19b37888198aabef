# Passes, in the way of riscv-tests.

    .include "riscv-test.S"

    begin
    test    2
    li      a0, 2
    addi    a0, a0, 2
    expect  a0, 4
    test    3
    li      a0, -1
    srli    a0, a0, 60
    expect  a0, 15
    end
