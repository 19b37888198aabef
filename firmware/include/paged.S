# An address space for the programs that measure memory: 128 MiB of RAM at their own addresses, in pages of 4 KiB.
#
# It is mapped by one stage of page tables in S-mode or by two in VS-mode, as the word `stages` says.

    .include "machine.S"
    .include "supervisor.S"
    .include "htif.S"

    .equ RAM,     0x80000000
    .equ WORK,    0x82000000            # up to 64 MiB that are worked on
    .equ TABLES,  64                    # of the last level: 2 MiB each
    .equ HGATP_SV39X4, 8 << 60
    .equ NO_HYPERVISOR, 2               # status

# make_tables root, middle, last, flags: changes t0 to t3
    .macro make_tables root, middle, last, flags
    la      t0, \middle
    srli    t0, t0, PTE_SHIFT
    ori     t0, t0, PTE_V
    la      t1, \root
    sd      t0, (RAM >> 30) * 8(t1)
    la      t0, \middle
    la      t1, \last
    li      t2, TABLES
1:  srli    t3, t1, PTE_SHIFT
    ori     t3, t3, PTE_V
    sd      t3, (t0)
    addi    t0, t0, 8
    li      t3, PAGE
    add     t1, t1, t3
    addi    t2, t2, -1
    bnez    t2, 1b
    la      t0, \last
    li      t1, RAM >> PTE_SHIFT | \flags
    li      t2, TABLES * 512
1:  sd      t1, (t0)
    addi    t0, t0, 8
    addi    t1, t1, PAGE >> PTE_SHIFT
    addi    t2, t2, -1
    bnez    t2, 1b
    .endm

# enter_paged label: goes there with paging on, in S-mode or VS-mode.
    .macro enter_paged label
    li      t0, -1                      # the whole memory is open to the lower modes
    csrw    pmpaddr0, t0
    li      t0, PMP_ALL
    csrw    pmpcfg0, t0
    make_tables root, middle, last, PTE_KERNEL
    la      t0, machine_trap
    csrw    mtvec, t0
    li      t0, MSTATUS_MPP
    csrc    mstatus, t0
    li      t0, MPP_S
    csrs    mstatus, t0
    la      t0, root
    srli    t0, t0, 12
    li      t1, SATP_SV39
    or      s11, t0, t1
    ld      t0, stages
    addi    t0, t0, -1
    bnez    t0, two_stages
    csrw    satp, s11
    sfence.vma
    j       enter
two_stages:
    csrr    t0, misa
    li      t1, MISA_H
    and     t0, t0, t1
    li      a0, NO_HYPERVISOR
    beqz    t0, finish
    make_tables guest_root, guest_middle, guest_last, PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D
    li      t0, MSTATUS_MPV
    csrs    mstatus, t0
    la      t0, guest_root
    srli    t0, t0, 12
    li      t1, HGATP_SV39X4
    or      t0, t0, t1
    csrw    hgatp, t0
    csrw    vsatp, s11
    hfence.gvma
    hfence.vvma
enter:
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

    .pushsection .data
    .align 3
    .globl iterations, stages, working_set
iterations:     .dword 1
stages:         .dword 2
working_set:    .dword 1 << 20          # bytes, a power of two
    .popsection

    .pushsection .bss
    .align 14                           # the root of the G stage is 16 KiB, and aligned to that
guest_root:     .zero 4 * PAGE
guest_middle:   .zero PAGE
guest_last:     .zero TABLES * PAGE
root:           .zero PAGE
middle:         .zero PAGE
last:           .zero TABLES * PAGE
    .popsection
