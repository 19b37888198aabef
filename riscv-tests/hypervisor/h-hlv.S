# HLV, HLVX and HSV: the guest's memory, from outside the guest.

    .include "harness.S"

    .equ X_ONLY,    PTE_V | PTE_X | PTE_A | PTE_D
    .equ RW_ONLY,   PTE_V | PTE_R | PTE_W | PTE_A | PTE_D

    .macro gives value, instruction:vararg
    in      HS, \instruction
    completes
    expect  a1, \value
    .endm

    begin

    check   H-HLV-001, "each form's width, and sign or zero extension"
    paged
    write   hstatus, HSTATUS_SPVP
    li      a2, data
    li      a1, 0x8182_8384_f5f6_f7f8
    sd      a1, (a2)
    li      a0, VA
    gives   0xffff_ffff_ffff_fff8, hlv.b a1, (a0)
    gives   0xf8, hlv.bu a1, (a0)
    gives   0xffff_ffff_ffff_f7f8, hlv.h a1, (a0)
    gives   0xf7f8, hlv.hu a1, (a0)
    gives   0xffff_ffff_f5f6_f7f8, hlv.w a1, (a0)
    gives   0xf5f6_f7f8, hlv.wu a1, (a0)
    gives   0x8182_8384_f5f6_f7f8, hlv.d a1, (a0)
    gives   0xf7f8, hlvx.hu a1, (a0)
    gives   0xf5f6_f7f8, hlvx.wu a1, (a0)
    .irp    width, b, h, w, d
    li      a1, 0x1112_1314_1516_1718
    in      HS, hsv.\width a1, (a0)
    completes
    ld      a3, (a2)
    li      a1, 0x8182_8384_f5f6_f7f8
    sd      a1, (a2)
    mv      s6, s7                          # in the end: what each of the four has left
    mv      s7, s8
    mv      s8, s9
    mv      s9, a3
    .endr
    expect  s6, 0x8182_8384_f5f6_f718
    expect  s7, 0x8182_8384_f5f6_1718
    expect  s8, 0x8182_8384_1516_1718
    expect  s9, 0x1112_1314_1516_1718

    check   H-HLV-002, "SPVP=0 is VU: pages of U only; SPVP=1 is VS: those only with vsstatus.SUM"
    paged
    vs_map  1, GPA + PAGE, RWXU
    li      a0, VA
    li      a2, VA + PAGE
    in      HS, hlv.d a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    gives   CONTENT + 1, hlv.d a1, (a2)
    write   hstatus, HSTATUS_SPVP
    gives   CONTENT, hlv.d a1, (a0)
    in      HS, hlv.d a1, (a2)
    traps   LOAD_PAGE_FAULT, VA + PAGE
    in      HS, hsv.d a1, (a2)
    traps   STORE_PAGE_FAULT, VA + PAGE
    set_bits mstatus, MSTATUS_SUM
    in      HS, hlv.d a1, (a2)
    traps   LOAD_PAGE_FAULT, VA + PAGE
    set_bits vsstatus, MSTATUS_SUM
    gives   CONTENT + 1, hlv.d a1, (a2)
    in      HS, hlvx.hu a1, (a2)
    completes
    clear_bits vsstatus, MSTATUS_SUM
    in      HS, hlvx.hu a1, (a2)
    traps   LOAD_PAGE_FAULT, VA + PAGE

    check   H-HLV-003, "U-mode with HU has SPVP's privilege, not its own"
    paged
    vs_map  1, GPA + PAGE, RWXU
    write   hstatus, HSTATUS_HU | HSTATUS_SPVP
    li      a0, VA
    li      a2, VA + PAGE
    in      U, hlv.d a1, (a0)
    completes
    expect  a1, CONTENT
    in      U, hlv.d a1, (a2)
    traps   LOAD_PAGE_FAULT, VA + PAGE
    gva     1
    came_from U
    write   hstatus, HSTATUS_HU
    in      U, hsv.d a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    in      U, hlv.d a1, (a2)
    completes
    expect  a1, CONTENT + 1

    check   H-HLV-004, "MPRV changes nothing for them"
    paged
    paged_hs
    vs_map  1, GPA + PAGE, RWXU
    hs_map  0, data + (5 * PAGE), RWX
    write   hstatus, HSTATUS_SPVP
    li      a0, VA
    .irp    mode, HS, U, VU, M
    li      t0, MPP | MPV
    csrc    mstatus, t0
    la      t0, 82f
    csrw    mscratch, t0
    li      t0, MSTATUS_MPRV | \mode
    csrs    mstatus, t0
81: hlv.d   a1, (a0)
83: ecall
82: completes
    expect  a1, CONTENT
    .endr

    check   H-HLV-005, "HLVX needs X at both stages; R and MXR are nothing to it"
    paged
    write   hstatus, HSTATUS_SPVP
    vs_map  1, GPA + PAGE, X_ONLY
    g_map   1, data + PAGE, X_ONLY | PTE_U
    vs_map  2, GPA + (2 * PAGE), RW_ONLY
    g_map   3, data + (3 * PAGE), RW_ONLY | PTE_U
    li      a0, VA + PAGE
    gives   CONTENT + 1, hlvx.hu a1, (a0)
    gives   CONTENT + 1, hlvx.wu a1, (a0)
    .irp    mxr, 0, MSTATUS_MXR
    set_bits mstatus, \mxr
    set_bits vsstatus, \mxr
    li      a0, VA + (2 * PAGE)
    in      HS, hlvx.hu a1, (a0)
    traps   LOAD_PAGE_FAULT, VA + (2 * PAGE)
    gva     1
    li      a0, VA + (3 * PAGE)
    in      HS, hlvx.wu a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + (3 * PAGE), (GPA + (3 * PAGE)) >> 2
    .endr

    check   H-HLV-005, "HLVX of a page that HLV has just read is checked again"
    paged
    write   hstatus, HSTATUS_SPVP
    vs_map  2, GPA + (2 * PAGE), RW_ONLY
    li      a0, VA + (2 * PAGE)
    gives   CONTENT + 2, hlv.d a1, (a0)
    in      HS, hlvx.hu a1, (a0)
    traps   LOAD_PAGE_FAULT, VA + (2 * PAGE)
    vs_map  2, GPA + (2 * PAGE), X_ONLY
    hfence.vvma
    gives   CONTENT + 2, hlvx.hu a1, (a0)
    in      HS, hlv.d a1, (a0)
    traps   LOAD_PAGE_FAULT, VA + (2 * PAGE)

    check   H-HLV-006, "HLVX of memory that PMP does not let read, or not execute, is a load access fault"
    paged
    write   hstatus, HSTATUS_SPVP
    write   pmpaddr1, -1
    write   pmpaddr0, ((data + PAGE) >> 2) | (PAGE >> 3) - 1
    li      a0, VA + PAGE
    .irp    rights, 1, 4, 3
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT | \rights
    fence_all
    in      HS, hlvx.hu a1, (a0)
    traps   LOAD_ACCESS_FAULT, VA + PAGE
    gva     1
    .endr
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT | 5
    fence_all
    gives   CONTENT + 1, hlvx.hu a1, (a0)

    check   H-HLV-007, "a misaligned one is translated by the guest's tables in both of its parts"
    paged
    paged_hs
    write   hstatus, HSTATUS_SPVP
    hs_map  0, data + (6 * PAGE), RWX       # what HS has there
    hs_map  1, data + (6 * PAGE), RWX
    vs_map  0, GPA + (4 * PAGE), RWX
    vs_map  1, GPA + (2 * PAGE), RWX
    li      a2, data + (5 * PAGE)
    li      a3, 0x1122_3344_5566_7788
    sd      a3, -8(a2)
    li      a0, VA + PAGE - 4
    gives   (CONTENT + 2) << 32 | 0x1122_3344, hlv.d a1, (a0)
    li      a1, 0x0102_0304_0506_0708
    in      HS, hsv.d a1, (a0)
    completes
    ld      a3, -8(a2)
    expect  a3, 0x0506_0708_5566_7788
    li      a2, data + (2 * PAGE)
    ld      a3, (a2)
    expect  a3, 0x0102_0304

    check   H-HLV-007, "... and faults in the part that fails"
    paged
    write   hstatus, HSTATUS_SPVP
    g_map   1, 0, 0
    li      a0, VA + PAGE - 2
    in      HS, hlv.w a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    in      HS, hsv.d a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    in      HS, hlvx.wu a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2

    check   H-HLV-009, "HSV faults as a store, HLV and HLVX as loads"
    paged
    write   hstatus, HSTATUS_SPVP
    vs_map  0, 0, 0
    g_map   1, 0, 0
    write   pmpaddr1, -1
    write   pmpaddr0, ((data + (2 * PAGE)) >> 2) | (PAGE >> 3) - 1
    write   pmpcfg0, (PMP_NAPOT | PMP_RWX) << 8 | PMP_NAPOT
    fence_all
    .irp    insn, hlv.b, hlv.bu, hlv.h, hlv.hu, hlvx.hu, hlv.w, hlv.wu, hlvx.wu, hlv.d
    li      a0, VA
    in      HS, \insn a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    gva     1
    li      a0, VA + PAGE
    in      HS, \insn a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    gva     1
    li      a0, VA + (2 * PAGE)
    in      HS, \insn a1, (a0)
    traps   LOAD_ACCESS_FAULT, VA + (2 * PAGE)
    gva     1
    .endr
    .irp    insn, hsv.b, hsv.h, hsv.w, hsv.d
    li      a0, VA
    in      HS, \insn a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    gva     1
    li      a0, VA + PAGE
    in      HS, \insn a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    gva     1
    li      a0, VA + (2 * PAGE)
    in      HS, \insn a1, (a0)
    traps   STORE_ACCESS_FAULT, VA + (2 * PAGE)
    gva     1
    .endr

    check   H-HLV-010, "with vsatp Bare, with hgatp Bare, and with both"
    write   hstatus, HSTATUS_SPVP
    li      a0, data + PAGE
    gives   CONTENT + 1, hlv.d a1, (a0)
    in      M, hlvx.hu a1, (a0)
    completes
    expect  a1, CONTENT + 1
    paged_g
    li      a0, GPA + (2 * PAGE)
    gives   CONTENT + 2, hlv.d a1, (a0)
    li      a0, 4 * GIB
    in      HS, hsv.d a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, 4 * GIB, (4 * GIB) >> 2
    csrw    hgatp, zero
    paged_vs
    vs_map  3, data + (3 * PAGE), RWX
    li      a0, VA + (3 * PAGE)
    gives   CONTENT + 3, hlv.d a1, (a0)
    end
