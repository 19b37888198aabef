# The start and the end of a benchmark in M-mode: one hart, floating point on, a stack; main's result is the status.

#define MSTATUS_FS_INITIAL (1 << 13)
#define STATUS_OF_TRAPS 2

    .section .text.start, "ax"
    .globl _start
_start:
    csrr    t0, mhartid
1:  bnez    t0, 1b
    la      t0, trap
    csrw    mtvec, t0
    li      t0, MSTATUS_FS_INITIAL
    csrs    mstatus, t0
    fscsr   zero
    la      sp, stack_top
    call    main
finish:
    la      t0, tohost
1:  ld      t1, (t0)
    bnez    t1, 1b
    slli    a0, a0, 1
    ori     a0, a0, 1
    sd      a0, (t0)
2:  j       2b

    .align  2
trap:
    li      a0, STATUS_OF_TRAPS
    j       finish

    .section .tohost, "aw"
    .align  6
    .globl tohost
    .type tohost, @object
    .size tohost, 8                     # QEMU asks for it
tohost: .dword 0
    .align  6
    .globl fromhost
    .type fromhost, @object
    .size fromhost, 8
fromhost: .dword 0
