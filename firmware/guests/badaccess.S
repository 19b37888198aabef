# Misbehaves: loads from a guest-physical address where nothing is.
#
# A monitor should stop it and say where.  Where such a load is an access fault instead, the status is 5, its cause.

    .include "supervisor.S"
    .include "sbi.S"
    .include "console.S"

    .equ NOWHERE, 0x0800_0000           # between the devices of the board

    .globl _start
_start:
    la      sp, stack_top
    la      t0, trap
    csrw    stvec, t0
    print   "badaccess: loading from "
    li      a0, NOWHERE
    call    print_hex
    print   "\n"
    li      t0, NOWHERE
    .globl  bad_load
bad_load:
    ld      t1, 8(t0)
    print   "badaccess: the load gave a value\n"
    li      a0, 1
    call    finish

    .align 2
trap:
    print   "badaccess: a trap, cause "
    csrr    a0, scause
    call    print_decimal
    print   " value "
    csrr    a0, stval
    call    print_hex
    print   "\n"
    csrr    a0, scause
    call    finish

    .bss
    .align 4
    .zero 1024
stack_top:
