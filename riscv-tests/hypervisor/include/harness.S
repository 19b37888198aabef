# A program of the suite: some checks, each named by the statement it is for, each from the same state (`fresh`).
#
#     begin
#     check   H-XLAT-002, "vsatp Bare: the address is a guest physical one"
#     paged_g
#     li      a0, GPA + 16
#     in      VS, ld a1, (a0)               one instruction in a mode, from M-mode; it comes back by a trap
#     completes                             ... by none of its own
#     expect  a1, CONTENT
#     end
#
# A check that fails says so on HTIF's console, and the next one is run.  The program's status is the number of the first
# that failed, or 0.  Registers: a0 to a7 and s6 to s10 are the check's own; t0 to t6 are used by all macros; gp has
# the check's number, tp its text, s11 where the next one begins; the last trap into M-mode is in
#
#     s0 mcause   s1 mtval   s2 mtval2   s3 mtinst   s4 mstatus   s5 mepc (of the alias of U and VU: where it is an alias of)

    .include "names.S"
    .include "htif.S"
    .include "tables.S"

    .equ POISON, 0x5550                     # in what a trap should overwrite

    .macro begin label=_start, others
    .globl  _start
\label:
    .option norvc
    .set    number, 0
    li      gp, 0
    la      t0, trap_vector
    csrw    mtvec, t0
    csrr    t0, mhartid
    .ifnb   \others
    bnez    t0, \others
    .else
1:  bnez    t0, 1b
    .endif
    la      sp, stack_top
    .endm

    .macro check statements, title
89: .set    number, number + 1
    .pushsection .rodata
text_\@:
    .asciz  "\statements: \title"
    .popsection
    li      gp, number
    la      tp, text_\@
    la      s11, 89f
    call    fresh
    .endm

    .macro end
89: la      t0, first_failed
    lw      a0, (t0)
    j       finish
    .endm

# Expectations.

    .macro expect register, value
    mv      t4, \register
    li      t5, \value
    expected
    .endm

# A value that a hart may write as 0 for lack of better: 0 is expected of one that does (`kept`: a mask).
    .macro expect_kept register, value, kept
    la      t0, \kept
    ld      t0, (t0)
    mv      t4, \register
    li      t5, \value
    and     t5, t5, t0
    expected
    .endm

    .macro expect_address register, label
    mv      t4, \register
    li      t5, \label
    expected
    .endm

    .macro expect_equal register, other
    mv      t4, \register
    mv      t5, \other
    expected
    .endm

    .macro expect_bits register, mask, value
    li      t5, \mask
    and     t4, \register, t5
    li      t5, \value
    expected
    .endm

    .macro expect_csr csr, value
    csrr    t4, \csr
    li      t5, \value
    expected
    .endm

    .macro expect_csr_bits csr, mask, value
    csrr    t0, \csr
    expect_bits t0, \mask, \value
    .endm

    .macro expected
    beq     t4, t5, 88f
    jal     t6, failed
88:
    .endm

# CSRs.

    .macro write csr, value
    li      t0, \value
    csrw    \csr, t0
    .endm

    .macro set_bits csr, value
    li      t0, \value
    csrs    \csr, t0
    .endm

    .macro clear_bits csr, value
    li      t0, \value
    csrc    \csr, t0
    .endm

# Running in another mode.

    .macro begin_in mode
    li      t0, \mode
    la      t1, 81f
    la      t2, 82f
    j       enter
81:
    .endm

    .macro end_in
83: ecall
82:
    .endm

    .macro in mode, instruction:vararg
    begin_in \mode
    \instruction
    end_in
    .endm

# What became of the last `in`.

    .macro completes
    expect_address s5, 83b
    .endm

    .macro traps cause, tval, tval2=0, tinst
    expect  s0, \cause
    expect_address s5, 81b
    .ifnb   \tval
    expect  s1, \tval
    .endif
    expect_kept s2, \tval2, kept_tval2
    .ifnb   \tinst
    expect_kept s3, \tinst, kept_tval2        # a pseudoinstruction comes with an address only
    .endif
    .endm

# As `traps`, at another address than that of the instruction: where it jumped to.
    .macro traps_at address, cause, tval, tval2=0, tinst=0
    expect  s0, \cause
    expect  s5, \address
    expect  s1, \tval
    expect_kept s2, \tval2, kept_tval2
    expect  s3, \tinst
    .endm

# An illegal or virtual instruction, in the mode where it was tried: tval has its bits.
    .macro refused cause
    expect  s0, \cause
    expect_address s5, 81b
    lwu     t4, (t5)
    la      t0, kept_instruction
    ld      t0, (t0)
    and     t4, t4, t0
    mv      t5, s1
    expected
    la      t0, entered
    ld      t0, (t0)
    li      t5, MPP | MPV
    and     t4, s4, t5
    mv      t5, t0
    expected
    expect_bits s4, MSTATUS_GVA, 0
    expect  s2, 0
    expect  s3, 0
    .endm

    .macro refused_as_illegal
    refused ILLEGAL
    .endm

    .macro refused_as_virtual
    refused VIRTUAL
    .endm

    .macro gva value
    .if     \value
    expect_bits s4, MSTATUS_GVA, MSTATUS_GVA
    .else
    expect_bits s4, MSTATUS_GVA, 0
    .endif
    .endm

# The trap was taken from a mode, into M.
    .macro came_from mode
    expect_bits s4, MPP | MPV, \mode
    .endm

# The transformed instruction, or 0, is in tinst (register): rs1 replaced by the offset of the part that failed.
    .macro expect_transformed tinst, bits, offset=0
    beqz    \tinst, 87f
    expect  \tinst, ((\bits) & ~(31 << 15)) | ((\offset) << 15)
87:
    .endm

# It trapped into HS, or VS, whose handler at once calls M-mode.  `vector` counts interrupts' places behind the vector's base.
    .macro taken_in_hs cause, tval, tval2=0, vector=0
    expect_address s5, hs_landing + (4 * (\vector))
    expect  s0, ECALL_HS
    came_from HS
    expect_csr scause, \cause
    .ifnb   \tval
    expect_csr stval, \tval
    .endif
    csrr    t4, htval
    expect_kept t4, \tval2, kept_tval2
    .endm

    .macro taken_in_vs cause, tval, vector=0
    expect_address s5, vs_landing + (4 * (\vector))
    expect  s0, ECALL_VS
    came_from VS
    expect_csr vscause, \cause
    .ifnb   \tval
    expect_csr vstval, \tval
    .endif
    .endm

    .pushsection .text.harness
    .align 2
trap_vector:                                # uses no memory: MPRV may be set
    csrr    s0, mcause
    csrr    s1, mtval
    csrr    s2, mtval2
    csrr    s3, mtinst
    csrr    s4, mstatus
    csrr    s5, mepc
trap_recorded:
    li      t0, MSTATUS_MPRV
    csrc    mstatus, t0
    srli    t0, s5, 30
    addi    t0, t0, -3
    bnez    t0, 1f
    li      t0, ALIAS
    sub     s5, s5, t0
1:  csrrw   t0, mscratch, zero
    beqz    t0, unexpected
    jr      t0

# A trap that nobody waits for: the check fails.
unexpected:
    mv      t4, s0
    li      t5, -1
    mv      t6, s5

# failed(t4: what is, t5: what should be, t6: where)
failed:
    mv      s6, t4
    mv      s7, t5
    mv      s8, t6
    csrw    mie, zero
    la      t0, trap_vector
    csrw    mtvec, t0
    li      t0, MISA_H
    csrs    misa, t0
    la      t0, first_failed
    lw      t1, (t0)
    bnez    t1, 1f
    sw      gp, (t0)
1:  print   "FAIL "
    mv      s9, gp
    call    print_hex
    print   " "
    mv      a0, tp
    call    print_string
    print   ": "
    mv      s9, s6
    call    print_hex
    print   " instead of "
    mv      s9, s7
    call    print_hex
    print   ", at "
    mv      s9, s8
    call    print_hex
    print   "\n"
    jr      s11

# print_hex(s9); changes s9, s10, a0, t0 to t3
print_hex:
    mv      t3, ra
    la      s10, digits_end
1:  andi    t0, s9, 15
    li      t1, 10
    blt     t0, t1, 2f
    addi    t0, t0, 'a' - '0' - 10
2:  addi    t0, t0, '0'
    addi    s10, s10, -1
    sb      t0, (s10)
    srli    s9, s9, 4
    bnez    s9, 1b
    mv      a0, s10
    call    print_string
    jr      t3

# enter(t0: mode, t1: pc, t2: where to go on after the trap); the rest of mstatus stays.
enter:
    csrw    mscratch, t2
    la      t3, entered
    sd      t0, (t3)
    li      t3, MPP | MPV
    csrc    mstatus, t3
    csrs    mstatus, t0
    li      t3, MPP
    and     t3, t0, t3
    bnez    t3, 2f
    csrr    t3, satp
    li      t4, MPV
    and     t4, t4, t0
    beqz    t4, 1f
    csrr    t3, vsatp
1:  beqz    t3, 2f
    li      t3, ALIAS
    add     t1, t1, t3
2:  csrw    mepc, t1
    mret

# The state that checks begin in: no stage on, nothing delegated, no interrupt enabled, FS Dirty, all memory open to all modes.
fresh:
    la      t0, selected
    ld      t0, (t0)
    srl     t0, t0, gp
    andi    t0, t0, 1
    bnez    t0, 1f
    jr      s11
1:  mv      s6, ra
    la      t0, 2f
    csrw    mtvec, t0                       # a hart without state enables has nothing to open
    li      t0, -1
    .irp    csr, mstateen0, mstateen1, mstateen2, mstateen3, hstateen0, hstateen1, hstateen2, hstateen3
    csrw    \csr, t0
    .endr
    .align  2
2:  la      t0, 2f
    csrw    mtvec, t0                       # there may be no PMP: then all memory is open
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, PMP_NAPOT | PMP_RWX
    csrw    pmpcfg0, t0
    .align  2
2:  la      t0, trap_vector
    csrw    mtvec, t0
    csrw    mscratch, zero
    li      t0, MSTATUS_FS
    csrw    mstatus, t0
    csrw    vsstatus, t0
    .irp    csr, medeleg, mideleg, hedeleg, hideleg, mie, mip, hvip, hstatus, satp, vsatp, hgatp
    csrw    \csr, zero
    .endr
    .irp    csr, mcountinhibit, mhpmevent3, mhpmevent4, mcounteren, hcounteren, scounteren, htimedelta, senvcfg, hgeie, sscratch, vsscratch
    csrw    \csr, zero
    .endr
    li      t0, -1
    csrw    menvcfg, t0
    csrw    henvcfg, zero
    csrw    stimecmp, t0
    csrw    vstimecmp, t0
    csrw    menvcfg, zero
    csrw    mip, zero                       # again: STIP is the timer's while menvcfg.STCE is 1
    la      t0, hs_landing
    csrw    stvec, t0
    la      t0, vs_landing
    csrw    vstvec, t0
    li      t0, POISON
    .irp    csr, scause, sepc, stval, htval, mtval2, vscause, vsepc, vstval
    csrw    \csr, t0
    .endr
    li      t0, PTE_READ
    csrw    htinst, t0
    csrw    mtinst, t0
    call    fill_tables
    fence_all
    jr      s6

# Where traps into HS and VS come to, with a place for each interrupt of vectored mode.
    .align 8
hs_landing:
    .rept   16
    ecall
    .endr
    .align 8
vs_landing:
    .rept   16
    ecall
    .endr
    .popsection

    .pushsection .data
    .align 3
first_failed: .dword 0
entered:    .dword 0                        # the mode of the last `in`
selected:   .dword -1                       # a bit for each check that is to be run
kept_tval2: .dword -1                       # 0 for a hart that writes 0 to mtval2 and htval
kept_instruction: .dword -1                 # 0 for one that writes 0 to xtval for illegal and virtual instructions
digits:     .zero 16
digits_end: .dword 0
    .align 4
stack:      .zero 256
stack_top:
    .popsection
