# Code that is written while it runs.

# write_function(a0: where, a1: a number below 2048): two instructions, "li a0, number" and "ret"
write_function:
    slli    a1, a1, 20
    li      t0, 0x00000513
    or      a1, a1, t0
    sw      a1, (a0)
    li      t0, 0x00008067
    sw      t0, 4(a0)
    ret

    check   "code that is written anew"
    la      s0, page_a
    li      s1, 1
1:  mv      a0, s0
    mv      a1, s1
    call    write_function
    fence.i
    jalr    s0
    expect_equal a0, s1
    addi    s1, s1, 1
    li      t0, 200
    bltu    s1, t0, 1b
    passed

    check   "code that is written at another address"
    call    paging_on
    map     0, page_a, PTE_V | PTE_R | PTE_X | PTE_A
    map     1, page_a, STORABLE
    li      s0, WINDOW
    li      s1, 1
1:  li      a0, WINDOW + PAGE
    mv      a1, s1
    call    write_function
    fence.i
    jalr    s0
    expect_equal a0, s1
    addi    s1, s1, 1
    li      t0, 50
    bltu    s1, t0, 1b
    passed

# The loop changes an instruction in itself.
    check   "a loop that changes itself"
    la      s0, page_a
    la      t0, template
    .irp offset, 0, 8, 16, 24
    ld      t1, \offset(t0)
    sd      t1, \offset(s0)
    .endr
    fence.i
    lw      s1, (s0)
    li      s2, 1 << 20                 # what makes the number in "addi" one more
    li      s3, 100
    li      a0, 0
    jalr    s0
    expect  a0, 5050
    passed

    .pushsection .rodata
    .align 3
template:
    addi    a0, a0, 1                   # 1, 2, ... 100
    add     s1, s1, s2
    sw      s1, (s0)
    fence.i
    addi    s3, s3, -1
    bnez    s3, template
    ret
    .popsection
