# Performance counters: overflow, and in which modes they count (Sscofpmf, Smcntrpmf, Zihpm).

    .include "harness.S"

    .equ INSTRUCTIONS, 2                        # an event that counts retired instructions, where there is one

    begin

    check   H-CSR-030, "scountovf: OF of what mcounteren lets HS see, and hcounteren VS"
    .irp    n, 3, 4, 31
    write   mhpmevent\n, HPMEVENT_OF
    .endr
    write   mhpmevent5, 0
    write   mcounteren, 1 << 31 | 1 << 3 | 1 << 5
    write   hcounteren, 1 << 31 | 1 << 4
    in      HS, csrr a1, scountovf
    completes
    expect  a1, 1 << 31 | 1 << 3
    in      VS, csrr a1, scountovf
    completes
    expect  a1, 1 << 31
    write   mcounteren, 0
    in      VS, csrr a1, scountovf
    completes
    expect  a1, 0
    write   mhpmevent31, 0

    check   H-CSR-030, "M-mode sees all of scountovf, whatever mcounteren is"
    write   mhpmevent3, HPMEVENT_OF
    csrr    a1, scountovf
    expect  a1, 1 << 3
    write   mhpmevent3, 0
    csrr    a1, scountovf
    expect  a1, 0

    check   H-CSR-030, "scountovf from U and VU, and a write to it"
    write   mcounteren, -1
    write   hcounteren, -1
    in      U, csrr a1, scountovf
    refused_as_illegal
    in      VU, csrr a1, scountovf
    refused_as_virtual
    .irp    mode, M, HS, VS, VU, U
    in      \mode, csrw scountovf, a1
    refused_as_illegal
    .endr

# A counter that counts in none of some modes: how much it has counted of a few instructions in a mode.
    .macro counted counter, mode
    csrw    \counter, zero
    in      \mode, nop
    in      \mode, nop
    csrr    a1, \counter
    .endm

    .macro stands_still counter, mode
    counted \counter, \mode
    expect  a1, 0
    .endm

    .macro goes_on counter, mode
    counted \counter, \mode
    expect  a1, 2                           # MRET is of M-mode, and what traps does not retire
    .endm

# Only where it counts at all, as `configuration` says.
    .macro filtered counter, configuration, event
    write   \configuration, \event
    csrw    \counter, zero
    csrr    a1, \counter
    nop
    csrr    a2, \counter
    beq     a1, a2, 72f
    write   \configuration, \event | HPMEVENT_MINH | HPMEVENT_VSINH
    .irp    mode, HS, U, VU
    goes_on \counter, \mode
    .endr
    stands_still \counter, VS
    write   \configuration, \event | HPMEVENT_MINH | HPMEVENT_VUINH
    .irp    mode, HS, U, VS
    goes_on \counter, \mode
    .endr
    stands_still \counter, VU
    write   \configuration, \event | HPMEVENT_MINH | HPMEVENT_SINH | HPMEVENT_UINH
    .irp    mode, HS, U
    stands_still \counter, \mode
    .endr
    .irp    mode, VS, VU
    goes_on \counter, \mode
    .endr
    write   \configuration, \event | HPMEVENT_VSINH | HPMEVENT_VUINH
    csrw    \counter, zero
    nop
    csrr    a1, \counter
    snez    a1, a1
    expect  a1, 1
72: csrw    \configuration, zero
    .endm

    check   H-CSR-031, "VSINH and VUINH of an event that counts instructions"
    filtered mhpmcounter3, mhpmevent3, INSTRUCTIONS

    check   H-CSR-031, "those of instret likewise"
    filtered minstret, minstretcfg, 0

    check   H-CSR-031, "without H, VSINH and VUINH are 0"
    write   mhpmevent3, -1
    csrr    s6, mhpmevent3
    clear_bits misa, MISA_H
    csrr    s7, misa
    li      t0, MISA_H
    and     s7, s7, t0
    bnez    s7, 1f
    expect_csr_bits mhpmevent3, HPMEVENT_VSINH | HPMEVENT_VUINH, 0
    set_bits misa, MISA_H
1:  expect_bits s6, HPMEVENT_VSINH | HPMEVENT_VUINH, HPMEVENT_VSINH | HPMEVENT_VUINH

    check   "H-CSR-030 H-INT-023", "an overflow in VS sets OF and makes LCOFI pending, which VS gets with Shlcofideleg, else HS"
    write   mhpmevent3, INSTRUCTIONS
    csrw    mhpmcounter3, zero
    csrr    a1, mhpmcounter3
    nop
    csrr    a2, mhpmcounter3
    beq     a1, a2, 1f
    write   mideleg, -1
    write   hideleg, 1 << LCOFI
    write   mie, 1 << LCOFI
    write   vsstatus, MSTATUS_SIE
    write   mhpmevent3, INSTRUCTIONS | HPMEVENT_MINH
    li      a1, -3
    csrw    mhpmcounter3, a1
    csrr    s6, hideleg
    begin_in VS
    nop
    nop
    nop
84: nop
    end_in
    bnez    s6, 2f
    taken_in_hs INTERRUPT | LCOFI, 0
    csrr    t4, sepc
    j       3f
2:  taken_in_vs INTERRUPT | LCOFI, 0
    csrr    t4, vsepc
3:  expect_address t4, 84b
    expect_csr_bits mhpmevent3, HPMEVENT_OF, HPMEVENT_OF
    write   mcounteren, 1 << 3
    write   hcounteren, 1 << 3
    write   mie, 0
    in      VS, csrr a1, scountovf
    expect  a1, 1 << 3
1:
    end
