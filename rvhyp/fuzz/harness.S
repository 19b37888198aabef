# Runs the programs of a batch, one after the other: sets up each one's state, catches every trap, and leaves a digest of all it
# could have changed in a table.  The constants are those of rvhyp/fuzz/layout.py.
#
# Traps that HS or VS take land in the page `pad`, whose `ecall` comes here; what trapped is stepped over, and the pad's SRET
# goes on.  A program ends by a trap at or behind the end of its code, by a fetch that fails, or by too many traps.

    .option norvc
    .section .text
    .globl  _start
_start:
    li      sp, CONTEXT
    csrw    mscratch, sp
    li      t0, CLINT_MTIMECMP              # no timer is due
    li      t1, -1
    sd      t1, (t0)
    csrw    menvcfg, t1
    csrw    stimecmp, t1
    csrw    vstimecmp, t1
    li      t0, CLINT_MSIP >> 2             # entries 0 and 1: what M may store to among the devices, 8 bytes each
    csrw    pmpaddr0, t0
    li      t0, CLINT_MTIMECMP >> 2
    csrw    pmpaddr1, t0
    li      t0, (RAM_BASE >> 3) - 1         # 2: all else below RAM is closed to all modes, and locked
    csrw    pmpaddr2, t0
    li      t0, LOCKED >> 2                 # 3 to 5 are the program's; 6 has an address that 7 locks: its range is only to be read
    csrw    pmpaddr6, t0
    li      t0, (LOCKED + LOCKED_SIZE) >> 2
    csrw    pmpaddr7, t0
    li      t0, RAM_BASE >> 2               # 8 is off, what follows begins there
    csrw    pmpaddr8, t0
    li      t0, (HARNESS + 0x8000) >> 2     # the harness: closed to the modes below
    csrw    pmpaddr9, t0
    li      t0, CONTEXT >> 2                # the pad: to be executed
    csrw    pmpaddr10, t0
    li      t0, FRAMES >> 2                 # the context: closed
    csrw    pmpaddr11, t0
    li      t0, RESULTS >> 2                # data and page tables
    csrw    pmpaddr12, t0
    li      t0, CODE >> 2                   # results: closed
    csrw    pmpaddr13, t0
    li      t0, RECORDS >> 2                # code: not to be written, but where a program's own entries say otherwise
    csrw    pmpaddr14, t0
    li      t0, 0x000D080B080D0800          # these are top-of-range
    csrw    pmpcfg2, t0
    li      t0, PMPCFG0
    csrw    pmpcfg0, t0
    la      t0, first
    ld      t0, (t0)
    sd      t0, C_SLOT(sp)
    li      t0, MIX
    sd      t0, C_MIX(sp)

next:
    ld      t0, C_SLOT(sp)
    la      t1, slots
    ld      t1, (t1)
    bgeu    t0, t1, done
    li      t1, RECORD_SIZE
    mul     t1, t1, t0
    li      t2, RECORDS
    add     s0, t1, t2                      # s0: the record
    ld      t1, R_LENGTH(s0)
    sd      t1, C_LENGTH(sp)
    beqz    t1, stored
    li      t2, SLOT_SIZE
    mul     t3, t0, t2
    li      t4, CODE
    add     t1, t3, t4                      # t1: the code
    la      t5, fixed
    ld      t5, (t5)
    bltz    t5, 2f
    mul     t1, t5, t2                      # variants of one program run at its place
    add     t1, t1, t4
    li      t4, STAGE
    add     t3, t3, t4
    add     t2, t2, t3
    mv      t4, t1
1:  ld      t5, (t3)
    sd      t5, (t4)
    addi    t3, t3, 8
    addi    t4, t4, 8
    bltu    t3, t2, 1b
    fence.i
2:  sd      t1, C_CODE(sp)
    sd      s0, C_RECORD(sp)
    ld      t1, R_TRAPS(s0)
    sd      t1, C_TRAPS(sp)
    sd      zero, C_HASH(sp)
    sd      zero, C_CHOICES(sp)
    sd      zero, C_OWN(sp)

    addi    t1, s0, R_POKE                # page-table entries
    ld      t2, R_POKES(s0)
1:  beqz    t2, 2f
    ld      t3, (t1)
    ld      t4, 8(t1)
    sd      t4, (t3)
    addi    t1, t1, 16
    addi    t2, t2, -1
    j       1b
2:
    ld      t5, R_SEED(s0)                # contents of the pages of data
    ld      t6, C_MIX(sp)
    li      t1, FRAMES
    call    fill
    li      t1, FRAMES + PAGE - EDGE
    call    fill
    li      t1, FRAMES + PAGE
    call    fill
    li      t1, FRAMES + 2*PAGE - EDGE
    call    fill

    la      t0, 1f                          # a trap: simulators that take turns between harts begin a turn here, and none ends
    csrw    mtvec, t0                       # between LR and SC for no reason of the program's
    .irp    n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    csrw    mhpmevent\n, zero
    .endr
    write_stateen                           # and what a hart may have: if it has not, this is the trap
    ecall
    .balign 4
1:  la      t0, trap
    csrw    mtvec, t0

    li      t0, MENVCFG_STCE | ENVCFG_DTE   # what a program may have left in CSRs that are not part of its state
    csrw    menvcfg, t0
    csrw    henvcfg, t0
    li      t0, MSTATUS_SDT                 # while DTE is 0 nobody sees what SDT is
    csrc    mstatus, t0
    csrc    vsstatus, t0
    li      t0, -1
    csrw    stimecmp, t0
    csrw    vstimecmp, t0
    csrw    menvcfg, zero
    csrw    mip, zero                       # STIP is written only while menvcfg.STCE is 0
    csrr    t0, mip                         # a program may store to the CLINT
    andi    t0, t0, 0x88
    beqz    t0, 1f
    li      t0, CLINT_MSIP
    sw      zero, (t0)
    li      t0, CLINT_MTIMECMP
    li      t1, -1
    sd      t1, (t0)
1:  csrw    mcountinhibit, zero
    csrw    minstret, zero
    csrw    mcycle, zero
    li      t0, 0x6000                      # FS is on
    csrs    mstatus, t0
    load_f
    write_state
    sfence.vma
    hfence.gvma
    hfence.vvma
    sc.w    t0, zero, (sp)                  # no reservation
    ld      t0, R_WITHOUT(s0)
    sd      t0, C_WITHOUT(sp)
    beqz    t0, 1f
    csrc    misa, t0
1:  csrr    t0, minstret
    sd      t0, C_BEGUN(sp)
    mv      x31, s0
    load_x
    mret

# fill(t1: address, t5: state, t6: multiplier): EDGE bytes.
fill:
    addi    t2, t1, EDGE
1:  mul     t5, t5, t6
    addi    t5, t5, 1
    srli    t0, t5, 29
    xor     t0, t0, t5
    sd      t0, (t1)
    addi    t1, t1, 8
    bltu    t1, t2, 1b
    ret

# Every trap into M.  MPRV may be set: until it is cleared memory is somebody else's.  The context's address is the mask.
    .balign 4
trap:
    csrrw   sp, mscratch, sp
    csrrc   sp, mstatus, sp
    slli    sp, sp, 46
    bltz    sp, 1f
    li      sp, CONTEXT
    sd      t0, C_T0(sp)
    li      t0, 0
    j       2f
1:  li      sp, CONTEXT
    sd      t0, C_T0(sp)
    li      t0, MPRV
2:  sd      t0, C_MPRV(sp)
    csrr    t0, minstret
    sd      t0, C_ENTERED(sp)
    sd      ra, C_RA(sp)
    sd      t1, C_T1(sp)
    sd      t2, C_T2(sp)
    sd      t3, C_T3(sp)
    sd      t5, C_T5(sp)
    sd      t6, C_T6(sp)
    ld      t5, C_HASH(sp)
    ld      t6, C_MIX(sp)
    record_trap
    ld      t0, C_WITHOUT(sp)
    bnez    t0, 1f
    record_h_trap
1:  ld      t0, C_MPRV(sp)
    xor     t5, t5, t0
    csrr    t2, mcause
    csrr    t1, mepc
    li      t0, PAD                         # wherever it is mapped, these bits of its address are the same
    xor     t0, t0, t1
    slli    t0, t0, 34
    srli    t0, t0, 46
    beqz    t0, delegated
    call    step_over
    csrw    mepc, t1
count:
    ld      t0, C_TRAPS(sp)
    addi    t0, t0, -1
    sd      t0, C_TRAPS(sp)
    sd      t5, C_HASH(sp)
    beqz    t0, over
    csrr    t0, minstret                    # what the harness itself retired does not count
    ld      t1, C_ENTERED(sp)
    sub     t0, t0, t1
    ld      t1, C_OWN(sp)
    add     t0, t0, t1
    addi    t0, t0, OUTSIDE
    sd      t0, C_OWN(sp)
    ld      t0, C_MPRV(sp)
    ld      ra, C_RA(sp)
    ld      t1, C_T1(sp)
    ld      t2, C_T2(sp)
    ld      t3, C_T3(sp)
    ld      t5, C_T5(sp)
    ld      t6, C_T6(sp)
    bnez    t0, 1f
    ld      t0, C_T0(sp)
    csrrw   sp, mscratch, sp
    mret
1:  ld      t0, C_T0(sp)
    csrs    mstatus, sp
    csrrw   sp, mscratch, sp
    mret

# HS or VS took a trap, and its vector's ECALL came here.
delegated:
    addi    t0, t2, -9
    beqz    t0, 1f
    addi    t0, t2, -10
    bnez    t0, over                        # the pad itself fails
    record_vs_trap
    csrr    t2, vscause
    csrr    t1, vsepc
    srai    t0, t2, 63                      # an interrupt of VS has the next number in mie
    sub     t2, t2, t0
    call    step_over
    csrw    vsepc, t1
    j       2f
1:  record_hs_trap
    ld      t0, C_WITHOUT(sp)
    bnez    t0, 1f
    record_hs_h_trap
1:  csrr    t2, scause
    csrr    t1, sepc
    call    step_over
    csrw    sepc, t1
2:  csrr    t0, mepc
    srli    t0, t0, 12
    slli    t0, t0, 12
    addi    t0, t0, PAD_SRET
    csrw    mepc, t0
    j       count

# step_over(t1: epc, t2: cause): the epc to go on at.  Changes t0, t3.  An interrupt is disabled, so that the next one of those
# pending has its turn, and nothing is stepped over.
step_over:
    bltz    t2, 2f
    li      t0, 0x101003                    # instruction misaligned, access fault, page fault, guest-page fault
    srl     t0, t0, t2
    andi    t0, t0, 1
    bnez    t0, over
    ld      t0, C_CODE(sp)
    sub     t3, t1, t0
    slli    t3, t3, 52                      # code is where it is in its page, wherever that is mapped
    srli    t3, t3, 52
    add     t0, t0, t3
    ld      t2, C_LENGTH(sp)
    bgeu    t3, t2, over
    lhu     t0, (t0)
    andi    t0, t0, 3
    addi    t0, t0, -3
    addi    t1, t1, 4
    beqz    t0, 1f
    addi    t1, t1, -2
1:  ret
2:  li      t0, 1
    sll     t0, t0, t2
    csrc    mie, t0
    ret

# The program is over: what it left goes to the dump.
over:
    sd      t5, C_HASH(sp)
    ld      t0, C_ENTERED(sp)
    ld      t1, C_BEGUN(sp)
    sub     t0, t0, t1
    ld      t1, C_OWN(sp)
    sub     t0, t0, t1
    sd      t0, C_COUNT(sp)
    ld      ra, C_RA(sp)
    ld      t1, C_T1(sp)
    ld      t2, C_T2(sp)
    ld      t3, C_T3(sp)
    ld      t5, C_T5(sp)
    ld      t6, C_T6(sp)
    store_x
    csrrw   t1, mscratch, sp
    sd      t1, DUMP_SP(sp)
    ld      t1, C_T0(sp)
    sd      t1, DUMP_T0(sp)
    li      t0, 0x6000
    csrrs   t1, mstatus, t0                 # as it was, but for MPRV
    ld      t0, C_MPRV(sp)
    or      s1, t1, t0
    store_f
    ld      t6, C_MIX(sp)
    ld      t0, C_WITHOUT(sp)
    beqz    t0, 1f
    csrr    t1, medeleg                     # what H had before it was turned on again is nobody's business
    csrr    t2, mie
    csrs    misa, t0
    csrw    medeleg, t1
    csrw    mie, t2
    ld      s0, C_RECORD(sp)
    write_h_state
1:  read_state
    la      t0, 1f                          # the same again for these
    csrw    mtvec, t0
    clear_stateen
    read_mstateen
    ld      t0, C_WITHOUT(sp)
    bnez    t0, 2f
    read_hstateen
2:  ecall
    .balign 4
1:  la      t0, trap
    csrw    mtvec, t0
    li      t0, PMPCFG0                     # M-mode too may not access what an entry matches in part
    csrw    pmpcfg0, t0
    sd      s1, DUMP_MSTATUS(sp)
    ld      t5, C_HASH(sp)
    sd      t5, DUMP_TRAPS(sp)
    csrw    mie, zero
    csrw    mie, zero

    li      a5, 0                           # the digest
    ld      t6, C_MIX(sp)
    li      a0, DUMP
    li      t2, DUMP_SIZE
    call    digest
    li      t2, EDGE
    li      a0, FRAMES
    call    digest
    li      t2, EDGE
    li      a0, FRAMES + PAGE - EDGE
    call    digest
    li      t2, EDGE
    li      a0, FRAMES + PAGE
    call    digest
    li      t2, EDGE
    li      a0, FRAMES + 2*PAGE - EDGE
    call    digest
    ld      s0, C_RECORD(sp)
    addi    t1, s0, R_POKE
    ld      t2, R_POKES(s0)
1:  beqz    t2, 2f
    ld      t3, (t1)
    ld      t0, (t3)
    sd      zero, (t3)
    sd      t0, 8(t1)                       # what became of the entry
    xor     a5, a5, t0
    mul     a5, a5, t6
    srli    t0, a5, 32
    xor     a5, a5, t0
    addi    t1, t1, 16
    addi    t2, t2, -1
    j       1b
2:  ld      t0, C_SLOT(sp)
    slli    t0, t0, 5
    li      t1, RESULTS
    add     t1, t1, t0
    sd      a5, (t1)
    ld      t0, C_CHOICES(sp)
    sd      t0, 8(t1)
    ld      t0, C_COUNT(sp)
    sd      t0, 16(t1)
stored:
    ld      t0, C_SLOT(sp)
    addi    t0, t0, 1
    sd      t0, C_SLOT(sp)
    j       next

# digest(a0: address, t2: bytes, t6: multiplier) into a5
digest:
    add     t2, t2, a0
1:  ld      t0, (a0)
    xor     a5, a5, t0
    mul     a5, a5, t6
    srli    t0, a5, 32
    xor     a5, a5, t0
    addi    a0, a0, 8
    bltu    a0, t2, 1b
    ret

done:
    la      t0, tohost
    li      t1, 1
    sd      t1, (t0)
1:  j       1b

    .balign 64
    .globl  tohost
tohost:     .dword 0
    .globl  fromhost
fromhost:   .dword 0
first:      .dword 0                        # the slots that are looked at: from the first up to but not the last
slots:      .dword SLOT_COUNT
fixed:      .dword -1

# Where HS and VS trap to, with a place for each interrupt of vectored mode.
    .section .text.pad, "ax"
    .globl  pad
pad:
    .rept   PAD_SRET / 4
    ecall
    .endr
    sret
