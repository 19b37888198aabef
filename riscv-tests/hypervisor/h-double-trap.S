# Ssdbltrp: a trap into HS or VS that comes while SDT is 1, and what sets and clears SDT.

    .include "harness.S"

    .equ SDT,       MSTATUS_SDT
    .equ SAVED,     MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP

    begin

# Traps are expected, or not, in HS and in VS; breakpoints, loads from nowhere and the guest's faults are delegated as far as they can.
    .macro delegated
    write   medeleg, 1 << BREAKPOINT | 1 << LOAD_PAGE_FAULT | 1 << LOAD_GUEST_PAGE_FAULT
    write   hedeleg, 1 << BREAKPOINT | 1 << LOAD_PAGE_FAULT
    write   menvcfg, ENVCFG_DTE
    write   henvcfg, ENVCFG_DTE
    clear_bits sstatus, SDT                 # what it holds when DTE becomes 1 nobody says
    clear_bits vsstatus, SDT
    .endm

# The last `in` ended in a double trap, of that cause; mtval2 has it whatever a hart writes there for guest-page faults.
    .macro traps_twice cause, tval
    expect  s0, DOUBLE_TRAP
    expect  s2, \cause
    expect_address s5, 81b
    .ifnb   \tval
    expect  s1, \tval
    .endif
    .endm

    check   H-TRAP-030, "a trap into VS sets vsstatus.SDT; the next one goes to M: cause 16, mtval2 its cause, MPV 1"
    delegated
    in      VS, ebreak
    taken_in_vs BREAKPOINT
    expect_csr_bits vsstatus, SDT, SDT
    expect_csr_bits sstatus, SDT, 0
    write   vscause, POISON
    in      VS, ebreak
    traps_twice BREAKPOINT
    expect  s3, 0
    came_from VS
    expect_csr vscause, POISON
    expect_csr_bits vsstatus, SDT, SDT
    clear_bits vsstatus, SDT
    in      VS, ebreak
    taken_in_vs BREAKPOINT

    check   H-TRAP-030, "the rest is what that trap would have left in M: tval, GVA, mtinst"
    paged
    delegated
    vs_map  0, 0, 0
    set_bits vsstatus, SDT
    li      a0, VA + 8
    in      VS, ld a1, (a0)
    traps_twice LOAD_PAGE_FAULT, VA + 8
    expect_transformed s3, 0x0005_3583
    came_from VS
    gva     1

    check   H-TRAP-030, "sstatus.SDT does not matter to a trap into VS, nor vsstatus.SDT to one into HS"
    delegated
    set_bits sstatus, SDT
    begin_in VS                             # MRET clears it
    ebreak
    end_in
    taken_in_vs BREAKPOINT
    expect_csr_bits sstatus, SDT, 0
    write   hedeleg, 0
    set_bits vsstatus, SDT
    in      VS, ebreak
    taken_in_hs BREAKPOINT
    expect_csr_bits sstatus, SDT, SDT
    expect_csr_bits vsstatus, SDT, SDT

    check   H-TRAP-030, "a trap into HS sets sstatus.SDT; the next one from HS goes to M, with MPV 0"
    delegated
    in      HS, ebreak
    taken_in_hs BREAKPOINT
    expect_csr_bits sstatus, SDT, SDT
    write   scause, POISON
    in      HS, ebreak
    traps_twice BREAKPOINT
    expect  s3, 0
    came_from HS
    gva     0
    expect_csr scause, POISON

    check   H-TRAP-030, "of a guest-page fault mtval2 has the cause, not the address"
    paged
    delegated
    g_map   0, 0, 0
    set_bits sstatus, SDT
    write   hstatus, HSTATUS_SPVP
    li      a0, VA
    in      HS, hlv.d a1, (a0)
    traps_twice LOAD_GUEST_PAGE_FAULT, VA
    came_from HS
    gva     1

    check   H-TRAP-030, "no interrupt comes between: SIE stays 0 while SDT is 1"
    delegated
    write   mideleg, 1 << SSI
    write   mie, 1 << SSI
    write   mip, 1 << SSI
    set_bits sstatus, SDT
    in      HS, csrrsi a0, sstatus, 2
    completes
    in      HS, csrrci a0, sstatus, 0
    completes
    expect_bits a0, SDT | MSTATUS_SIE, SDT
    clear_bits sstatus, SDT
    in      HS, csrrsi a0, sstatus, 2
    taken_in_hs INTERRUPT | SSI
    write   mie, 0

    check   H-TRAP-030, "henvcfg.DTE 0: vsstatus.SDT is read-only zero, and VS takes its traps"
    delegated
    set_bits vsstatus, SDT
    write   henvcfg, 0
    expect_csr_bits vsstatus, SDT, 0
    set_bits vsstatus, SDT
    expect_csr_bits vsstatus, SDT, 0
    .rept   2
    in      VS, ebreak
    taken_in_vs BREAKPOINT
    expect_csr_bits vsstatus, SDT, 0
    .endr
    set_bits sstatus, SDT                   # HS has its own
    expect_csr_bits sstatus, SDT, SDT

    check   H-TRAP-030, "menvcfg.DTE 0: as if there were no Ssdbltrp"
    delegated
    set_bits vsstatus, SDT
    set_bits sstatus, SDT
    write   menvcfg, 0
    .irp    csr, sstatus, vsstatus
    expect_csr_bits \csr, SDT, 0
    set_bits \csr, SDT
    expect_csr_bits \csr, SDT, 0
    .endr
    expect_csr_bits henvcfg, ENVCFG_DTE, 0
    .rept   2
    in      VS, ebreak
    taken_in_vs BREAKPOINT
    in      HS, ebreak
    taken_in_hs BREAKPOINT
    .endr

    check   H-TRAP-030, "a write that leaves SDT 1 clears SIE, whatever it says of SIE"
    delegated
    .irp    csr, sstatus, vsstatus, mstatus
    set_bits \csr, MSTATUS_SIE
    expect_csr_bits \csr, SDT | MSTATUS_SIE, MSTATUS_SIE
    set_bits \csr, SDT | MSTATUS_SIE
    expect_csr_bits \csr, SDT | MSTATUS_SIE, SDT
    csrr    a0, \csr
    li      t0, SDT
    xor     a0, a0, t0
    ori     a0, a0, MSTATUS_SIE
    csrw    \csr, a0
    expect_csr_bits \csr, SDT | MSTATUS_SIE, MSTATUS_SIE
    clear_bits \csr, MSTATUS_SIE
    .endr

# SRET by the registers of HS or VS, with both SDT set, to an ECALL.
    .macro sret_by epc, mode, spv, spp
    clear_bits hstatus, HSTATUS_SPV
    set_bits hstatus, \spv
    .irp    csr, sstatus, vsstatus
    clear_bits \csr, SAVED
    set_bits \csr, SDT | \spp
    .endr
    la      t0, 84f
    csrw    \epc, t0
    begin_in \mode
    sret
84: ecall
    end_in
    expect_address s5, 84b
    .endm

    check   H-TRAP-030, "SRET clears sstatus.SDT, and vsstatus.SDT where it goes to VU"
    delegated
    .irp    mode, HS, M
    sret_by sepc, \mode, 0, 0
    came_from U
    expect_csr_bits sstatus, SDT, 0
    expect_csr_bits vsstatus, SDT, SDT
    sret_by sepc, \mode, HSTATUS_SPV, 0
    came_from VU
    expect_csr_bits sstatus, SDT, 0
    expect_csr_bits vsstatus, SDT, 0
    sret_by sepc, \mode, HSTATUS_SPV, MSTATUS_SPP
    came_from VS
    expect_csr_bits sstatus, SDT, 0
    expect_csr_bits vsstatus, SDT, SDT
    .endr

    check   H-TRAP-030, "SRET from HS to HS clears sstatus.SDT"
    delegated
    sret_by sepc, HS, 0, MSTATUS_SPP
    came_from HS
    expect_csr_bits sstatus, SDT, 0

    check   H-TRAP-030, "SRET from M to HS clears sstatus.SDT"
    delegated
    sret_by sepc, M, 0, MSTATUS_SPP
    came_from HS
    expect_csr_bits sstatus, SDT, 0

    check   H-TRAP-030, "SRET in VS clears vsstatus.SDT"
    delegated
    .irp    spp, 0, MSTATUS_SPP
    sret_by vsepc, VS, 0, \spp
    expect_csr_bits vsstatus, SDT, 0
    .endr

    .macro mret_to mode, sdt, vs_sdt
    set_bits sstatus, SDT
    set_bits vsstatus, SDT
    in      \mode, nop
    expect_csr_bits sstatus, SDT, \sdt
    expect_csr_bits vsstatus, SDT, \vs_sdt
    .endm

    check   H-TRAP-030, "MRET below HS clears sstatus.SDT, and vsstatus.SDT where it goes to VU"
    delegated
    mret_to M, SDT, SDT
    mret_to HS, SDT, SDT
    mret_to U, 0, SDT
    mret_to VS, 0, SDT
    mret_to VU, 0, 0

    check   H-TRAP-030, "the cause cannot be delegated"
    write   medeleg, -1
    write   hedeleg, -1
    expect_csr_bits medeleg, 1 << DOUBLE_TRAP, 0
    expect_csr_bits hedeleg, 1 << DOUBLE_TRAP, 0
    end
