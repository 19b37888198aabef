# Times exits of a guest: from VS-mode to HS-mode and back, as often as `iterations` says.
#
# Status 0; 1 if calls were lost; 2 without the H extension; 3 after any other trap.

    .include "virtual.S"

# Registers: s0 calls to make, s1 calls that were handled, s2 calls there should be

    .globl _start
_start:
    only_hart_0
    ld      s0, iterations
    mv      s2, s0
    li      s1, 0
    la      t0, hypervisor_trap
    csrw    stvec, t0
    enter_vs guest, 1 << ECALL_FROM_VS, 0

guest:
    li      a7, 0
    beqz    s0, 2f
1:  ecall
    addi    s0, s0, -1
    bnez    s0, 1b
2:  li      a7, 1
    ecall

    .align 2
hypervisor_trap:
    bnez    a7, 1f
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    addi    s1, s1, 1
    sret
1:  sub     a0, s1, s2
    snez    a0, a0
    ecall                               # from HS-mode: to M-mode

    .data
    .align 3
    .globl iterations
iterations: .dword 1000000
