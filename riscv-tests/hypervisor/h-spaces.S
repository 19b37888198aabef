# Address spaces: changes of vsatp, hgatp, SUM, MXR and so on count for the next access, without a fence, and spaces do not mix.

    .include "harness.S"

    .macro gives mode, value
    in      \mode, ld a1, (a0)
    completes
    expect  a1, \value
    .endm

    begin

# A second G-stage: page 0 of GPA is page 5 of data.
    .macro other_g_stage
    set_pte other_root, 2, 2 * GIB, RWXU
    set_pte other_root, 3, 2 * GIB, RWXU
    set_pte other_root, 6, other_middle, PTE_V
    set_pte other_middle, 0, other_leaf, PTE_V
    set_pte other_leaf, 0, data + (5 * PAGE), RWXU
    set_pte other_leaf, 1, 0, 0
    .endm

    .pushsection .data
    .align 14
other_root:     .zero 4 * PAGE
other_middle:   .zero PAGE
other_leaf:     .zero PAGE
    .popsection

    check   "H-FENCE-005 H-FENCE-012 H-XLAT-028", "two VMIDs in turn, without a fence, never see each other's pages"
    other_g_stage
    paged
    vs_map  0, GPA, RWX | PTE_G
    li      a0, VA
    .rept   3
    atp     hgatp, SV39, g_root, 1 << 44
    gives   VS, CONTENT
    in      VS, sd a1, 8(a0)
    completes
    atp     hgatp, SV39, other_root, 2 << 44
    gives   VS, CONTENT + 5
    in      VS, sd a1, 8(a0)
    completes
    .endr
    li      a0, VA + PAGE
    atp     hgatp, SV39, g_root, 1 << 44
    gives   VS, CONTENT + 1
    atp     hgatp, SV39, other_root, 2 << 44
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2

# A second VS-stage: page 0 of VA is page 3 of GPA.
    .macro other_vs_stage
    set_pte other_root, 2, 2 * GIB, RWX
    set_pte other_root, 3, 2 * GIB, RWXU
    set_pte other_root, 5, other_middle, PTE_V
    set_pte other_root, 6, 0, 0
    set_pte other_middle, 0, other_leaf, PTE_V
    set_pte other_leaf, 0, GPA + (3 * PAGE), RWX
    .endm

    check   "H-FENCE-006 H-XLAT-028", "two ASIDs of one VMID in turn, without a fence"
    other_vs_stage
    paged
    li      a0, VA
    .rept   3
    atp     vsatp, SV39, vs_root, 1 << 44
    gives   VS, CONTENT
    in      VS, sd a1, 8(a0)
    completes
    atp     vsatp, SV39, other_root, 2 << 44
    gives   VS, CONTENT + 3
    in      VS, sd a1, 8(a0)
    completes
    .endr

    check   H-FENCE-006, "a global page of one VMID is not one of another"
    other_vs_stage
    paged
    vs_map  0, GPA, RWX | PTE_G
    li      a0, VA
    atp     vsatp, SV39, vs_root, 1 << 44
    atp     hgatp, SV39, g_root, 1 << 44
    gives   VS, CONTENT
    atp     vsatp, SV39, other_root, 2 << 44
    atp     hgatp, SV39, g_root, 2 << 44
    gives   VS, CONTENT + 3

    check   H-FENCE-007, "one ASID in HS and in VS is two address spaces"
    paged
    paged_hs
    atp     vsatp, SV39, vs_root, 1 << 44
    atp     satp, SV39, hs_root, 1 << 44
    hs_map  0, data + (2 * PAGE), RWX
    li      a0, VA
    .rept   2
    gives   VS, CONTENT
    gives   HS, CONTENT + 2
    .endr
    write   hstatus, HSTATUS_SPVP
    in      HS, hlv.d a1, (a0)
    expect  a1, CONTENT
    csrw    hgatp, zero
    vs_map  0, data + (4 * PAGE), RWX
    hfence.vvma
    .rept   2
    gives   VS, CONTENT + 4
    gives   HS, CONTENT + 2
    .endr

    check   H-XLAT-028, "vsatp between Bare and paged, and of another width: for the next access, without a fence"
    paged
    g_map   0, data + PAGE, RWXU
    li      a0, VA
    li      a2, GPA
    set_pte g_root, 5, g_middle, PTE_V      # VA as a guest physical address
    .rept   2
    gives   VS, CONTENT + 1
    csrw    vsatp, zero
    g_map   2, data + (2 * PAGE), RWXU
    li      a0, VA + (2 * PAGE)
    gives   VS, CONTENT + 2
    paged_vs
    vs_map  2, GPA + (3 * PAGE), RWX
    gives   VS, CONTENT + 3
    li      a0, VA
    .endr
    set_pte g_root, 5, 0, 0

    check   H-XLAT-028, "vsatp, written by the guest itself"
    paged
    li      a0, VA
    gives   VS, CONTENT
    set_pte g_root, 5, g_middle, PTE_V
    fence_all
    g_map   0, data + (4 * PAGE), RWXU
    begin_in VS
    csrw    satp, zero
    ld      a1, (a0)                        # a guest physical address now
    end_in
    completes
    expect  a1, CONTENT + 4
    set_pte g_root, 5, 0, 0

    check   H-XLAT-028, "hgatp between Bare and paged"
    paged
    vs_map  0, GPA, RWX
    vs_map  1, data + (2 * PAGE), RWX
    li      a0, VA
    gives   VS, CONTENT
    csrw    hgatp, zero
    hfence.gvma
    li      a0, VA + PAGE
    gives   VS, CONTENT + 2

    check   "H-XLAT-028 H-XLAT-029", "SUM and MXR, of vsstatus and sstatus, for the next access of the guest and of HLV"
    paged
    write   hstatus, HSTATUS_SPVP
    vs_map  0, GPA, RWXU
    vs_map  1, GPA + PAGE, PTE_V | PTE_X | PTE_A
    g_map   2, data + (2 * PAGE), PTE_V | PTE_X | PTE_U | PTE_A
    .irp    how, "VS, ld a1, (a0)", "HS, hlv.d a1, (a0)"
    .rept   2
    li      a0, VA
    set_bits vsstatus, MSTATUS_SUM
    in      \how
    completes
    clear_bits vsstatus, MSTATUS_SUM
    in      \how
    traps   LOAD_PAGE_FAULT, VA
    li      a0, VA + PAGE
    set_bits vsstatus, MSTATUS_MXR
    in      \how
    completes
    clear_bits vsstatus, MSTATUS_MXR
    in      \how
    traps   LOAD_PAGE_FAULT, VA + PAGE
    li      a0, VA + (2 * PAGE)
    set_bits mstatus, MSTATUS_MXR
    in      \how
    completes
    clear_bits mstatus, MSTATUS_MXR
    in      \how
    traps   LOAD_GUEST_PAGE_FAULT, VA + (2 * PAGE), (GPA + (2 * PAGE)) >> 2
    .endr
    .endr

    check   H-XLAT-029, "vsstatus.SUM, changed between two loads of M-mode with MPRV and MPV"
    paged
    vs_map  0, GPA, RWXU
    li      a0, VA
    li      a2, MSTATUS_SUM
    li      a3, MSTATUS_MPRV | VS
    la      t0, 82f
    csrw    mscratch, t0
    csrs    mstatus, a3
    csrs    vsstatus, a2
    ld      a1, (a0)
    csrc    vsstatus, a2
81: ld      a2, (a0)
82: traps   LOAD_PAGE_FAULT, VA
    expect  a1, CONTENT

    check   H-XLAT-029, "hstatus.SPVP, changed between two HLV"
    paged
    vs_map  1, GPA + PAGE, RWXU
    li      a0, VA + PAGE
    .rept   2
    csrw    hstatus, zero
    in      HS, hlv.d a1, (a0)
    completes
    write   hstatus, HSTATUS_SPVP
    in      HS, hlv.d a1, (a0)
    traps   LOAD_PAGE_FAULT, VA + PAGE
    .endr
    end
