# Follows pointers from page to page of the working set, in an order that looks random.
#
# One iteration visits each page once: in S-mode with Sv39 or in VS-mode with Sv39 under Sv39x4, as `stages` says.
# Before each there is an SFENCE.VMA if `fences` is not 0: then each load must walk.
# Status 0; 1 if it did not end where it began; 2 without the H extension; 3 after any other trap.

    .include "paged.S"

    .equ MULTIPLIER, 1664525            # of a linear congruential generator, which comes to each page once
    .equ INCREMENT,  1013904223

# Registers: s0 iterations to make, s1 pages, s2 a page's number without what is too high

    .globl _start
_start:
    only_hart_0
    enter_paged chase

# address to, number: where the pointer in a page is; changes t6
    .macro address to, number
    slli    \to, \number, 12
    srli    t6, \number, 6
    xor     t6, t6, \number
    andi    t6, t6, 63                  # lines of a page
    slli    t6, t6, 6
    add     \to, \to, t6
    li      t6, WORK
    add     \to, \to, t6
    .endm

chase:
    ld      s0, iterations
    ld      s1, working_set
    srli    s1, s1, 12
    addi    s2, s1, -1
    li      t0, 0                       # a page, and the pointer in it
    address t1, t0
    li      t2, 0                       # pages that have one
    li      t4, MULTIPLIER
    li      t5, INCREMENT
1:  mul     t0, t0, t4
    add     t0, t0, t5
    and     t0, t0, s2
    address t3, t0
    sd      t3, (t1)
    mv      t1, t3
    addi    t2, t2, 1
    bnez    t0, 1b
    li      a0, 1
    bne     t2, s1, 3f

    mv      a1, t1                      # that of page 0 again
    srli    t2, s1, 3
    mul     t2, t2, s0
    ld      t5, fences
    .align  3
2:
    .rept 8
    ld      a1, (a1)
    .endr
    addi    t2, t2, -1
    beq     a1, t1, 4f
5:  bnez    t2, 2b
    sub     a0, a1, t1
    snez    a0, a0
3:  ecall
4:  beqz    t5, 5b
    sfence.vma
    j       5b

    .pushsection .data
    .align 3
    .globl fences
fences: .dword 0
    .popsection
