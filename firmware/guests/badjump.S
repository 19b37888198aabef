# Misbehaves: jumps to an address where no page is, with a trap vector where no page is: it traps for ever.
#
# Each trap is taken by the guest itself, whose first instruction to handle it faults again.

    .include "supervisor.S"
    .include "sbi.S"
    .include "console.S"

    .equ NO_CODE,   0x4000_0000
    .equ NO_VECTOR, 0x5000_0000

    .globl _start
_start:
    la      sp, stack_top
    print   "badjump: jumping to "
    li      a0, NO_CODE
    call    print_hex
    print   ", with a trap vector at "
    li      a0, NO_VECTOR
    call    print_hex
    print   "\n"
    la      t0, root                    # Sv39, with one entry: RAM, mapped to itself
    li      t1, 2 * GIB >> PTE_SHIFT | PTE_KERNEL
    sd      t1, 2 * 8(t0)
    srli    t0, t0, 12
    li      t1, SATP_SV39
    or      t0, t0, t1
    csrw    satp, t0
    sfence.vma
    li      t0, NO_VECTOR
    csrw    stvec, t0
    li      t0, NO_CODE
    .globl  bad_jump
bad_jump:
    jr      t0

    .bss
    .align 12
root:   .zero PAGE
    .zero 1024
stack_top:
