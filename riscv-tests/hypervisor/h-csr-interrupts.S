# hvip, hip, hie, mip, mie, sip, sie, vsip and vsie: views of the same bits.

    .include "harness.S"
    begin

    check   H-CSR-007, "hvip has 2, 6 and 10"
    write   hvip, -1
    csrr    a0, hvip
    li      t0, ~(1 << LCOFI)               # 13 exists with AIA
    and     a0, a0, t0
    expect  a0, VS_INTERRUPTS
    csrw    hvip, zero
    expect_csr hvip, 0

    check   H-CSR-008, "VSSIP of hip, hvip and mip is one bit"
    .irp    csr, hvip, hip, mip
    set_bits \csr, 1 << VSSI
    .irp    other, hvip, hip, mip
    expect_csr_bits \other, 1 << VSSI, 1 << VSSI
    .endr
    clear_bits \csr, 1 << VSSI
    .irp    other, hvip, hip, mip
    expect_csr_bits \other, 1 << VSSI, 0
    .endr
    .endr

    check   H-CSR-009, "VSTIP, VSEIP and SGEIP cannot be written in hip and mip"
    .irp    csr, hip, mip
    set_bits \csr, 1 << VSTI | 1 << VSEI | 1 << 12
    expect_csr_bits \csr, 1 << VSTI | 1 << VSEI | 1 << 12, 0
    write   hvip, 1 << VSTI | 1 << VSEI
    clear_bits \csr, 1 << VSTI | 1 << VSEI
    expect_csr_bits \csr, 1 << VSTI | 1 << VSEI, 1 << VSTI | 1 << VSEI
    csrw    hvip, zero
    .endr

    check   H-CSR-011, "hie has mie's bits 2, 6 and 10; sie those of S"
    write   mideleg, -1
    write   mie, 0
    write   hie, -1
    expect_csr_bits mie, VS_INTERRUPTS | S_INTERRUPTS, VS_INTERRUPTS
    write   mie, 0
    expect_csr hie, 0
    write   mie, 1 << VSTI
    expect_csr hie, 1 << VSTI
    write   mie, 0
    write   sie, -1
    expect_csr_bits mie, VS_INTERRUPTS | S_INTERRUPTS | 1 << MSI, S_INTERRUPTS
    expect_csr hie, 0

    check   H-CSR-012, "sip and sie have no bit of the VS level, hip and hie none of S"
    write   mideleg, -1
    write   mie, -1
    write   mip, -1
    write   hvip, -1
    expect_csr_bits sie, VS_INTERRUPTS | S_INTERRUPTS | 1 << 12, S_INTERRUPTS
    expect_csr_bits sip, VS_INTERRUPTS | S_INTERRUPTS | 1 << 12, S_INTERRUPTS
    expect_csr_bits hie, VS_INTERRUPTS | S_INTERRUPTS | 1 << MSI, VS_INTERRUPTS
    expect_csr_bits hip, VS_INTERRUPTS | S_INTERRUPTS, VS_INTERRUPTS
    write   mideleg, 0
    expect_csr_bits sie, -1, 0
    expect_csr_bits sip, -1, 0
    csrw    mie, zero

    check   H-CSR-013, "vsip and vsie have a bit of hip and hie one place lower, if hideleg has it; else 0"
    write   hvip, VS_INTERRUPTS
    write   mie, VS_INTERRUPTS
    expect_csr vsip, 0
    expect_csr vsie, 0
    .irp    code, VSSI, VSTI, VSEI
    write   hideleg, 1 << \code
    expect_csr vsip, 1 << \code >> 1
    expect_csr vsie, 1 << \code >> 1
    write   vsie, 0
    expect_csr hie, VS_INTERRUPTS & ~(1 << \code)
    write   vsie, -1
    expect_csr hie, VS_INTERRUPTS
    .endr
    write   hideleg, 0
    write   vsie, 0
    write   vsip, 0
    expect_csr hie, VS_INTERRUPTS
    expect_csr hvip, VS_INTERRUPTS

    check   H-CSR-014, "vsip.SSIP is hvip.VSSIP; vsip.STIP and SEIP cannot be written"
    write   hideleg, VS_INTERRUPTS
    write   vsip, -1
    expect_csr hvip, 1 << VSSI
    write   hvip, VS_INTERRUPTS
    write   vsip, 0
    expect_csr hvip, 1 << VSTI | 1 << VSEI
    li      a0, -1
    in      VS, csrw sip, a0
    completes
    expect_csr hvip, VS_INTERRUPTS

    check   H-CSR-014, "vsip.SSIP without hideleg: a write does nothing"
    write   hideleg, 1 << VSTI
    write   vsip, -1
    expect_csr hvip, 0
    in      VS, csrsi sip, 2
    expect_csr hvip, 0

    check   H-CSR-015, "sie in VS changes the delegated bits of hie, and no others"
    write   hideleg, 1 << VSSI | 1 << VSTI
    write   mie, 1 << VSEI | 1 << SSI
    li      a0, -1
    in      VS, csrw sie, a0
    completes
    expect_csr_bits mie, VS_INTERRUPTS | S_INTERRUPTS, VS_INTERRUPTS | 1 << SSI
    in      VS, csrr a1, sie
    expect_bits a1, VS_INTERRUPTS | S_INTERRUPTS, 1 << SSI | 1 << STI
    in      VS, csrw sie, zero
    expect_csr_bits mie, VS_INTERRUPTS | S_INTERRUPTS, 1 << VSEI | 1 << SSI
    csrw    mie, zero

    check   H-CSR-016, "sip in VS shows the VS level, and nothing of HS's"
    write   mideleg, S_INTERRUPTS
    write   hideleg, VS_INTERRUPTS
    write   mip, 1 << SSI | 1 << SEI
    in      VS, csrr a1, sip
    expect  a1, 0
    write   hvip, 1 << VSTI
    in      VS, csrr a1, sip
    expect  a1, 1 << STI
    in      HS, csrr a1, sip
    expect_bits a1, S_INTERRUPTS, 1 << SSI | 1 << SEI

    check   H-CSR-017, "CSRRS and CSRRC of mip leave the software's SEIP as it was"
    csrr    a0, mip
    csrrs   a0, mip, a0
    expect_csr_bits mip, 1 << SEI, 0
    set_bits mip, 1 << SEI
    expect_csr_bits mip, 1 << SEI, 1 << SEI
    set_bits mip, 1 << SSI
    expect_csr_bits mip, 1 << SEI | 1 << SSI, 1 << SEI | 1 << SSI
    clear_bits mip, 1 << SEI
    expect_csr_bits mip, 1 << SEI | 1 << SSI, 1 << SSI
    end
