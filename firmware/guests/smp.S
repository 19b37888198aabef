# Starts all other harts, sends them interrupts and fences, and stops them again.
#
# With one hart there is less to do: it interrupts and fences itself.

    .include "supervisor.S"
    .include "sbi.S"
    .include "console.S"

    .equ MAX_HARTS, 16                  # numbers 0 to 15 are tried
    .equ ROUNDS,    10
    .equ COUNTS,    1000
    .equ PATIENCE,  20000000            # ticks until what does not come has failed: two seconds
    .equ WINDOW,    4 * GIB             # a virtual address whose page changes

# What the first hart knows of each other one, at other_harts + HART_SIZE * number.
    .equ HART_STARTS,   0               # how often it has started
    .equ HART_IPIS,     8               # interrupts it has had
    .equ HART_COMMAND,  16              # what it is to do; it clears this when it is done
    .equ HART_RESULT,   24
    .equ HART_SIZE,     64
    .equ COMMAND_CALL,  1               # call the function that changes
    .equ COMMAND_READ,  2               # read the word in the window
    .equ COMMAND_COUNT, 3               # count, with all others
    .equ COMMAND_STOP,  4

# Registers of the first hart: s0 its number, s1 mask of the others, s2 how many they are

# fail "text"
    .macro fail text
    print   "\text"
    j       failed
    .endm

# for_each label: call a routine with a0 = number of a hart, a1 = what is known of it, for each of the others
    .macro for_each routine
    la      a2, \routine
    call    for_each
    .endm

# Wait until the doubleword at an address in a register has a value in a register.
    .macro wait_until address, value
    rdtime  t4
    li      t5, PATIENCE
    add     t4, t4, t5
look\@:
    ld      t5, (\address)
    beq     t5, \value, seen\@
    rdtime  t5
    bltu    t5, t4, look\@
    fail    "FAILED: waited in vain"
seen\@:
    .endm

    .globl _start
_start:
    la      sp, stack_top
    mv      s0, a0
    la      t0, first_trap
    csrw    stvec, t0
    call    make_tables

# Which others are there?
    li      s1, 0
    li      s2, 0
    li      s3, 0
1:  beq     s3, s0, 2f
    mv      a0, s3
    sbi     SBI_HSM, 2
    bnez    a0, 2f
    li      t0, HART_STOPPED
    bne     a1, t0, 2f
    li      t0, 1
    sll     t0, t0, s3
    or      s1, s1, t0
    addi    s2, s2, 1
2:  addi    s3, s3, 1
    li      t0, MAX_HARTS
    bltu    s3, t0, 1b
    print   "smp: hart "
    mv      a0, s0
    call    print_decimal
    print   " and "
    mv      a0, s2
    call    print_decimal
    print   " more\n"

    for_each start
    print   "ok started\n"

    call    interrupt_myself
    li      s3, ROUNDS
1:  call    interrupt_all
    addi    s3, s3, -1
    bnez    s3, 1b
    print   "ok interrupts\n"

    li      s3, ROUNDS
1:  call    change_code
    addi    s3, s3, -1
    bnez    s3, 1b
    print   "ok fences of instructions\n"

    li      s3, ROUNDS
1:  call    change_page
    addi    s3, s3, -1
    bnez    s3, 1b
    print   "ok fences of pages\n"

    call    count_together
    print   "ok counting together\n"

    for_each stop
    for_each start
    for_each stop
    print   "ok stopped, started and stopped again\n"

    print   "smp: all is well with "
    addi    a0, s2, 1
    call    print_decimal
    print   " hart(s)\n"
    li      a0, 0
    call    finish

failed:
    print   "\nsmp: FAILED\n"
    li      a0, 1
    call    finish

for_each:
    addi    sp, sp, -32
    sd      ra, 0(sp)
    sd      s3, 8(sp)
    sd      s4, 16(sp)
    mv      s4, a2
    li      s3, 0
1:  srl     t0, s1, s3
    andi    t0, t0, 1
    beqz    t0, 2f
    mv      a0, s3
    slli    t0, s3, 6
    la      a1, other_harts
    add     a1, a1, t0
    jalr    s4
2:  addi    s3, s3, 1
    li      t0, MAX_HARTS
    bltu    s3, t0, 1b
    ld      ra, 0(sp)
    ld      s3, 8(sp)
    ld      s4, 16(sp)
    addi    sp, sp, 32
    ret

# start(a0, a1): start a hart, and wait until it runs
start:
    mv      t0, a0
    mv      t1, a1
    ld      t2, HART_STARTS(t1)
    addi    t2, t2, 1
    mv      a2, a1                      # this it will find in its a1
    la      a1, other_start
    sbi     SBI_HSM, 0
    bnez    a0, 9f
    addi    t1, t1, HART_STARTS
    wait_until t1, t2
    mv      a0, t0                      # it runs, and so cannot be started
    sbi     SBI_HSM, 2
    bnez    a0, 9f
    li      t1, HART_STARTED
    bne     a1, t1, 9f
    mv      a0, t0
    la      a1, other_start
    sbi     SBI_HSM, 0
    li      t1, SBI_ALREADY_AVAILABLE
    bne     a0, t1, 9f
    ret
9:  fail    "FAILED: hart_start, or its status"

# command(a0, a1, a3: what): tell a hart to do something, and wait until it has
command:
    sd      a3, HART_COMMAND(a1)
    fence
    mv      t0, a1
    mv      a1, a0
    li      a0, 1
    sbi     SBI_IPI, 0
    addi    t0, t0, HART_COMMAND
    wait_until t0, zero
    fence
    ret

# stop(a0, a1): a hart stops itself
stop:
    mv      t2, ra
    mv      t3, a0
    li      a3, COMMAND_STOP
    call    command
    rdtime  t4
    li      t5, PATIENCE
    add     t4, t4, t5
1:  mv      a0, t3
    sbi     SBI_HSM, 2
    bnez    a0, 2f
    li      t5, HART_STOPPED
    beq     a1, t5, 3f
    rdtime  t5
    bltu    t5, t4, 1b
2:  fail    "FAILED: hart_stop, or its status"
3:  jr      t2

# Interrupt all others at once, and wait until each has counted one more.
interrupt_all:
    addi    sp, sp, -16
    sd      ra, (sp)
    for_each note_interrupts
    mv      a0, s1
    li      a1, 0
    sbi     SBI_IPI, 0
    bnez    a0, 9f
    for_each await_interrupt
    ld      ra, (sp)
    addi    sp, sp, 16
    ret
9:  fail    "FAILED: send_ipi"
note_interrupts:
    ld      t0, HART_IPIS(a1)
    sd      t0, HART_RESULT(a1)
    ret
await_interrupt:
    ld      t1, HART_RESULT(a1)
    addi    t1, t1, 1
    addi    t0, a1, HART_IPIS
    wait_until t0, t1
    ret

# A hart may interrupt itself, by its number or as one of all.
interrupt_myself:
    csrci   sip, SSIP
    li      a0, 1
    mv      a1, s0
    sbi     SBI_IPI, 0
    bnez    a0, 9f
    rdtime  t4
    li      t5, PATIENCE
    add     t4, t4, t5
1:  csrr    t0, sip
    andi    t0, t0, SSIP
    bnez    t0, 2f
    rdtime  t5
    bltu    t5, t4, 1b
9:  fail    "FAILED: an interrupt to itself"
2:  csrci   sip, SSIP
    ret

# Change the number that the function returns: after the fence every hart must see the new one.
change_code:
    addi    sp, sp, -16
    sd      ra, (sp)
    la      t0, changing_function
    lw      t1, (t0)
    li      t2, 1 << 20                 # where "li a0, number" has the number
    add     t1, t1, t2
    sw      t1, (t0)
    fence.i
    mv      a0, s1
    li      a1, 0
    sbi     SBI_RFENCE, 0
    bnez    a0, 9f
    call    changing_function
    mv      s5, a0
    for_each call_there
    ld      ra, (sp)
    addi    sp, sp, 16
    ret
call_there:
    mv      t2, ra
    mv      t3, a1
    li      a3, COMMAND_CALL
    call    command
    ld      t0, HART_RESULT(t3)
    bne     t0, s5, 8f
    jr      t2
8:  fail    "FAILED: old instructions after remote_fence_i"
9:  fail    "FAILED: remote_fence_i"

# Give the window the other of two pages: after the fence every hart must read from that.
change_page:
    addi    sp, sp, -16
    sd      ra, (sp)
    la      t0, leaf
    ld      t1, (t0)
    xori    t1, t1, PAGE >> PTE_SHIFT   # the two pages are neighbours
    sd      t1, (t0)
    srli    t1, t1, 10
    slli    t1, t1, 12
    ld      s5, (t1)
    fence
    mv      a0, s1
    li      a1, 0
    li      a2, WINDOW
    li      a3, PAGE
    sbi     SBI_RFENCE, 1
    bnez    a0, 9f
    for_each read_there
    ld      ra, (sp)
    addi    sp, sp, 16
    ret
read_there:
    mv      t2, ra
    mv      t3, a1
    li      a3, COMMAND_READ
    call    command
    ld      t0, HART_RESULT(t3)
    bne     t0, s5, 8f
    jr      t2
8:  fail    "FAILED: an old page after remote_sfence_vma"
9:  fail    "FAILED: remote_sfence_vma"

# All harts count at the same time, in one word by atomic additions, in another behind a lock.
count_together:
    addi    sp, sp, -16
    sd      ra, (sp)
    la      t0, counters
    sd      zero, 0(t0)
    sd      zero, 8(t0)
    fence
    for_each count_there
    mv      a0, s1
    li      a1, 0
    sbi     SBI_IPI, 0
    call    count
    for_each await_counting
    addi    t0, s2, 1
    li      t1, COUNTS
    mul     t0, t0, t1
    la      t1, counters
    ld      t2, 0(t1)
    ld      t3, 8(t1)
    bne     t2, t0, 9f
    bne     t3, t0, 9f
    ld      ra, (sp)
    addi    sp, sp, 16
    ret
9:  fail    "FAILED: lost counts"
count_there:
    li      t0, COMMAND_COUNT
    sd      t0, HART_COMMAND(a1)
    ret
await_counting:
    addi    t0, a1, HART_COMMAND
    wait_until t0, zero
    fence
    ret

# count(): by every hart; changes a0, t0 to t3
count:
    la      t0, counters
    addi    a0, t0, 16                  # the lock
    li      t1, COUNTS
1:  li      t2, 1
    amoadd.d zero, t2, (t0)
2:  amoswap.w.aq t3, t2, (a0)
    bnez    t3, 2b
    ld      t3, 8(t0)
    addi    t3, t3, 1
    sd      t3, 8(t0)
    amoswap.w.rl zero, zero, (a0)
    addi    t1, t1, -1
    bnez    t1, 1b
    ret

# Sv39: devices and RAM mapped to themselves, and the window
make_tables:
    la      t0, root
    la      t1, middle
    la      t2, leaf
    li      t3, PTE_KERNEL - PTE_X
    sd      t3, (t0)
    li      t3, 2 * GIB >> PTE_SHIFT | PTE_KERNEL
    sd      t3, 2 * 8(t0)
    srli    t3, t1, PTE_SHIFT
    ori     t3, t3, PTE_V
    sd      t3, 4 * 8(t0)
    srli    t3, t2, PTE_SHIFT
    ori     t3, t3, PTE_V
    sd      t3, (t1)
    la      t3, two_pages
    srli    t3, t3, PTE_SHIFT
    ori     t3, t3, PTE_V | PTE_R | PTE_A
    sd      t3, (t2)
    ret

    .align 2
first_trap:
    la      sp, stack_top
    print   "FAILED: a trap, cause "
    csrr    a0, scause
    call    print_hex
    print   " at "
    csrr    a0, sepc
    call    print_hex
    j       failed

# The other harts.  They begin as the first one did, with a0 = number, a1 = what hart_start was given.
other_start:
    mv      s0, a1
    csrr    t0, satp                    # "satp = 0, sstatus.SIE = 0"
    bnez    t0, other_failed
    csrr    t0, sstatus
    andi    t0, t0, SSTATUS_SIE
    bnez    t0, other_failed
    la      t0, other_harts
    slli    t1, a0, 6
    add     t0, t0, t1
    bne     t0, s0, other_failed
    la      t0, other_trap
    csrw    stvec, t0
    li      t0, SSIP
    csrw    sie, t0
    la      t0, root
    srli    t0, t0, 12
    li      t1, SATP_SV39
    or      t0, t0, t1
    csrw    satp, t0
    sfence.vma
    ld      t0, HART_STARTS(s0)
    addi    t0, t0, 1
    fence
    sd      t0, HART_STARTS(s0)

other_waits:
    csrci   sstatus, SSTATUS_SIE
    ld      t0, HART_COMMAND(s0)
    fence
    li      t1, COMMAND_CALL
    beq     t0, t1, other_calls
    li      t1, COMMAND_READ
    beq     t0, t1, other_reads
    li      t1, COMMAND_COUNT
    beq     t0, t1, other_counts
    li      t1, COMMAND_STOP
    beq     t0, t1, other_stops
    wfi
    csrsi   sstatus, SSTATUS_SIE        # the interrupt is here, and returns
    j       other_waits

    .align 2
other_trap:
    csrr    t0, scause
    li      t1, INTERRUPT | SOFTWARE_INTERRUPT
    bne     t0, t1, other_failed
    csrci   sip, SSIP
    ld      t0, HART_IPIS(s0)
    addi    t0, t0, 1
    sd      t0, HART_IPIS(s0)
    sret

other_calls:
    call    changing_function
    j       other_is_done
other_reads:
    li      t0, WINDOW
    ld      a0, (t0)
    j       other_is_done
other_counts:
    call    count
other_is_done:
    sd      a0, HART_RESULT(s0)
    fence
    sd      zero, HART_COMMAND(s0)
    j       other_waits
other_stops:
    csrw    satp, zero
    sd      zero, HART_COMMAND(s0)
    sbi     SBI_HSM, 1
other_failed:                           # the first hart will wait in vain
    wfi
    j       other_failed

    .data
    .align 6
counters:           .dword 0, 0, 0      # by additions, behind a lock, the lock
other_harts:        .zero HART_SIZE * MAX_HARTS
    .section .text.changing
    .align 6
changing_function:
    li      a0, 1
    ret

    .bss
    .align 12
root:       .zero PAGE
middle:     .zero PAGE
leaf:       .zero PAGE
    .data
    .align 13
two_pages:
    .dword 111
    .zero PAGE - 8
    .dword 222
    .zero PAGE - 8
    .bss
    .zero PAGE
stack_top:
