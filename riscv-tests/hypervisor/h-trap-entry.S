# Taking traps: which mode, and what of the state that mode's registers get.

    .include "harness.S"

    .equ SAVED,     MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP
    .equ H_SAVED,   HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_GVA

# A misaligned atomic reports one of two causes.
    .macro expect_misaligned cause, one, other
    li      t0, \other
    beq     \cause, t0, 86f
    expect  \cause, \one
86:
    .endm

    begin

    check   H-TRAP-001, "without delegation to M, with medeleg to HS, with hedeleg too to VS"
    in      VS, ebreak
    traps   BREAKPOINT
    came_from VS
    write   medeleg, 1 << BREAKPOINT
    in      VS, ebreak
    taken_in_hs BREAKPOINT
    in      VU, ebreak
    taken_in_hs BREAKPOINT
    write   hedeleg, 1 << BREAKPOINT
    in      VS, ebreak
    taken_in_vs BREAKPOINT
    in      VU, ebreak
    taken_in_vs BREAKPOINT
    write   medeleg, 0
    in      VU, ebreak
    traps   BREAKPOINT
    came_from VU

    check   H-TRAP-001, "hedeleg does not matter to traps from HS and U"
    write   medeleg, 1 << BREAKPOINT
    write   hedeleg, 1 << BREAKPOINT
    in      HS, ebreak
    taken_in_hs BREAKPOINT
    in      U, ebreak
    taken_in_hs BREAKPOINT
    expect_csr vscause, POISON

    check   H-TRAP-002, "a trap in M-mode stays there, whatever is delegated"
    write   medeleg, -1
    write   hedeleg, -1
    in      M, ebreak
    traps   BREAKPOINT
    came_from M
    expect_csr scause, POISON

    .macro from_mode mode, cause
    in      \mode, ecall
    expect  s0, \cause
    came_from \mode
    .endm

    check   "H-TRAP-003 H-TRAP-008", "MPP and MPV of a trap into M, and the cause of ECALL, from each mode"
    from_mode U, ECALL_U
    from_mode HS, ECALL_HS
    from_mode M, ECALL_M
    from_mode VU, ECALL_U
    from_mode VS, ECALL_VS
    .irp    mie, 0, MSTATUS_MPIE            # what MRET makes MIE of
    clear_bits mstatus, MSTATUS_MPIE
    set_bits mstatus, \mie
    in      VS, ecall
    expect_bits s4, MSTATUS_MIE | MSTATUS_MPIE, \mie
    .endr

# hstatus.SPV and SPVP, and sstatus.SPP, after a trap into HS; SPVP was 1, then 0.
    .macro into_hs mode, spv, spp, spvp_was_1, spvp_was_0
    write   hstatus, HSTATUS_SPVP
    in      \mode, ebreak
    taken_in_hs BREAKPOINT
    expect_csr_bits hstatus, HSTATUS_SPV | HSTATUS_SPVP, \spv | \spvp_was_1
    expect_csr_bits sstatus, MSTATUS_SPP, \spp
    write   hstatus, HSTATUS_SPV
    in      \mode, ebreak
    taken_in_hs BREAKPOINT
    expect_csr_bits hstatus, HSTATUS_SPV | HSTATUS_SPVP, \spv | \spvp_was_0
    expect_csr_bits sstatus, MSTATUS_SPP, \spp
    .endm

    check   "H-TRAP-004 H-TRAP-005", "SPV and SPP of a trap into HS; from V=1 SPVP is SPP, from V=0 it stays"
    write   medeleg, 1 << BREAKPOINT
    into_hs U, 0, 0, HSTATUS_SPVP, 0
    into_hs HS, 0, MSTATUS_SPP, HSTATUS_SPVP, 0
    into_hs VU, HSTATUS_SPV, 0, 0, 0
    into_hs VS, HSTATUS_SPV, MSTATUS_SPP, HSTATUS_SPVP, HSTATUS_SPVP

    check   H-TRAP-004, "sepc, SPIE and SIE of a trap into HS"
    write   medeleg, 1 << BREAKPOINT
    set_bits mstatus, MSTATUS_SIE
    in      VS, ebreak
    taken_in_hs BREAKPOINT
    csrr    t4, sepc
    expect_address t4, 81b
    expect_csr_bits sstatus, MSTATUS_SIE | MSTATUS_SPIE, MSTATUS_SPIE
    in      VS, ebreak
    taken_in_hs BREAKPOINT
    expect_csr_bits sstatus, MSTATUS_SIE | MSTATUS_SPIE, 0
    expect_csr_bits vsstatus, SAVED, 0

    check   H-TRAP-006, "a trap into VS changes vsstatus, vsepc, vscause and vstval, and nothing of HS"
    write   medeleg, 1 << ILLEGAL
    write   hedeleg, 1 << ILLEGAL
    write   hstatus, HSTATUS_GVA
    set_bits mstatus, MSTATUS_SIE
    set_bits vsstatus, MSTATUS_SIE
    in      VS, csrr a0, mscratch
    taken_in_vs ILLEGAL, 0x3400_2573
    csrr    t4, vsepc
    expect_address t4, 81b
    expect_csr_bits vsstatus, SAVED, MSTATUS_SPP | MSTATUS_SPIE
    expect_csr_bits hstatus, H_SAVED, HSTATUS_GVA
    expect_csr_bits sstatus, SAVED, MSTATUS_SIE
    expect_csr scause, POISON
    expect_csr stval, POISON
    expect_csr htval, POISON
    expect_csr htinst, PTE_READ
    csrr    t4, sepc
    expect  t4, POISON

    check   H-TRAP-007, "vsstatus.SPP after a trap into VS: 0 from VU, 1 from VS"
    write   medeleg, 1 << BREAKPOINT
    write   hedeleg, 1 << BREAKPOINT
    set_bits vsstatus, MSTATUS_SPP
    in      VU, ebreak
    taken_in_vs BREAKPOINT
    expect_csr_bits vsstatus, MSTATUS_SPP, 0
    in      VS, ebreak
    taken_in_vs BREAKPOINT
    expect_csr_bits vsstatus, MSTATUS_SPP, MSTATUS_SPP

    check   H-TRAP-008, "ECALL from VS cannot go to VS, from VU it can"
    write   medeleg, 1 << ECALL_VS | 1 << ECALL_U
    write   hedeleg, -1
    in      VS, ecall
    taken_in_hs ECALL_VS, 0
    write   medeleg, 1 << ECALL_U
    in      VU, ecall
    taken_in_vs ECALL_U, 0
    write   hedeleg, 0
    in      VU, ecall
    taken_in_hs ECALL_U, 0
    in      U, ecall
    taken_in_hs ECALL_U, 0

    check   H-TRAP-001, "HLV's faults do not go to VS: they happen with V=0"
    paged
    vs_map  0, 0, 0
    write   medeleg, 1 << LOAD_PAGE_FAULT
    write   hedeleg, 1 << LOAD_PAGE_FAULT
    li      a0, VA
    in      HS, hlv.d a1, (a0)
    taken_in_hs LOAD_PAGE_FAULT, VA

    check   H-TRAP-010, "a fault of HLV in HS: SPV=0, GVA=1, SPP=1, SPVP as it was"
    paged
    g_map   0, 0, 0
    write   medeleg, 1 << LOAD_GUEST_PAGE_FAULT
    li      a0, VA
    write   hstatus, HSTATUS_SPVP | HSTATUS_SPV
    in      HS, hlv.d a1, (a0)
    taken_in_hs LOAD_GUEST_PAGE_FAULT, VA, GPA >> 2
    expect_csr_bits hstatus, H_SAVED, HSTATUS_GVA | HSTATUS_SPVP
    expect_csr_bits sstatus, MSTATUS_SPP, MSTATUS_SPP
    vs_map  1, GPA + PAGE, RWXU
    g_map   1, 0, 0
    li      a0, VA + PAGE
    write   hstatus, HSTATUS_SPV | HSTATUS_HU
    in      U, hlv.d a1, (a0)
    taken_in_hs LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    expect_csr_bits hstatus, H_SAVED, HSTATUS_GVA
    expect_csr_bits sstatus, MSTATUS_SPP, 0

    check   H-TRAP-011, "MPRV with MPV in M: MPV=0, MPP=3, GVA=1; the next trap clears GVA"
    paged
    vs_map  0, 0, 0
    li      a0, VA
    la      t0, 82f
    csrw    mscratch, t0
    li      t0, MSTATUS_MPRV | VS
    csrs    mstatus, t0
81: ld      a1, (a0)
82: traps   LOAD_PAGE_FAULT, VA
    came_from M
    gva     1
    in      M, ebreak
    gva     0

    check   H-TRAP-031, "a misaligned AMO, LR or SC of the guest is a trap with GVA, which VS may be given"
    paged
    li      a0, VA + 2
    in      VS, amoadd.w a1, a1, (a0)
    expect_misaligned s0, STORE_MISALIGNED, STORE_ACCESS_FAULT
    expect  s1, VA + 2
    expect  s2, 0
    gva     1
    in      VS, lr.w a1, (a0)
    expect_misaligned s0, LOAD_MISALIGNED, LOAD_ACCESS_FAULT
    gva     1
    li      a2, VA
    begin_in VS
    lr.w    a1, (a2)
    sc.w    a1, a1, (a0)
    end_in
    expect_misaligned s0, STORE_MISALIGNED, STORE_ACCESS_FAULT
    gva     1
    write   medeleg, 1 << STORE_MISALIGNED | 1 << STORE_ACCESS_FAULT
    in      VS, amoadd.w a1, a1, (a0)
    expect_csr_bits hstatus, HSTATUS_GVA, HSTATUS_GVA
    expect_csr stval, VA + 2
    write   hedeleg, 1 << STORE_MISALIGNED | 1 << STORE_ACCESS_FAULT
    in      VS, amoadd.w a1, a1, (a0)
    expect_address s5, vs_landing
    expect_csr vstval, VA + 2
    end
