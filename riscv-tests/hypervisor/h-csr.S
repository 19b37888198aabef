# The CSRs of the hypervisor and of VS: their fields, and what replaces what when V=1.

    .include "harness.S"

    .equ PATTERN,   0x1234_5678_9abc

    begin

# With V=1 an S-level CSR is the VS-level one: written in VS, seen there from M, and the HS-level one as it was.
    .macro replaced csr, twin, value, initial
    write   \csr, \initial
    write   \twin, 0
    li      a0, \value
    in      VS, csrw \csr, a0
    completes
    expect_csr \twin, \value
    expect_csr \csr, \initial
    in      VS, csrr a1, \csr
    completes
    expect  a1, \value
    in      HS, csrr a1, \csr
    completes
    expect  a1, \initial
    .endm

    check   H-CSR-001, "with V=1 the CSRs of S are those of VS, and the HS ones keep their values"
    replaced sscratch, vsscratch, PATTERN, 0x111
    replaced sepc, vsepc, PATTERN, 0x222
    replaced scause, vscause, 0xd, 0x3
    replaced stval, vstval, PATTERN, 0x444
    replaced stvec, vstvec, 0x8000_1000, 0x8000_2000
    replaced satp, vsatp, 0x1234, 0         # Bare, with a PPN
    write   menvcfg, ENVCFG_STCE
    write   henvcfg, ENVCFG_STCE
    write   mcounteren, -1
    write   hcounteren, -1
    replaced stimecmp, vstimecmp, PATTERN << 16, -2

    check   H-CSR-001, "sstatus and vsstatus likewise"
    li      a0, MSTATUS_FS | MSTATUS_SUM | MSTATUS_SPP
    clear_bits mstatus, MSTATUS_SUM | MSTATUS_SPP
    in      VS, csrw sstatus, a0
    completes
    expect_bits s4, MSTATUS_SUM | MSTATUS_SPP, 0
    expect_csr_bits vsstatus, MSTATUS_SUM | MSTATUS_SPP, MSTATUS_SUM | MSTATUS_SPP
    in      VS, csrr a1, sstatus
    expect_bits a1, MSTATUS_SUM | MSTATUS_SPP, MSTATUS_SUM | MSTATUS_SPP
    in      HS, csrr a1, sstatus
    expect_bits a1, MSTATUS_SUM | MSTATUS_SPP, 0

    check   H-CSR-002, "scounteren and senvcfg have no twin: what VS writes, HS sees"
    li      a0, 5
    in      VS, csrw scounteren, a0
    completes
    expect_csr scounteren, 5
    in      HS, csrr a1, scounteren
    expect  a1, 5
    li      a0, 1
    in      VS, csrw senvcfg, a0
    completes
    csrr    a2, senvcfg
    in      HS, csrr a1, senvcfg
    expect_equal a1, a2
    csrw    senvcfg, zero
    in      HS, csrw senvcfg, a0
    csrr    a1, senvcfg
    expect_equal a1, a2

    check   H-CSR-003, "hgatp: a MODE that is not supported leaves a legal one, and PPN and VMID are written"
    write   hgatp, 0
    .irp    mode, 1, 7, 11, 15
    write   hgatp, \mode << 60 | 5 << 44 | 0x8_0004
    csrr    a0, hgatp
    li      t0, ~ATP_MODE
    and     a1, a0, t0
    expect  a1, 5 << 44 | 0x8_0004
    srli    a0, a0, 60
    beqz    a0, 1f                          # Bare, 8, 9 or 10
    addi    a0, a0, -8
    sltiu   a0, a0, 3
    expect  a0, 1
1:  csrw    hgatp, zero
    .endr

    check   H-CSR-004, "hgatp.PPN bits 1:0 are 0"
    write   hgatp, SV39 | 0x8_0007
    expect_csr hgatp, SV39 | 0x8_0004
    csrw    hgatp, zero

    check   H-CSR-005, "VMID: contiguous low bits, 14 at most; bits 59:58 are 0"
    write   hgatp, SV39 | 0xffff << 44
    csrr    a0, hgatp
    srli    a1, a0, 58
    andi    a1, a1, 3
    expect  a1, 0
    slli    a0, a0, 6
    srli    a0, a0, 50
    addi    a1, a0, 1
    and     a1, a1, a0
    expect  a1, 0
    csrw    hgatp, zero

    check   H-CSR-006, "satp with a MODE that is not supported, written in VS, is not written at all"
    write   vsatp, 3 << 44 | 0x1234
    .irp    mode, 1, 7, 11, 15
    li      a0, \mode << 60 | 5 << 44 | 0x777
    in      VS, csrw satp, a0
    completes
    expect_csr vsatp, 3 << 44 | 0x1234
    .endr

    check   H-CSR-006, "nor vsatp, written in HS: it is ignored, or as WARL fields are"
    write   vsatp, 3 << 44 | 0x1234
    li      a0, 7 << 60 | 5 << 44 | 0x777
    in      HS, csrw vsatp, a0
    completes
    expect_csr_bits vsatp, ATP_MODE, 0

    check   H-CSR-018, "SD of vsstatus is of its own FS, that of sstatus of its own"
    write   vsstatus, FS_CLEAN
    expect_csr_bits vsstatus, MSTATUS_SD, 0
    expect_csr_bits sstatus, MSTATUS_SD, MSTATUS_SD
    write   vsstatus, MSTATUS_FS
    clear_bits mstatus, MSTATUS_FS
    expect_csr_bits vsstatus, MSTATUS_SD, MSTATUS_SD
    expect_csr_bits sstatus, MSTATUS_SD, 0
    in      VS, csrr a1, sstatus
    expect_bits a1, MSTATUS_SD, MSTATUS_SD

# FS Clean in both; with V=1 both become Dirty, with V=0 sstatus's alone.
    .macro dirties instruction:vararg
    .irp    mode, VS, VU
    clear_bits mstatus, MSTATUS_FS
    set_bits mstatus, FS_CLEAN
    write   vsstatus, FS_CLEAN
    in      \mode, \instruction
    completes
    expect_bits s4, MSTATUS_FS, MSTATUS_FS
    expect_csr_bits vsstatus, MSTATUS_FS, MSTATUS_FS
    .endr
    clear_bits mstatus, MSTATUS_FS
    set_bits mstatus, FS_CLEAN
    write   vsstatus, FS_CLEAN
    in      HS, \instruction
    expect_bits s4, MSTATUS_FS, MSTATUS_FS
    expect_csr_bits vsstatus, MSTATUS_FS, FS_CLEAN
    .endm

    check   H-CSR-019, "what changes floating-point state with V=1 makes FS Dirty in sstatus and in vsstatus"
    la      a0, data
    dirties fadd.d fa0, fa0, fa0
    dirties fld fa0, (a0)
    dirties fmv.w.x fa1, zero
    dirties csrw fcsr, zero
    dirties csrwi frm, 0

    check   H-CSR-020, "henvcfg.PBMTE, ADUE and STCE are 0 while 0 in menvcfg, and cannot be written"
    .irp    bit, ENVCFG_ADUE, ENVCFG_PBMTE, ENVCFG_STCE
    write   menvcfg, 0
    write   henvcfg, \bit
    expect_csr_bits henvcfg, \bit, 0
    write   menvcfg, \bit
    expect_csr_bits henvcfg, \bit, 0
    write   henvcfg, \bit
    expect_csr_bits henvcfg, \bit, \bit
    write   menvcfg, 0
    expect_csr_bits henvcfg, \bit, 0
    .endr

    check   H-CSR-020, "ours: what henvcfg held is back when menvcfg's bits are"
    write   menvcfg, ENVCFG_ADUE
    write   henvcfg, ENVCFG_ADUE
    write   menvcfg, 0
    write   henvcfg, 0
    write   menvcfg, ENVCFG_ADUE
    expect_csr_bits henvcfg, ENVCFG_ADUE, ENVCFG_ADUE

    check   H-CSR-021, "henvcfg.CBIE is never 2, PMM never 1"
    write   menvcfg, -1
    li      a0, 2 << 4
    csrw    henvcfg, a0
    csrr    a1, henvcfg
    srli    a1, a1, 4
    andi    a1, a1, 3
    li      t0, 2
    xor     a1, a1, t0
    snez    a1, a1
    expect  a1, 1
    li      a0, 1 << 32
    csrw    henvcfg, a0
    csrr    a1, henvcfg
    srli    a1, a1, 32
    andi    a1, a1, 3
    addi    a1, a1, -1
    snez    a1, a1
    expect  a1, 1

    check   H-CSR-024, "hgeie: bit 0 is 0, the others contiguous; VGEIN holds 0 to GEILEN; hgeip is read-only"
    write   hgeie, -1
    csrr    a0, hgeie
    andi    a1, a0, 1
    expect  a1, 0
    ori     a0, a0, 1
    addi    a1, a0, 1
    and     a1, a1, a0
    expect  a1, 0
    csrr    a0, hgeie
    bnez    a0, 1f
    write   hstatus, 63 << 12               # GEILEN is 0
    expect_csr_bits hstatus, 63 << 12, 0
1:  csrw    hgeie, zero
    in      M, csrw hgeip, zero
    refused_as_illegal

    check   H-CSR-027, "hstatus and mstatus: SPV, SPVP, GVA, HU, VTVM, VTW, VTSR; MPV, GVA are software's to write"
    .irp    bit, HSTATUS_GVA, HSTATUS_SPV, HSTATUS_SPVP, HSTATUS_HU, HSTATUS_VTVM, HSTATUS_VTW, HSTATUS_VTSR
    write   hstatus, \bit
    expect_csr hstatus, 2 << 32 | \bit
    .endr
    csrw    hstatus, zero
    .irp    bit, MSTATUS_GVA, MPV
    set_bits mstatus, \bit
    expect_csr_bits mstatus, MSTATUS_GVA | MPV, \bit
    clear_bits mstatus, \bit
    expect_csr_bits mstatus, MSTATUS_GVA | MPV, 0
    .endr

    check   H-CSR-027, "MPP holds 0, 1 and 3, and never 2"
    .irp    mpp, 0, 1, 3
    clear_bits mstatus, MPP
    set_bits mstatus, \mpp << 11
    expect_csr_bits mstatus, MPP, \mpp << 11
    csrr    t0, mstatus
    li      t1, MPP
    or      t0, t0, t1
    li      t1, 1 << 11
    xor     t0, t0, t1
    csrw    mstatus, t0
    csrr    t0, mstatus
    srli    t0, t0, 11
    andi    t0, t0, 3
    addi    t0, t0, -2
    snez    t0, t0
    expect  t0, 1
    .endr

    check   H-CSR-028, "htval and mtval2 hold guest physical addresses, htinst and mtinst what traps write"
    .irp    value, 0, 1, (1 << 41) - 1 >> 2, (1 << 59) - 1 >> 2, (1 << 62) - 1
    write   htval, \value
    expect_csr htval, \value
    write   mtval2, \value
    expect_csr mtval2, \value
    .endr
    .irp    value, 0, PTE_READ, PTE_WRITE
    write   htinst, \value
    expect_csr htinst, \value
    write   mtinst, \value
    expect_csr mtinst, \value
    .endr

    check   H-CSR-029, "vstvec holds every address of four bytes' alignment; vsepc bit 0 is 0"
    .irp    value, 4, 0x8000_0004, 0x7f_ffff_fffc, -4
    write   vstvec, \value
    expect_csr vstvec, \value
    .endr
    write   vsepc, -1
    expect_csr_bits vsepc, 3, 2
    write   vsepc, PATTERN | 1
    expect_csr vsepc, PATTERN
    end
