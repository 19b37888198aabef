# Which CSR may be accessed from which mode, and which exception it is if not.

    .include "harness.S"

# A read or write in a mode completes; or is refused, as illegal or virtual.  `csr` is a name or a number.
    .macro reads mode, csr, how
    in      \mode, csrr a0, \csr
    \how
    .endm

    .macro writes mode, csr, how
    in      \mode, csrw \csr, a0
    \how
    .endm

    .macro both mode, csr, how
    reads   \mode, \csr, \how
    writes  \mode, \csr, \how
    .endm

    .macro open_counters
    write   mcounteren, 0xffff_ffff
    write   hcounteren, 0xffff_ffff
    write   scounteren, 0xffff_ffff
    .endm

    .macro machine_only csr
    reads   HS, \csr, refused_as_illegal
    reads   U, \csr, refused_as_illegal
    both    VS, \csr, refused_as_illegal
    both    VU, \csr, refused_as_illegal
    .endm

    .macro hypervisor_only csr
    both    VS, \csr, refused_as_virtual
    both    VU, \csr, refused_as_virtual
    reads   U, \csr, refused_as_illegal
    reads   HS, \csr, completes
    .endm

    begin

    check   H-ACC-001, "the CSRs of H and VS: virtual instruction from VS and VU, illegal from U"
    .irp    csr, hstatus, hedeleg, hideleg, hie, htimedelta, hcounteren, hgeie, henvcfg, htval, hip, hvip, htinst, hgatp
    hypervisor_only \csr
    .endr
    .irp    csr, vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsip, vsatp
    hypervisor_only \csr
    .endr
    reads   VS, hgeip, refused_as_virtual
    reads   VU, hgeip, refused_as_virtual
    reads   U, hgeip, refused_as_illegal
    reads   HS, hgeip, completes

    check   H-ACC-002, "the CSRs of S: virtual instruction from VU, illegal from U"
    .irp    csr, sstatus, sie, stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, sip, satp
    both    VU, \csr, refused_as_virtual
    both    U, \csr, refused_as_illegal
    .endr

    check   H-ACC-003, "the CSRs of M, and MRET: illegal below M"
    .irp    csr, mstatus, misa, medeleg, mideleg, mie, mtvec, mcounteren, menvcfg, mscratch, mepc, mcause, mtval, mip
    machine_only \csr
    .endr
    .irp    csr, mtinst, mtval2, pmpcfg0, pmpaddr0, mcycle, mhartid, mvendorid, mcountinhibit
    machine_only \csr
    .endr
    .irp    mode, HS, U, VS, VU
    in      \mode, mret
    refused_as_illegal
    .endr

    check   H-ACC-004, "a number that names no CSR is illegal, whatever mode it would be of"
    .irp    csr, 0x0ff, 0x13f, 0x1ff, 0x20f, 0x2ff, 0x3ff, 0x4ff, 0x5ff, 0x62f, 0x6ff, 0x8ff, 0x9ff, 0xa0f, 0xcff, 0xe00, 0xeff
    .irp    mode, VS, VU, HS
    both    \mode, \csr, refused_as_illegal
    .endr
    .endr

    check   H-ACC-005, "a write to a read-only CSR is illegal, not virtual, from every mode and behind every gate"
    li      a0, 0
    .irp    csr, cycle, instret, hgeip
    .irp    mode, M, HS, VS, VU, U
    writes  \mode, \csr, refused_as_illegal
    in      \mode, csrrs a1, \csr, a0       # of a register that holds 0
    refused_as_illegal
    in      \mode, csrrsi zero, \csr, 1
    refused_as_illegal
    .endr
    .endr
    open_counters
    .irp    mode, M, HS, VS, VU, U
    writes  \mode, cycle, refused_as_illegal
    in      \mode, csrrc a1, cycle, a0
    refused_as_illegal
    in      \mode, csrrs a1, cycle, zero    # of x0: this is a read
    completes
    in      \mode, csrrci a1, cycle, 0
    completes
    .endr
    reads   HS, hgeip, completes

# A counter with its bits of mcounteren, hcounteren, scounteren.
    .macro counter csr, bit, m, h, s, hs, u, vs, vu
    write   mcounteren, \m << \bit
    write   hcounteren, \h << \bit
    write   scounteren, \s << \bit
    reads   HS, \csr, \hs
    reads   U, \csr, \u
    reads   VS, \csr, \vs
    reads   VU, \csr, \vu
    reads   M, \csr, completes
    .endm

    .macro gated_counter csr, bit
    counter \csr, \bit, 0, 0, 0, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal
    counter \csr, \bit, 0, 1, 1, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal
    counter \csr, \bit, 1, 0, 0, completes, refused_as_illegal, refused_as_virtual, refused_as_virtual
    counter \csr, \bit, 1, 0, 1, completes, completes, refused_as_virtual, refused_as_virtual
    counter \csr, \bit, 1, 1, 0, completes, refused_as_illegal, completes, refused_as_virtual
    counter \csr, \bit, 1, 1, 1, completes, completes, completes, completes
    .endm

    check   "H-ACC-006 H-ACC-007 H-ACC-008 H-ACC-009 H-ACC-027", "cycle, by mcounteren, hcounteren and scounteren"
    gated_counter cycle, 0

    check   "H-ACC-006 H-ACC-007 H-ACC-008 H-ACC-009 H-ACC-027", "time and instret likewise"
    gated_counter time, 1
    gated_counter instret, 2

    check   "H-ACC-006 H-ACC-007 H-ACC-008", "hpmcounters, each by its own bit"
    .irp    n, 3, 17, 31
    write   mcounteren, 1 << \n
    write   hcounteren, 1 << \n
    write   scounteren, 1 << \n
    reads   VU, hpmcounter\n, completes
    write   hcounteren, ~(1 << \n)
    reads   VS, hpmcounter\n, refused_as_virtual
    write   mcounteren, ~(1 << \n)
    write   hcounteren, -1
    reads   VS, hpmcounter\n, refused_as_illegal
    .endr

    check   H-ACC-010, "TVM: satp and hgatp are illegal in HS; vsatp, and satp in VS, are not"
    set_bits mstatus, MSTATUS_TVM
    li      a0, 0
    both    HS, satp, refused_as_illegal
    both    HS, hgatp, refused_as_illegal
    both    HS, vsatp, completes
    both    VS, satp, completes
    both    M, satp, completes
    both    M, hgatp, completes

    check   H-ACC-011, "VTVM: satp is a virtual instruction in VS, and only there"
    write   hstatus, HSTATUS_VTVM
    li      a0, 0
    both    VS, satp, refused_as_virtual
    both    HS, satp, completes
    both    HS, vsatp, completes
    both    VS, sstatus, completes

    check   H-ACC-022, "FS Off in sstatus or vsstatus: floating point and its CSRs are illegal in VS and VU"
    li      a0, 0
    .macro  no_float mode
    in      \mode, fadd.d fa0, fa0, fa0
    refused_as_illegal
    in      \mode, fld fa0, (sp)
    refused_as_illegal
    in      \mode, fsw fa0, (sp)
    refused_as_illegal
    in      \mode, fmv.x.d a1, fa0
    refused_as_illegal
    .irp    csr, fflags, frm, fcsr
    both    \mode, \csr, refused_as_illegal
    .endr
    .endm
    .irp    mode, VS, VU
    write   vsstatus, 0
    no_float \mode
    write   vsstatus, MSTATUS_FS
    clear_bits mstatus, MSTATUS_FS
    no_float \mode
    set_bits mstatus, MSTATUS_FS
    in      \mode, fadd.d fa0, fa0, fa0
    completes
    reads   \mode, fcsr, completes
    .endr

    check   H-ACC-023, "with V=0 vsstatus.FS does not matter"
    write   vsstatus, 0
    .irp    mode, HS, U, M
    in      \mode, fadd.d fa0, fa0, fa0
    completes
    reads   \mode, fcsr, completes
    .endr

# stimecmp and vstimecmp by menvcfg.STCE, mcounteren.TM, henvcfg.STCE, hcounteren.TM.
    .macro timer m_stce, m_tm, h_stce, h_tm, hs, vs, hs_of_vs, vu
    write   menvcfg, ENVCFG_STCE
    write   henvcfg, \h_stce * ENVCFG_STCE
    write   menvcfg, \m_stce * ENVCFG_STCE
    write   mcounteren, \m_tm * COUNTEREN_TM
    write   hcounteren, \h_tm * COUNTEREN_TM
    write   scounteren, -1
    reads   HS, stimecmp, \hs
    reads   VS, stimecmp, \vs
    reads   HS, vstimecmp, \hs_of_vs
    reads   VU, stimecmp, \vu
    reads   VS, vstimecmp, \vu
    reads   VU, vstimecmp, \vu
    reads   U, stimecmp, refused_as_illegal
    reads   U, vstimecmp, refused_as_illegal
    reads   M, stimecmp, completes
    reads   M, vstimecmp, completes
    .endm

    check   "H-ACC-024 H-ACC-025 H-ACC-027", "stimecmp and vstimecmp, by the four bits that count"
    .irp    h, 0, 1
    .irp    t, 0, 1
    timer   0, 0, \h, \t, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal
    timer   0, 1, \h, \t, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal
    timer   1, 0, \h, \t, refused_as_illegal, refused_as_illegal, refused_as_illegal, refused_as_illegal
    .endr
    .endr
    timer   1, 1, 0, 0, completes, refused_as_virtual, completes, refused_as_virtual
    timer   1, 1, 0, 1, completes, refused_as_virtual, completes, refused_as_virtual
    timer   1, 1, 1, 0, completes, refused_as_virtual, completes, refused_as_virtual
    timer   1, 1, 1, 1, completes, completes, completes, refused_as_virtual

    check   H-ACC-024, "stimecmp in VS is vstimecmp"
    write   menvcfg, ENVCFG_STCE
    write   henvcfg, ENVCFG_STCE
    write   mcounteren, COUNTEREN_TM
    write   hcounteren, COUNTEREN_TM
    li      a0, 0x1234_5678_9abc
    writes  VS, stimecmp, completes
    expect_csr vstimecmp, 0x1234_5678_9abc
    expect_csr stimecmp, -1
    reads   VS, stimecmp, completes
    expect  a0, 0x1234_5678_9abc

    check   H-ACC-032, "an illegal instruction of VS may go to VS; a virtual one goes no further than HS"
    write   medeleg, 1 << ILLEGAL | 1 << VIRTUAL
    write   hedeleg, -1
    in      VS, csrr a0, mscratch
    taken_in_vs ILLEGAL
    in      VU, csrr a0, mscratch
    taken_in_vs ILLEGAL
    in      VS, csrr a0, hstatus
    taken_in_hs VIRTUAL
    in      VU, csrr a0, sstatus
    taken_in_hs VIRTUAL
    end
