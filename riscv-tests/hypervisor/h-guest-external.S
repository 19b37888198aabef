# Guest external interrupts: hgeip, hgeie, VGEIN, SGEI.  The board has some if told to, and then a device that drives them.
# choices: geilen = 5

    .include "harness.S"

    .equ GEILEN,    5
    .equ ALL_LINES, (2 << GEILEN) - 2       # there is no number 0
    .equ LINES,     0x2800_0000             # a double-word: bit n is the level of number n
    .equ VGEIN,     12
    .equ SGEI,      12

    .macro lines value
    li      t0, LINES
    li      t1, \value
    sd      t1, (t0)
    .endm

    .macro select number
    write   hstatus, (\number) << VGEIN
    .endm

    begin

    check   H-CSR-024, "hgeie has bits GEILEN to 1, hgeip shows the lines, VGEIN holds 0 to GEILEN"
    lines   0
    write   hgeie, -1
    expect_csr hgeie, ALL_LINES
    write   hgeie, 0
    expect_csr hgeie, 0
    expect_csr hgeip, 0
    .irp    levels, 2, 1 << GEILEN, ALL_LINES, 0
    lines   \levels
    expect_csr hgeip, \levels
    .endr
    .irp    number, 0, 1, 2, 3, 4, GEILEN
    select  \number
    expect_csr_bits hstatus, 63 << VGEIN, \number << VGEIN
    .endr
    in      M, csrw hgeip, zero
    refused_as_illegal

    check   H-CSR-024, "ours: VGEIN keeps its value when it would get one above GEILEN"
    select  2
    .irp    number, GEILEN + 1, 32, 63
    select  \number
    expect_csr_bits hstatus, 63 << VGEIN, 2 << VGEIN
    .endr

    check   H-BASE-005, "mideleg bit 12 is 1, whatever is written"
    lines   0
    .irp    value, 0, -1, S_INTERRUPTS
    write   mideleg, \value
    expect_csr_bits mideleg, 1 << SGEI | VS_INTERRUPTS, 1 << SGEI | VS_INTERRUPTS
    .endr

    check   H-CSR-025, "SGEIP is 1 while a line is up that hgeie has"
    lines   1 << 3
    .irp    enabled, 0, 1 << 2, ALL_LINES & ~(1 << 3)
    write   hgeie, \enabled
    expect_csr_bits hip, 1 << SGEI, 0
    expect_csr_bits mip, 1 << SGEI, 0
    .endr
    write   hgeie, 1 << 3
    expect_csr_bits hip, 1 << SGEI, 1 << SGEI
    expect_csr_bits mip, 1 << SGEI, 1 << SGEI
    lines   ALL_LINES & ~(1 << 3)
    expect_csr_bits hip, 1 << SGEI, 0

    check   H-CSR-025, "hgeie has no say in what VGEIN selects"
    select  3
    lines   1 << 3
    expect_csr hip, 1 << VSEI
    write   hgeie, ALL_LINES
    expect_csr hip, 1 << VSEI | 1 << SGEI
    lines   1 << 2
    expect_csr hip, 1 << SGEI

    check   H-CSR-010, "hvip.VSEIP is software's bit alone, though a line makes hip.VSEIP 1; clearing it clears no line"
    select  GEILEN
    lines   1 << GEILEN
    expect_csr_bits hip, 1 << VSEI, 1 << VSEI
    expect_csr hvip, 0
    write   hvip, 0
    expect_csr_bits hip, 1 << VSEI, 1 << VSEI
    write   hvip, 1 << VSEI
    lines   0
    expect_csr_bits hip, 1 << VSEI, 1 << VSEI
    expect_csr hvip, 1 << VSEI

    check   H-CSR-009, "SGEIP cannot be written"
    lines   1 << 1
    .irp    csr, hip, mip
    write   hgeie, 0
    set_bits \csr, 1 << SGEI
    expect_csr_bits \csr, 1 << SGEI, 0
    write   hgeie, ALL_LINES
    clear_bits \csr, 1 << SGEI
    expect_csr_bits \csr, 1 << SGEI, 1 << SGEI
    .endr

    check   "H-CSR-011 H-CSR-012", "hie and mie have bit 12 in common, sie and sip do not have it"
    lines   ALL_LINES
    write   hgeie, -1
    write   mideleg, -1
    write   hie, 1 << SGEI
    expect_csr_bits mie, 1 << SGEI, 1 << SGEI
    expect_csr_bits sie, 1 << SGEI, 0
    expect_csr_bits sip, 1 << SGEI, 0
    write   mie, 0
    expect_csr hie, 0
    write   sie, -1
    expect_csr hie, 0
    write   mie, 0

    check   "H-INT-021 H-INT-004", "SGEI goes to HS, from all lower modes, and cannot be given to VS"
    lines   1 << 2
    write   hgeie, 1 << 2
    write   hie, 1 << SGEI
    write   mideleg, 0
    write   hideleg, -1
    expect_csr_bits hideleg, 1 << SGEI, 0
    .irp    mode, U, VS, VU
    in      \mode, nop
    taken_in_hs INTERRUPT | SGEI, 0
    .endr
    write   vsstatus, MSTATUS_SIE
    in      VS, nop
    taken_in_hs INTERRUPT | SGEI, 0
    in      M, nop
    completes
    in      HS, nop                         # SIE is 0
    completes
    set_bits mstatus, MSTATUS_SIE
    in      HS, nop
    taken_in_hs INTERRUPT | SGEI, 0
    write   hgeie, 0
    in      HS, nop
    completes

    check   H-INT-006, "HS takes SEI, SSI, STI, SGEI, VSEI, VSSI, VSTI, in this order"
    lines   1 << 2
    write   hgeie, 1 << 2
    write   mideleg, S_INTERRUPTS
    write   mie, 1 << SGEI | VS_INTERRUPTS | S_INTERRUPTS
    write   mip, 1 << STI
    write   hvip, VS_INTERRUPTS
    in      VS, nop
    taken_in_hs INTERRUPT | STI, 0
    write   mip, 0
    in      VS, nop
    taken_in_hs INTERRUPT | SGEI, 0
    lines   0
    in      VS, nop
    taken_in_hs INTERRUPT | VSEI, 0

    check   H-INT-009, "a vectored stvec has the place 12 for SGEI"
    lines   1 << 2
    write   hgeie, 1 << 2
    write   hie, 1 << SGEI
    la      t0, hs_landing + 1
    csrw    stvec, t0
    in      VS, nop
    taken_in_hs INTERRUPT | SGEI, 0, 0, 12

    check   H-INT-022, "VGEIN 0, or that of another line, adds nothing to VSEIP; a change of VGEIN counts at once"
    lines   1 << 4
    write   mie, 1 << VSEI
    write   hideleg, VS_INTERRUPTS
    write   vsstatus, MSTATUS_SIE
    .irp    number, 0, 3, GEILEN
    select  \number
    expect_csr hip, 0
    in      VS, nop
    completes
    .endr
    select  4
    expect_csr hip, 1 << VSEI
    in      VS, csrr a1, sip
    taken_in_vs INTERRUPT | SEI, 0
    lines   0
    in      VS, csrr a1, sip
    completes
    expect  a1, 0
    lines   1 << 4
    select  0
    write   hideleg, 0
    set_bits mstatus, MSTATUS_SIE
    li      a0, 4 << VGEIN
    in      HS, csrw hstatus, a0
    taken_in_hs INTERRUPT | VSEI, 0
    end
