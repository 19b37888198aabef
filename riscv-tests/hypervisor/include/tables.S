# Page tables of all stages.  Every check finds them as `fresh` leaves them:
#
#   page n (0 to 6) of VA       satp: data + n * PAGE           vsatp: page n of GPA
#   page n (0 to 6) of GPA      hgatp: data + n * PAGE
#   page 7 of GPA               hgatp: vs_far_leaf, the VS-stage table in which FAR_VA is looked up
#   page n (0 to 6) of FAR_VA   vsatp: page n of GPA
#   2 GiB                       itself, by every table; privilege S in satp and vsatp
#   3 GiB                       2 GiB, privilege U: where `in` runs U and VU when the first stage is on
#
# Each of these pages is readable, writable, executable, accessed and dirty.  Sv48 and Sv57 have the same tables below roots
# of their own.

    .equ VA,        5 * GIB
    .equ FAR_VA,    VA + MIB2
    .equ GPA,       6 * GIB
    .equ FAR_TABLE, GPA + (7 * PAGE)            # where FAR_VA's last table is, as the guest sees it
    .equ ALIAS,     GIB
    .equ WINDOW,    8                           # pages of a window
    .equ CONTENT,   0xda7a                      # page n of data begins with this + n

    .macro pte target, bits
    .dword  (\target >> 2) + (\bits)
    .endm

    .macro code_ptes privilege_u
    .zero   16
    pte     2 * GIB, RWX | \privilege_u
    pte     2 * GIB, RWXU
    .zero   8
    .endm

    .pushsection .data
    .align 14
g_root:                                         # four pages, as G-stage roots are
    code_ptes PTE_U
    .zero   8
    pte     g_middle, PTE_V
    .zero   4 * PAGE - 7 * 8
g_root_sv48:
    pte     g_root, PTE_V
    .zero   4 * PAGE - 8
g_root_sv57:
    pte     g_root_sv48, PTE_V
    .zero   4 * PAGE - 8
g_middle:
    pte     g_leaf, PTE_V
    .zero   PAGE - 8
g_leaf:     .zero PAGE
vs_root:
    code_ptes 0
    pte     vs_middle, PTE_V
    .zero   PAGE - 6 * 8
vs_root_sv48:
    pte     vs_root, PTE_V
    .zero   PAGE - 8
vs_root_sv57:
    pte     vs_root_sv48, PTE_V
    .zero   PAGE - 8
vs_middle:
    pte     vs_leaf, PTE_V
    pte     FAR_TABLE, PTE_V
    .zero   PAGE - 16
vs_leaf:    .zero PAGE
vs_far_leaf: .zero PAGE
hs_root:
    code_ptes 0
    pte     hs_middle, PTE_V
    .zero   PAGE - 6 * 8
hs_middle:
    pte     hs_leaf, PTE_V
    .zero   PAGE - 8
hs_leaf:    .zero PAGE
    .align 16                                   # so that 64 KiB from here can be one NAPOT page
data:       .zero 16 * PAGE
    .popsection

# fill_tables(): the windows as described; changes t0 to t6 and a0 to a3
    .pushsection .text.tables
fill_tables:
    la      t0, g_leaf
    la      t1, vs_leaf
    la      t2, vs_far_leaf
    la      t3, hs_leaf
    la      t4, data
    li      t5, CONTENT
    li      t6, CONTENT + WINDOW
    srli    a0, t4, 2
    ori     a1, a0, RWX
    ori     a0, a0, RWXU
    li      a2, (GPA >> 2) + RWX
    li      a3, PAGE
1:  sd      a0, (t0)
    sd      a2, (t1)
    sd      a2, (t2)
    sd      a1, (t3)
    sd      t5, (t4)
    addi    t0, t0, 8
    addi    t1, t1, 8
    addi    t2, t2, 8
    addi    t3, t3, 8
    add     t4, t4, a3
    addi    a0, a0, PAGE >> 2
    addi    a1, a1, PAGE >> 2
    addi    a2, a2, PAGE >> 2
    addi    t5, t5, 1
    bne     t5, t6, 1b
    la      a0, vs_far_leaf
    srli    a0, a0, 2
    ori     a0, a0, RWXU
    sd      a0, -8(t0)                          # page 7 of GPA
    ret
    .popsection

# The stages on: `paged` is both, `paged_vs` and `paged_g` one, `paged_hs` that of satp.
    .macro atp csr, mode, root, fields=0
    la      t0, \root
    srli    t0, t0, 12
    li      t1, \mode | \fields
    or      t0, t0, t1
    csrw    \csr, t0
    .endm

    .macro paged
    paged_vs
    paged_g
    .endm

    .macro paged_vs
    atp     vsatp, SV39, vs_root
    .endm

    .macro paged_g
    atp     hgatp, SV39, g_root
    .endm

    .macro paged_hs
    atp     satp, SV39, hs_root
    .endm

# set_pte table, index, address, bits: an entry of a table; needs a fence if it has been used.
    .macro set_pte table, index, address, bits
    li      t0, \address
    srli    t0, t0, 2
    li      t1, \bits
    or      t0, t0, t1
    li      t1, \table + (8 * (\index))
    sd      t0, (t1)
    .endm

# Page n of a window.
    .macro vs_map page, address, bits
    set_pte vs_leaf, \page, \address, \bits
    .endm

    .macro far_map page, address, bits
    set_pte vs_far_leaf, \page, \address, \bits
    .endm

    .macro g_map page, address, bits
    set_pte g_leaf, \page, \address, \bits
    .endm

    .macro hs_map page, address, bits
    set_pte hs_leaf, \page, \address, \bits
    .endm

    .macro fence_all
    sfence.vma
    hfence.vvma
    hfence.gvma
    .endm

# expect_pte table, index, mask, value: bits of an entry.
    .macro expect_pte table, index, mask, value
    li      t0, \table + (8 * (\index))
    ld      t0, (t0)
    expect_bits t0, \mask, \value
    .endm
