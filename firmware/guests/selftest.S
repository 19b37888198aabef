# Checks memory, instructions, traps, paging, interrupts and SBI from inside a guest.
#
# One line for each check: "ok name" or "FAILED name".  The status is 0, or the number of the first check that failed.
# The checks themselves are in include/selftest/.  Where the manual leaves a choice, each choice is accepted.

    .include "supervisor.S"
    .include "sbi.S"
    .include "console.S"
    .include "selftest/check.S"

    .globl _start
_start:
    la      t0, this_hart
    sd      a0, (t0)
    la      t0, check_table
    la      t1, current
    sd      t0, (t1)

next_check:
    la      sp, stack_top
    la      t0, trap
    csrw    stvec, t0
    csrci   sstatus, SSTATUS_SIE
    csrw    sie, zero
    csrw    satp, zero
    sfence.vma
    li      t0, SSTATUS_SUM | SSTATUS_MXR
    csrc    sstatus, t0
    li      t0, FS_INITIAL
    csrs    sstatus, t0
    fscsr   zero
    la      t0, caught_by
    sd      zero, (t0)
    ld      t0, current
    ld      t0, (t0)
    beqz    t0, report
    jr      t0

check_passed:
    csrw    satp, zero                  # the constants to print are where they were linked
    print   "ok "
    call    print_name
    j       check_done

check_mismatch:                         # t5 where t6 was expected
    csrw    satp, zero
    mv      s0, t5
    mv      s1, t6
    call    note_failure
    print   "    "
    mv      a0, s0
    call    print_hex
    print   " instead of "
    mv      a0, s1
    call    print_hex
    print   "\n"
    j       check_done

check_failed:
    csrw    satp, zero
    call    note_failure

check_done:
    li      a0, -1                      # no timer
    sbi     SBI_TIME, 0
    la      t0, current
    ld      t1, (t0)
    addi    t1, t1, 16
    sd      t1, (t0)
    j       next_check

report:
    ld      t0, current
    la      t1, check_table
    sub     a0, t0, t1
    srli    a0, a0, 4
    call    print_decimal
    print   " checks, "
    ld      a0, failures
    call    print_decimal
    print   " failed\n"
    ld      a0, first_failure
    call    finish

# note_failure(): print it and remember the first
note_failure:
    addi    sp, sp, -16
    sd      ra, (sp)
    la      t0, failures
    ld      t1, (t0)
    addi    t2, t1, 1
    sd      t2, (t0)
    bnez    t1, 1f
    ld      t0, current
    la      t1, check_table
    sub     t0, t0, t1
    srli    t0, t0, 4
    addi    t0, t0, 1
    la      t1, first_failure
    sd      t0, (t1)
1:  print   "FAILED "
    call    print_name
    ld      ra, (sp)
    addi    sp, sp, 16
    ret

# print_name(): of the current check, and the end of the line
print_name:
    addi    sp, sp, -16
    sd      ra, (sp)
    ld      t0, current
    ld      a0, 8(t0)
    call    print_string
    print   "\n"
    ld      ra, (sp)
    addi    sp, sp, 16
    ret

# Every trap comes here.  If a check waits for it, that goes on, in S-mode with interrupts off.
    .align 2
trap:
    la      t6, caught_by
    ld      t5, (t6)
    sd      zero, (t6)
    beqz    t5, unexpected
    csrr    a0, scause
    csrr    a1, stval
    csrr    a2, sepc
    csrr    a3, sstatus
    csrw    sepc, t5
    li      t5, SSTATUS_SPIE
    csrc    sstatus, t5
    li      t5, SSTATUS_SPP
    csrs    sstatus, t5
    sret

unexpected:
    csrw    satp, zero
    la      sp, stack_top
    call    note_failure
    print   "    trap, cause "
    csrr    a0, scause
    call    print_hex
    print   " at "
    csrr    a0, sepc
    call    print_hex
    print   " value "
    csrr    a0, stval
    call    print_hex
    print   "\n"
    j       check_done

    .section .rodata.checks
check_table:
    .text

    .include "selftest/memory.S"
    .include "selftest/integer.S"
    .include "selftest/atomics.S"
    .include "selftest/float.S"
    .include "selftest/traps.S"
    .include "selftest/csr.S"
    .include "selftest/interrupts.S"
    .include "selftest/paging.S"
    .include "selftest/code.S"
    .include "selftest/sbi.S"

    .section .rodata.checks
    .dword 0                            # the end of the table

    .data
    .align 3
this_hart:      .dword 0
current:        .dword 0                # check, in the table
failures:       .dword 0
first_failure:  .dword 0                # its number
caught_by:      .dword 0                # where the next trap goes on; 0 if none is expected

    .bss
    .align 12
page_a:     .zero PAGE                  # for checks to play with
page_b:     .zero PAGE
    .zero PAGE
stack_top:
