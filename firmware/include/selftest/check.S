# What the checks of selftest.S are made of.
#
#     check   "name"              a check begins; a table of all of them is made in .rodata.checks
#     expect  register, value     it fails unless the register has this value
#     catch   label               the next trap goes on there, in S-mode
#     passed                      it ends
#
# A check may change every register but sp.  It begins in S-mode with interrupts, paging and the timer off, and with
# floating point on; whatever it changes of these is put back.  t5 and t6 belong to the macros.

    .macro check name
    .pushsection .rodata.checks
    .dword check\@, name\@
    .popsection
    .pushsection .rodata
name\@: .asciz "\name"
    .popsection
check\@:
    .endm

    .macro passed
    j       check_passed
    .endm

    .macro failed
    j       check_failed
    .endm

    .macro expect register, value
    li      t6, \value
    beq     \register, t6, expected\@
    mv      t5, \register
    j       check_mismatch
expected\@:
    .endm

    .macro expect_address register, label
    la      t6, \label
    beq     \register, t6, expected\@
    mv      t5, \register
    j       check_mismatch
expected\@:
    .endm

    .macro expect_equal register, other
    beq     \register, \other, expected\@
    mv      t5, \register
    mv      t6, \other
    j       check_mismatch
expected\@:
    .endm

# After the trap, a0 = scause, a1 = stval, a2 = sepc, a3 = sstatus; without one, a0 = -1.
    .macro catch label
    la      t5, \label
    la      t6, caught_by
    sd      t5, (t6)
    li      a0, -1
    .endm
