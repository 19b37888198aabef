# Integer instructions where they are easy to get wrong.

    .macro binary operation, left, right, result
    li      t0, \left
    li      t1, \right
    \operation t2, t0, t1
    expect  t2, \result
    .endm

    .equ SMALLEST, 1 << 63
    .equ SMALLEST_WORD, -1 << 31

    check   "sums and shifts of words"
    binary  addw, 0x7fffffff, 1, 0xffffffff80000000
    binary  subw, SMALLEST_WORD, 1, 0x7fffffff
    binary  sllw, 1, 63, 0xffffffff80000000
    binary  srlw, -1, 32, -1
    binary  sraw, 0x180000000, 31, -1
    binary  sll, 1, 127, SMALLEST
    binary  sra, SMALLEST, 63, -1
    binary  sltu, 1, -1, 1
    binary  slt, 1, -1, 0
    passed

    check   "products"
    binary  mul, 0x100000001, 0x100000001, 0x0000000200000001
    binary  mulh, SMALLEST, SMALLEST, 1 << 62
    binary  mulh, -1, 1, -1
    binary  mulhu, -1, -1, -2
    binary  mulhsu, -1, -1, -1
    binary  mulw, 0x10000, 0x8000, 0xffffffff80000000
    passed

    check   "quotients and remainders"
    binary  div, -7, 2, -3
    binary  rem, -7, 2, -1
    binary  divu, -7, 2, 0x7ffffffffffffffc
    binary  remu, -7, 2, 1
    binary  div, 7, 0, -1
    binary  rem, 7, 0, 7
    binary  divu, 7, 0, -1
    binary  remu, 7, 0, 7
    binary  div, SMALLEST, -1, SMALLEST
    binary  rem, SMALLEST, -1, 0
    binary  divw, SMALLEST_WORD, -1, SMALLEST_WORD
    binary  remw, SMALLEST_WORD, -1, 0
    binary  divuw, -1, 0, -1
    binary  remuw, 0x80000000, 0, SMALLEST_WORD
    passed

    check   "register zero"
    li      t0, 5
    add     zero, t0, t0
    la      t0, page_a
    ld      zero, (t0)
    jal     zero, 1f
1:  expect  zero, 0
    passed

    check   "jumps and links"
    la      t0, 1f + 1                  # jalr ignores the lowest bit
    jalr    t1, t0
0:  failed
1:  expect_address t1, 0b
    la      t0, 2f
    jalr    t0, t0                      # the target is read before the link is written
3:  failed
2:  expect_address t0, 3b
    passed

    check   "compressed instructions"
    la      s0, page_a
    c.li    a5, -32
    c.sd    a5, 8(s0)
    c.ld    a4, 8(s0)
    c.addi  a4, 31
    c.slli  a4, 4
    c.sub   a4, a5
    expect  a4, 16
    c.mv    s1, sp
    c.addi16sp sp, -64
    c.addi4spn a5, sp, 64
    expect_equal a5, s1
    c.li    a5, 0
    c.beqz  a5, 1f
    failed
1:  c.j     2f
    failed
2:  passed
