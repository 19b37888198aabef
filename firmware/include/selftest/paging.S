# Paging (Sv39): permissions, faults and what they report, accessed and dirty bits, fences, address spaces.
#
# The window is 2 MiB of virtual addresses, whose page table the checks fill in; devices and RAM are mapped to
# themselves.

    .equ WINDOW, 4 * GIB

    .equ LOADABLE,  PTE_V | PTE_R | PTE_A
    .equ STORABLE,  PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
    .equ FETCHABLE, PTE_V | PTE_X | PTE_A

# map page, address, bits: entry of the window's table; the bits may be any expression.
    .macro map page, address, bits, table=leaf
    la      t0, \address
    srli    t0, t0, PTE_SHIFT
    li      t1, \bits
    or      t0, t0, t1
    la      t1, \table + 8 * \page
    sd      t0, (t1)
    sfence.vma
    .endm

# The instruction at `catch`'s next line traps with this cause and value, its own address in sepc.
    .macro faults cause, value, instruction:vararg
    catch   2f
1:  \instruction
2:  expect  a0, \cause
    expect  a1, \value
    expect_address a2, 1b
    .endm

# Jumping to an address traps there.
    .macro fetch_faults target
    catch   1f
    li      t0, \target
    jr      t0
1:  expect  a0, FETCH_PAGE_FAULT
    expect  a1, \target
    expect  a2, \target
    .endm

# paging_on(): fresh tables, and an empty window
paging_on:
    la      t0, leaf
    li      t1, PAGE / 8
1:  sd      zero, (t0)
    addi    t0, t0, 8
    addi    t1, t1, -1
    bnez    t1, 1b
    la      t0, root
    la      t1, middle
    la      t2, leaf
    li      t3, PTE_KERNEL - PTE_X
    sd      t3, (t0)
    li      t3, 2 * GIB >> PTE_SHIFT | PTE_KERNEL
    sd      t3, 2 * 8(t0)
    srli    t3, t1, PTE_SHIFT
    ori     t3, t3, PTE_V
    sd      t3, 4 * 8(t0)
    srli    t3, t2, PTE_SHIFT
    ori     t3, t3, PTE_V
    sd      t3, (t1)
    sd      zero, 8(t1)
    srli    t0, t0, 12
    li      t1, SATP_SV39
    or      t0, t0, t1
    csrw    satp, t0
    sfence.vma
    ret

    .pushsection .bss
    .align 12
root:           .zero PAGE
middle:         .zero PAGE
leaf:           .zero PAGE
other_root:     .zero PAGE
other_middle:   .zero PAGE
other_leaf:     .zero PAGE
    .popsection

    check   "pages are where the table says"
    call    paging_on
    map     0, page_a, STORABLE
    map     511, page_b, STORABLE
    la      s0, page_a
    la      s1, page_b
    li      s2, WINDOW
    li      s3, WINDOW + 511 * PAGE
    li      t0, 111
    sd      t0, 8(s0)
    li      t0, 222
    sd      t0, 8(s3)
    ld      t1, 8(s2)
    expect  t1, 111
    ld      t1, 8(s1)
    expect  t1, 222
    passed

    check   "a large page"
    call    paging_on
    map     1, 0x8040_0000, STORABLE, middle
    li      s0, WINDOW + 0x20_0000 + 0x12_3458
    li      s1, 0x8040_0000 + 0x12_3458
    li      t0, 333
    sd      t0, (s0)
    ld      t1, (s1)
    expect  t1, 333
    map     1, 0x8040_1000, STORABLE, middle
    faults  LOAD_PAGE_FAULT, WINDOW + 0x32_3458, ld t0, (s0)        # it must begin at a multiple of its size
    passed

# (An atomic operation there is not tried: QEMU 7 with one hart calls it a load.)
    check   "pages that are not there"
    call    paging_on
    li      s0, WINDOW + 0x123
    faults  LOAD_PAGE_FAULT, WINDOW + 0x123, lb t0, (s0)
    faults  STORE_PAGE_FAULT, WINDOW + 0x123, sb t0, (s0)
    li      s0, WINDOW + 0x200
    faults  LOAD_PAGE_FAULT, WINDOW + 0x200, lr.w t0, (s0)
    faults  LOAD_PAGE_FAULT, WINDOW + 0x208, fld fa0, 8(s0)
    faults  STORE_PAGE_FAULT, WINDOW + 0x1f8, fsd fa0, -8(s0)
    fetch_faults WINDOW + 0x102
    li      s0, 3 * GIB                 # no table on any level
    faults  LOAD_PAGE_FAULT, 3 * GIB, ld t0, (s0)
    passed

    check   "addresses that are too large"
    call    paging_on
    li      s0, 1 << 38                 # bit 38 must be repeated above it
    faults  LOAD_PAGE_FAULT, 1 << 38, ld t0, (s0)
    faults  STORE_PAGE_FAULT, 1 << 38, sd t0, (s0)
    fetch_faults 1 << 38
    li      s0, 1 << 63 | 2 * GIB
    faults  LOAD_PAGE_FAULT, 1 << 63 | 2 * GIB, ld t0, (s0)
    passed

    check   "pages that may not be written"
    call    paging_on
    map     0, page_a, LOADABLE
    la      s1, page_a
    li      t0, 444
    sd      t0, 16(s1)
    li      s0, WINDOW
    faults  STORE_PAGE_FAULT, WINDOW + 16, sd zero, 16(s0)
    faults  STORE_PAGE_FAULT, WINDOW, amoswap.d t0, zero, (s0)
    ld      t1, 16(s0)
    expect  t1, 444
    passed

    check   "pages that may not be executed, or only that"
    call    paging_on
    map     0, page_a, STORABLE
    fetch_faults WINDOW
    map     0, page_a, FETCHABLE
    li      s0, WINDOW
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    li      t0, SSTATUS_MXR
    csrs    sstatus, t0
    ld      t0, (s0)
    faults  STORE_PAGE_FAULT, WINDOW, sd t0, (s0)
    passed

    check   "pages of user mode"
    call    paging_on
    map     0, page_a, STORABLE | PTE_U
    map     1, user_page, FETCHABLE | PTE_R | PTE_U
    li      s0, WINDOW
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    faults  STORE_PAGE_FAULT, WINDOW, sd t0, (s0)
    li      t0, SSTATUS_SUM
    csrs    sstatus, t0
    li      t0, 555
    sd      t0, (s0)
    ld      t1, (s0)
    expect  t1, 555
    fetch_faults WINDOW + PAGE          # "regardless of SUM"
    passed

# From user mode: go to a line of the page below, which the window has as its second.
    .equ USER_PAGE, WINDOW + PAGE
    .macro in_user line, cause, value
    catch   1f
    li      t0, SSTATUS_SPP
    csrc    sstatus, t0
    li      t0, USER_PAGE + \line - user_page
    csrw    sepc, t0
    sret
1:  expect  a0, \cause
    expect  a2, USER_PAGE + \line - user_page
    andi    t0, a3, SSTATUS_SPP
    expect  t0, 0
    .ifnb   \value
    expect  a1, \value
    .endif
    .endm

    check   "user mode"
    call    paging_on
    map     0, page_a, STORABLE
    map     1, user_page, FETCHABLE | PTE_U
    map     2, page_b, STORABLE | PTE_U
    la      t0, page_b
    li      t1, 666
    sd      t1, (t0)
    in_user user_ecall, ECALL_FROM_U
    in_user user_csr, ILLEGAL_INSTRUCTION
    in_user user_sret, ILLEGAL_INSTRUCTION
    in_user user_fence, ILLEGAL_INSTRUCTION
    in_user user_break, BREAKPOINT
    li      s0, WINDOW
    in_user user_load, LOAD_PAGE_FAULT, WINDOW
    in_user user_store, STORE_PAGE_FAULT, WINDOW
    li      s0, 0x8040_0000
    in_user user_load, LOAD_PAGE_FAULT, 0x8040_0000
    li      s0, WINDOW + 2 * PAGE
    li      s1, 0
    catch   1f
    li      t0, SSTATUS_SPP
    csrc    sstatus, t0
    li      t0, USER_PAGE + user_load - user_page
    csrw    sepc, t0
    sret
1:  expect  a0, ECALL_FROM_U            # the line behind the load
    expect  s1, 666
    passed

    .pushsection .text.user
    .align 12
user_page:
user_load:  ld      s1, (s0)
user_ecall: ecall
user_store: sd      s1, (s0)
user_csr:   csrr    s1, sscratch
user_sret:  sret
user_fence: sfence.vma
user_break: ebreak
    .align 12
    .popsection

    check   "accesses over the edge of a page"
    call    paging_on
    map     0, page_a, STORABLE | PTE_X
    li      s0, WINDOW + PAGE
    faults  LOAD_PAGE_FAULT, WINDOW + PAGE, ld t0, -4(s0)           # of the part that is not there
    faults  STORE_PAGE_FAULT, WINDOW + PAGE, sd t0, -4(s0)
    la      t0, page_a
    lw      t1, long_nop                # its first half is in the page
    sh      t1, PAGE - 2 - 2048(t0)
    li      t2, 2048
    add     t0, t0, t2
    sh      t1, PAGE - 2 - 2048(t0)
    fence.i
    catch   1f
    li      t0, WINDOW + PAGE - 2
    jr      t0
1:  expect  a0, FETCH_PAGE_FAULT
    expect  a1, WINDOW + PAGE
    expect  a2, WINDOW + PAGE - 2
    passed
    .pushsection .rodata
    .align 2
long_nop:   .4byte 0x00000013
    .popsection

    check   "entries that are reserved"
    call    paging_on
    li      s0, WINDOW
    map     0, page_a, STORABLE - PTE_V
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    map     0, page_a, STORABLE - PTE_R                             # to be written, not to be read
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    faults  STORE_PAGE_FAULT, WINDOW, sd t0, (s0)
    map     0, page_a, PTE_V                                        # another table below the last
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    map     0, page_a, STORABLE | 1 << 60
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    map     0, page_a, STORABLE | 3 << 8                            # two bits are ours
    ld      t0, (s0)
    passed

# The first access to a page either faults, for the kernel to set A or D (Svade), or sets them (Svadu).
    check   "accessed and dirty bits"
    call    paging_on
    li      s0, WINDOW
    la      s1, leaf
    la      s2, page_a
    li      s3, 777
    sd      s3, (s2)
    map     0, page_a, STORABLE - PTE_A - PTE_D
    ld      s4, (s1)
    catch   1f
    ld      t1, (s0)
1:  ld      t0, (s1)
    li      t2, -1
    beq     a0, t2, hardware_sets
    expect  a0, LOAD_PAGE_FAULT
    expect  a1, WINDOW
    expect_equal t0, s4
    map     0, page_a, STORABLE - PTE_D
    ld      s4, (s1)
    ld      t1, (s0)
    expect  t1, 777
    faults  STORE_PAGE_FAULT, WINDOW, sd zero, (s0)
    ld      t0, (s1)
    expect_equal t0, s4
    map     0, page_a, STORABLE - PTE_A
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    ld      t0, (s2)
    expect  t0, 777
    passed
hardware_sets:
    expect  t1, 777
    xor     t0, t0, s4                  # A, and nothing else
    expect  t0, PTE_A
    sd      zero, (s0)
    ld      t0, (s1)
    xor     t0, t0, s4
    expect  t0, PTE_A | PTE_D
    passed

    check   "a page that is mapped anew"
    call    paging_on
    la      t0, page_a
    li      t1, 888
    sd      t1, (t0)
    la      t0, page_b
    li      t1, 999
    sd      t1, (t0)
    li      s0, WINDOW
    map     0, page_a, STORABLE
    ld      t1, (s0)
    expect  t1, 888
    la      t0, page_b                  # as `map` does, but with a fence for one address only
    srli    t0, t0, PTE_SHIFT
    ori     t0, t0, LOADABLE
    la      t1, leaf
    sd      t0, (t1)
    sfence.vma s0
    ld      t1, (s0)
    expect  t1, 999
    faults  STORE_PAGE_FAULT, WINDOW, sd t1, (s0)
    la      t1, leaf
    sd      zero, (t1)
    sfence.vma s0
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    passed

# Two tables with numbers of their own: no fence is needed to change between them.
    check   "address spaces"
    call    paging_on
    la      t0, page_a
    li      t1, 111
    sd      t1, (t0)
    la      t0, page_b
    li      t1, 222
    sd      t1, (t0)
    map     0, page_a, STORABLE
    map     0, page_b, STORABLE, other_leaf
    map     0, other_leaf, PTE_V, other_middle
    map     4, other_middle, PTE_V, other_root
    map     2, 2 * GIB, PTE_KERNEL, other_root
    la      t0, other_root
    li      t1, PTE_KERNEL - PTE_X
    sd      t1, (t0)
    csrr    s1, satp
    li      t0, 1 << SATP_ASID
    or      s1, s1, t0
    la      t0, other_root
    srli    s2, t0, 12
    li      t0, SATP_SV39 | 2 << SATP_ASID
    or      s2, s2, t0
    li      s0, WINDOW
    csrw    satp, s1
    csrr    t0, satp
    bne     t0, s1, 1f                  # there are no such numbers here
    ld      t1, (s0)
    expect  t1, 111
    csrw    satp, s2
    ld      t1, (s0)
    expect  t1, 222
    csrw    satp, s1
    ld      t1, (s0)
    expect  t1, 111
    la      t0, leaf                    # a fence for one space
    sd      zero, (t0)
    li      t0, 1
    sfence.vma zero, t0
    faults  LOAD_PAGE_FAULT, WINDOW, ld t0, (s0)
    csrw    satp, s2
    ld      t1, (s0)
    expect  t1, 222
1:  passed
