# Two-stage translation: which stages apply to an access, and what a fault of either reports.

    .include "harness.S"
    begin

    check   H-XLAT-001, "loads, stores and fetches go through both stages"
    paged
    vs_map  0, GPA + (3 * PAGE), RWX
    g_map   3, data + (5 * PAGE), RWXU
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 5
    li      a1, ECALL_INSN
    in      VS, sd a1, 8(a0)
    completes
    li      a2, data + (5 * PAGE)
    ld      a1, 8(a2)
    expect  a1, ECALL_INSN
    fence.i
    addi    a0, a0, 8
    in      VS, jr a0
    traps_at VA + 8, ECALL_VS, 0

    check   H-XLAT-001, "with both stages Bare an address is a system physical one"
    li      a0, data + PAGE
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 1
    in      VU, ld a1, (a0)
    completes
    expect  a1, CONTENT + 1

    check   H-XLAT-002, "with vsatp Bare an address is a guest physical one"
    paged_g
    li      a0, GPA + (2 * PAGE)
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 2
    g_map   3, 0, 0
    li      a0, GPA + (3 * PAGE) + 0x128
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, GPA + (3 * PAGE) + 0x128, (GPA + (3 * PAGE) + 0x128) >> 2
    gva     1
    in      VU, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, GPA + (3 * PAGE) + 0x128, (GPA + (3 * PAGE) + 0x128) >> 2
    in      VS, jr a0
    traps_at GPA + (3 * PAGE) + 0x128, FETCH_GUEST_PAGE_FAULT, GPA + (3 * PAGE) + 0x128, (GPA + (3 * PAGE) + 0x128) >> 2

    check   H-XLAT-003, "with hgatp Bare a guest physical address is a system physical one, and nothing is checked there"
    paged_vs
    vs_map  0, data + PAGE, RWX
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 1
    in      VS, sd a1, 8(a0)
    completes

    check   H-XLAT-004, "a fault of the VS-stage is a page fault: htval is 0, htinst no pseudoinstruction"
    paged
    vs_map  1, 0, 0
    li      a0, VA + PAGE + 8
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA + PAGE + 8
    gva     1
    expect_transformed s3, 0x0005_3583          # ld a1, (a0)
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA + PAGE + 8
    in      VS, jr a0
    traps_at VA + PAGE + 8, FETCH_PAGE_FAULT, VA + PAGE + 8

    check   H-XLAT-004, "the guest can be given its page faults"
    paged
    write   medeleg, 1 << LOAD_PAGE_FAULT
    write   hedeleg, 1 << LOAD_PAGE_FAULT
    vs_map  1, 0, 0
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    taken_in_vs LOAD_PAGE_FAULT, VA + PAGE

    check   H-XLAT-005, "an address whose upper bits are no sign extension is a page fault, not a guest-page fault"
    paged
    li      a0, 1 << 38
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, 1 << 38
    li      a0, VA | 1 << 40
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA | 1 << 40
    li      a0, VA | 1 << 63
    in      VS, jr a0
    traps_at VA | 1 << 63, FETCH_PAGE_FAULT, VA | 1 << 63

# A guest physical address of more bits than the mode has; what the widest allows is merely not mapped.
    .macro too_wide bits
    li      a0, (1 << (\bits)) | GPA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, (1 << (\bits)) | GPA, ((1 << (\bits)) | GPA) >> 2
    .endm

    check   H-XLAT-006, "Sv39x4: 41 bits of guest physical address"
    paged_g
    too_wide 41
    too_wide 55
    too_wide 63

    check   H-XLAT-006, "Sv48x4: 50 bits"
    atp     hgatp, SV48, g_root_sv48
    li      a0, GPA
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT
    too_wide 50
    too_wide 57
    too_wide 63

    check   H-XLAT-006, "Sv57x4: 59 bits"
    atp     hgatp, SV57, g_root_sv57
    li      a0, GPA
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT
    too_wide 59
    too_wide 63

    check   H-XLAT-006, "a page and a table that the VS-stage places above 41 bits are guest-page faults"
    paged
    vs_map  0, (1 << 41) | GPA, RWX
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA, ((1 << 41) | GPA) >> 2
    set_pte vs_middle, 1, (1 << 55) | FAR_TABLE, PTE_V
    fence_all
    li      a0, FAR_VA + PAGE
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA + PAGE, (((1 << 55) | FAR_TABLE) + 8) >> 2, PTE_READ
    set_pte vs_middle, 1, FAR_TABLE, PTE_V

    check   H-XLAT-007, "Sv39x4: two more bits choose among four pages of root"
    paged_g
    .irp    page, 1, 2, 3
    set_pte g_root, 512 * \page + 2, 2 * GIB, RWXU
    li      a0, (\page << 39) + data + \page * PAGE
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + \page
    set_pte g_root, 512 * \page + 2, 0, 0
    fence_all
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, (\page << 39) + data + \page * PAGE, ((\page << 39) + data + \page * PAGE) >> 2
    .endr

    check   H-XLAT-007, "Sv48x4 likewise"
    atp     hgatp, SV48, g_root_sv48
    .irp    page, 1, 2, 3
    set_pte g_root_sv48, 512 * \page, g_root, PTE_V
    li      a0, (\page << 48) + data + \page * PAGE
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + \page
    set_pte g_root_sv48, 512 * \page, 0, 0
    fence_all
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, (\page << 48) + data + \page * PAGE, ((\page << 48) + data + \page * PAGE) >> 2
    .endr

    check   H-XLAT-007, "Sv57x4 likewise"
    atp     hgatp, SV57, g_root_sv57
    .irp    page, 1, 2, 3
    set_pte g_root_sv57, 512 * \page, g_root_sv48, PTE_V
    li      a0, (\page << 57) + data + \page * PAGE
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + \page
    set_pte g_root_sv57, 512 * \page, 0, 0
    fence_all
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, (\page << 57) + data + \page * PAGE, ((\page << 57) + data + \page * PAGE) >> 2
    .endr

    check   H-XLAT-015, "VS-stage tables are read through the G-stage, which must let read"
    paged
    li      a0, FAR_VA + (2 * PAGE) + 16
    in      VS, ld a1, (a0)
    completes
    g_map   7, vs_far_leaf, PTE_V | PTE_X | PTE_U | PTE_A
    hfence.gvma
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA + (2 * PAGE) + 16, (FAR_TABLE + 16) >> 2, PTE_READ
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, FAR_VA + (2 * PAGE) + 16, (FAR_TABLE + 16) >> 2, PTE_READ
    in      VU, jr a0
    traps_at FAR_VA + (2 * PAGE) + 16, FETCH_GUEST_PAGE_FAULT, FAR_VA + (2 * PAGE) + 16, (FAR_TABLE + 16) >> 2, PTE_READ

    check   H-XLAT-016, "the G-stage checks R, W and X of each access"
    paged
    g_map   0, data, PTE_V | PTE_R | PTE_U | PTE_A | PTE_D
    g_map   1, data + PAGE, PTE_V | PTE_X | PTE_U | PTE_A | PTE_D
    li      a0, VA
    in      VS, ld a1, (a0)
    completes
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      VS, jr a0
    traps_at VA, FETCH_GUEST_PAGE_FAULT, VA, GPA >> 2
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    li      a1, ECALL_INSN
    li      a2, data + PAGE
    sd      a1, (a2)
    fence.i
    in      VS, jr a0
    traps_at VA + PAGE, ECALL_VS, 0

    check   H-XLAT-017, "LR faults as a load; SC and AMOs as stores, even where reading is what fails"
    paged
    g_map   1, data + PAGE, PTE_V | PTE_X | PTE_U | PTE_A | PTE_D
    vs_map  2, GPA + (2 * PAGE), PTE_V | PTE_X | PTE_A | PTE_D
    li      a0, VA + PAGE
    li      a1, VA + (2 * PAGE)
    in      VS, lr.d a2, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    in      VS, amoadd.d a2, a3, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    in      VS, lr.w a2, (a1)
    traps   LOAD_PAGE_FAULT, VA + (2 * PAGE)
    in      VS, amoor.w a2, a3, (a1)
    traps   STORE_PAGE_FAULT, VA + (2 * PAGE)
    li      a3, VA
    begin_in VS
    lr.d    a2, (a3)
81: sc.d    a2, a2, (a0)
    end_in
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    begin_in VS
    lr.d    a2, (a3)
81: sc.d    a2, a2, (a1)
    end_in
    traps   STORE_PAGE_FAULT, VA + (2 * PAGE)

    check   H-XLAT-031, "a VS-stage table is read where the G-stage has its guest physical page"
    paged
    g_map   7, data + (6 * PAGE), RWXU          # not vs_far_leaf
    set_pte data + (6 * PAGE), 1, GPA + (4 * PAGE), RWX
    li      a0, FAR_VA + PAGE
    in      VS, ld a1, (a0)
    completes
    expect  a1, CONTENT + 4

    check   H-XLAT-032, "a page that both stages refuse is a page fault: the VS-stage is done first"
    paged
    vs_map  0, GPA, PTE_V | PTE_R | PTE_A
    g_map   0, 0, 0
    li      a0, VA
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    in      VU, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    vs_map  0, GPA, PTE_V | PTE_R | PTE_X
    hfence.vvma
    in      VS, ld a1, (a0)                     # A is 0, and Svadu off
    traps   LOAD_PAGE_FAULT, VA

    check   H-XLAT-030, "each part of a straddling access has a translation of its own"
    paged
    vs_map  0, GPA + (4 * PAGE), RWX
    vs_map  1, GPA + (2 * PAGE), RWX
    li      a2, data + (5 * PAGE)
    li      a3, 0x1122_3344_5566_7788
    sd      a3, -8(a2)
    li      a2, data + (2 * PAGE)
    li      a3, 0x99aa_bbcc_ddee_ff00
    sd      a3, (a2)
    li      a0, VA + PAGE
    in      VS, ld a1, -3(a0)
    completes
    expect  a1, 0xbbcc_ddee_ff00_1122 << 8 | 0x33
    li      a1, 0x0102_0304_0506_0708
    in      VS, sd a1, -4(a0)
    completes
    ld      a3, (a2)
    expect  a3, 0x99aa_bbcc_0102_0304
    li      a2, data + (5 * PAGE)
    ld      a3, -8(a2)
    expect  a3, 0x0506_0708_5566_7788

    check   H-XLAT-030, "of two parts that fault, the first does; of one, that one"
    paged
    vs_map  0, GPA, PTE_V | PTE_R | PTE_A
    g_map   1, 0, 0
    li      a0, VA + PAGE
    in      VS, ld a1, -4(a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    in      VS, sd a1, -4(a0)
    traps   STORE_PAGE_FAULT, VA + PAGE - 4
    vs_map  0, GPA, RWX
    hfence.vvma
    in      VS, sd a1, -4(a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    end
