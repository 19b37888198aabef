# Says hello from M-mode, and which extensions the hart has.

    .include "htif.S"

    .globl _start
_start:
    only_hart_0
    la      sp, stack_top
    print   "Hello from M-mode!\nextensions: "
    csrr    s0, misa                    # one bit for each letter
    la      s1, letter
    li      s2, 'a'
1:  andi    t0, s0, 1
    beqz    t0, 2f
    sb      s2, (s1)
    mv      a0, s1
    call    print_string
2:  addi    s2, s2, 1
    srli    s0, s0, 1
    li      t0, 'z'
    bgeu    t0, s2, 1b
    print   "\n"
    li      a0, 0
    call    finish

    .bss
letter: .zero 2
    .align 4
    .zero 1024
stack_top:
