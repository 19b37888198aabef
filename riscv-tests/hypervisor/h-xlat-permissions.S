# U, SUM and MXR: which status register and which bit counts at which stage.

    .include "harness.S"

    .equ X_ONLY,    PTE_V | PTE_X | PTE_A | PTE_D
    .equ VS_HLV,    HSTATUS_SPVP            # hstatus for HLV as VS; 0 is as VU

# With sstatus.MXR and vsstatus.MXR as they are, a load from page 0 in VS, and HLV as VS, give this cause, or 0 for none.
    .macro loads_give cause, gpa=0
    li      a0, VA
    write   hstatus, VS_HLV
    .irp    how, "VS, ld a1, (a0)", "HS, hlv.d a1, (a0)", "M, hlv.d a1, (a0)"
    li      a1, 0
    in      \how
    .if     \cause
    traps   \cause, VA, \gpa >> 2
    gva     1
    .else
    completes
    expect  a1, CONTENT
    .endif
    .endr
    .endm

    begin

    check   H-XLAT-008, "a G-stage leaf without U is a guest-page fault for VS and VU"
    paged
    g_map   0, data, RWX
    vs_map  1, GPA, RWXU
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      VS, jr a0
    traps_at VA, FETCH_GUEST_PAGE_FAULT, VA, GPA >> 2
    li      a0, VA + PAGE
    in      VU, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, GPA >> 2

    check   H-XLAT-008, "... for HLV, and for VS-stage tables"
    paged
    g_map   0, data, RWX
    g_map   7, vs_far_leaf, RWX
    write   hstatus, VS_HLV
    li      a0, VA
    in      HS, hlv.d a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      M, hsv.d a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA, GPA >> 2
    li      a0, FAR_VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_READ

    check   H-XLAT-009, "the G-stage knows neither SUM nor G"
    paged
    g_map   1, data + PAGE, RWXU | PTE_G
    g_map   2, data + (2 * PAGE), RWX
    li      a0, VA + PAGE
    li      a2, VA + (2 * PAGE)
    .irp    hs, 0, MSTATUS_SUM
    .irp    guest, 0, MSTATUS_SUM
    clear_bits mstatus, MSTATUS_SUM
    set_bits mstatus, \hs
    write   vsstatus, MSTATUS_FS | \guest
    in      VS, ld a1, (a0)
    completes
    in      VS, ld a1, (a2)
    traps   LOAD_GUEST_PAGE_FAULT, VA + (2 * PAGE), (GPA + (2 * PAGE)) >> 2
    .endr
    .endr

    check   H-XLAT-010, "vsstatus.SUM lets VS use pages of VU; sstatus.SUM does not"
    paged
    vs_map  0, GPA, RWXU
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    set_bits mstatus, MSTATUS_SUM
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    clear_bits mstatus, MSTATUS_SUM
    set_bits vsstatus, MSTATUS_SUM
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT
    in      VS, sd a1, 8(a0)
    completes
    clear_bits vsstatus, MSTATUS_SUM
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA

    check   H-XLAT-010, "VU may use pages of VU only, whatever SUM says"
    paged
    vs_map  1, GPA + PAGE, RWXU
    set_bits vsstatus, MSTATUS_SUM
    set_bits mstatus, MSTATUS_SUM
    li      a0, VA
    in      VU, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    li      a0, VA + PAGE
    in      VU, ld a1, (a0)
    completes
    expect  a1, CONTENT + 1

    check   H-XLAT-011, "VS fetches nothing from a page of VU, even with SUM"
    paged
    vs_map  0, GPA, RWXU
    set_bits vsstatus, MSTATUS_SUM
    set_bits mstatus, MSTATUS_SUM
    li      a0, VA
    in      VS, jr a0
    traps_at VA, FETCH_PAGE_FAULT, VA
    li      a0, VA + PAGE
    in      VU, jr a0                       # nor VU from one of VS
    traps_at VA + PAGE, FETCH_PAGE_FAULT, VA + PAGE

    check   H-XLAT-012, "vsstatus.MXR makes executable pages readable at the VS-stage, not at the G-stage"
    paged
    vs_map  0, GPA, X_ONLY
    loads_give LOAD_PAGE_FAULT
    set_bits vsstatus, MSTATUS_MXR
    loads_give 0
    g_map   0, data, X_ONLY | PTE_U
    hfence.gvma
    loads_give LOAD_GUEST_PAGE_FAULT, GPA
    vs_map  0, GPA, RWX
    hfence.vvma
    loads_give LOAD_GUEST_PAGE_FAULT, GPA

    check   H-XLAT-013, "sstatus.MXR makes executable pages readable at both stages"
    paged
    vs_map  0, GPA, X_ONLY
    g_map   0, data, X_ONLY | PTE_U
    loads_give LOAD_PAGE_FAULT
    set_bits mstatus, MSTATUS_MXR
    loads_give 0
    vs_map  0, GPA, RWX
    hfence.vvma
    loads_give 0
    clear_bits mstatus, MSTATUS_MXR
    loads_give LOAD_GUEST_PAGE_FAULT, GPA

    check   H-XLAT-013, "with vsatp Bare, too: vsstatus.MXR is nothing to the G-stage, sstatus.MXR is"
    paged_g
    g_map   0, data, X_ONLY | PTE_U
    set_bits vsstatus, MSTATUS_MXR
    li      a0, GPA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, GPA, GPA >> 2
    set_bits mstatus, MSTATUS_MXR
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT

    check   H-XLAT-014, "no MXR makes an executable page good for VS-stage tables"
    paged
    g_map   7, vs_far_leaf, X_ONLY | PTE_U
    set_bits vsstatus, MSTATUS_MXR
    set_bits mstatus, MSTATUS_MXR
    li      a0, FAR_VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_READ
    write   hstatus, VS_HLV
    in      HS, hlv.w a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_READ
    in      HS, hlvx.wu a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA, FAR_TABLE >> 2, PTE_READ

# MPRV: what a load in M-mode with some MPP and MPV gives.
    .macro mprv_load mode
    li      t0, MSTATUS_MPRV | MPP | MPV
    csrc    mstatus, t0
    la      t0, 82f
    csrw    mscratch, t0
    li      a1, 0
    li      t0, MSTATUS_MPRV | \mode
    csrs    mstatus, t0
81: ld      a1, (a0)
83: ecall
82:
    .endm

    check   H-XLAT-025, "MPRV and MPV: M-mode's loads are VS's, with vsstatus.SUM and MXR"
    paged
    vs_map  0, GPA, RWXU
    vs_map  1, GPA + PAGE, X_ONLY
    vs_map  2, GPA + (2 * PAGE), RWXU
    li      a0, VA
    set_bits mstatus, MSTATUS_SUM
    mprv_load VS
    traps   LOAD_PAGE_FAULT, VA
    gva     1
    came_from M
    set_bits vsstatus, MSTATUS_SUM
    mprv_load VS
    completes
    expect  a1, CONTENT
    li      a0, VA + PAGE
    mprv_load VS
    traps   LOAD_PAGE_FAULT, VA + PAGE
    set_bits vsstatus, MSTATUS_MXR
    mprv_load VS
    completes
    expect  a1, CONTENT + 1

    check   H-XLAT-025, "... or VU's; and fetches are M's"
    paged
    vs_map  2, GPA + (2 * PAGE), RWXU
    li      a0, VA
    mprv_load VU
    traps   LOAD_PAGE_FAULT, VA
    li      a0, VA + (2 * PAGE)
    mprv_load VU
    completes
    expect  a1, CONTENT + 2
    set_pte vs_root, 2, 0, 0                # where this code is
    hfence.vvma
    mprv_load VU
    completes
    expect  a1, CONTENT + 2
    set_pte vs_root, 2, 2 * GIB, RWX

    check   H-XLAT-026, "MPRV and MPV with MPP=M: no translation"
    write   vsatp, SV39 | 0x3ff_ffff_ffff   # tables that are not there
    write   hgatp, SV39 | 0x3ff_ffff_fffc
    write   satp, SV39 | 0x3ff_ffff_ffff
    li      a0, data + PAGE
    mprv_load VS | M
    completes
    expect  a1, CONTENT + 1

    check   H-XLAT-027, "MPRV without MPV: satp alone"
    paged
    paged_hs
    hs_map  0, data + (3 * PAGE), RWX
    hs_map  1, data + (3 * PAGE), RWXU
    li      a0, VA
    mprv_load HS
    completes
    expect  a1, CONTENT + 3
    li      a0, VA + PAGE
    set_bits vsstatus, MSTATUS_SUM
    mprv_load HS
    traps   LOAD_PAGE_FAULT, VA + PAGE
    gva     0
    mprv_load U
    completes
    expect  a1, CONTENT + 3
    end
