# Printing through SBI, and the end of a program.
#
# Text goes out by the debug console (DBCN), or character by character through the legacy call where that is absent.
# The debug console wants physical addresses: what is printed must be mapped to itself.
# Routines follow the calling convention; console_mode remembers which of the two it is.

    .pushsection .data
    .align 3
console_mode:   .dword 0                # 0 not asked yet, 1 debug console, 2 legacy console
    .popsection

# print "text": of a constant.
    .macro print text
    .pushsection .rodata
text\@: .asciz "\text"
    .popsection
    la      a0, text\@
    call    print_string
    .endm

    .pushsection .text.console          # behind the program's own code

# print_string(a0: text that ends with a zero)
print_string:
    addi    sp, sp, -32
    sd      ra, 24(sp)
    sd      s0, 16(sp)
    sd      s1, 8(sp)
    mv      s0, a0                      # what is left to print,
    mv      s1, a0                      # and its end
1:  lbu     t0, (s1)
    beqz    t0, 2f
    addi    s1, s1, 1
    j       1b

2:  call    find_console
    li      t0, 1
    bne     a0, t0, 4f
3:  beq     s0, s1, 5f
    sub     a0, s1, s0                  # the debug console may take less than it is given
    mv      a1, s0
    li      a2, 0
    sbi     SBI_DBCN, 0
    bnez    a0, 4f
    add     s0, s0, a1
    j       3b

4:  beq     s0, s1, 5f
    lbu     a0, (s0)
    li      a7, SBI_LEGACY_PUTCHAR
    ecall
    addi    s0, s0, 1
    j       4b

5:  ld      ra, 24(sp)
    ld      s0, 16(sp)
    ld      s1, 8(sp)
    addi    sp, sp, 32
    ret

# find_console() -> 1 debug console, 2 legacy console
find_console:
    la      t0, console_mode
    ld      a0, (t0)
    bnez    a0, 1f
    li      a0, SBI_DBCN
    sbi     SBI_BASE, 3
    snez    a1, a1
    li      a0, 2
    sub     a0, a0, a1
    sd      a0, (t0)
1:  ret

# print_decimal(a0: a number without sign), print_hex(a0): as 123 and as 0x7b
print_decimal:
    li      a1, 10
    j       print_number
print_hex:
    addi    sp, sp, -16
    sd      ra, 8(sp)
    sd      a0, 0(sp)
    print   "0x"
    ld      a0, 0(sp)
    ld      ra, 8(sp)
    addi    sp, sp, 16
    li      a1, 16

# print_number(a0: number, a1: base): its digits from the last to the first, then the whole text
print_number:
    addi    sp, sp, -48
    sd      ra, 40(sp)
    addi    t0, sp, 32
    sb      zero, (t0)
    la      t1, digits
1:  remu    t2, a0, a1
    divu    a0, a0, a1
    add     t2, t1, t2
    lbu     t2, (t2)
    addi    t0, t0, -1
    sb      t2, (t0)
    bnez    a0, 1b
    mv      a0, t0
    call    print_string
    ld      ra, 40(sp)
    addi    sp, sp, 48
    ret

    .pushsection .rodata
digits: .ascii "0123456789abcdef"
    .popsection

# finish(a0: status): power off.  0 is success; another status can only be told to the finisher.
finish:
    bnez    a0, 1f
    li      a0, 0                       # shutdown
    li      a1, 0                       # for no reason
    sbi     SBI_SRST, 0
    li      t0, FINISHER_PASS           # still here: there is no SRST
    j       2f
1:  slli    a0, a0, 16
    li      t0, FINISHER_FAIL
    or      t0, t0, a0
2:  li      t1, FINISHER
    sw      t0, (t1)
3:  j       3b
    .popsection
