# MRET and SRET, and which exception comes first.

    .include "harness.S"

    .equ SAVED,     MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP

    begin

# MRET with an MPP and MPV, to an ECALL: where it got, and what it left.
    .macro mret_to mode
    li      t0, MPP | MPV
    csrc    mstatus, t0
    li      t0, \mode
    csrs    mstatus, t0
    la      t0, 81f
    csrw    mepc, t0
    la      t0, 82f
    csrw    mscratch, t0
    mret
81: ecall
82:
    .endm

    check   H-TRAP-024, "MRET goes to MPP and, if that is not M, MPV; both are cleared"
    .irp    mode, U, HS, VU, VS, M
    mret_to \mode
    came_from \mode
    .endr
    set_bits mstatus, VS | MSTATUS_MPIE     # in M, to see mstatus behind an MRET: MPP=M first
    li      t0, MPP
    csrs    mstatus, t0
    la      t0, 1f
    csrw    mepc, t0
    mret
1:  expect_csr_bits mstatus, MPP | MPV | MSTATUS_MIE | MSTATUS_MPIE, MSTATUS_MIE | MSTATUS_MPIE
    li      t0, MSTATUS_MIE
    csrc    mstatus, t0

    check   H-TRAP-024, "MRET clears MPRV unless it stays in M"
    .irp    mode, U, HS, VU, VS
    set_bits mstatus, MSTATUS_MPRV
    mret_to \mode
    expect_bits s4, MSTATUS_MPRV, 0
    .endr
    set_bits mstatus, MSTATUS_MPRV
    mret_to M
    expect_bits s4, MSTATUS_MPRV, MSTATUS_MPRV

    check   H-TRAP-025, "MRET with MPP=M and MPV=1 stays in M, with V=0"
    paged
    vs_map  0, 0, 0
    mret_to M | VS
    expect  s0, ECALL_M
    came_from M
    in      M | VS, csrr a0, hstatus
    completes

# SRET with a state of SPP and SPV, in M or in HS, to an ECALL.
    .macro sret_from mode, spv, spp
    clear_bits hstatus, HSTATUS_SPV
    set_bits hstatus, \spv
    clear_bits mstatus, SAVED
    set_bits mstatus, \spp
    la      t0, 84f
    csrw    sepc, t0
    begin_in \mode
    sret
84: ecall
    end_in
    expect_address s5, 84b
    .endm

    check   H-TRAP-026, "SRET with V=0 goes to SPP and SPV"
    .irp    mode, HS, M
    sret_from \mode, 0, 0
    came_from U
    sret_from \mode, 0, MSTATUS_SPP
    came_from HS
    sret_from \mode, HSTATUS_SPV, 0
    came_from VU
    sret_from \mode, HSTATUS_SPV, MSTATUS_SPP
    came_from VS
    .endr

    check   H-TRAP-026, "SRET then clears SPV and SPP; SIE is SPIE, and SPIE 1; SPVP and GVA stay"
    write   hstatus, HSTATUS_SPVP | HSTATUS_GVA
    sret_from HS, HSTATUS_SPV, MSTATUS_SPP | MSTATUS_SPIE
    expect_bits s4, SAVED, MSTATUS_SIE | MSTATUS_SPIE
    expect_csr_bits hstatus, HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_GVA, HSTATUS_SPVP | HSTATUS_GVA
    write   hstatus, 0
    sret_from HS, 0, MSTATUS_SPP | MSTATUS_SIE
    expect_bits s4, SAVED, MSTATUS_SPIE
    expect_csr_bits hstatus, HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_GVA, 0

    check   H-TRAP-026, "SRET in M clears MPRV"
    la      t0, 81f
    csrw    sepc, t0
    la      t0, 82f
    csrw    mscratch, t0
    set_bits mstatus, MSTATUS_SPP
    set_bits mstatus, MSTATUS_MPRV | HS
    sret
81: ecall
82: expect  s0, ECALL_HS
    expect_bits s4, MSTATUS_MPRV, 0

    check   H-TRAP-027, "SRET in VS goes by vsepc and vsstatus, and V stays 1"
    .irp    spv, 0, HSTATUS_SPV
    write   hstatus, \spv
    la      t0, 84f
    csrw    vsepc, t0
    clear_bits vsstatus, SAVED
    set_bits vsstatus, MSTATUS_SPIE
    set_bits mstatus, MSTATUS_SPP
    begin_in VS
    sret
84: ecall
    end_in
    expect_address s5, 84b
    came_from VU
    expect_csr_bits vsstatus, SAVED, MSTATUS_SIE | MSTATUS_SPIE
    expect_csr_bits hstatus, HSTATUS_SPV, \spv
    expect_bits s4, SAVED, MSTATUS_SPP
    set_bits vsstatus, MSTATUS_SPP
    la      t0, 84f
    csrw    vsepc, t0
    clear_bits vsstatus, MSTATUS_SPIE
    begin_in VS
    sret
84: ecall
    end_in
    expect_address s5, 84b
    came_from VS
    expect_csr_bits vsstatus, SAVED, MSTATUS_SPIE
    .endr

    check   H-TRAP-029, "what an instruction may not do comes before what its address is"
    paged
    li      a0, VA
    vs_map  0, 0, 0
    .irp    mode, VS, VU
    in      \mode, hlv.d a1, (a0)
    refused_as_virtual
    in      \mode, hsv.d a1, (a0)
    refused_as_virtual
    .endr
    in      U, hlv.d a1, (a0)
    refused_as_illegal
    write   vsstatus, 0
    in      VS, fld fa0, (a0)
    refused_as_illegal

    check   H-TRAP-029, "a fault of the fetch comes before the instruction"
    paged
    li      a2, data
    li      a1, 0x6c05_45f3                 # hlv.d a1, (a0)
    sd      a1, (a2)
    fence.i
    vs_map  0, GPA, RWX - PTE_X
    li      a0, VA
    in      VS, jr a0
    traps_at VA, FETCH_PAGE_FAULT, VA
    vs_map  0, GPA, RWX
    fence_all
    in      VS, jr a0
    expect  s0, VIRTUAL
    expect  s5, VA

    check   H-TRAP-029, "a page fault comes before misalignment of an AMO"
    paged
    vs_map  0, 0, 0
    g_map   1, 0, 0
    li      a0, VA + 1
    in      VS, amoadd.w a1, a1, (a0)
    li      t0, STORE_MISALIGNED            # or after it: the manual leaves that open
    beq     s0, t0, 1f
    li      t0, STORE_ACCESS_FAULT
    beq     s0, t0, 1f
    traps   STORE_PAGE_FAULT, VA + 1
    li      a0, VA + PAGE + 1
    in      VS, amoadd.w a1, a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE + 1, (GPA + PAGE) >> 2
1:
    end
