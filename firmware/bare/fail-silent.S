# Fails: waits for an interrupt that never comes, and reports nothing.

    .include "riscv-test.S"

    begin
    csrw    mie, zero
    test    2
1:  wfi
    j       1b
    end
