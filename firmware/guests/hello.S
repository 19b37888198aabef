# Says hello, and on what it runs.
#
# The smallest complete guest: a kernel that has one hart, no page tables and no interrupts, and asks SBI for the rest.
# It starts in supervisor mode with a0 = number of this hart, a1 = address of the device tree.

    .include "sbi.S"
    .include "console.S"

    .globl _start
_start:
    la      sp, stack_top
    mv      s0, a0
    mv      s1, a1
    print   "Hello from a guest!\n"

    print   "hart         "
    mv      a0, s0
    call    print_decimal
    print   "\ndevice tree  "
    mv      a0, s1
    call    print_hex

    print   "\nSBI          version "
    sbi     SBI_BASE, 0
    mv      s0, a1
    srliw   a0, s0, 24                  # major number: bits 30 to 24
    call    print_decimal
    print   "."
    slli    a0, s0, 40                  # minor number: bits 23 to 0
    srli    a0, a0, 40
    call    print_decimal

    print   ", by "
    sbi     SBI_BASE, 1
    mv      s0, a1
    li      t0, IMPLEMENTATIONS
    bgeu    s0, t0, 1f
    slli    t0, s0, 3
    la      t1, implementations
    add     t1, t1, t0
    ld      a0, (t1)
    call    print_string
    j       2f
1:  print   "implementation "
    mv      a0, s0
    call    print_decimal
2:  print   ", its version "
    sbi     SBI_BASE, 2
    mv      a0, a1
    call    print_hex

    print   "\nconsole      "
    la      a0, debug_console
    ld      t0, console_mode
    addi    t0, t0, -1
    beqz    t0, 1f
    la      a0, legacy_console
1:  call    print_string

# A guest cannot ask whether it is one.  But the hypervisor's own CSRs are closed to it: reading one is a trap.
    print   "\nmode         supervisor; "
    la      t0, 2f
    csrw    stvec, t0
    csrr    t0, hstatus
    print   "this is HS-mode: the hypervisor's CSRs are open\n"
    j       3f
    .align  2
2:  la      sp, stack_top
    print   "the hypervisor's CSRs are closed, as in VS-mode\n"
3:  li      a0, 0
    call    finish

    .section .rodata
debug_console:  .asciz "SBI debug console"
legacy_console: .asciz "SBI legacy console"
    .irp name, BBL, OpenSBI, Xvisor, KVM, RustSBI, Diosix, Coffer, Xen, PolarFire, coreboot, oreboot, bhyve
in_\name:   .asciz "\name"
    .endr
    .align 3
implementations:
    .irp name, BBL, OpenSBI, Xvisor, KVM, RustSBI, Diosix, Coffer, Xen, PolarFire, coreboot, oreboot, bhyve
    .dword in_\name
    .endr
    .equ IMPLEMENTATIONS, (. - implementations) / 8

    .bss
    .align 4
    .zero 4096
stack_top:
