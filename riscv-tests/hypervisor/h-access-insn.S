# Which privileged instruction may run in which mode, and which exception it is if not.

    .include "harness.S"

# An instruction in each of the modes: what becomes of it.
    .macro by_mode hs, u, vs, vu, instruction:vararg
    in      HS, \instruction
    \hs
    in      U, \instruction
    \u
    in      VS, \instruction
    \vs
    in      VU, \instruction
    \vu
    .endm

    begin

    check   "H-ACC-012 H-ACC-013 H-ACC-014", "HFENCE and HINVAL: HS and M; virtual instruction with V=1, illegal in U"
    .irp    insn, hfence.vvma, hfence.gvma, "hinval.vvma zero, zero", "hinval.gvma zero, zero"
    by_mode completes, refused_as_illegal, refused_as_virtual, refused_as_virtual, \insn
    in      M, \insn
    completes
    .endr

    check   H-ACC-012, "TVM forbids HFENCE.GVMA in HS, and not HFENCE.VVMA; VTVM neither"
    set_bits mstatus, MSTATUS_TVM
    write   hstatus, HSTATUS_VTVM
    .irp    insn, hfence.gvma, "hinval.gvma zero, zero"
    by_mode refused_as_illegal, refused_as_illegal, refused_as_virtual, refused_as_virtual, \insn
    in      M, \insn
    completes
    .endr
    .irp    insn, hfence.vvma, "hinval.vvma zero, zero"
    by_mode completes, refused_as_illegal, refused_as_virtual, refused_as_virtual, \insn
    in      M, \insn
    completes
    .endr
    clear_bits mstatus, MSTATUS_TVM
    in      HS, hfence.gvma
    completes

    check   "H-ACC-013 H-ACC-014", "HLV, HLVX and HSV: with V=1 virtual instruction; in U by HU"
    la      a0, data
    .irp    insn, hlv.b, hlv.bu, hlv.h, hlv.hu, hlvx.hu, hlv.w, hlv.wu, hlvx.wu, hlv.d, hsv.b, hsv.h, hsv.w, hsv.d
    write   hstatus, 0
    by_mode completes, refused_as_illegal, refused_as_virtual, refused_as_virtual, \insn a1, (a0)
    in      M, \insn a1, (a0)
    completes
    write   hstatus, HSTATUS_HU
    by_mode completes, completes, refused_as_virtual, refused_as_virtual, \insn a1, (a0)
    .endr

    check   H-ACC-015, "SRET: illegal in U, virtual in VU; TSR counts in HS alone, VTSR in VS alone"
    .irp    tsr, 0, MSTATUS_TSR
    .irp    vtsr, 0, HSTATUS_VTSR
    clear_bits mstatus, MSTATUS_TSR
    set_bits mstatus, \tsr
    in      U, sret
    refused_as_illegal
    in      VU, sret
    refused_as_virtual
    write   hstatus, \vtsr
    set_bits mstatus, MSTATUS_SPP
    li      t0, 84f
    csrw    sepc, t0
    begin_in HS
    sret
84: ecall
    end_in
    .if     \tsr
    refused_as_illegal
    .else
    expect_address s5, 84b
    .endif
    write   hstatus, \vtsr
    set_bits vsstatus, MSTATUS_SPP
    li      t0, 84f
    csrw    vsepc, t0
    begin_in VS
    sret
84: ecall
    end_in
    .if     \vtsr
    refused_as_virtual
    .else
    expect_address s5, 84b
    .endif
    set_bits mstatus, MSTATUS_SPP
    li      t0, 84f
    csrw    sepc, t0
    begin_in M
    sret
84: ecall
    end_in
    expect_address s5, 84b
    came_from HS
    .endr
    .endr

    check   "H-ACC-016 H-ACC-011", "SFENCE.VMA and SINVAL.VMA: U illegal, VU virtual; TVM in HS, VTVM in VS"
    .irp    insn, "sfence.vma", "sinval.vma zero, zero", "sfence.vma a0, a1", "sinval.vma a0, a1"
    clear_bits mstatus, MSTATUS_TVM
    write   hstatus, 0
    by_mode completes, refused_as_illegal, completes, refused_as_virtual, \insn
    set_bits mstatus, MSTATUS_TVM
    by_mode refused_as_illegal, refused_as_illegal, completes, refused_as_virtual, \insn
    clear_bits mstatus, MSTATUS_TVM
    write   hstatus, HSTATUS_VTVM
    by_mode completes, refused_as_illegal, refused_as_virtual, refused_as_virtual, \insn
    in      M, \insn
    completes
    .endr

    check   H-ACC-017, "SFENCE.W.INVAL and SFENCE.INVAL.IR: HS and VS whatever TVM and VTVM are; U illegal, VU virtual"
    .irp    insn, sfence.w.inval, sfence.inval.ir
    by_mode completes, refused_as_illegal, completes, refused_as_virtual, \insn
    set_bits mstatus, MSTATUS_TVM
    write   hstatus, HSTATUS_VTVM
    by_mode completes, refused_as_illegal, completes, refused_as_virtual, \insn
    .endr

# WFI with TW and VTW.  Where it may run an interrupt is pending and enabled, and not taken, so that it ends at once.
    .macro wfi_by tw, vtw, hs, vs, vu
    clear_bits mstatus, MSTATUS_TW
    set_bits mstatus, \tw
    write   hstatus, \vtw
    write   mie, 1 << VSSI
    in      HS, wfi
    \hs
    in      VS, wfi
    \vs
    in      M, wfi
    completes
    in      U, wfi
    refused_as_illegal
    csrw    mie, zero
    in      VU, wfi
    \vu
    .endm

    check   H-ACC-018, "WFI: TW counts below M, VTW in VS; U illegal; VU virtual, but illegal with TW"
    write   hideleg, VS_INTERRUPTS
    write   hvip, 1 << VSSI
    wfi_by  0, 0, completes, completes, refused_as_virtual
    wfi_by  0, HSTATUS_VTW, completes, refused_as_virtual, refused_as_virtual
    wfi_by  MSTATUS_TW, 0, refused_as_illegal, refused_as_illegal, refused_as_illegal
    wfi_by  MSTATUS_TW, HSTATUS_VTW, refused_as_illegal, refused_as_illegal, refused_as_illegal

# A wait for the loss of a reservation that there is.  Each may be over at once; what `how` is not, it completes.
    .macro waits mode, instruction, cause
    la      a0, data
    begin_in \mode
    lr.w    a1, (a0)
81: \instruction
    end_in
    .ifnb   \cause
    li      t0, \cause
    bne     s0, t0, 86f
    refused \cause
    j       85f
86:
    .endif
    completes
85:
    .endm

    .macro all_wait instruction, hs, u, vs, vu
    waits   M, \instruction
    waits   HS, \instruction, \hs
    waits   U, \instruction, \u
    waits   VS, \instruction, \vs
    waits   VU, \instruction, \vu
    .endm

    check   H-ACC-019, "WRS.NTO: illegal below M with TW, virtual with VTW, if it would stall; else it completes, in U and VU too"
    all_wait wrs.nto
    write   hstatus, HSTATUS_VTW
    all_wait wrs.nto, , , VIRTUAL, VIRTUAL
    set_bits mstatus, MSTATUS_TW
    all_wait wrs.nto, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL
    write   hstatus, 0
    all_wait wrs.nto, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL

    check   H-ACC-019, "WRS.STO completes, whatever TW and VTW are"
    write   hstatus, HSTATUS_VTW
    set_bits mstatus, MSTATUS_TW
    all_wait wrs.sto
    end
