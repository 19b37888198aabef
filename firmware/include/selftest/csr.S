# Control and status registers: what they keep.

    check   "reading and writing CSRs"
    li      t0, 0x123456789abcdef0
    csrw    sscratch, t0
    csrrw   t1, sscratch, zero
    expect_equal t1, t0
    li      t0, 0xff
    csrrs   t1, sscratch, t0
    expect  t1, 0
    li      t0, 0x0f
    csrrc   t1, sscratch, t0
    expect  t1, 0xff
    csrrwi  t1, sscratch, 0x15
    expect  t1, 0xf0
    csrrsi  t1, sscratch, 0x0a
    expect  t1, 0x15
    csrrci  t1, sscratch, 0x10
    expect  t1, 0x1f
    csrrs   t0, sscratch, t0            # what is written is the register before
    expect  t0, 0x0f
    csrr    t1, sscratch
    expect  t1, 0x0f
    passed

    check   "CSRs of traps"
    li      t0, -2                      # (the lowest bit is always 0; but QEMU 7 keeps it)
    csrw    sepc, t0
    csrr    t1, sepc
    expect  t1, -2
    li      t0, 0x4000000123
    csrw    stval, t0
    csrr    t1, stval
    expect  t1, 0x4000000123
    .irp cause, ILLEGAL_INSTRUCTION, STORE_PAGE_FAULT, INTERRUPT | TIMER_INTERRUPT
    li      t0, \cause
    csrw    scause, t0
    csrr    t1, scause
    expect  t1, \cause
    .endr
    passed

    check   "sstatus keeps its fields and shows no others"
    li      s0, SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_FS | SSTATUS_SUM | SSTATUS_MXR
    csrs    sstatus, s0
    csrr    t1, sstatus
    and     t2, t1, s0
    expect_equal t2, s0
    srli    t2, t1, 32                  # UXL: U-mode has 64 bits
    andi    t2, t2, 3
    expect  t2, 2
    li      t0, 1 << 3 | 1 << 7 | 3 << 11 | 1 << 17 | 7 << 20 | 3 << 34    # MIE MPIE MPP MPRV TVM TW TSR SXL
    and     t2, t1, t0
    expect  t2, 0
    csrc    sstatus, s0
    csrr    t1, sstatus
    and     t2, t1, s0
    expect  t2, 0
    passed

    check   "sie and sip"
    li      s0, -1
    csrw    sie, s0
    csrr    t1, sie
    li      t0, SSIP | STIP | SEIP
    and     t2, t1, t0
    expect_equal t2, t0
    li      t0, ~(SSIP | STIP | SEIP | 1 << 13)     # 13: overflow of counters, if there is that
    and     t2, t1, t0
    expect  t2, 0
    csrw    sie, zero
    csrw    sip, s0                     # only the software interrupt is ours to set
    csrr    t1, sip
    andi    t2, t1, SSIP | STIP | SEIP
    expect  t2, SSIP
    csrw    sip, zero
    csrr    t1, sip
    andi    t2, t1, SSIP
    expect  t2, 0
    passed

    check   "a satp of a mode that does not exist"
    li      t0, 12 << 60 | 0x80000      # "the entire write has no effect"
    csrw    satp, t0
    csrr    t1, satp
    expect  t1, 0
    passed

    check   "time goes on"
    rdtime  s0
    li      t0, 10000
1:  addi    t0, t0, -1
    bnez    t0, 1b
    rdtime  s1
    bltu    s0, s1, 2f
    expect_equal s1, s0
    failed
2:  passed

# These may be closed to this mode.
    check   "counters"
    .irp counter, cycle, instret
    li      s0, 0
    li      s1, 0
    catch   1f
    csrr    s0, \counter
    nop
    csrr    s1, \counter
1:  li      t0, -1
    beq     a0, t0, 2f
    expect  a0, ILLEGAL_INSTRUCTION
2:  bgeu    s1, s0, 3f
    failed
3:
    .endr
    passed
