# A firmware for one hart, with which guests run where there is no OpenSBI, and on SBI 2.0 with its debug console.
#
# On QEMU (-bios) it ends by the test finisher, on Spike by `tohost`.  The guest is at 0x8020_0000.

    .include "sbi.S"

    .equ GUEST,          0x8020_0000
    .equ UART,           0x1000_0000
    .equ CLINT_MTIMECMP, 0x0200_4000
    .equ CLINT_MTIME,    0x0200_bff8
    .equ CHUNK,          7              # bytes that the debug console takes at once: callers must go on
    .equ MIP_SSIP,       1 << 1
    .equ MIP_STIP,       1 << 5
    .equ MIE_MTIE,       1 << 7
    .equ MPP_S,          1 << 11
    .equ VERSION,        2 << 24
    .equ IMPLEMENTATION, 99

    .pushsection .tohost, "aw"
    .align 6
    .globl tohost, fromhost
tohost:     .dword 0
    .align 6
fromhost:   .dword 0
    .popsection

    .globl _start
_start:
    la      t0, trap
    csrw    mtvec, t0
    la      t0, stack_top
    csrw    mscratch, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    li      t0, 0xb15d                  # everything but calls from S-mode, and access faults of stores
    csrw    medeleg, t0
    li      t0, 0x222
    csrw    mideleg, t0
    li      t0, 7
    csrw    mcounteren, t0
    li      t0, -1
    li      t1, CLINT_MTIMECMP
    sd      t0, (t1)
    li      t0, 3 << 11
    csrc    mstatus, t0
    li      t0, MPP_S
    csrs    mstatus, t0
    li      t0, GUEST
    csrw    mepc, t0
    csrr    a0, mhartid
    mret

    .align 2
trap:
    csrrw   sp, mscratch, sp
    sd      t0, -8(sp)
    sd      t1, -16(sp)
    csrr    t0, mcause
    bltz    t0, timer
    li      t1, 7
    beq     t0, t1, store_fault
    csrr    t0, mepc
    addi    t0, t0, 4
    csrw    mepc, t0
    li      t1, SBI_LEGACY_GETCHAR
    beq     a7, t1, getchar
    .irp name, BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN
    li      t0, SBI_\name
    beq     a7, t0, \name
    .endr
not_supported:
    li      a0, SBI_NOT_SUPPORTED
    j       back
invalid:
    li      a0, SBI_INVALID_PARAM
    j       back
success:
    li      a0, 0
back:
    ld      t0, -8(sp)
    ld      t1, -16(sp)
    csrrw   sp, mscratch, sp
    mret

timer:                                  # machine timer: now it is the supervisor's
    li      t0, MIE_MTIE
    csrc    mie, t0
    li      t0, MIP_STIP
    csrs    mip, t0
    j       back

getchar:
    li      a0, -1
    j       back

BASE:
    li      t0, 1
    li      a1, VERSION
    beqz    a6, success
    li      a1, IMPLEMENTATION
    beq     a6, t0, success
    li      a1, 0
    li      t0, 2
    beq     a6, t0, success
    li      t0, 3
    bne     a6, t0, not_supported
    .irp name, BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN
    li      t0, SBI_\name
    beq     a0, t0, 1f
    .endr
    j       success
1:  li      a1, 1
    j       success

TIME:
    bnez    a6, not_supported
    li      t0, CLINT_MTIMECMP
    sd      a0, (t0)
    li      t0, MIP_STIP
    csrc    mip, t0
    li      t0, MIE_MTIE
    csrs    mie, t0
    j       success

IPI:
    bnez    a6, not_supported
    call    t0, check_mask
    csrsi   mip, MIP_SSIP
    j       success
RFENCE:
    call    t0, check_mask
    fence.i
    sfence.vma
    j       success
check_mask:                             # one hart, 0; or all
    li      t1, -1
    beq     a1, t1, 1f
    bnez    a1, invalid
1:  jr      t0

HSM:
    li      t0, 2
    bgtu    a6, t0, not_supported
    bnez    a0, invalid
    li      a1, HART_STARTED
    beq     a6, t0, success
    li      a0, SBI_ALREADY_AVAILABLE
    j       back

DBCN:
    bnez    a6, not_supported
    bnez    a2, invalid
    li      t0, CHUNK
    bleu    a0, t0, 1f
    mv      a0, t0
1:  mv      t0, a1
    mv      a1, a0
2:  beqz    a0, success
    lbu     t1, (t0)
    sd      t2, -24(sp)
    li      t2, UART
    sb      t1, (t2)
    ld      t2, -24(sp)
    addi    t0, t0, 1
    addi    a0, a0, -1
    j       2b

SRST:
    li      t0, 2
    bgtu    a0, t0, invalid
    li      a0, 0
exit:                                   # with status a0
    slli    t0, a0, 1
    ori     t0, t0, 1
    la      t1, tohost
    sd      t0, (t1)
    li      t0, 1000000
1:  addi    t0, t0, -1
    bnez    t0, 1b
    li      t0, FINISHER_PASS           # not on Spike
    li      t1, FINISHER
    sw      t0, (t1)
2:  j       2b

store_fault:                            # Spike has no finisher; what the guest stores there is in its t0
    ld      a0, -8(sp)
    srli    a0, a0, 16
    j       exit

    .bss
    .align 4
    .zero 256
stack_top:
