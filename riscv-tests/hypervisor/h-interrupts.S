# Interrupts: to which level, when, in which order, with which code.

    .include "harness.S"

    .equ VS_ALL,    VS_INTERRUPTS
    .equ VSSIE,     1 << VSSI

# Interrupts of a level, by their codes in the order of priority: the first pending one is taken, then the next.
    .macro next_in_hs mode, code, vector=0
    in      \mode, nop
    taken_in_hs INTERRUPT | \code, 0, 0, \vector
    csrr    t4, sepc
    expect_address t4, 81b
    .endm

    begin

    check   "H-INT-001 H-TRAP-028", "a VS-level interrupt that hideleg does not give away: HS gets it, with its own code"
    write   mie, VS_ALL
    .irp    code, VSSI, VSTI, VSEI
    write   hvip, 1 << \code
    .irp    mode, VS, VU, U
    in      \mode, nop
    taken_in_hs INTERRUPT | \code, 0
    .endr
    in      HS, nop                         # SIE is 0
    completes
    in      M, nop
    completes
    set_bits mstatus, MSTATUS_SIE
    in      HS, nop
    taken_in_hs INTERRUPT | \code, 0
    clear_bits mstatus, MSTATUS_SIE
    .endr

    check   "H-INT-002 H-TRAP-028", "one that hideleg gives away: VS gets it, with the code of its S-level twin"
    write   mie, VS_ALL
    write   hideleg, VS_ALL
    .irp    code, VSSI, VSTI, VSEI
    write   hvip, 1 << \code
    in      VU, nop
    taken_in_vs INTERRUPT | \code - 1, 0
    csrr    t4, vsepc
    expect_address t4, 81b
    write   vsstatus, 0
    in      VS, nop
    completes
    write   vsstatus, MSTATUS_SIE
    in      VS, nop
    taken_in_vs INTERRUPT | \code - 1, 0
    .endr

    check   H-INT-002, "not what is pending and not enabled, nor the other way about"
    write   hideleg, VS_ALL
    write   vsstatus, MSTATUS_SIE
    write   hvip, 1 << VSSI
    write   mie, 1 << VSTI | 1 << VSEI
    in      VS, nop
    completes
    in      VU, nop
    completes

    check   H-INT-003, "with V=0 it stays pending, in HS and U with SIE too, and comes with the return to the guest"
    write   mie, VS_ALL
    write   hideleg, VS_ALL
    write   hvip, 1 << VSTI
    set_bits mstatus, MSTATUS_SIE | MSTATUS_SPIE
    write   vsstatus, MSTATUS_SIE
    in      HS, nop
    completes
    in      U, nop
    completes
    in      M, nop
    completes
    write   hstatus, HSTATUS_SPV
    set_bits mstatus, MSTATUS_SPP
    li      t0, 84f
    csrw    sepc, t0
    begin_in HS
    sret
84: ecall
    end_in
    taken_in_vs INTERRUPT | STI, 0
    csrr    t4, vsepc
    expect_address t4, 84b

    check   H-INT-004, "HS-level interrupts are taken from VS and VU whatever the SIE bits say"
    write   mideleg, S_INTERRUPTS
    write   hideleg, VS_ALL
    .irp    code, SSI, STI, SEI
    write   mie, 1 << \code
    write   mip, 1 << \code
    .irp    sie, 0, MSTATUS_SIE
    write   vsstatus, \sie
    in      VS, nop
    taken_in_hs INTERRUPT | \code, 0
    in      VU, nop
    taken_in_hs INTERRUPT | \code, 0
    .endr
    in      HS, nop
    completes
    .endr

    check   H-INT-005, "M-level interrupts are taken from all lower modes, and in M by MIE"
    write   mie, 1 << SSI                   # not delegated: of M's level
    write   mip, 1 << SSI
    .irp    mode, HS, U, VS, VU
    in      \mode, nop
    traps   INTERRUPT | SSI, 0
    came_from \mode
    .endr
    in      M, nop
    completes
    set_bits mstatus, MSTATUS_MPIE          # MRET to M makes it MIE
    in      M, nop
    traps   INTERRUPT | SSI, 0
    came_from M
    li      t0, MSTATUS_MIE
    csrc    mstatus, t0

    check   H-INT-006, "HS takes SEI, SSI, STI, VSEI, VSSI, VSTI, in this order"
    write   mideleg, S_INTERRUPTS
    write   mie, VS_ALL | S_INTERRUPTS
    write   mip, S_INTERRUPTS
    write   hvip, VS_ALL
    next_in_hs VS, SEI
    clear_bits mip, 1 << SEI
    next_in_hs VS, SSI
    clear_bits mip, 1 << SSI
    next_in_hs VS, STI
    clear_bits mip, 1 << STI
    next_in_hs VS, VSEI
    clear_bits hvip, 1 << VSEI
    next_in_hs VS, VSSI
    clear_bits hvip, 1 << VSSI
    next_in_hs VS, VSTI
    clear_bits hvip, 1 << VSTI
    in      VS, nop
    completes

    check   H-INT-006, "the counter-overflow interrupt, if there is one, comes last"
    write   mideleg, -1
    write   mie, -1
    write   mip, 1 << LCOFI
    csrr    t0, mip
    csrr    t1, mideleg
    and     t0, t0, t1
    li      t1, 1 << LCOFI
    and     t0, t0, t1
    beqz    t0, 1f
    next_in_hs VS, LCOFI
    write   hvip, 1 << VSTI
    next_in_hs VS, VSTI
1:

    check   H-INT-007, "VS takes SEI, SSI, STI, in this order"
    write   mie, VS_ALL
    write   hideleg, VS_ALL
    write   hvip, VS_ALL
    in      VU, nop
    taken_in_vs INTERRUPT | SEI, 0
    clear_bits hvip, 1 << VSEI
    in      VU, nop
    taken_in_vs INTERRUPT | SSI, 0
    clear_bits hvip, 1 << VSSI
    in      VU, nop
    taken_in_vs INTERRUPT | STI, 0

    check   H-INT-008, "M's before HS's before VS's, whatever their codes"
    write   mideleg, 1 << SSI
    write   mie, 1 << STI | 1 << SSI | VS_ALL
    write   hideleg, 1 << VSEI
    write   mip, 1 << STI | 1 << SSI        # M's: STI; HS's: SSI, VSTI; VS's: VSEI
    write   hvip, 1 << VSEI | 1 << VSTI
    in      VU, nop
    traps   INTERRUPT | STI, 0
    clear_bits mip, 1 << STI
    next_in_hs VU, SSI
    clear_bits mip, 1 << SSI
    next_in_hs VU, VSTI
    clear_bits hvip, 1 << VSTI
    in      VU, nop
    taken_in_vs INTERRUPT | SEI, 0

    check   H-INT-009, "vectored: vstvec by the translated code, stvec by the code itself"
    li      t0, hs_landing | 1
    csrw    stvec, t0
    li      t0, vs_landing | 1
    csrw    vstvec, t0
    write   mie, VS_ALL
    .irp    code, VSSI, VSTI, VSEI
    write   hvip, 1 << \code
    write   hideleg, 0
    next_in_hs VS, \code, \code
    write   hideleg, VS_ALL
    in      VU, nop
    taken_in_vs INTERRUPT | \code - 1, 0, \code - 1
    .endr
    write   medeleg, 1 << BREAKPOINT        # exceptions are not vectored
    csrw    mie, zero
    in      VS, ebreak
    taken_in_hs BREAKPOINT
    write   hedeleg, 1 << BREAKPOINT
    in      VS, ebreak
    taken_in_vs BREAKPOINT

    check   H-INT-010, "what is made pending in HS is taken before the guest's first instruction"
    write   mie, VS_ALL
    write   hideleg, VS_ALL
    write   vsstatus, MSTATUS_SIE
    write   hstatus, HSTATUS_SPV
    set_bits mstatus, MSTATUS_SPP
    li      t0, 84f
    csrw    sepc, t0
    li      a0, 0
    li      a1, 1 << VSEI
    begin_in HS
    csrs    hvip, a1
    sret
84: li      a0, 1
    ecall
    end_in
    taken_in_vs INTERRUPT | SEI, 0
    csrr    t4, vsepc
    expect_address t4, 84b
    expect  a0, 0

    check   H-INT-010, "a CSR write that makes one takeable is followed by it at once"
    write   mie, VS_ALL
    write   hideleg, VS_ALL
    write   hvip, 1 << VSSI
    li      a0, MSTATUS_SIE
    begin_in VS
    csrs    sstatus, a0
84: nop
    end_in
    taken_in_vs INTERRUPT | SSI, 0
    csrr    t4, vsepc
    expect_address t4, 84b

    check   H-INT-011, "hvip.VSEIP is a level: cleared in time it does nothing, and a trap does not clear it"
    write   hideleg, VS_ALL
    write   vsstatus, MSTATUS_SIE
    write   hvip, 1 << VSEI
    write   hvip, 0
    write   mie, VS_ALL
    in      VS, nop
    completes
    write   hvip, 1 << VSEI
    in      VS, nop
    taken_in_vs INTERRUPT | SEI, 0
    expect_csr hvip, 1 << VSEI
    in      VU, nop
    taken_in_vs INTERRUPT | SEI, 0

    check   H-INT-012, "the guest clears its own VSSIP through sip"
    write   hideleg, VS_ALL
    write   hvip, 1 << VSSI
    in      VS, csrci sip, 2
    completes
    expect_csr hvip, 0
    in      VS, csrsi sip, 2
    completes
    expect_csr hvip, 1 << VSSI

    check   H-INT-019, "WFI wakes for what is pending and enabled at any level, with all SIE bits 0, and goes on"
    write   mideleg, S_INTERRUPTS
    write   hideleg, VS_ALL
    .irp    code, VSSI, VSTI, VSEI
    write   mie, 1 << \code
    write   hvip, 1 << \code
    .irp    mode, VS, HS, M
    in      \mode, wfi
    completes
    .endr
    .endr
    csrw    hvip, zero
    write   mie, 1 << SSI
    write   mip, 1 << SSI
    .irp    mode, HS, M
    in      \mode, wfi
    completes
    .endr
    write   mideleg, 0
    in      M, wfi
    completes

    check   H-INT-020, "an interrupt that ends a WFI has the address behind it"
    write   menvcfg, ENVCFG_STCE
    write   mideleg, 1 << STI
    write   mie, 1 << STI
    csrr    t0, time
    addi    t0, t0, 20
    csrw    stimecmp, t0
    begin_in VS
    wfi
84: nop
    end_in
    taken_in_hs INTERRUPT | STI, 0
    csrr    t4, sepc
    expect_address t4, 84b

    check   H-INT-021, "the guest-external interrupt goes to HS: hideleg bit 12 is 0"
    write   hideleg, -1
    expect_csr_bits hideleg, 1 << 12, 0

    check   H-INT-023, "hideleg bit 13 is writable with Shlcofideleg; then vsip bit 13 is sip's, else 0"
    write   mideleg, -1
    write   hideleg, -1
    write   mip, 1 << LCOFI
    write   mie, 1 << LCOFI
    csrr    a0, hideleg
    csrr    a1, sip
    csrr    a2, vsip
    li      t0, 1 << LCOFI
    and     a3, a0, a1
    and     a3, a3, t0
    and     a2, a2, t0
    expect_equal a2, a3
    beqz    a3, 1f
    in      VU, nop
    taken_in_vs INTERRUPT | LCOFI, 0
    write   hideleg, VS_ALL
    expect_csr_bits vsip, 1 << LCOFI, 0
    in      VU, nop
    taken_in_hs INTERRUPT | LCOFI, 0
1:
    end
