# Atomic memory operations, and pairs of load-reserved and store-conditional.

# What the operation returns, and what it leaves in memory.
    .macro atomic operation, memory, operand, returned, left
    li      t0, \memory
    sd      t0, (s0)
    li      t1, \operand
    \operation t2, t1, (s0)
    ld      t3, (s0)
    expect  t2, \returned
    expect  t3, \left
    .endm

    check   "atomic operations on doublewords"
    la      s0, page_a
    atomic  amoswap.d, 1, 2, 1, 2
    atomic  amoadd.d, -1, 3, -1, 2
    atomic  amoxor.d, 0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xff00ff00ff00ff00, 0x00ffff0000ffff00
    atomic  amoand.d.aq, 0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xff00ff00ff00ff00, 0xff000000ff000000
    atomic  amoor.d.rl, 0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xff00ff00ff00ff00, 0xffffff00ffffff00
    atomic  amomin.d, 1, -1, 1, -1
    atomic  amomax.d, 1, -1, 1, 1
    atomic  amominu.d, 1, -1, 1, 1
    atomic  amomaxu.d.aqrl, 1, -1, 1, -1
    passed

    check   "atomic operations on words"
    la      s0, page_a
    .equ OTHER, 0x1234567800000000      # the upper word stays
    atomic  amoswap.w, OTHER + 0x80000000, 2, 0xffffffff80000000, OTHER + 2
    atomic  amoadd.w, OTHER + 0xffffffff, 3, -1, OTHER + 2
    atomic  amoxor.w, OTHER + 0xff00ff00, -1, 0xffffffffff00ff00, OTHER + 0x00ff00ff
    atomic  amoand.w, OTHER + 0xff00ff00, 0xff, 0xffffffffff00ff00, OTHER
    atomic  amoor.w, OTHER + 0x7f00ff00, 0xff, 0x7f00ff00, OTHER + 0x7f00ffff
    atomic  amomin.w, OTHER + 1, 0x80000000, 1, OTHER + 0x80000000
    atomic  amomax.w, OTHER + 1, 0x180000000, 1, OTHER + 1
    atomic  amominu.w, OTHER + 1, 0x100000000, 1, OTHER
    atomic  amomaxu.w, OTHER + 1, 0x80000000, 1, OTHER + 0x80000000
    passed

    check   "load-reserved, store-conditional"
    la      s0, page_a
    li      t0, 0x1234567880000000
    sd      t0, (s0)
    li      s1, 100                     # it may fail, but not for ever
1:  lr.w    t1, (s0)
    addi    t2, t1, 1
    sc.w    t3, t2, (s0)
    beqz    t3, 2f
    addi    s1, s1, -1
    bnez    s1, 1b
    failed
2:  expect  t1, 0xffffffff80000000
    ld      t1, (s0)
    expect  t1, 0x1234567880000001
    sc.w    t3, zero, (s0)              # the reservation is used up
    beqz    t3, 3f
    ld      t1, (s0)
    expect  t1, 0x1234567880000001

    la      s2, page_b                  # a reservation of one address is none of another
    sd      zero, (s2)
    lr.d    t1, (s0)
    sc.d    t3, t1, (s2)
    beqz    t3, 3f
    ld      t1, (s2)
    expect  t1, 0
    passed
3:  failed

    check   "a counter of load-reserved and store-conditional"
    la      s0, page_a
    sd      zero, (s0)
    li      s1, 1000
1:  lr.d    t0, (s0)
    addi    t0, t0, 1
    sc.d    t1, t0, (s0)
    bnez    t1, 1b
    addi    s1, s1, -1
    bnez    s1, 1b
    ld      t0, (s0)
    expect  t0, 1000
    passed
