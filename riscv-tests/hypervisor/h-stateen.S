# State enable: mstateen, hstateen and sstateen, and what they gate (Smstateen, Ssstateen).

    .include "harness.S"

    .globl  _start
_start:                                         # before anything is written: what reset has left
    .option norvc
    la      t0, at_reset
    .irp    n, 0, 1, 2, 3
    csrr    s0, mstateen\n
    sd      s0, 8 * \n(t0)
    .endr
    j       start
    .pushsection .data
    .align 3
at_reset:   .zero 32
    .popsection

    .macro reads mode, csr, how
    in      \mode, csrr a0, \csr
    \how
    .endm

    .macro both mode, csr, how
    reads   \mode, \csr, \how
    in      \mode, csrw \csr, a0
    \how
    .endm

    begin start

    check   H-BASE-001, "after reset every bit of mstateen0 to 3 is 0"
    la      s6, at_reset
    .irp    n, 0, 1, 2, 3
    ld      s7, 8 * \n(s6)
    expect  s7, 0
    .endr

    check   H-CSR-022, "a bit of hstateen is 0 while it is 0 in mstateen"
    .irp    n, 0, 1, 2, 3
    write   hstateen\n, -1
    write   mstateen\n, 0
    expect_csr hstateen\n, 0
    in      HS, csrr a1, sstateen\n
    refused_as_illegal
    write   mstateen\n, STATEEN_SE
    expect_csr_bits hstateen\n, ~STATEEN_SE, 0
    write   mstateen\n, -1
    .endr
    write   mstateen0, STATEEN_SE
    in      HS, csrr a1, hstateen0
    expect  a1, STATEEN_SE
    write   mstateen0, STATEEN_ENVCFG
    expect_csr_bits hstateen0, STATEEN_SE, 0

    check   H-CSR-022, "ours: what is written to it then does not count, and what it held is back when mstateen's bit is"
    .irp    n, 0, 1, 2, 3
    write   hstateen\n, -1
    csrr    s6, hstateen\n
    write   mstateen\n, 0
    write   hstateen\n, 0
    write   mstateen\n, -1
    csrr    s7, hstateen\n
    expect_equal s7, s6
    write   hstateen\n, 0
    write   mstateen\n, 0
    write   hstateen\n, -1
    write   mstateen\n, -1
    expect_csr hstateen\n, 0
    .endr

    check   H-CSR-022, "a bit of sstateen is 0 while it is 0 in mstateen, and in VS while it is 0 in hstateen"
    write   sstateen0, -1
    write   hstateen0, STATEEN_SE
    in      VS, csrr a1, sstateen0
    completes
    expect  a1, 0
    write   mstateen0, STATEEN_SE
    expect_csr sstateen0, 0
    in      HS, csrr a1, sstateen0
    completes
    expect  a1, 0

    check   "H-CSR-002 H-CSR-022", "sstateen has no twin: what VS writes, HS sees"
    li      a0, -1
    in      VS, csrw sstateen0, a0
    completes
    in      VS, csrr a1, sstateen0
    csrr    a2, sstateen0
    expect_equal a1, a2
    in      HS, csrr a1, sstateen0
    expect_equal a1, a2

    check   H-CSR-023, "bit 63 of hstateen0 to 3 is writable where it is 1 in mstateen; so are those of mstateen"
    .irp    n, 0, 1, 2, 3
    expect_csr_bits mstateen\n, STATEEN_SE, STATEEN_SE
    .irp    value, 0, -1
    write   hstateen\n, \value
    expect_csr_bits hstateen\n, STATEEN_SE, \value & STATEEN_SE
    .endr
    write   mstateen\n, 0
    expect_csr mstateen\n, 0
    .endr
    write   mstateen0, -1
    write   hstateen0, -1
    expect_csr_bits mstateen0, STATEEN_ENVCFG, STATEEN_ENVCFG
    expect_csr_bits hstateen0, STATEEN_ENVCFG, STATEEN_ENVCFG

    check   H-CSR-023, "the bit of fcsr is 0 at every level: there is F"
    .irp    csr, mstateen0, hstateen0, sstateen0
    expect_csr_bits \csr, 1 << 1, 0
    .endr

    check   H-CSR-023, "ours: of mstateen0 and hstateen0 there are SE0 and ENVCFG, of the others SE, of sstateen nothing"
    .irp    x, m, h
    expect_csr \x\()stateen0, STATEEN_SE | STATEEN_ENVCFG
    .irp    n, 1, 2, 3
    expect_csr \x\()stateen\n, STATEEN_SE
    .endr
    .endr
    .irp    n, 0, 1, 2, 3
    write   sstateen\n, -1
    expect_csr sstateen\n, 0
    .endr

# senvcfg and henvcfg, or sstateen and hstateen of a number, by the bits of mstateen and hstateen.
    .macro gated m, h, mstateen, hstateen, bit, low, high, hs, vs, virtual
    write   \mstateen, -1
    write   \hstateen, \h * (\bit)
    write   \mstateen, \m * (\bit)
    both    HS, \low, \hs
    both    HS, \high, \hs
    both    VS, \low, \vs
    both    VS, \high, \virtual
    both    VU, \low, \virtual
    both    VU, \high, \virtual
    both    U, \low, refused_as_illegal
    both    U, \high, refused_as_illegal
    .endm

    .macro all_gates mstateen, hstateen, bit, low, high
    gated   0, 0, \mstateen, \hstateen, \bit, \low, \high, refused_as_illegal, refused_as_illegal, refused_as_illegal
    gated   0, 1, \mstateen, \hstateen, \bit, \low, \high, refused_as_illegal, refused_as_illegal, refused_as_illegal
    gated   1, 0, \mstateen, \hstateen, \bit, \low, \high, completes, refused_as_virtual, refused_as_virtual
    gated   1, 1, \mstateen, \hstateen, \bit, \low, \high, completes, completes, refused_as_virtual
    .endm

    check   H-ACC-026, "senvcfg and henvcfg, by ENVCFG of mstateen0 and hstateen0"
    all_gates mstateen0, hstateen0, STATEEN_ENVCFG, senvcfg, henvcfg

    check   H-ACC-026, "sstateen0 and hstateen0, by SE of mstateen0 and hstateen0"
    all_gates mstateen0, hstateen0, STATEEN_SE, sstateen0, hstateen0

    check   H-ACC-026, "sstateen1 to 3 and hstateen1 to 3, each by its own"
    .irp    n, 1, 2, 3
    all_gates mstateen\n, hstateen\n, STATEEN_SE, sstateen\n, hstateen\n
    .endr

    check   H-ACC-027, "M-mode is behind no state enable"
    .irp    n, 0, 1, 2, 3
    write   mstateen\n, 0
    reads   M, hstateen\n, completes
    reads   M, sstateen\n, completes
    .endr
    reads   M, senvcfg, completes
    reads   M, henvcfg, completes
    end
