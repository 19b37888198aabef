# Cache blocks: who may manage, zero and prefetch them, and what translation asks of it (Zicbom, Zicboz, Zicbop).

    .include "harness.S"

    .equ AD,        PTE_A | PTE_D
    .equ NO_AD,     RWX - PTE_A - PTE_D
    .equ NO_D,      RWX - PTE_D
    .equ READ_ONLY, RWX - PTE_W - PTE_X
    .equ ALL,       ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE

    .macro permit menvcfg, henvcfg, senvcfg
    write   menvcfg, \menvcfg
    write   henvcfg, \henvcfg
    write   senvcfg, \senvcfg
    .endm

# An operation on the block at a0, with its fields of menvcfg, henvcfg and senvcfg.
    .macro by_field m, h, s, hs, u, vs, vu, instruction
    permit  \m, \h, \s
    in      HS, \instruction
    \hs
    in      U, \instruction
    \u
    in      VS, \instruction
    \vs
    in      VU, \instruction
    \vu
    in      M, \instruction
    completes
    .endm

    .macro gated instruction, field
    by_field 0, 0, 0, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal, "\instruction"
    by_field 0, \field, \field, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal, "\instruction"
    by_field \field, 0, 0, completes, refused_as_illegal, refused_as_virtual, refused_as_virtual, "\instruction"
    by_field \field, 0, \field, completes, completes, refused_as_virtual, refused_as_virtual, "\instruction"
    by_field \field, \field, 0, completes, refused_as_illegal, completes, refused_as_virtual, "\instruction"
    by_field \field, \field, \field, completes, completes, completes, completes, "\instruction"
    .endm

    begin

    check   H-ACC-020, "CBO.ZERO, by CBZE of menvcfg, henvcfg and senvcfg"
    la      a0, data
    gated   "cbo.zero (a0)", ENVCFG_CBZE

    check   H-ACC-020, "CBO.CLEAN and CBO.FLUSH, by CBCFE"
    la      a0, data
    gated   "cbo.clean (a0)", ENVCFG_CBCFE
    gated   "cbo.flush (a0)", ENVCFG_CBCFE

    check   H-ACC-020, "CBO.INVAL, by CBIE, whether it is to flush or to invalidate"
    la      a0, data
    gated   "cbo.inval (a0)", ENVCFG_CBIE_FLUSH
    gated   "cbo.inval (a0)", ENVCFG_CBIE

    check   H-ACC-020, "each has a field of its own"
    la      a0, data
    by_field ALL - ENVCFG_CBZE, ALL, ALL, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal, "cbo.zero (a0)"
    by_field ALL, ALL - ENVCFG_CBCFE, ALL, completes, completes, refused_as_virtual, refused_as_virtual, "cbo.clean (a0)"
    by_field ALL, ALL, ALL - ENVCFG_CBIE, completes, refused_as_illegal, completes, refused_as_virtual, "cbo.inval (a0)"

# What was stored before CBO.INVAL is still there.
    .macro flushed mode, m, h, s
    permit  \m, \h, \s
    la      a0, data
    addi    a1, a1, 1
    sd      a1, (a0)
    sd      a1, 56(a0)
    in      \mode, cbo.inval (a0)
    completes
    ld      a2, (a0)
    expect_equal a2, a1
    ld      a2, 56(a0)
    expect_equal a2, a1
    .endm

    check   H-ACC-021, "CBO.INVAL flushes where a CBIE that counts is 1"
    li      a1, CONTENT
    flushed HS, ENVCFG_CBIE_FLUSH, ENVCFG_CBIE, ENVCFG_CBIE
    flushed VS, ENVCFG_CBIE_FLUSH, ENVCFG_CBIE, ENVCFG_CBIE
    flushed VS, ENVCFG_CBIE, ENVCFG_CBIE_FLUSH, ENVCFG_CBIE
    flushed VU, ENVCFG_CBIE, ENVCFG_CBIE_FLUSH, ENVCFG_CBIE
    flushed VU, ENVCFG_CBIE, ENVCFG_CBIE, ENVCFG_CBIE_FLUSH
    flushed U, ENVCFG_CBIE, ENVCFG_CBIE, ENVCFG_CBIE_FLUSH

    check   H-AD-010, "CBO.ZERO sets A and D at both stages, and makes the block 0"
    paged
    permit  ENVCFG_ADUE | ALL, ENVCFG_ADUE | ALL, ALL
    fence_all
    vs_map  0, GPA, NO_AD
    g_map   0, data, NO_AD | PTE_U
    li      a2, data
    sd      a2, 64(a2)
    sd      a2, 120(a2)
    sd      a2, 128(a2)
    li      a0, VA + 64 + 24
    in      VS, cbo.zero (a0)
    completes
    expect_pte vs_leaf, 0, AD, AD
    expect_pte g_leaf, 0, AD, AD
    ld      a1, (a2)
    expect  a1, CONTENT
    ld      a1, 64(a2)
    expect  a1, 0
    ld      a1, 120(a2)
    expect  a1, 0
    ld      a1, 128(a2)
    expect_equal a1, a2

    check   H-AD-010, "CBO.ZERO faults as a store where it may not write, at each stage"
    paged
    permit  ALL, ALL, ALL
    vs_map  0, GPA, READ_ONLY
    vs_map  1, GPA + PAGE, NO_D
    g_map   2, data + (2 * PAGE), READ_ONLY | PTE_U
    g_map   3, data + (3 * PAGE), NO_D | PTE_U
    vs_map  4, GPA + (4 * PAGE), 0
    .irp    n, 0, 1, 4
    li      a0, VA + (\n * PAGE) + 64
    in      VS, cbo.zero (a0)
    traps   STORE_PAGE_FAULT, VA + (\n * PAGE) + 64
    .endr
    .irp    n, 2, 3
    li      a0, VA + (\n * PAGE) + 64
    in      VS, cbo.zero (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + (\n * PAGE) + 64, (GPA + (\n * PAGE) + 64) >> 2
    .endr
    .irp    n, 0, 1, 2, 3, 4
    li      a2, data + (\n * PAGE)
    ld      a1, (a2)
    expect  a1, CONTENT + \n
    .endr

    check   H-AD-010, "a fault's address is what rs1 says, not where the block begins"
    paged
    permit  ALL, ALL, ALL
    vs_map  0, GPA, 0
    g_map   1, data, 0
    .irp    insn, zero, clean, flush, inval
    li      a0, VA + 64 + 24
    in      VS, cbo.\insn (a0)
    traps   STORE_PAGE_FAULT, VA + 64 + 24
    li      a0, VA + PAGE + 64 + 24
    in      VS, cbo.\insn (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE + 64 + 24, (GPA + PAGE + 64 + 24) >> 2
    .endr

    check   H-AD-010, "management needs R or W, and A: not D, which it does not set"
    paged
    permit  ENVCFG_ADUE | ALL, ENVCFG_ADUE | ALL, ALL
    fence_all
    .irp    insn, clean, flush, inval
    vs_map  0, GPA, READ_ONLY - PTE_A - PTE_D
    g_map   0, data, (READ_ONLY - PTE_A - PTE_D) | PTE_U
    fence_all
    li      a0, VA
    in      VS, cbo.\insn (a0)
    completes
    expect_pte vs_leaf, 0, AD, PTE_A
    expect_pte g_leaf, 0, AD, PTE_A
    .endr

    check   H-AD-010, "and its faults are those of stores"
    paged
    permit  ALL, ALL, ALL
    vs_map  0, GPA, NO_AD
    g_map   1, data + PAGE, NO_AD | PTE_U
    vs_map  2, GPA + (2 * PAGE), 0
    g_map   3, data + (3 * PAGE), 0
    .irp    insn, clean, flush, inval
    .irp    n, 0, 2
    li      a0, VA + (\n * PAGE)
    in      VS, cbo.\insn (a0)
    traps   STORE_PAGE_FAULT, VA + (\n * PAGE)
    .endr
    .irp    n, 1, 3
    li      a0, VA + (\n * PAGE)
    in      VS, cbo.\insn (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + (\n * PAGE), (GPA + (\n * PAGE)) >> 2
    .endr
    .endr
    expect_pte vs_leaf, 0, AD, 0
    expect_pte g_leaf, 1, AD, 0

    check   H-AD-010, "memory that PMP keeps back is a store access fault"
    permit  ALL, ALL, ALL
    paged
    li      t0, (data >> 2) | (PAGE / 8 - 1)
    csrw    pmpaddr0, t0
    li      t0, -1
    csrw    pmpaddr1, t0
    li      t0, PMP_NAPOT | (PMP_NAPOT | PMP_RWX) << 8
    csrw    pmpcfg0, t0
    fence_all
    .irp    insn, zero, clean, flush, inval
    li      a0, VA
    in      VS, cbo.\insn (a0)
    traps   STORE_ACCESS_FAULT, VA
    .endr
    csrw    pmpcfg0, zero

    check   H-AD-011, "PREFETCH sets neither A nor D, and does not fault"
    paged
    permit  ENVCFG_ADUE | ALL, ENVCFG_ADUE | ALL, ALL
    fence_all
    vs_map  0, GPA, NO_AD
    g_map   0, data, NO_AD | PTE_U
    vs_map  1, GPA + PAGE, 0
    g_map   2, data, 0
    .irp    mode, VS, VU, HS, U
    .irp    n, 0, 1, 2
    li      a0, VA + (\n * PAGE)
    in      \mode, prefetch.r 0(a0)
    completes
    in      \mode, prefetch.w 32(a0)
    completes
    in      \mode, prefetch.i 64(a0)
    completes
    .endr
    .endr
    expect_pte vs_leaf, 0, AD, 0
    expect_pte g_leaf, 0, AD, 0
    li      a0, -32
    in      VS, prefetch.w 0(a0)
    completes
    end
