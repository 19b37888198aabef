# Interrupts: taken when they are to be, and only then.

    .equ PATIENCE, 10000000             # ticks until an interrupt that does not come has failed: a second

# Wait until a bit of sip is set; t1 is 0 if it does not come.
    .macro wait_for bit
    rdtime  t2
    li      t0, PATIENCE
    add     t2, t2, t0
1:  csrr    t1, sip
    andi    t1, t1, \bit
    bnez    t1, 2f
    rdtime  t0
    bltu    t0, t2, 1b
2:
    .endm

    check   "software interrupt"
    csrsi   sie, SSIP
    csrsi   sstatus, SSTATUS_SIE
    catch   2f
    csrsi   sip, SSIP                   # writing the CSR makes it due: it is taken before the next instruction
1:  nop
2:  expect  a0, INTERRUPT | SOFTWARE_INTERRUPT
    expect_address a2, 1b
    expect  a1, 0
    csrci   sip, SSIP
    passed

    check   "interrupts that are not enabled"
    csrsi   sip, SSIP
    csrsi   sie, SSIP                   # not by sstatus: nothing happens
    nop
    csrci   sie, SSIP
    csrsi   sstatus, SSTATUS_SIE        # not by sie
    nop
    catch   2f
    csrsi   sie, SSIP
1:  nop
2:  expect_address a2, 1b
    csrci   sip, SSIP
    passed

# An interrupt that is enabled in sie ends the waiting even where sstatus keeps it from being taken.
    check   "waiting for an interrupt that is there"
    csrsi   sip, SSIP
    csrsi   sie, SSIP
    wfi
    csrci   sip, SSIP
    passed

# stvec in vectored mode, if there is that: interrupts enter at 4 times their number, exceptions at the start.
    check   "vectored traps"
    la      t0, vector + 1
    csrw    stvec, t0
    csrr    t1, stvec
    beq     t0, t1, 1f
    passed
1:  csrsi   sie, SSIP
    csrsi   sstatus, SSTATUS_SIE
    li      s0, 0
    csrsi   sip, SSIP
    nop
2:  csrci   sip, SSIP
    expect  s0, 1
    la      t0, 3f
    csrw    sepc, t0
    ebreak
3:  expect  s0, 2
    passed
    .align  8
vector:
    j       vector_exception
    j       vector_software
vector_software:
    csrci   sip, SSIP
    li      s0, 1
    sret
vector_exception:
    li      s0, 2
    la      t0, 3b
    csrw    sepc, t0
    sret

    check   "timer interrupt"
    li      t0, STIP
    csrs    sie, t0
    rdtime  s0
    li      t0, 5000
    add     s0, s0, t0
    mv      a0, s0
    sbi     SBI_TIME, 0
    expect  a0, 0
    csrr    t1, sip
    andi    t1, t1, STIP
    rdtime  t0
    bgeu    t0, s0, 1f                  # a slow machine: it may be pending by now
    expect  t1, 0
1:  catch   2f
    csrsi   sstatus, SSTATUS_SIE
0:  wfi
    j       0b
2:  expect  a0, INTERRUPT | TIMER_INTERRUPT
    rdtime  s1
    bgeu    s1, s0, 3f
    expect_equal s1, s0
3:  li      a0, -1                      # far away: the interrupt is no longer pending
    sbi     SBI_TIME, 0
    csrr    t1, sip
    andi    t1, t1, STIP
    expect  t1, 0
    passed

    check   "a timer in the past"
    li      a0, 0
    sbi     SBI_TIME, 0
    wait_for STIP
    expect  t1, STIP
    passed

    check   "an interrupt from this hart to itself"
    csrci   sip, SSIP
    li      a0, 1
    ld      a1, this_hart
    sbi     SBI_IPI, 0
    expect  a0, 0
    wait_for SSIP
    expect  t1, SSIP
    csrci   sip, SSIP
    passed
