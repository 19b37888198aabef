# What there is with H: reset, misa, delegation registers, modes of hgatp and vsatp.

    .include "harness.S"

    .equ HEDELEG,   1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 15
    .equ HEDELEG_OPTIONAL, 1 << 0 | 1 << 14 | 1 << 17 | 1 << 18 | 1 << 19 | ~0 << 24

    .globl  _start
_start:                                         # before anything is written: what reset has left
    .option norvc
    csrr    s0, mstatus
    csrr    s1, hgatp
    csrr    s2, vsatp
    la      t0, at_reset
    sd      s0, (t0)
    sd      s1, 8(t0)
    sd      s2, 16(t0)
    j       start
    .pushsection .data
    .align 3
at_reset:   .zero 24
    .popsection

    begin start

    check   H-BASE-001, "after reset: M-mode, MIE and MPRV 0, hgatp and vsatp Bare"
    la      s6, at_reset
    ld      t0, (s6)
    expect_bits t0, MSTATUS_MIE | MSTATUS_MPRV, 0
    ld      t0, 8(s6)
    expect_bits t0, ATP_MODE, 0
    ld      t0, 16(s6)
    expect_bits t0, ATP_MODE, 0

    check   H-BASE-002, "misa bit 7 is 1"
    csrr    t0, misa
    expect_bits t0, MISA_H, MISA_H

# H off, if misa lets it: else the rest of a check is left out.
    .macro h_off
    clear_bits misa, MISA_H
    csrr    t0, misa
    andi    t0, t0, MISA_H
    beqz    t0, 85f
    jr      s11
85: la      t0, trap_vector_without_h
    csrw    mtvec, t0
    .endm

    .macro h_on
    set_bits misa, MISA_H
    la      t0, trap_vector
    csrw    mtvec, t0
    .endm

    .macro illegal_everywhere instruction:vararg
    .irp    mode, M, HS, U
    in      \mode, \instruction
    expect  s0, ILLEGAL
    expect_address s5, 81b
    .endr
    .endm

    .pushsection .text.off
    .align 2
trap_vector_without_h:
    csrr    s0, mcause
    csrr    s1, mtval
    csrr    s4, mstatus
    csrr    s5, mepc
    j       trap_recorded
    .popsection

    check   H-BASE-002, "with misa.H cleared the CSRs of H are illegal"
    h_off
    .irp    csr, hstatus, hedeleg, hideleg, hie, htimedelta, hcounteren, hgeie, henvcfg, htval, hip, hvip, htinst, hgatp, hgeip
    illegal_everywhere csrr a0, \csr
    .endr
    .irp    csr, vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsip, vsatp, vstimecmp, mtinst
    illegal_everywhere csrr a0, \csr
    .endr
    csrr    a0, mideleg
    expect_bits a0, VS_INTERRUPTS, 0
    write   medeleg, -1
    csrr    a0, medeleg
    expect_bits a0, 1 << ECALL_VS | 15 << FETCH_GUEST_PAGE_FAULT, 0
    write   mie, -1
    csrr    a0, mie
    expect_bits a0, VS_INTERRUPTS, 0
    csrw    mie, zero
    csrw    medeleg, zero
    h_on

    check   H-BASE-002, "... but for mtval2 where there is Ssdbltrp, which reports in it"
    write   menvcfg, ENVCFG_DTE
    csrr    s6, menvcfg
    csrw    menvcfg, zero
    h_off
    .irp    mode, HS, U
    in      \mode, csrr a0, mtval2
    expect  s0, ILLEGAL
    .endr
    in      M, csrr a0, mtval2
    li      s7, ILLEGAL
    beqz    s6, 1f
    li      s7, ECALL_M
1:  expect_equal s0, s7
    h_on

    check   H-BASE-002, "... and so are its instructions"
    h_off
    la      a0, data
    .irp    insn, hfence.vvma, hfence.gvma, "hinval.vvma zero, zero", "hinval.gvma zero, zero"
    illegal_everywhere \insn
    .endr
    .irp    insn, hlv.b, hlvx.wu, hlv.d, hsv.b, hsv.d
    illegal_everywhere \insn a1, (a0)
    .endr
    h_on

    check   H-BASE-002, "hideleg, too, is gone: what it gave to VS comes to HS"
    write   mideleg, -1
    write   hideleg, -1
    write   mip, 1 << LCOFI
    write   mie, 1 << LCOFI
    csrr    s6, hideleg
    csrr    t0, mip
    and     s6, s6, t0                      # 13 is there, with Sscofpmf, and in hideleg with Shlcofideleg
    h_off
    in      U, nop
    csrr    s7, scause
    h_on
    beqz    s6, 1f
    expect  s7, INTERRUPT | LCOFI
1:

    check   H-BASE-003, "with H cleared MRET and SRET do not set V, whatever MPV and SPV were"
    set_bits mstatus, MPV
    write   hstatus, HSTATUS_SPV
    h_off
    li      t0, MPP
    csrc    mstatus, t0
    li      t0, HS
    csrs    mstatus, t0
    li      t0, 81f
    csrw    mepc, t0
    li      t0, 82f
    csrw    mscratch, t0
    mret
81: ecall
82: expect  s0, ECALL_HS
    set_bits mstatus, MSTATUS_SPP
    li      t0, 81f
    csrw    sepc, t0
    li      t0, 82f
    csrw    mscratch, t0
    sret
81: ecall
82: expect  s0, ECALL_HS
    set_bits mstatus, MPV
    csrr    a0, mstatus
    expect_bits a0, MPV | MSTATUS_GVA, 0
    h_on

    check   H-BASE-003, "ours: and when H is back, they are 0"
    set_bits mstatus, MPV | MSTATUS_GVA
    write   hstatus, HSTATUS_SPV
    h_off
    h_on
    expect_csr_bits mstatus, MPV | MSTATUS_GVA, 0
    expect_csr_bits hstatus, HSTATUS_SPV, 0

    check   H-BASE-004, "mtval takes addresses and instructions"
    .irp    value, 0xffff_ffff, 0x7f_ffff_ffff, 0x5555_5555_5554
    write   mtval, \value
    expect_csr mtval, \value
    .endr

    check   H-BASE-005, "mideleg bits 2, 6 and 10 are 1, whatever is written; 12 only with guest-external interrupts"
    .irp    value, 0, -1, VS_INTERRUPTS
    write   mideleg, \value
    expect_csr_bits mideleg, VS_INTERRUPTS, VS_INTERRUPTS
    write   hgeie, -1                       # GEILEN is what it can hold
    csrr    t1, hgeie
    snez    t1, t1
    slli    t1, t1, 12
    csrr    t2, mideleg
    li      t3, 1 << 12
    and     t2, t2, t3
    expect_equal t2, t1
    .endr
    csrw    hgeie, zero
    write   mideleg, -1
    expect_csr_bits mideleg, 1 << MSI | 1 << MTI | 1 << 11 | S_INTERRUPTS, S_INTERRUPTS

    check   H-BASE-006, "medeleg bits 10, 20, 21, 22 and 23 can be set, 11 and 16 cannot"
    .irp    cause, ECALL_VS, FETCH_GUEST_PAGE_FAULT, LOAD_GUEST_PAGE_FAULT, VIRTUAL, STORE_GUEST_PAGE_FAULT
    write   medeleg, 1 << \cause
    expect_csr medeleg, 1 << \cause
    .endr
    write   medeleg, -1
    expect_csr_bits medeleg, 1 << ECALL_M | 1 << 16, 0
    csrw    medeleg, zero

    check   H-BASE-007, "hedeleg can have 1 to 8, 12, 13 and 15, and not 9, 10, 11, 16, 20 to 23"
    write   hedeleg, -1
    csrr    a0, hedeleg
    li      t0, HEDELEG_OPTIONAL
    not     t0, t0
    and     a0, a0, t0
    expect  a0, HEDELEG
    write   hedeleg, 0
    expect_csr hedeleg, 0

    check   H-BASE-008, "hideleg can have 2, 6 and 10 (and 13), of which mideleg decides on 13"
    write   mideleg, -1
    write   hideleg, -1
    csrr    a0, hideleg
    li      t0, 1 << LCOFI
    not     t0, t0
    and     a0, a0, t0
    expect  a0, VS_INTERRUPTS
    write   mideleg, 0
    expect_csr hideleg, VS_INTERRUPTS

    check   H-BASE-009, "the upper halves that RV32 has are illegal, from VS and VU too"
    .irp    csr, 0x310, 0x312, 0x31a, 0x61a, 0x615, 0x612, 0x15d, 0x25d, 0xc80, 0xc81, 0xc82, 0xb80, 0xb82, 0x3a1
    .irp    mode, M, HS, VS, VU, U
    in      \mode, csrr a0, \csr
    refused_as_illegal
    .endr
    .endr

    check   H-BASE-010, "VSXL, vsstatus.UXL, SXL and UXL are 2, whatever is written"
    .irp    value, 0, -1
    write   hstatus, \value
    expect_csr_bits hstatus, 3 << 32, 2 << 32
    csrw    hstatus, zero
    write   vsstatus, \value
    expect_csr_bits vsstatus, 3 << 32, 2 << 32
    csrr    s6, mstatus
    li      t0, \value & 15 << 32
    csrw    mstatus, t0
    expect_csr_bits mstatus, 15 << 32, 10 << 32
    csrw    sstatus, t0
    expect_csr_bits sstatus, 3 << 32, 2 << 32
    csrw    mstatus, s6
    .endr

# A mode that satp takes: then vsatp does, and hgatp has its x4 form.
    .macro mode_of_all mode
    write   satp, \mode << 60
    csrr    s6, satp
    srli    s6, s6, 60
    write   vsatp, \mode << 60
    csrr    s7, vsatp
    srli    s7, s7, 60
    expect_equal s7, s6
    csrw    hgatp, zero
    write   hgatp, \mode << 60
    csrr    s7, hgatp
    srli    s7, s7, 60
    expect_equal s7, s6
    .endm

    check   H-BASE-011, "each mode that satp has, vsatp has too, and hgatp as x4"
    mode_of_all 8
    expect  s6, 8                           # Sv39 is there
    mode_of_all 9
    mode_of_all 10
    mode_of_all 0
    expect  s6, 0

    check   H-BASE-012, "hcounteren has a bit for every counter"
    write   hcounteren, -1
    expect_csr_bits hcounteren, 7, 7
    csrr    s6, hcounteren
    write   mcounteren, -1
    csrr    s7, mcounteren
    not     s6, s6
    and     s6, s6, s7
    expect  s6, 0
    write   hcounteren, 0
    expect_csr hcounteren, 0
    end
