# A tiny preemptive kernel: two user tasks in address spaces of their own, switched by the timer.
#
# The kernel runs in S-mode, the tasks in U-mode.  Each task has its own page table (Sv39) and its own number of an
# address space (ASID); both use the same virtual addresses for different memory:
#
#     0x0_0000_0000  1 GiB  devices          kernel only
#     0x0_8000_0000  1 GiB  RAM              kernel only
#     0x1_0000_0000  4 KiB  the task's code  user: read, execute
#     0x1_0000_1000  4 KiB  the task's data  user: read, write
#
# A task comes to the kernel by a system call (ecall), by the timer, or by a mistake, for which it is ended.
# System calls: a7 = 0 write(address, size); a7 = 1 exit(result).

    .include "supervisor.S"
    .include "sbi.S"
    .include "console.S"
    .include "uart.S"

    .equ TICK,       1000               # of the timer, which counts 10 MHz: a tenth of a millisecond
    .equ USER_CODE,  4 * GIB
    .equ USER_DATA,  USER_CODE + PAGE
    .equ USER_END,   USER_CODE + 2 * PAGE
    .equ SYS_WRITE,  0
    .equ SYS_EXIT,   1

# A task, as the kernel knows it: its registers x1 to x31 are at 8 to 248.
    .equ TASK_PC,       0
    .equ TASK_SATP,     256
    .equ TASK_EXITED,   264
    .equ TASK_RESULT,   272
    .equ TASK_EXPECTED, 280
    .equ TASK_SIZE,     288

# Registers of the kernel between a trap and the return from it.
#   s0  the task that runs, or ran last

    .globl _start
_start:
    la      sp, kernel_stack
    la      t0, trap
    csrw    stvec, t0
    csrw    sscratch, zero              # we are in the kernel: see trap
    print   "tasks: a kernel with two of them\n"

    la      a0, task1
    la      a1, root1
    la      a2, code1
    la      a3, data1
    li      a4, 1
    call    make_task
    la      a0, task2
    la      a1, root2
    la      a2, code2
    la      a3, data2
    li      a4, 2
    call    make_task

# Machines may have fewer bits of ASID, even none; then a switch must empty the TLB.
    ld      t0, task2 + TASK_SATP
    csrw    satp, t0
    csrr    t1, satp
    sub     t0, t0, t1
    la      t1, flush_on_switch
    sd      t0, (t1)
    sfence.vma

    li      t0, STIP
    csrw    sie, t0
    call    next_tick
    la      s0, task1
    j       resume

# make_task(a0: task, a1: its page tables, three pages, a2: code, a3: data, a4: ASID)
make_task:
    li      t0, PTE_KERNEL - PTE_X      # root: devices, then RAM, each mapped to itself
    sd      t0, (a1)
    li      t0, 2 * GIB >> PTE_SHIFT | PTE_KERNEL
    sd      t0, 2 * 8(a1)
    li      t0, PAGE
    add     t1, a1, t0                  # the two lower tables lead to the pages of the task
    srli    t2, t1, PTE_SHIFT
    ori     t2, t2, PTE_V
    sd      t2, 4 * 8(a1)
    add     t3, t1, t0
    srli    t2, t3, PTE_SHIFT
    ori     t2, t2, PTE_V
    sd      t2, (t1)
    srli    t2, a2, PTE_SHIFT
    ori     t2, t2, PTE_V | PTE_R | PTE_X | PTE_U | PTE_A
    sd      t2, (t3)
    srli    t2, a3, PTE_SHIFT
    ori     t2, t2, PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D
    sd      t2, 8(t3)

    srli    t0, a1, 12
    slli    t1, a4, SATP_ASID
    or      t0, t0, t1
    li      t1, SATP_SV39
    or      t0, t0, t1
    sd      t0, TASK_SATP(a0)
    li      t0, USER_CODE
    sd      t0, TASK_PC(a0)
    ret

# next_tick(): ask for the timer interrupt, which ends the pending one
next_tick:
    rdtime  a0
    li      t0, TICK
    add     a0, a0, t0
    sbi     SBI_TIME, 0
    ret

# Every trap comes here.  sscratch is the task that ran, or 0 if it was the kernel itself.
    .align 2
trap:
    csrrw   a0, sscratch, a0
    beqz    a0, kernel_trap
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, 8 * \n(a0)
    .endr
    csrrw   t0, sscratch, zero
    sd      t0, 8 * 10(a0)
    csrr    t0, sepc
    sd      t0, TASK_PC(a0)
    mv      s0, a0
    la      sp, kernel_stack

    csrr    t0, scause
    li      t1, INTERRUPT | TIMER_INTERRUPT
    beq     t0, t1, preempt
    li      t1, ECALL_FROM_U
    beq     t0, t1, system_call

    print   "tasks: one made a mistake, cause "
    csrr    a0, scause
    call    print_decimal
    print   " at "
    csrr    a0, sepc
    call    print_hex
    print   "\n"
    li      a0, -1
    j       exit

preempt:
    call    next_tick

# Let the other task run, if there is still one; else the same goes on.
switch:
    la      t0, task1
    bne     s0, t0, 1f
    la      t0, task2
1:  ld      t1, TASK_EXITED(t0)
    bnez    t1, resume
    mv      s0, t0
    la      t0, switches
    ld      t1, (t0)
    addi    t1, t1, 1
    sd      t1, (t0)

# Go on with task s0.
resume:
    csrr    t0, satp
    ld      t1, TASK_SATP(s0)
    beq     t0, t1, 1f
    csrw    satp, t1
    ld      t0, flush_on_switch
    beqz    t0, 1f
    sfence.vma
1:  mv      a0, s0
    csrw    sscratch, a0
    ld      t0, TASK_PC(a0)
    csrw    sepc, t0
    li      t0, SSTATUS_SPP             # sret goes to U-mode, where S-mode's interrupts are always taken
    csrc    sstatus, t0
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, 8 * \n(a0)
    .endr
    ld      a0, 8 * 10(a0)
    sret

system_call:
    ld      t0, TASK_PC(s0)
    addi    t0, t0, 4                   # behind the ecall
    sd      t0, TASK_PC(s0)
    ld      a0, 8 * 10(s0)
    ld      a1, 8 * 11(s0)
    ld      a7, 8 * 17(s0)
    li      t0, SYS_EXIT
    beq     a7, t0, exit
    bnez    a7, bad_call

# write: what the task may not read itself, the kernel does not read for it.
    li      t0, USER_CODE
    bltu    a0, t0, bad_call
    li      t1, USER_END
    bgtu    a0, t1, bad_call
    sub     t1, t1, a0
    bgtu    a1, t1, bad_call
    li      s1, SSTATUS_SUM
    csrs    sstatus, s1                 # pages of user mode are open to the kernel
    call    uart_print
    csrc    sstatus, s1
    sd      zero, 8 * 10(s0)
    j       resume

bad_call:
    li      t0, -1
    sd      t0, 8 * 10(s0)
    j       resume

# exit(a0: result)
exit:
    sd      a0, TASK_RESULT(s0)
    li      t0, 1
    sd      t0, TASK_EXITED(s0)
    ld      t0, task1 + TASK_EXITED
    ld      t1, task2 + TASK_EXITED
    and     t0, t0, t1
    beqz    t0, switch

# Both are done: report.
    li      a0, -1
    sbi     SBI_TIME, 0
    print   "tasks: both have exited, after "
    ld      a0, switches
    call    print_decimal
    print   " switches\n"
    ld      t0, task1 + TASK_RESULT
    ld      t1, task1 + TASK_EXPECTED
    bne     t0, t1, wrong
    ld      t0, task2 + TASK_RESULT
    ld      t1, task2 + TASK_EXPECTED
    bne     t0, t1, wrong
    ld      t0, switches                # one of them when the first task exits; others are the timer's
    li      t1, 2
    bltu    t0, t1, not_preempted
    print   "tasks: their results are right\n"
    li      a0, 0
    call    finish

wrong:
    print   "tasks: FAILED, a result is wrong\n"
    li      a0, 1
    call    finish

not_preempted:
    print   "tasks: FAILED, the timer did not switch between them\n"
    li      a0, 2
    call    finish

# A trap out of the kernel is a mistake in the kernel.
kernel_trap:
    la      sp, kernel_stack
    print   "tasks: FAILED, a trap in the kernel, cause "
    csrr    a0, scause
    call    print_hex
    print   " at "
    csrr    a0, sepc
    call    print_hex
    print   " value "
    csrr    a0, stval
    call    print_hex
    print   "\n"
    li      a0, 3
    call    finish

# The tasks.  Each fits its page, and is linked where the kernel has it, not where it runs: all its references are
# relative to pc.

    .macro system_call number
    li      a7, \number
    ecall
    .endm

# Tell that another of the four parts is done: s1 counts them, s2 is the first of four lines of s3 bytes.
    .macro tell
    mul     a0, s1, s3
    add     a0, a0, s2
    mv      a1, s3
    system_call SYS_WRITE
    addi    s1, s1, 1
    .endm

# Primes below 2000, again and again, in a sieve of one byte per number.
    .equ SIEVE_SIZE,   2000
    .equ SIEVE_RESULT, SIEVE_SIZE       # behind it
    .align 12
code1:
    li      s1, 0
    la      s2, lines1
    li      s3, LINE1
part1:
    li      s4, 300                     # sieves in a quarter of the work
sieve:
    li      t0, USER_DATA
    li      t1, USER_DATA + SIEVE_SIZE
1:  sd      zero, (t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b

    li      a0, 0                       # primes found
    li      t2, 2
    li      t0, USER_DATA
2:  add     t3, t0, t2
    lbu     t4, (t3)
    bnez    t4, 4f
    addi    a0, a0, 1
    mv      t4, t2
3:  sb      t4, (t3)                    # mark its multiples
    add     t3, t3, t2
    bltu    t3, t1, 3b
4:  addi    t2, t2, 1
    li      t4, SIEVE_SIZE
    bltu    t2, t4, 2b
    addi    s4, s4, -1
    bnez    s4, sieve

    sd      a0, SIEVE_RESULT(t0)
    tell
    li      t0, 4
    bltu    s1, t0, part1
    li      t0, USER_DATA
    ld      a0, SIEVE_RESULT(t0)
    system_call SYS_EXIT
lines1:
    .ascii "task 1: primes, 1 of 4\n"
    .equ LINE1, . - lines1
    .ascii "task 1: primes, 2 of 4\n"
    .ascii "task 1: primes, 3 of 4\n"
    .ascii "task 1: primes, 4 of 4\n"

# Random numbers, one from the other, the last of them kept in memory.
    .equ MULTIPLIER, 6364136223846793005
    .equ INCREMENT,  1442695040888963407
    .align 12
code2:
    li      s1, 0
    la      s2, lines2
    li      s3, LINE2
    li      s5, USER_DATA
    li      s6, MULTIPLIER
    li      s7, INCREMENT
part2:
    li      s4, 1000000                 # numbers in a quarter of the work
1:  ld      t0, (s5)
    mul     t0, t0, s6
    add     t0, t0, s7
    sd      t0, (s5)
    addi    s4, s4, -1
    bnez    s4, 1b
    tell
    li      t0, 4
    bltu    s1, t0, part2
    ld      a0, (s5)
    system_call SYS_EXIT
lines2:
    .ascii "task 2: random numbers, 1 of 4\n"
    .equ LINE2, . - lines2
    .ascii "task 2: random numbers, 2 of 4\n"
    .ascii "task 2: random numbers, 3 of 4\n"
    .ascii "task 2: random numbers, 4 of 4\n"
    .align 12

    .data
    .align 3
task1:
    .zero TASK_EXPECTED
    .dword 303
task2:
    .zero TASK_EXPECTED
    .dword 0x26ee1bc91afe2d00
switches:           .dword 0
flush_on_switch:    .dword 0

    .bss
    .align 12
root1:  .zero 3 * PAGE
root2:  .zero 3 * PAGE
data1:  .zero PAGE
data2:  .zero PAGE
    .zero PAGE
kernel_stack:
