# Copies one half of the working set to the other.
#
# One iteration copies it once: in S-mode with Sv39 or in VS-mode with Sv39 under Sv39x4, as `stages` says.
# Status 0; 1 if the halves differ in the end; 2 without the H extension; 3 after any other trap.

    .include "paged.S"

    .equ LINE, 64                       # bytes that one turn of the loop copies

# Registers: s0 iterations to make, s1 bytes to copy, s2 source, s3 destination

    .globl _start
_start:
    only_hart_0
    enter_paged copy

copy:
    ld      s0, iterations
    ld      s1, working_set
    srli    s1, s1, 1
    li      s2, WORK
    add     s3, s2, s1
    li      t0, 0                       # numbers that differ from word to word
    li      t1, 0x9e3779b97f4a7c15
    mv      t2, s2
1:  add     t0, t0, t1
    sd      t0, (t2)
    addi    t2, t2, 8
    bltu    t2, s3, 1b

again:
    mv      a1, s2
    mv      a2, s3
    .align  3
1:
    .irp at, 0, 16, 32, 48
    ld      t0, \at(a1)
    ld      t1, \at + 8(a1)
    sd      t0, \at(a2)
    sd      t1, \at + 8(a2)
    .endr
    addi    a1, a1, LINE
    addi    a2, a2, LINE
    bltu    a1, s3, 1b
    addi    s0, s0, -1
    bnez    s0, again

    li      a0, 1
    mv      a1, s2
    mv      a2, s3
1:  ld      t0, (a1)
    ld      t1, (a2)
    bne     t0, t1, 2f
    addi    a1, a1, 8
    addi    a2, a2, 8
    bltu    a1, s3, 1b
    li      a0, 0
2:  ecall
