# Exceptions that need no page tables: causes, sepc and stval.

# An instruction that is illegal here.  stval may be 0 or the instruction.
    .macro illegal size, code
    catch   2f
1:  .\size  \code
2:  expect  a0, ILLEGAL_INSTRUCTION
    expect_address a2, 1b
    beqz    a1, 3f
    expect  a1, \code
3:
    .endm

    check   "illegal instructions"
    illegal 4byte, 0xffffffff
    illegal 2byte, 0x0000
    .align  2
    passed

    check   "instructions and CSRs of machine mode"
    illegal 4byte, 0x30200073           # mret
    illegal 4byte, 0x300022f3           # csrr t0, mstatus
    illegal 4byte, 0x34029073           # csrw mscratch, t0
    illegal 4byte, 0x7b0022f3           # csrr t0, dcsr
    passed

    check   "CSRs that are read-only, and that are not there"
    illegal 4byte, 0xc0001073           # csrw cycle, zero
    illegal 4byte, 0xc0102073 | 5 << 15 # csrs time, t0
    illegal 4byte, 0x8ff022f3           # csrr t0, 0x8ff
    csrrs   t0, time, zero              # a read
    csrrci  t0, time, 0
    passed

# The hypervisor's CSRs are open to HS-mode; to a guest they are not there.
    check   "CSRs of the hypervisor"
    catch   1f
    csrr    t0, hstatus
1:  li      t0, -1
    beq     a0, t0, 2f
    expect  a0, ILLEGAL_INSTRUCTION
2:  passed

    check   "breakpoints"
    catch   2f
1:  ebreak
2:  expect  a0, BREAKPOINT
    expect_address a2, 1b
    beqz    a1, 3f
    expect_address a1, 1b
3:  catch   5f
4:  c.ebreak
    .align  1
5:  expect  a0, BREAKPOINT
    expect_address a2, 4b
    passed

# In sstatus, the state before the trap: S-mode, with interrupts off or on.
    check   "sstatus in a trap"
    catch   1f
    ebreak
1:  andi    t0, a3, SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP
    expect  t0, SSTATUS_SPP
    csrsi   sstatus, SSTATUS_SIE
    catch   2f
    ebreak
2:  andi    t0, a3, SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP
    expect  t0, SSTATUS_SPP | SSTATUS_SPIE
    passed

# sret takes SIE from SPIE and the mode from SPP, and sets them to 1 and to U-mode.
    check   "return from a trap"
    la      t0, 1f
    csrw    sepc, t0
    li      t0, SSTATUS_SPIE | SSTATUS_SPP
    csrs    sstatus, t0
    sret
1:  csrr    t0, sstatus
    andi    t0, t0, SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP
    expect  t0, SSTATUS_SIE | SSTATUS_SPIE
    passed
