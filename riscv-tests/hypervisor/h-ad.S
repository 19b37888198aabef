# Accessed and dirty bits: by a fault (Svade) or by hardware (Svadu), at each stage by its own switch.

    .include "harness.S"

    .equ AD,        PTE_A | PTE_D
    .equ NO_AD,     RWX - PTE_A - PTE_D
    .equ NO_D,      RWX - PTE_D
    .equ BOTH,      ENVCFG_ADUE

    .macro hardware_at menvcfg, henvcfg
    write   menvcfg, \menvcfg
    write   henvcfg, \henvcfg
    fence_all
    .endm

    begin

    check   H-AD-001, "henvcfg.ADUE=0: a VS-stage leaf without A, or D for a store, is a page fault"
    paged
    hardware_at ENVCFG_ADUE, 0
    vs_map  0, GPA, NO_AD
    vs_map  1, GPA + PAGE, NO_D
    vs_map  2, GPA + (2 * PAGE), RWX - PTE_A
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    in      VS, jr a0
    traps_at VA, FETCH_PAGE_FAULT, VA
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    expect_pte vs_leaf, 0, AD, 0
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 1
    in      VS, sd zero, (a0)
    traps   STORE_PAGE_FAULT, VA + PAGE
    in      VS, amoswap.w a1, a1, (a0)
    traps   STORE_PAGE_FAULT, VA + PAGE
    expect_pte vs_leaf, 1, AD, PTE_A
    li      a2, data + PAGE
    ld      a1, (a2)
    expect  a1, CONTENT + 1
    li      a0, VA + (2 * PAGE)
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA + (2 * PAGE)

    check   H-AD-001, "a henvcfg.ADUE written while menvcfg.ADUE is 0 does not count"
    paged
    hardware_at ENVCFG_ADUE, ENVCFG_ADUE
    write   menvcfg, 0
    fence_all
    vs_map  0, GPA, NO_AD
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    expect_pte vs_leaf, 0, AD, 0

    check   H-AD-002, "menvcfg.ADUE=0: a G-stage leaf without A, or D for a store, is a guest-page fault"
    paged
    g_map   0, data, NO_AD | PTE_U
    g_map   1, data + PAGE, NO_D | PTE_U
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      VS, jr a0
    traps_at VA, FETCH_GUEST_PAGE_FAULT, VA, GPA >> 2
    expect_pte g_leaf, 0, AD, 0
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    completes
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    expect_pte g_leaf, 1, AD, PTE_A

    check   H-AD-003, "menvcfg.ADUE=1, henvcfg.ADUE=0: hardware sets the G-stage's bits, the VS-stage faults"
    paged
    hardware_at ENVCFG_ADUE, 0
    g_map   0, data, NO_AD | PTE_U
    vs_map  1, GPA + PAGE, NO_AD
    g_map   1, data + PAGE, NO_AD | PTE_U
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    expect_pte g_leaf, 0, AD, PTE_A
    in      VS, sd a1, (a0)
    completes
    expect_pte g_leaf, 0, AD, AD
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA + PAGE
    expect_pte g_leaf, 1, AD, 0

    check   H-AD-004, "reading a VS-stage table wants A of its page, not D, even for a store"
    paged
    g_map   7, vs_far_leaf, NO_D | PTE_U
    li      a0, FAR_VA
    in      VS, sd a1, (a0)
    completes
    g_map   7, vs_far_leaf, NO_AD | PTE_U
    hfence.gvma
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_READ

    check   H-AD-005, "setting A in a VS-stage PTE wants W of the table's page, and D: set by hardware"
    paged
    hardware_at BOTH, BOTH
    g_map   7, vs_far_leaf, NO_AD | PTE_U
    far_map 0, GPA, NO_AD
    li      a0, FAR_VA
    in      VS, ld a1, (a0)
    completes
    expect_pte vs_far_leaf, 0, AD, PTE_A
    expect_pte g_leaf, 7, AD, AD

    check   H-AD-006, "a VS-stage PTE that the G-stage does not let write: htinst says so, and the PTE stays"
    paged
    hardware_at BOTH, BOTH
    g_map   7, vs_far_leaf, RWXU - PTE_W
    far_map 0, GPA, NO_AD
    far_map 1, GPA + PAGE, NO_D
    li      a0, FAR_VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_WRITE
    gva     1
    in      VS, jr a0
    traps_at FAR_VA, FETCH_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_WRITE
    expect_pte vs_far_leaf, 0, AD, 0
    li      a0, FAR_VA + PAGE + 8
    in      VS, ld a1, (a0)
    completes
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, FAR_VA + PAGE + 8, (FAR_TABLE + 8) >> 2, PTE_WRITE
    expect_pte vs_far_leaf, 1, AD, PTE_A

    check   H-AD-007, "loads and fetches set A and no D in the leaves of their page; stores set both"
    paged
    hardware_at BOTH, BOTH
    .irp    page, 0, 1, 2
    vs_map  \page, GPA + (\page * PAGE), NO_AD
    g_map   \page, data + (\page * PAGE), NO_AD | PTE_U
    .endr
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    expect_pte vs_leaf, 0, AD, PTE_A
    expect_pte g_leaf, 0, AD, PTE_A
    in      VS, sd a1, (a0)                     # after the load, whose translation is known
    completes
    expect_pte vs_leaf, 0, AD, AD
    expect_pte g_leaf, 0, AD, AD
    li      a0, VA + PAGE
    in      VS, sd a1, (a0)
    completes
    expect_pte vs_leaf, 1, AD, AD
    expect_pte g_leaf, 1, AD, AD
    li      a2, data + (2 * PAGE)
    li      a1, ECALL_INSN
    sd      a1, (a2)
    fence.i
    li      a0, VA + (2 * PAGE)
    in      VS, jr a0
    traps_at VA + (2 * PAGE), ECALL_VS, 0
    expect_pte vs_leaf, 2, AD, PTE_A
    expect_pte g_leaf, 2, AD, PTE_A

    check   H-AD-007, "an AMO is a store"
    paged
    hardware_at BOTH, BOTH
    vs_map  0, GPA, NO_AD
    g_map   0, data, NO_AD | PTE_U
    li      a0, VA
    in      VS, amoor.d a1, zero, (a0)
    completes
    expect_pte vs_leaf, 0, AD, AD
    expect_pte g_leaf, 0, AD, AD

    check   H-AD-007, "the rest of an updated PTE stays as it was"
    paged
    hardware_at BOTH, BOTH
    vs_map  0, GPA, NO_AD | PTE_G | 3 << 8
    g_map   0, data, NO_AD | PTE_U | 1 << 9
    li      a0, VA
    in      VS, sd a1, (a0)
    completes
    expect_pte vs_leaf, 0, -1, (GPA >> 2) + (RWX | PTE_G | 3 << 8)
    expect_pte g_leaf, 0, -1, (data >> 2) + (RWXU | 1 << 9)

    check   H-AD-009, "a store that the G-stage refuses writes no data"
    paged
    hardware_at BOTH, BOTH
    vs_map  0, GPA, NO_AD
    g_map   0, data, RWXU - PTE_W
    li      a0, VA
    in      VS, sd zero, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA, GPA >> 2
    li      a2, data
    ld      a1, (a2)
    expect  a1, CONTENT

    check   H-AD-012, "HLV and HSV set A and D as the guest's own accesses do"
    paged
    hardware_at BOTH, BOTH
    write   hstatus, HSTATUS_SPVP
    vs_map  0, GPA, NO_AD
    g_map   0, data, NO_AD | PTE_U
    vs_map  1, GPA + PAGE, NO_AD
    g_map   1, data + PAGE, NO_AD | PTE_U
    li      a0, VA
    in      HS, hlv.d a1, (a0)
    completes
    expect_pte vs_leaf, 0, AD, PTE_A
    expect_pte g_leaf, 0, AD, PTE_A
    in      HS, hsv.d a1, (a0)
    completes
    expect_pte vs_leaf, 0, AD, AD
    expect_pte g_leaf, 0, AD, AD
    li      a0, VA + PAGE
    in      HS, hlvx.hu a1, (a0)
    completes
    expect_pte vs_leaf, 1, AD, PTE_A
    hardware_at BOTH, 0
    vs_map  0, GPA, NO_AD
    hfence.vvma
    li      a0, VA
    in      HS, hlv.d a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    end
