# Sstc for the guest: vstimecmp, htimedelta, VSTIP; and the time CSR.

    .include "harness.S"

    .macro sstc
    write   menvcfg, ENVCFG_STCE
    write   henvcfg, ENVCFG_STCE
    write   mcounteren, -1
    write   hcounteren, -1
    .endm

    .macro vstip value
    expect_csr_bits hip, 1 << VSTI, \value << VSTI
    .endm

# Some simulators look at the clock only now and then: give them time to.
    .macro vstip_becomes value
    li      t1, 5000
1:  csrr    t0, hip
    andi    t0, t0, 1 << VSTI
    li      t2, \value << VSTI
    beq     t0, t2, 1f
    addi    t1, t1, -1
    bnez    t1, 1b
1:  vstip   \value
    .endm

    begin

    check   H-CSR-026, "time with V=1 is mtime + htimedelta, modulo 2**64; with V=0 it is mtime"
    write   mcounteren, -1
    write   hcounteren, -1
    write   scounteren, -1
    .irp    delta, 0, 1 << 40, -(1 << 40), 1 << 63
    write   htimedelta, \delta
    .irp    mode, VS, VU
    csrr    s6, time
    in      \mode, csrr a1, time
    completes
    csrr    s7, time
    li      t0, \delta
    sub     a1, a1, t0                      # between the two
    sub     s8, a1, s6
    sub     s9, s7, s6
    sltu    s8, s9, s8
    expect  s8, 0
    .endr
    .irp    mode, HS, U, M
    csrr    s6, time
    in      \mode, csrr a1, time
    completes
    csrr    s7, time
    sub     s8, a1, s6
    sub     s9, s7, s6
    sltu    s8, s9, s8
    expect  s8, 0
    .endr
    .endr

    check   H-INT-013, "VSTIP is time + htimedelta >= vstimecmp, or hvip.VSTIP"
    sstc
    vstip   0
    csrw    vstimecmp, zero
    vstip   1
    write   vstimecmp, -1
    vstip_becomes 0
    write   hvip, 1 << VSTI
    vstip   1
    csrw    vstimecmp, zero
    csrw    hvip, zero
    vstip   1

    check   H-INT-013, "the sum wraps around"
    sstc
    csrr    t0, time
    li      t1, 1 << 62
    sub     t0, t1, t0
    csrw    htimedelta, t0                  # the guest's clock: 2**62, and a little
    write   vstimecmp, 1 << 61
    vstip_becomes 1
    write   vstimecmp, (1 << 62) + (1 << 50)
    vstip_becomes 0
    li      t0, -(1 << 40)
    csrw    htimedelta, t0                  # near 2**64, since this program has not run for so long
    write   vstimecmp, 0
    vstip_becomes 1
    write   vstimecmp, -(1 << 30)
    vstip_becomes 0
    write   vstimecmp, -(1 << 41)
    vstip_becomes 1

    check   H-INT-013, "the guest sets a timer in the future: its STIP goes, and comes again when it is time"
    sstc
    write   hideleg, VS_INTERRUPTS
    csrw    vstimecmp, zero
    in      VS, csrr a1, sip
    andi    a1, a1, 1 << STI
    expect  a1, 1 << STI
    li      a0, -2
    in      VS, csrw stimecmp, a0
    completes
    vstip_becomes 0
    csrr    t0, time
    addi    t0, t0, 30
    csrw    vstimecmp, t0
    vstip_becomes 1

    check   H-INT-014, "a write of htimedelta is seen by VSTIP"
    sstc
    write   vstimecmp, 1 << 62
    vstip   0
    write   htimedelta, 1 << 62
    vstip_becomes 1
    csrw    htimedelta, zero
    vstip_becomes 0

    check   H-INT-015, "henvcfg.STCE or menvcfg.STCE 0: VSTIP is hvip.VSTIP alone"
    sstc
    csrw    vstimecmp, zero
    vstip   1
    csrw    henvcfg, zero
    vstip   0
    write   hvip, 1 << VSTI
    vstip   1
    csrw    hvip, zero
    write   henvcfg, ENVCFG_STCE
    vstip   1
    csrw    menvcfg, zero
    vstip   0
    write   hvip, 1 << VSTI
    vstip   1

    check   H-INT-016, "VSTIP is kept with V=0, and can go to HS"
    sstc
    csrw    vstimecmp, zero
    write   mie, 1 << VSTI
    in      HS, csrr a1, hip
    completes
    expect  a1, 1 << VSTI
    in      U, nop
    taken_in_hs INTERRUPT | VSTI, 0
    set_bits mstatus, MSTATUS_SIE
    in      HS, nop
    taken_in_hs INTERRUPT | VSTI, 0
    write   hideleg, VS_INTERRUPTS
    in      VU, nop
    taken_in_vs INTERRUPT | STI, 0

    check   H-INT-017, "the comparison is unsigned: 2**64 - 1 is never, 2**63 is far away"
    sstc
    write   vstimecmp, -1
    write   stimecmp, -1
    vstip   0
    expect_csr_bits mip, 1 << STI, 0
    write   vstimecmp, 1 << 63
    write   stimecmp, 1 << 63
    vstip   0
    expect_csr_bits mip, 1 << STI, 0

    check   H-INT-018, "mip.STIP is the comparison with stimecmp, and read-only, while menvcfg.STCE is 1"
    write   menvcfg, ENVCFG_STCE
    csrw    stimecmp, zero
    expect_csr_bits mip, 1 << STI, 1 << STI
    clear_bits mip, 1 << STI
    expect_csr_bits mip, 1 << STI, 1 << STI
    write   stimecmp, -1
    expect_csr_bits mip, 1 << STI, 0
    set_bits mip, 1 << STI
    expect_csr_bits mip, 1 << STI, 0
    csrw    menvcfg, zero
    csrw    mip, zero
    set_bits mip, 1 << STI
    expect_csr_bits mip, 1 << STI, 1 << STI
    clear_bits mip, 1 << STI
    expect_csr_bits mip, 1 << STI, 0

    check   H-CSR-010, "hvip has what software wrote, not what the timer says; clearing it does not stop the timer"
    sstc
    csrw    vstimecmp, zero
    vstip   1
    expect_csr hvip, 0
    csrr    t0, hvip
    csrw    hvip, t0
    write   vstimecmp, -1
    vstip_becomes 0
    csrw    vstimecmp, zero
    write   hvip, 1 << VSTI
    csrw    hvip, zero
    vstip   1
    expect_csr hvip, 0
    write   hvip, VS_INTERRUPTS
    expect_csr hvip, VS_INTERRUPTS
    end
