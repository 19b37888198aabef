# What PTEs may be at either stage: pointers, superpages, reserved bits, Svnapot, Svpbmt.

    .include "harness.S"

    .macro vs_refuses
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    .endm

    .macro g_refuses
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA, GPA >> 2
    .endm

    .macro gives value
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    expect  a1, \value
    .endm

    begin

    check   H-XLAT-018, "a VS-stage pointer with A, D or U is a page fault"
    paged
    gives   CONTENT
    .irp    bit, PTE_A, PTE_D, PTE_U
    set_pte vs_middle, 0, vs_leaf, PTE_V | \bit
    hfence.vvma
    vs_refuses
    .endr
    set_pte vs_middle, 0, vs_leaf, PTE_V

    check   H-XLAT-018, "a G-stage pointer with A, D or U is a guest-page fault"
    paged
    .irp    bit, PTE_A, PTE_D, PTE_U
    set_pte g_middle, 0, g_leaf, PTE_V | \bit
    hfence.gvma
    g_refuses
    .endr
    set_pte g_middle, 0, g_leaf, PTE_V

    check   H-XLAT-018, "a pointer in the last table faults"
    paged
    vs_map  0, GPA, PTE_V
    vs_refuses
    vs_map  0, GPA, RWX
    g_map   0, data, PTE_V
    fence_all
    g_refuses

    check   H-XLAT-018, "a page to be written and not read faults, and one that is not valid"
    paged
    vs_map  0, GPA, RWX - PTE_R
    vs_refuses
    vs_map  0, GPA, RWX - PTE_V
    hfence.vvma
    vs_refuses
    vs_map  0, GPA, RWX
    g_map   0, data, RWXU - PTE_R
    fence_all
    g_refuses
    g_map   0, data, RWXU - PTE_V
    hfence.gvma
    g_refuses

    check   H-XLAT-019, "reserved bits of a VS-stage PTE are a page fault"
    paged
    .irp    bit, 54, 55, 56, 57, 58
    vs_map  0, GPA, RWX | 1 << \bit
    hfence.vvma
    vs_refuses
    .endr
    vs_map  0, GPA, RWX | 3 << 8            # two bits are software's
    hfence.vvma
    gives   CONTENT

    check   H-XLAT-019, "reserved bits of a G-stage PTE are a guest-page fault"
    paged
    .irp    bit, 54, 55, 56, 57, 58
    g_map   0, data, RWXU | 1 << \bit
    hfence.gvma
    g_refuses
    .endr
    g_map   0, data, RWXU | 3 << 8
    hfence.gvma
    gives   CONTENT

    check   H-XLAT-019, "bits 60 and 59 are reserved without Svrsw60t59b"
    paged
    .irp    bit, 59, 60
    vs_map  0, GPA, RWX | 1 << \bit
    g_map   0, data, RWXU
    fence_all
    vs_refuses
    vs_map  0, GPA, RWX
    g_map   0, data, RWXU | 1 << \bit
    fence_all
    g_refuses
    .endr

    check   H-XLAT-020, "a superpage at the VS-stage over pages at the G-stage"
    paged
    set_pte vs_middle, 0, GPA, RWX
    hfence.vvma
    gives   CONTENT
    li      a0, VA + (5 * PAGE) + 8
    li      a1, 0x1234
    in      VS, sd a1, (a0)
    completes
    li      a2, data + (5 * PAGE)
    ld      a1, 8(a2)
    expect  a1, 0x1234
    g_map   6, 0, 0
    hfence.gvma
    li      a0, VA + (6 * PAGE) + 24
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + (6 * PAGE) + 24, (GPA + (6 * PAGE) + 24) >> 2
    set_pte vs_middle, 0, vs_leaf, PTE_V

    check   H-XLAT-020, "a superpage at the G-stage under pages of the VS-stage"
    paged
    set_pte g_middle, 0, data & ~(MIB2 - 1), RWXU
    vs_map  0, (GPA + (data & (MIB2 - 1)) + (3 * PAGE)), RWX
    fence_all
    gives   CONTENT + 3
    set_pte g_middle, 0, g_leaf, PTE_V

    check   H-XLAT-020, "superpages at both, of two sizes"
    paged
    set_pte vs_root, 5, 2 * GIB, RWX        # where the G-stage has a superpage, too
    fence_all
    li      a0, VA + data - (2 * GIB) + (2 * PAGE)
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 2
    set_pte vs_root, 5, vs_middle, PTE_V

    check   H-XLAT-020, "a superpage that does not begin at a multiple of its size is a page fault or guest-page fault"
    paged
    .irp    off, PAGE, 256 * PAGE
    set_pte vs_middle, 0, GPA + \off, RWX
    fence_all
    vs_refuses
    .endr
    set_pte vs_middle, 0, vs_leaf, PTE_V
    .irp    off, PAGE, 256 * PAGE
    set_pte g_middle, 0, 2 * GIB + \off, RWXU
    fence_all
    g_refuses
    .endr
    set_pte g_middle, 0, g_leaf, PTE_V
    set_pte vs_root, 5, 2 * GIB + MIB2, RWX
    fence_all
    vs_refuses
    set_pte vs_root, 5, vs_middle, PTE_V

# Svnapot: 64 KiB.  Bits 3:0 of the number are 1000, those of the address take their place.
    check   H-XLAT-021, "N at the VS-stage: pages 0 to 15 of the guest physical addresses"
    paged
    .irp    page, 0, 3, 6
    vs_map  \page, GPA + (8 * PAGE), RWX | PTE_N
    .endr
    gives   CONTENT
    li      a0, VA + (6 * PAGE)
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 6

    check   H-XLAT-021, "N at the G-stage"
    paged
    .irp    page, 0, 3, 5
    g_map   \page, data + (8 * PAGE), RWXU | PTE_N
    .endr
    gives   CONTENT
    li      a0, VA + (5 * PAGE)
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 5

    check   H-XLAT-021, "N with other low bits faults, and does not set A first"
    paged
    write   menvcfg, ENVCFG_ADUE
    write   henvcfg, ENVCFG_ADUE
    .irp    low, 0, 1, 4, 9, 12
    vs_map  0, (GPA + (\low * PAGE)), PTE_V | PTE_R | PTE_W | PTE_N
    fence_all
    vs_refuses
    expect_pte vs_leaf, 0, PTE_A | PTE_D, 0
    .endr
    vs_map  0, GPA, RWX
    .irp    low, 0, 1, 4, 9, 12
    g_map   0, (data + (\low * PAGE)), PTE_V | PTE_R | PTE_W | PTE_U | PTE_N
    fence_all
    g_refuses
    expect_pte g_leaf, 0, PTE_A | PTE_D, 0
    .endr

    check   H-XLAT-021, "N above the last level faults"
    paged
    set_pte vs_middle, 0, GPA + (8 * PAGE), RWX | PTE_N
    fence_all
    vs_refuses
    set_pte vs_middle, 0, vs_leaf, PTE_V | PTE_N
    fence_all
    vs_refuses
    set_pte vs_middle, 0, vs_leaf, PTE_V
    set_pte g_middle, 0, 2 * GIB + (8 * PAGE), RWXU | PTE_N
    fence_all
    g_refuses
    set_pte g_middle, 0, g_leaf, PTE_V | PTE_N
    fence_all
    g_refuses
    set_pte g_middle, 0, g_leaf, PTE_V

    check   H-XLAT-022, "PBMT at the VS-stage: henvcfg.PBMTE, which needs menvcfg.PBMTE, must be 1"
    paged
    vs_map  0, GPA, RWX | PTE_NC
    vs_refuses
    write   menvcfg, ENVCFG_PBMTE
    fence_all
    vs_refuses
    write   henvcfg, ENVCFG_PBMTE
    fence_all
    gives   CONTENT
    vs_map  0, GPA, RWX | PTE_IO
    fence_all
    gives   CONTENT
    write   menvcfg, 0                      # henvcfg.PBMTE is then 0 as well
    fence_all
    vs_refuses

    check   H-XLAT-022, "PBMT at the G-stage: menvcfg.PBMTE must be 1"
    paged
    g_map   0, data, RWXU | PTE_NC
    g_refuses
    write   menvcfg, ENVCFG_PBMTE
    fence_all
    gives   CONTENT
    g_map   0, data, RWXU | PTE_IO
    fence_all
    gives   CONTENT

    check   H-XLAT-022, "PBMT 3 is reserved, and any in a pointer"
    paged
    write   menvcfg, ENVCFG_PBMTE
    write   henvcfg, ENVCFG_PBMTE
    vs_map  0, GPA, RWX | PTE_NC | PTE_IO
    fence_all
    vs_refuses
    vs_map  0, GPA, RWX
    g_map   0, data, RWXU | PTE_NC | PTE_IO
    fence_all
    g_refuses
    g_map   0, data, RWXU
    set_pte g_middle, 0, g_leaf, PTE_V | PTE_NC
    fence_all
    g_refuses
    set_pte g_middle, 0, g_leaf, PTE_V
    set_pte vs_middle, 0, vs_leaf, PTE_V | PTE_NC
    fence_all
    vs_refuses
    set_pte vs_middle, 0, vs_leaf, PTE_V

    check   H-XLAT-023, "PMP denies a VS-stage PTE: an access fault of the access's own type"
    paged
    write   pmpaddr1, -1
    write   pmpaddr0, ((vs_far_leaf >> 2) | (PAGE >> 3) - 1)
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT
    fence_all
    li      a0, FAR_VA + PAGE
    in      VS, ld a1, (a0)
    traps   LOAD_ACCESS_FAULT, FAR_VA + PAGE
    gva     1
    in      VS, sd a1, (a0)
    traps   STORE_ACCESS_FAULT, FAR_VA + PAGE
    gva     1
    in      VS, jr a0
    traps_at FAR_VA + PAGE, FETCH_ACCESS_FAULT, FAR_VA + PAGE
    gva     1
    gives   CONTENT

    check   H-XLAT-023, "PMP denies a G-stage PTE"
    paged
    write   pmpaddr1, -1
    write   pmpaddr0, ((g_leaf >> 2) | (PAGE >> 3) - 1)
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT
    fence_all
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    traps   LOAD_ACCESS_FAULT, VA + PAGE
    gva     1
    in      VS, amoadd.w a1, a1, (a0)
    traps   STORE_ACCESS_FAULT, VA + PAGE
    gva     1
    in      VS, jr a0
    traps_at VA + PAGE, FETCH_ACCESS_FAULT, VA + PAGE
    gva     1

    check   H-XLAT-024, "PMP denies the page itself"
    paged
    write   pmpaddr1, -1
    write   pmpaddr0, ((data + PAGE) >> 2) | (PAGE >> 3) - 1
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT | 1
    fence_all
    li      a0, VA + PAGE + 8
    in      VS, ld a1, (a0)
    completes
    in      VS, sd a1, (a0)
    traps   STORE_ACCESS_FAULT, VA + PAGE + 8
    gva     1
    in      VS, jr a0
    traps_at VA + PAGE + 8, FETCH_ACCESS_FAULT, VA + PAGE + 8
    gva     1
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT
    fence_all
    in      VS, ld a1, (a0)
    traps   LOAD_ACCESS_FAULT, VA + PAGE + 8
    gva     1
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    end
