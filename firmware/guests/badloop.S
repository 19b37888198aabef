# Misbehaves: loops for ever, with interrupts off.

    .include "sbi.S"
    .include "console.S"

    .globl _start
_start:
    la      sp, stack_top
    print   "badloop: looping\n"
    csrw    sie, zero
    .globl  bad_loop
bad_loop:
    addi    t0, t0, 1
    j       bad_loop

    .bss
    .align 4
    .zero 1024
stack_top:
