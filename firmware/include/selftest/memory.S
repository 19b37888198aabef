# Memory keeps what is stored, at every width and alignment.

    .equ REGION_SIZE, 1 << 20

# Every doubleword of three regions gets a pattern of its own, then the complement of it.
    check   "memory keeps patterns"
    la      s0, regions
region:
    ld      s1, (s0)
    beqz    s1, regions_done
    li      s2, REGION_SIZE
    add     s2, s1, s2
    li      s3, 0x5a5a5a5a_a5a5a5a5
    li      s4, 2
1:  mv      t0, s1
2:  xor     t1, t0, s3
    sd      t1, (t0)
    addi    t0, t0, 8
    bltu    t0, s2, 2b
    mv      t0, s1
3:  ld      t1, (t0)
    xor     t2, t0, s3
    bne     t1, t2, 4f
    addi    t0, t0, 8
    bltu    t0, s2, 3b
    not     s3, s3
    addi    s4, s4, -1
    bnez    s4, 1b
    addi    s0, s0, 8
    j       region
4:  expect_equal t1, t2
regions_done:
    passed

    .pushsection .rodata
    .align 3
regions:    .dword 0x8040_0000, 0x80c0_0000, 0x8180_0000, 0     # beyond this program, within the first 32 MiB
    .popsection

    check   "bytes, halves and words within a doubleword"
    la      s0, page_a
    li      t0, 0x8182838485868788
    sd      t0, (s0)
    lb      t1, 0(s0)
    expect  t1, 0xffffffffffffff88
    lbu     t1, 7(s0)
    expect  t1, 0x81
    lh      t1, 2(s0)
    expect  t1, 0xffffffffffff8586
    lhu     t1, 4(s0)
    expect  t1, 0x8384
    lw      t1, 4(s0)
    expect  t1, 0xffffffff81828384
    lwu     t1, 0(s0)
    expect  t1, 0x85868788
    li      t0, 0x7766554433221100
    sb      t0, 1(s0)
    sh      t0, 2(s0)
    sw      t0, 4(s0)
    ld      t1, (s0)
    expect  t1, 0x3322110011000088
    passed

# At each of 24 addresses, 8 of them before the end of a page: a load gives the bytes that are there, and a store
# changes these and no others.
    .macro misaligned size, load, store
    li      s1, 0
address\@:
    la      s0, page_b - 12
    li      t0, 0                       # bytes 0x80, 0x81, ...
1:  addi    t1, t0, 0x80
    add     t2, s0, t0
    sb      t1, (t2)
    addi    t0, t0, 1
    li      t3, 40
    bltu    t0, t3, 1b
    add     s2, s0, s1
    \load   s3, (s2)
    li      t0, \size                   # what it should be, from the last byte to the first
    lb      s4, \size - 1(s2)
2:  addi    t0, t0, -1
    beqz    t0, 3f
    slli    s4, s4, 8
    add     t1, s2, t0
    lbu     t1, -1(t1)
    or      s4, s4, t1
    j       2b
3:  expect_equal s3, s4
    li      t0, 0x1716151413121110
    \store  t0, (s2)
    li      t0, 0
4:  add     t1, s0, t0
    lbu     t1, (t1)
    sub     t2, t0, s1
    addi    t3, t0, 0x80
    li      t4, \size
    bgeu    t2, t4, 5f
    addi    t3, t2, 0x10
5:  expect_equal t1, t3
    addi    t0, t0, 1
    li      t4, 40
    bltu    t0, t4, 4b
    addi    s1, s1, 1
    li      t0, 24
    bltu    s1, t0, address\@
    .endm

    check   "misaligned halves"
    misaligned 2, lh, sh
    passed

    check   "misaligned words"
    misaligned 4, lw, sw
    passed

    check   "misaligned doublewords"
    misaligned 8, ld, sd
    passed
