# Fails: prints "PASS" and stores to tohost what looks like an exit with status 0, but is for another device.

    .include "htif.S"

    .equ NO_DEVICE, 0x42 << 56

    .globl _start
_start:
    only_hart_0
    print   "PASS\n"
    la      t0, tohost
1:  ld      t1, (t0)
    bnez    t1, 1b
    li      t1, NO_DEVICE | 1
    sd      t1, (t0)
    li      a0, 0
2:  j       2b
