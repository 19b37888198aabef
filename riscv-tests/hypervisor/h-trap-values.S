# What traps write to tval, htval and mtval2, htinst and mtinst, and GVA.

    .include "harness.S"

    .equ LD_A1_A0,      0x0005_3583
    .equ SD_A1_A0,      0x00b5_3023

    begin

    check   H-TRAP-009, "GVA is 1 for page faults, guest-page faults and access faults of V=1, in M and in HS"
    paged
    vs_map  0, 0, 0
    g_map   1, 0, 0
    vs_map  2, 1 << 40, RWX
    .irp    page, 0, 1, 2
    li      a0, VA + (\page * PAGE)
    in      VS, ld a1, (a0)
    expect  s1, VA + (\page * PAGE)
    gva     1
    in      VS, sd a1, (a0)
    gva     1
    in      VS, jr a0
    gva     1
    .endr
    write   medeleg, 1 << LOAD_PAGE_FAULT | 1 << LOAD_GUEST_PAGE_FAULT
    li      a0, VA
    in      VS, ld a1, (a0)
    taken_in_hs LOAD_PAGE_FAULT, VA
    expect_csr_bits hstatus, HSTATUS_GVA, HSTATUS_GVA
    write   hstatus, 0
    li      a0, VA + PAGE
    in      VU, ld a1, (a0)
    expect_csr_bits hstatus, HSTATUS_GVA, HSTATUS_GVA

    check   H-TRAP-009, "... and 0 for the same faults of V=0"
    paged_hs
    write   hstatus, HSTATUS_GVA
    hs_map  0, 0, 0
    li      a0, VA
    in      HS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    gva     0
    write   medeleg, 1 << LOAD_PAGE_FAULT
    in      HS, ld a1, (a0)
    taken_in_hs LOAD_PAGE_FAULT, VA
    expect_csr_bits hstatus, HSTATUS_GVA, 0

    check   H-TRAP-009, "EBREAK of V=1: GVA says whether tval is the guest's pc"
    in      VS, ebreak
    beqz    s1, 1f
    expect_address s1, 81b
    gva     1
    j       2f
1:  gva     0
2:  in      HS, ebreak
    gva     0

    check   H-TRAP-012, "illegal and virtual instructions, ECALL and interrupts write GVA, htval and mtval2 0"
    paged_g
    li      a0, 5 * GIB
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, 5 * GIB, 5 * GIB >> 2
    write   mtval2, POISON
    in      VS, csrr a0, mscratch
    refused_as_illegal
    write   mtval2, POISON
    in      VS, csrr a0, hstatus
    refused_as_virtual
    write   mtval2, POISON
    in      VS, ecall
    traps   ECALL_VS, 0, 0, 0
    gva     0
    write   medeleg, 1 << ILLEGAL | 1 << VIRTUAL | 1 << ECALL_VS
    .irp    cause, ILLEGAL, VIRTUAL, ECALL_VS
    write   hstatus, HSTATUS_GVA
    write   htval, POISON
    write   htinst, PTE_READ
    begin_in VS
    .if     \cause == ILLEGAL
    csrr    a0, mscratch
    .elseif \cause == VIRTUAL
    csrr    a0, hstatus
    .else
    ecall
    .endif
    end_in
    taken_in_hs \cause
    expect_csr_bits hstatus, HSTATUS_GVA, 0
    expect_csr htinst, 0
    .endr
    write   hstatus, HSTATUS_GVA
    write   htval, POISON
    write   htinst, PTE_READ
    write   hvip, 1 << VSSI
    write   mie, 1 << VSSI
    in      VS, nop
    taken_in_hs INTERRUPT | VSSI, 0
    expect_csr_bits hstatus, HSTATUS_GVA, 0
    expect_csr htinst, 0

    check   H-TRAP-012, "an interrupt into M, too"
    paged
    g_map   0, 0, 0
    li      a0, VA
    in      VS, ld a1, (a0)
    expect  s2, GPA >> 2
    gva     1
    write   mip, 1 << SSI
    write   mie, 1 << SSI
    in      VS, nop
    expect  s0, INTERRUPT | SSI
    expect  s1, 0
    expect  s2, 0
    expect  s3, 0
    gva     0

    check   H-TRAP-013, "a trap into HS that is no guest-page fault clears what one before has left in htval"
    paged
    write   medeleg, 1 << LOAD_PAGE_FAULT | 1 << LOAD_GUEST_PAGE_FAULT | 1 << BREAKPOINT
    g_map   0, 0, 0
    vs_map  1, 0, 0
    li      a0, VA + 4
    in      VS, ld a1, (a0)
    taken_in_hs LOAD_GUEST_PAGE_FAULT, VA + 4, (GPA + 4) >> 2
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    taken_in_hs LOAD_PAGE_FAULT, VA + PAGE
    li      a0, VA
    in      VS, ld a1, (a0)
    in      HS, ebreak
    taken_in_hs BREAKPOINT
    expect_csr htinst, 0

    check   H-TRAP-014, "a guest-page fault into HS: stval the virtual, htval the guest physical address, of the same byte"
    paged
    write   medeleg, 1 << LOAD_GUEST_PAGE_FAULT | 1 << STORE_GUEST_PAGE_FAULT | 1 << FETCH_GUEST_PAGE_FAULT
    g_map   2, 0, 0
    li      a0, VA + (2 * PAGE)
    .irp    off, 0, 1, 6, 0x7fc
    in      VS, lb a1, \off(a0)
    taken_in_hs LOAD_GUEST_PAGE_FAULT, VA + (2 * PAGE) + \off, (GPA + (2 * PAGE) + \off) >> 2
    in      VS, sb a1, \off(a0)
    taken_in_hs STORE_GUEST_PAGE_FAULT, VA + (2 * PAGE) + \off, (GPA + (2 * PAGE) + \off) >> 2
    .endr
    addi    a0, a0, 12
    in      VS, jr a0
    taken_in_hs FETCH_GUEST_PAGE_FAULT, VA + (2 * PAGE) + 12, (GPA + (2 * PAGE) + 12) >> 2
    expect_csr_bits hstatus, HSTATUS_GVA, HSTATUS_GVA
    expect_csr htinst, 0

    check   H-TRAP-015, "a guest-page fault into M: mtval, mtval2, mtinst; htval and htinst stay"
    paged
    g_map   2, 0, 0
    li      a0, VA + (2 * PAGE) + 0x124
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + (2 * PAGE) + 0x124, (GPA + (2 * PAGE) + 0x124) >> 2
    expect_transformed s3, LD_A1_A0
    expect_csr htval, POISON
    expect_csr htinst, PTE_READ
    expect_csr stval, POISON

# With no G-stage mapping of a table, every kind of access says where its PTE is and of what type it was itself.
    .macro table_faults va, pte
    li      a0, \va
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, \va, \pte >> 2, PTE_READ
    gva     1
    in      VS, lr.w a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, \va, \pte >> 2, PTE_READ
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, \va, \pte >> 2, PTE_READ
    in      VS, amoadd.w a1, a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, \va, \pte >> 2, PTE_READ
    in      VS, jr a0
    traps_at \va, FETCH_GUEST_PAGE_FAULT, \va, \pte >> 2, PTE_READ
    .endm

    check   H-TRAP-016, "the last level's table is not mapped by the G-stage"
    paged
    g_map   7, 0, 0
    table_faults FAR_VA + (5 * PAGE) + 16, (FAR_TABLE + 40)

    check   H-TRAP-016, "the middle table, and the root"
    paged
    set_pte vs_root, 5, FAR_TABLE, PTE_V
    g_map   7, 0, 0
    table_faults VA + (3 * MIB2) + 16, (FAR_TABLE + 24)
    set_pte vs_root, 5, vs_middle, PTE_V
    write   vsatp, SV39 | FAR_TABLE >> 12
    begin_in VS
    nop
    end_in
    traps_at 81b, FETCH_GUEST_PAGE_FAULT, 81b, (FAR_TABLE + 16) >> 2, PTE_READ

    check   H-TRAP-016, "under Sv48 and Sv57"
    paged
    g_map   7, 0, 0
    atp     vsatp, SV48, vs_root_sv48
    table_faults FAR_VA + PAGE, (FAR_TABLE + 8)
    atp     vsatp, SV57, vs_root_sv57
    table_faults FAR_VA + PAGE, (FAR_TABLE + 8)

    check   H-TRAP-016, "into HS"
    paged
    write   medeleg, 1 << LOAD_GUEST_PAGE_FAULT
    g_map   7, 0, 0
    li      a0, FAR_VA + (2 * PAGE) + 8
    in      VU, ld a1, (a0)
    taken_in_hs LOAD_GUEST_PAGE_FAULT, FAR_VA + (2 * PAGE) + 8, (FAR_TABLE + 16) >> 2
    expect_csr htinst, PTE_READ

    check   H-TRAP-017, "a refused update of A is reported as a write of the PTE"
    paged
    write   menvcfg, ENVCFG_ADUE
    write   henvcfg, ENVCFG_ADUE
    g_map   7, vs_far_leaf, RWXU - PTE_W
    far_map 3, GPA, RWX - PTE_A
    li      a0, FAR_VA + (3 * PAGE) + 8
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, FAR_VA + (3 * PAGE) + 8, (FAR_TABLE + 24) >> 2, PTE_WRITE
    write   medeleg, 1 << STORE_GUEST_PAGE_FAULT
    in      VS, amoadd.w a1, a1, (a0)
    taken_in_hs STORE_GUEST_PAGE_FAULT, FAR_VA + (3 * PAGE) + 8, (FAR_TABLE + 24) >> 2
    expect_csr htinst, PTE_WRITE

# An explicit access: 0, or the instruction with rs1 replaced and the immediate left out.
    .macro transforms mode, bits, instruction:vararg
    in      \mode, \instruction
    expect  s1, VA
    expect_transformed s3, \bits
    .endm

    check   H-TRAP-018, "the transformed instruction of loads and stores"
    paged
    g_map   0, 0, 0
    li      a0, VA
    addi    a2, a0, -8
    transforms VS, 0x0000_0583, lb a1, (a0)
    transforms VS, 0x0000_1583, lh a1, (a0)
    transforms VS, 0x0000_2583, lw a1, (a0)
    transforms VS, 0x0000_3583, ld a1, 8(a2)
    transforms VS, 0x0000_4583, lbu a1, (a0)
    transforms VS, 0x0000_5583, lhu a1, (a0)
    transforms VS, 0x0000_6583, lwu a1, 8(a2)
    transforms VS, 0x0000_2507, flw fa0, (a0)
    transforms VS, 0x0000_3507, fld fa0, 8(a2)
    transforms VS, 0x00b0_0023, sb a1, (a0)
    transforms VS, 0x00b0_1023, sh a1, 8(a2)
    transforms VS, 0x00b0_2023, sw a1, (a0)
    transforms VS, 0x00b0_3023, sd a1, 8(a2)
    transforms VS, 0x00a0_2027, fsw fa0, 8(a2)
    transforms VS, 0x00a0_3027, fsd fa0, (a0)

    check   H-TRAP-018, "of atomics and of HLV, HLVX and HSV"
    paged
    g_map   0, 0, 0
    write   hstatus, HSTATUS_SPVP
    li      a0, VA
    transforms VS, 0x1000_25af, lr.w a1, (a0)
    transforms VS, 0x1400_35af, lr.d.aq a1, (a0)
    transforms VS, 0x00c0_25af, amoadd.w a1, a2, (a0)
    transforms VS, 0x0ec0_35af, amoswap.d.aqrl a1, a2, (a0)
    transforms VS, 0x18c0_35af, sc.d a1, a2, (a0)
    transforms HS, 0x6000_45f3, hlv.b a1, (a0)
    transforms HS, 0x6810_45f3, hlv.wu a1, (a0)
    transforms HS, 0x6c00_45f3, hlv.d a1, (a0)
    transforms HS, 0x6430_45f3, hlvx.hu a1, (a0)
    transforms HS, 0x62b0_4073, hsv.b a1, (a0)
    transforms HS, 0x6eb0_4073, hsv.d a1, (a0)

    check   H-TRAP-018, "of page faults and access faults, too"
    paged
    vs_map  0, 0, 0
    li      a0, VA
    transforms VS, 0x0000_3583, ld a1, (a0)
    vs_map  0, GPA, RWX
    g_map   0, 1 << 40, RWXU
    fence_all
    transforms VS, 0x00b0_3023, sd a1, (a0)
    expect  s0, STORE_ACCESS_FAULT

    check   H-TRAP-019, "compressed: that of the expansion, with bit 1 cleared"
    paged
    g_map   0, 0, 0
    li      a0, VA
    mv      s8, sp
    .option push
    .option rvc
    transforms VS, 0x0000_2581, c.lw a1, 0(a0)
    transforms VS, 0x0000_3581, c.ld a1, 0(a0)
    transforms VS, 0x0000_3585, c.fld fa1, 0(a0)
    transforms VS, 0x00b0_2021, c.sw a1, 0(a0)
    transforms VS, 0x00b0_3021, c.sd a1, 0(a0)
    mv      sp, a0
    in      VS, c.ldsp a1, 0(sp)
    mv      sp, s8
    expect_transformed s3, 0x0000_3581
    mv      sp, a0
    in      VS, c.sdsp a1, 0(sp)
    mv      sp, s8
    expect_transformed s3, 0x00b0_3021
    .option pop

    check   H-TRAP-020, "a straddling access that fails in its second part: its tval, and how far it is in bits 19:15"
    paged
    g_map   1, 0, 0
    li      a0, VA + PAGE
    .irp    off, 1, 3, 7
    in      VS, ld a1, -\off(a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    expect_transformed s3, 0x0000_3583, \off
    in      VS, sd a1, -\off(a0)
    traps   STORE_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2
    expect_transformed s3, 0x00b0_3023, \off
    .endr
    vs_map  0, 0, 0
    hfence.vvma
    in      VS, ld a1, -3(a0)
    traps   LOAD_PAGE_FAULT, VA + PAGE - 3
    expect_transformed s3, 0x0000_3583, 0

    check   H-TRAP-021, "htinst is 0 for fetches, illegal and virtual instructions, ECALL and EBREAK"
    paged
    g_map   0, 0, 0
    vs_map  1, 0, 0
    li      a0, VA
    in      VS, jr a0
    traps_at VA, FETCH_GUEST_PAGE_FAULT, VA, GPA >> 2, 0
    li      a0, VA + PAGE
    in      VS, jr a0
    traps_at VA + PAGE, FETCH_PAGE_FAULT, VA + PAGE, 0, 0
    .irp    insn, ecall, ebreak, mret, "hlv.d a1, (a0)"
    write   mtinst, PTE_READ
    in      VS, \insn
    expect_address s5, 81b
    expect  s3, 0
    .endr

    check   H-TRAP-022, "tval of illegal and virtual instructions has their bits, 32 or 16, in M, HS and VS"
    in      VS, csrr a0, mscratch
    traps   ILLEGAL, 0x3400_2573
    in      VS, hlv.d a1, (a0)
    traps   VIRTUAL, 0x6c05_45f3
    in      VS, .4byte 0xffff_ffff
    traps   ILLEGAL, 0xffff_ffff
    in      VS, .2byte 0, 0
    traps   ILLEGAL, 0
    in      VU, .2byte 0x8002, 1            # c.jr x0 is reserved
    traps   ILLEGAL, 0x8002
    write   medeleg, 1 << ILLEGAL | 1 << VIRTUAL
    in      VU, csrr a0, sepc
    taken_in_hs VIRTUAL, 0x1410_2573
    in      VU, csrr a0, mscratch
    taken_in_hs ILLEGAL, 0x3400_2573
    write   hedeleg, 1 << ILLEGAL
    in      VU, .2byte 0x8002, 1
    taken_in_vs ILLEGAL, 0x8002
    in      VS, csrr a0, mscratch
    taken_in_vs ILLEGAL, 0x3400_2573

    check   H-TRAP-023, "an instruction whose second half is on a page that faults: epc its start, tval the page"
    paged
    li      a2, data + PAGE
    li      a1, NOP_INSN
    sh      a1, -2(a2)
    fence.i
    g_map   1, 0, 0
    li      a0, VA + PAGE - 2
    in      VS, jr a0
    traps_at VA + PAGE - 2, FETCH_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2, 0
    gva     1
    vs_map  1, 0, 0
    hfence.vvma
    in      VS, jr a0
    traps_at VA + PAGE - 2, FETCH_PAGE_FAULT, VA + PAGE
    vs_map  1, GPA + (4 * PAGE), RWX        # and with both halves there, it is one instruction
    li      a2, data + (4 * PAGE)
    li      a1, ECALL_INSN << 16 | NOP_INSN >> 16
    sd      a1, (a2)
    fence.i
    fence_all
    in      VS, jr a0
    traps_at VA + PAGE + 2, ECALL_VS, 0

    check   H-TRAP-023, "a compressed instruction at the end of a page does not need the next one"
    paged
    li      a2, data + PAGE
    li      a1, C_NOP_INSN
    sh      a1, -2(a2)
    fence.i
    g_map   1, 0, 0
    li      a0, VA + PAGE - 2
    in      VS, jr a0
    traps_at VA + PAGE, FETCH_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2, 0
    end
