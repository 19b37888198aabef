# A virtual machine for the programs that measure traps: two stages of page tables, in one gigabyte.
#
# Guest-physical addresses are physical ones; in the guest, RAM is at its own address for VS-mode, and a gigabyte above
# that for VU-mode.

    .include "machine.S"
    .include "supervisor.S"
    .include "htif.S"

    .equ USER_OFFSET, GIB               # from an address of this program to where VU-mode sees it
    .equ HGATP_SV39X4, 8 << 60
    .equ NO_HYPERVISOR, 2               # status

# enter_vs label, exceptions, exceptions of the guest: M-mode gives everything away, and goes there.
    .macro enter_vs label, medeleg, hedeleg
    csrr    t0, misa
    li      t1, MISA_H
    and     t0, t0, t1
    li      a0, NO_HYPERVISOR
    beqz    t0, finish
    li      t0, -1                      # the whole memory is open to the lower modes
    csrw    pmpaddr0, t0
    li      t0, PMP_ALL
    csrw    pmpcfg0, t0
    li      t0, \medeleg
    csrw    medeleg, t0
    li      t0, \hedeleg
    csrw    hedeleg, t0

    la      t0, guest_table
    li      t1, 2 * GIB >> PTE_SHIFT | PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D
    sd      t1, 2 * 8(t0)
    srli    t0, t0, 12
    li      t1, HGATP_SV39X4
    or      t0, t0, t1
    csrw    hgatp, t0
    la      t0, table
    li      t1, 2 * GIB >> PTE_SHIFT | PTE_KERNEL
    sd      t1, 2 * 8(t0)
    li      t1, 2 * GIB >> PTE_SHIFT | PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D
    sd      t1, 3 * 8(t0)
    srli    t0, t0, 12
    li      t1, SATP_SV39
    or      t0, t0, t1
    csrw    vsatp, t0
    csrw    satp, zero
    hfence.gvma
    hfence.vvma

    la      t0, machine_trap
    csrw    mtvec, t0
    li      t0, MSTATUS_MPP
    csrc    mstatus, t0
    li      t0, MPP_S | MSTATUS_MPV
    csrs    mstatus, t0
    la      t0, \label
    csrw    mepc, t0
    mret
    .endm

# What comes back to M-mode is the end: a call with a0 = status, or a mistake.
    .pushsection .text.machine
    .align 2
machine_trap:
    csrr    t0, mcause
    li      t1, ECALL_FROM_S
    beq     t0, t1, finish
    li      t1, ECALL_FROM_VS
    beq     t0, t1, finish
    li      a0, 3
    j       finish
    .popsection

    .pushsection .bss
    .align 14                           # the table of the G stage is 16 KiB, and aligned to that
guest_table:    .zero 4 * PAGE
table:          .zero PAGE
    .popsection
