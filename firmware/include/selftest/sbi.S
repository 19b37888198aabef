# SBI: what it answers to what is wrong, and that it leaves registers alone.

    .equ NO_HART, 1000

    check   "SBI version and extensions"
    sbi     SBI_BASE, 0
    expect  a0, 0
    srli    t0, a1, 24                  # at least 0.2, which began all this
    bnez    t0, 1f
    li      t0, 2
    bgeu    a1, t0, 1f
    failed
1:  .irp extension, SBI_BASE, SBI_TIME, SBI_IPI, SBI_RFENCE, SBI_HSM, SBI_SRST
    li      a0, \extension
    sbi     SBI_BASE, 3
    expect  a0, 0
    expect  a1, 1
    .endr
    li      a0, 0x09abcdef              # an extension of no vendor
    sbi     SBI_BASE, 3
    expect  a0, 0
    expect  a1, 0
    passed

    check   "SBI calls that do not exist"
    sbi     0x09abcdef, 0
    expect  a0, SBI_NOT_SUPPORTED
    sbi     SBI_BASE, 99
    expect  a0, SBI_NOT_SUPPORTED
    sbi     SBI_TIME, 99
    expect  a0, SBI_NOT_SUPPORTED
    sbi     SBI_HSM, 99
    expect  a0, SBI_NOT_SUPPORTED
    passed

    check   "SBI calls about harts that do not exist"
    li      a0, NO_HART
    sbi     SBI_HSM, 2
    expect  a0, SBI_INVALID_PARAM
    li      a0, NO_HART
    la      a1, _start
    li      a2, 0
    sbi     SBI_HSM, 0
    expect  a0, SBI_INVALID_PARAM
    li      a0, 1
    li      a1, NO_HART
    sbi     SBI_IPI, 0
    expect  a0, SBI_INVALID_PARAM
    li      a0, 1
    li      a1, NO_HART
    sbi     SBI_RFENCE, 0
    expect  a0, SBI_INVALID_PARAM
    passed

    check   "SBI and this hart"
    ld      a0, this_hart
    sbi     SBI_HSM, 2
    expect  a0, 0
    expect  a1, HART_STARTED
    ld      a0, this_hart
    la      a1, _start
    li      a2, 0
    sbi     SBI_HSM, 0
    expect  a0, SBI_ALREADY_AVAILABLE
    passed

    check   "SBI fences"
    li      a0, 1
    ld      a1, this_hart
    sbi     SBI_RFENCE, 0
    expect  a0, 0
    li      a0, 0                       # nobody in particular:
    li      a1, -1                      # everybody
    li      a2, 0                       # the whole address space
    li      a3, 0
    sbi     SBI_RFENCE, 1
    expect  a0, 0
    li      a0, 0
    li      a1, -1
    li      a2, 0
    li      a3, -1
    li      a4, 1
    sbi     SBI_RFENCE, 2
    expect  a0, 0
    passed

    check   "an SBI reset of no known kind"
    li      a0, 0x12345
    li      a1, 0
    sbi     SBI_SRST, 0
    expect  a0, SBI_INVALID_PARAM
    passed

# The debug console, if there is one.
    check   "arguments of the SBI debug console"
    call    find_console
    li      t0, 1
    bne     a0, t0, 1f
    li      a0, 0
    la      a1, page_a
    li      a2, 0
    sbi     SBI_DBCN, 0
    expect  a0, 0
    expect  a1, 0
    li      a0, 16
    li      a1, -1 << 12                # the end of all addresses is no memory
    li      a2, -1
    sbi     SBI_DBCN, 0
    expect  a0, SBI_INVALID_PARAM
    sbi     SBI_DBCN, 99
    expect  a0, SBI_NOT_SUPPORTED
1:  passed

# All registers but a0 and a1.
    check   "registers in an SBI call"
    mv      s0, sp
    .irp n, 1,2,3,4,5,6,7,9,12,13,14,15,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    li      x\n, 0x0101010101010101 * \n
    .endr
    sbi     SBI_BASE, 0
    .irp n, 1,2,3,4,5,6,7,9,12,13,14,15,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    li      a0, 0x0101010101010101 * \n
    bne     x\n, a0, 1f
    .endr
    li      a0, SBI_BASE
    bne     a7, a0, 1f
    bnez    a6, 1f
    mv      sp, s0
    li      s1, 0x0101010101010101 * 11
    mv      a1, s1
    li      a7, SBI_LEGACY_GETCHAR      # the first calls answer in a0 only
    ecall
    expect_equal a1, s1
    passed
1:  mv      sp, s0
    failed
