# Two harts at the same time: one uses a page all the time, the other changes its page-table entry.
# harts: 2

    .include "harness.S"

    .equ AD,        PTE_A | PTE_D
    .equ NO_AD,     RWX - PTE_A - PTE_D
    .equ FEW,       50                      # updates by the other hart that a check must see
    .equ PATIENCE,  10000000                # how long one waits for a hart that may not be there

    begin   others=second

# The other hart stores to the first page, through both stages, and forgets what it knows of the tables; a fault is no matter.
    .pushsection .text.second
second:
    la      t0, 1f
    csrw    mtvec, t0                       # there may be no PMP
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, PMP_NAPOT | PMP_RWX
    csrw    pmpcfg0, t0
    .align  2
1:  la      t0, second_trap
    csrw    mtvec, t0
    write   menvcfg, ENVCFG_ADUE
    write   henvcfg, ENVCFG_ADUE
    write   hstatus, HSTATUS_SPVP
    paged
    li      s2, VA
    la      t1, began
1:  ld      t0, (t1)
    beqz    t0, 1b
    li      t0, 1
    la      t1, is_there
    sd      t0, (t1)
2:  hsv.d   zero, (s2)
second_again:
    hfence.vvma
    hfence.gvma
    j       2b
    .align  2
second_trap:
    la      t0, faults
    ld      t1, (t0)
    addi    t1, t1, 1
    sd      t1, (t0)
    la      t0, second_again
    csrw    mepc, t0
    mret
    .popsection

# The first entry of a table is a1, then a2, then a1 ... for ever-changing times: the other hart's updates may add A and D, and that is all.
    .macro race table
    la      t0, began
    sd      t0, (t0)
    la      t1, is_there
    li      a0, PATIENCE
1:  ld      t0, (t1)
    addi    a0, a0, -1
    beqz    a0, 2f
    beqz    t0, 1b
2:  expect  t0, 1
    la      a0, \table
    li      a3, 0
    li      a4, 1
    la      a7, rounds
    ld      a7, (a7)
1:  sd      a1, (a0)
    andi    a5, a4, 127
2:  addi    a5, a5, -1
    bgez    a5, 2b
    ld      a6, (a0)
    xor     a6, a6, a1
    beqz    a6, 3f
    expect  a6, AD
    addi    a3, a3, 1
3:  xor     a1, a1, a2
    xor     a2, a1, a2
    xor     a1, a1, a2
    slli    a5, a4, 1                       # another time
    srli    a4, a4, 62
    xor     a4, a4, a5
    slli    a5, a5, 3
    xor     a4, a4, a5
    ori     a4, a4, 1
    addi    a7, a7, -1
    bgtz    a7, 1b
    sltiu   a5, a3, FEW
    bnez    a5, 1b
    .endm

    .macro expect_faults count
    la      t0, faults
    ld      t4, (t0)
    li      t5, \count
    expected
    .endm

    check   H-AD-008, "another address: the update of the old VS-stage leaf is not written over the new one, and the walk goes on"
    li      a1, (GPA >> 2) + NO_AD
    li      a2, ((GPA + PAGE) >> 2) + NO_AD
    race    vs_leaf
    expect_faults 0

    check   H-AD-008, "another address: the update of the old G-stage leaf is not written over the new one, and the walk goes on"
    la      t0, data
    srli    a1, t0, 2
    addi    a1, a1, NO_AD | PTE_U
    addi    a2, a1, PAGE >> 2
    race    g_leaf
    expect_faults 0

    check   H-AD-008, "no page any more: the update of a VS-stage leaf does not bring it back"
    li      a1, (GPA >> 2) + NO_AD
    li      a2, 0
    race    vs_leaf

    check   H-AD-008, "no page any more: the update of a G-stage leaf does not bring it back"
    la      t0, data
    srli    a1, t0, 2
    addi    a1, a1, NO_AD | PTE_U
    li      a2, 0
    race    g_leaf
    end

    .pushsection .data
    .align 3
began:      .dword 0                        # the tables are there
is_there:   .dword 0                        # ... and so is the other hart
rounds:     .dword 50000                    # how often a check changes the entry, at least: where harts take turns, few do
faults:     .dword 0                        # of the other hart
    .popsection
