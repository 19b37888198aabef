# Fences: a new mapping is seen behind the fence that is for it.
#
# That an old mapping survives without a fence is never asked: hardware need not remember any.

    .include "harness.S"

    .macro gives mode, value
    in      \mode, ld a1, (a0)
    completes
    expect  a1, \value
    .endm

# Page 0 of VA is used with all kinds of access, so that it is remembered; then it maps page 1 of data.
    .macro use_page_0
    li      a0, VA
    gives   VS, CONTENT
    in      VS, sd a1, (a0)
    completes
    .endm

    begin

# A fence, in a mode, for a change at the VS-stage.
    .macro vs_fence mode, fence:vararg
    vs_map  0, GPA, RWX
    fence_all
    use_page_0
    vs_map  0, GPA + PAGE, RWX
    li      a2, VA + 0x128
    li      a3, 0
    in      \mode, \fence
    completes
    gives   VS, CONTENT + 1
    in      VS, sd a1, 8(a0)
    completes
    vs_map  0, 0, 0
    in      \mode, \fence
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    in      VS, sd a1, (a0)
    traps   STORE_PAGE_FAULT, VA
    .endm

    check   H-FENCE-001, "HFENCE.VVMA makes the guest use a changed VS-stage PTE: all, one address, one ASID, both"
    paged
    .irp    mode, HS, M
    vs_fence \mode, hfence.vvma
    vs_fence \mode, hfence.vvma a2
    vs_fence \mode, hfence.vvma zero, a3
    vs_fence \mode, hfence.vvma a2, a3
    .endr

    check   H-FENCE-001, "it acts on the VMID that hgatp has, and on fetches too"
    paged
    atp     hgatp, SV39, g_root, 3 << 44
    vs_fence HS, hfence.vvma
    li      a2, data
    li      a1, ECALL_INSN
    sd      a1, (a2)
    li      a2, data + PAGE
    li      a1, ECALL_INSN << 32 | NOP_INSN
    sd      a1, (a2)
    fence.i
    vs_map  0, GPA, RWX
    fence_all
    li      a0, VA
    in      VS, jr a0
    traps_at VA, ECALL_VS, 0
    vs_map  0, GPA + PAGE, RWX
    in      HS, hfence.vvma a0
    in      VS, jr a0
    traps_at VA + 4, ECALL_VS, 0

    check   H-FENCE-003, "SFENCE.VMA of the guest is for its own tables: all, one address, one ASID, both"
    paged
    vs_fence VS, sfence.vma
    vs_fence VS, sfence.vma a2
    vs_fence VS, sfence.vma zero, a3
    vs_fence VS, sfence.vma a2, a3

    check   H-FENCE-003, "and neither that nor HS's is in the other's way"
    paged
    paged_hs
    hs_map  0, data + (2 * PAGE), RWX
    use_page_0
    gives   HS, CONTENT + 2
    hs_map  0, data + (3 * PAGE), RWX
    in      HS, sfence.vma a0
    gives   HS, CONTENT + 3
    gives   VS, CONTENT
    vs_map  0, GPA + PAGE, RWX
    in      VS, sfence.vma a0
    gives   VS, CONTENT + 1
    gives   HS, CONTENT + 3

# A fence for a change at the G-stage; a2 is the guest physical address as the fence takes it.
    .macro g_fence mode, fence:vararg
    g_map   0, data, RWXU
    fence_all
    use_page_0
    g_map   0, data + PAGE, RWXU
    li      a2, (GPA + 0x128) >> 2
    li      a3, 0
    in      \mode, \fence
    completes
    gives   VS, CONTENT + 1
    in      VS, sd a1, 8(a0)
    completes
    g_map   0, 0, 0
    in      \mode, \fence
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA, GPA >> 2
    in      VS, sd a1, (a0)
    traps   STORE_GUEST_PAGE_FAULT, VA, GPA >> 2
    .endm

    check   "H-FENCE-002 H-FENCE-004", "HFENCE.GVMA: all, one address shifted right by two, one VMID, both"
    paged
    .irp    mode, HS, M
    g_fence \mode, hfence.gvma
    g_fence \mode, hfence.gvma a2
    g_fence \mode, hfence.gvma zero, a3
    g_fence \mode, hfence.gvma a2, a3
    .endr

    check   H-FENCE-002, "a changed G-stage mapping of a VS-stage table"
    paged
    li      a0, FAR_VA
    gives   VS, CONTENT
    g_map   7, data + (6 * PAGE), RWXU
    set_pte data + (6 * PAGE), 0, GPA + (4 * PAGE), RWX
    in      HS, hfence.gvma
    gives   VS, CONTENT + 4

    check   H-FENCE-004, "HFENCE.GVMA of one VMID from another one's time"
    paged
    atp     hgatp, SV39, g_root, 5 << 44
    use_page_0
    csrw    hgatp, zero
    g_map   0, data + PAGE, RWXU
    li      a2, GPA >> 2
    li      a3, 5
    in      HS, hfence.gvma a2, a3
    atp     hgatp, SV39, g_root, 5 << 44
    li      a0, VA
    gives   VS, CONTENT + 1

    check   H-FENCE-008, "a fence for all ASIDs is for global pages too"
    paged
    atp     vsatp, SV39, vs_root, 1 << 44
    vs_map  0, GPA, RWX | PTE_G
    fence_all
    use_page_0
    vs_map  0, GPA + PAGE, RWX | PTE_G
    in      VS, sfence.vma a0
    gives   VS, CONTENT + 1
    vs_map  0, GPA + (2 * PAGE), RWX | PTE_G
    in      HS, hfence.vvma
    gives   VS, CONTENT + 2

    check   H-FENCE-009, "one address in a superpage is enough for all of it"
    paged
    .irp    fence, "VS, sfence.vma a2", "HS, hfence.vvma a2"
    set_pte vs_middle, 0, GPA, RWX
    fence_all
    use_page_0
    set_pte vs_middle, 0, vs_leaf, PTE_V
    vs_map  0, GPA + (3 * PAGE), RWX
    li      a2, VA + (77 * PAGE) + 5
    in      \fence
    gives   VS, CONTENT + 3
    .endr
    set_pte g_middle, 0, data & ~(MIB2 - 1), RWXU
    vs_map  0, GPA + (data & (MIB2 - 1)), RWX
    fence_all
    li      a0, VA
    gives   VS, CONTENT
    set_pte g_middle, 0, 2 * GIB + (16 * MIB2), RWXU
    li      a1, 0x77
    li      a2, (2 * GIB + (16 * MIB2)) + (data & (MIB2 - 1))
    sd      a1, (a2)
    li      a2, (GPA + (300 * PAGE)) >> 2
    in      HS, hfence.gvma a2
    gives   VS, 0x77
    set_pte g_middle, 0, g_leaf, PTE_V

    check   H-FENCE-010, "an address that cannot be, and bits of rs2 that there are not"
    paged
    li      a2, 1 << 62 | 1 << 45
    li      a3, 0
    .irp    insn, "VS, sfence.vma a2", "HS, sfence.vma a2, a3", "HS, hfence.vvma a2", "HS, hfence.gvma a2", "VS, sinval.vma a2, a3", "HS, hinval.gvma a2, a3"
    in      \insn
    completes
    .endr
    atp     vsatp, SV39, vs_root, 1 << 44
    atp     hgatp, SV39, g_root, 1 << 44
    use_page_0
    vs_map  0, GPA + PAGE, RWX
    li      a3, 7 << 16 | 1
    in      HS, hfence.vvma zero, a3
    gives   VS, CONTENT + 1
    g_map   1, data + (2 * PAGE), RWXU
    li      a3, 7 << 14 | 1
    in      HS, hfence.gvma zero, a3
    gives   VS, CONTENT + 2

    .macro sequence mode, inval:vararg
    begin_in \mode
    sfence.w.inval
    \inval
    sfence.inval.ir
    end_in
    completes
    .endm

    check   H-FENCE-011, "SFENCE.W.INVAL, SINVAL or HINVAL, SFENCE.INVAL.IR are the fence of that name"
    paged
    use_page_0
    vs_map  0, GPA + PAGE, RWX
    sequence VS, sinval.vma a0, zero
    gives   VS, CONTENT + 1
    vs_map  0, GPA + (2 * PAGE), RWX
    sequence HS, hinval.vvma a0, zero
    gives   VS, CONTENT + 2
    g_map   2, data + (4 * PAGE), RWXU
    li      a2, (GPA + (2 * PAGE)) >> 2
    sequence HS, hinval.gvma a2, zero
    gives   VS, CONTENT + 4
    vs_map  0, GPA, RWX
    sequence VS, sinval.vma zero, zero
    gives   VS, CONTENT
    vs_map  0, GPA + PAGE, RWX
    sequence M, hinval.vvma zero, zero
    gives   VS, CONTENT + 1
    g_map   1, data + (5 * PAGE), RWXU
    sequence M, hinval.gvma zero, zero
    gives   VS, CONTENT + 5

    check   H-FENCE-013, "a changed ADUE is seen behind the fence"
    paged
    li      a0, VA
    vs_map  0, GPA, RWX - PTE_A
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    write   menvcfg, ENVCFG_ADUE
    hfence.gvma
    write   henvcfg, ENVCFG_ADUE
    in      HS, hfence.vvma
    gives   VS, CONTENT
    write   henvcfg, 0
    vs_map  0, GPA, RWX - PTE_A
    in      HS, hfence.vvma
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA

    check   H-FENCE-013, "a changed PBMTE, too"
    paged
    write   menvcfg, ENVCFG_PBMTE
    write   henvcfg, ENVCFG_PBMTE
    vs_map  0, GPA, RWX | PTE_NC
    g_map   1, data + PAGE, RWXU | PTE_NC
    fence_all
    use_page_0
    li      a0, VA + PAGE
    gives   VS, CONTENT + 1
    write   henvcfg, 0
    in      HS, hfence.vvma
    li      a0, VA
    in      VS, ld a1, (a0)
    traps   LOAD_PAGE_FAULT, VA
    write   menvcfg, 0
    in      HS, hfence.gvma
    li      a0, VA + PAGE
    in      VS, ld a1, (a0)
    traps   LOAD_GUEST_PAGE_FAULT, VA + PAGE, (GPA + PAGE) >> 2

    check   H-FENCE-014, "code that HS writes by another address: new behind the guest's FENCE.I"
    paged
    li      a2, data
    li      a1, ECALL_INSN
    sd      a1, (a2)
    fence.i
    li      a0, VA
    in      VS, jr a0
    traps_at VA, ECALL_VS, 0
    li      a1, ECALL_INSN << 32 | NOP_INSN
    in      HS, sd a1, (a2)
    begin_in VS
    fence.i
    jr      a0
    end_in
    traps_at VA + 4, ECALL_VS, 0
    write   hstatus, HSTATUS_SPVP
    li      a1, EBREAK_INSN
    in      HS, hsv.w a1, (a0)
    begin_in VS
    fence.i
    jr      a0
    end_in
    expect  s0, BREAKPOINT
    expect  s5, VA
    end
