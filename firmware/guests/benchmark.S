# Measures its own speed: how many instructions in how much time.
#
# A turn of the loop is 14 instructions: arithmetic, a load, a store, branches.  They are counted by knowing the loop,
# since the counter of instructions may be closed to a guest.

    .include "sbi.S"
    .include "console.S"

    .equ INSTRUCTIONS, 14               # of one turn of the loop
    .equ TICKS,        10               # of the time CSR in a microsecond

    .globl _start
_start:
    la      sp, stack_top
    ld      s0, iterations
    print   "benchmark: "
    li      t0, INSTRUCTIONS
    mul     s1, s0, t0
    mv      a0, s1
    call    print_decimal
    print   " instructions\n"

    la      t0, table
    li      t1, 88172645463325252       # numbers that look random (xorshift)
    li      t2, 0
    rdtime  s2
loop:
    slli    t3, t1, 13
    xor     t1, t1, t3
    srli    t3, t1, 7
    xor     t1, t1, t3
    slli    t3, t1, 17
    xor     t1, t1, t3
    andi    t3, t1, 0x3f8
    add     t3, t3, t0
    ld      t4, (t3)
    add     t2, t2, t4
    bltz    t1, 1f                      # either way three instructions follow
    sd      t1, (t3)
    addi    s0, s0, -1
    bnez    s0, loop
    j       done
1:  sd      t2, (t3)
    addi    s0, s0, -1
    bnez    s0, loop
done:
    rdtime  s3

    sub     s3, s3, s2
    mv      a0, s3
    call    print_decimal
    print   " ticks of 0.1 us: "
    li      t0, TICKS
    mul     a0, s1, t0
    divu    a0, a0, s3
    call    print_decimal
    print   " million instructions per second\n"
    li      a0, 0
    call    finish

    .data
    .align 3
    .globl iterations
iterations: .dword 10000000

    .bss
    .align 12                           # not in a page with code: writing there is slow on emulators
table:  .zero 0x400
    .zero 1024
stack_top:
