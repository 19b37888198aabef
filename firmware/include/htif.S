# The host-target interface: a program without devices stores commands to the word `tohost`.
#
# status << 1 | 1 ends the program; 0x0101 << 48 | character prints it.  The host puts the word back to 0.

    .pushsection .tohost, "aw"
    .align 12                           # not in a page with code: writing there is slow on emulators
    .globl tohost, fromhost
tohost:     .dword 0
    .size tohost, 8                     # QEMU asks for it
    .align 6
fromhost:   .dword 0
    .size fromhost, 8
    .popsection

    .equ HTIF_PRINT, 0x0101 << 48

# only_hart_0: all harts of a bare machine start; let the others sleep.
    .macro only_hart_0
    csrr    t0, mhartid
    beqz    t0, hart_0
1:  wfi
    j       1b
hart_0:
    .endm

# print "text": of a constant.
    .macro print text
    .pushsection .rodata
text\@: .asciz "\text"
    .popsection
    la      a0, text\@
    call    print_string
    .endm

    .pushsection .text.htif             # behind the program's own code

# print_string(a0: text that ends with a zero); changes t0 to t2
print_string:
    la      t0, tohost
1:  lbu     t1, (a0)
    beqz    t1, 3f
    li      t2, HTIF_PRINT
    or      t1, t1, t2
2:  ld      t2, (t0)                    # until the host has taken what was before
    bnez    t2, 2b
    sd      t1, (t0)
    addi    a0, a0, 1
    j       1b
3:  ret

# finish(a0: status)
finish:
    la      t0, tohost
1:  ld      t1, (t0)
    bnez    t1, 1b
    slli    a0, a0, 1
    ori     a0, a0, 1
    sd      a0, (t0)
2:  j       2b
    .popsection
