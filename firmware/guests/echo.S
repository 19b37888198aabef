# Repeats the lines that are typed, until one says "quit".
#
# Input comes by interrupts: the serial port raises source 10 of the PLIC, which interrupts this hart in S-mode; the
# handler moves characters to a queue; the program sleeps while that is empty.

    .include "supervisor.S"
    .include "sbi.S"
    .include "console.S"
    .include "uart.S"

# The PLIC, an interrupt controller: each hart has a context for M-mode and one for S-mode.
    .equ PLIC,          0x0C00_0000
    .equ PLIC_PRIORITY, PLIC            # one word per source
    .equ PLIC_ENABLE,   PLIC + 0x2000   # bits of sources; contexts are 0x80 bytes apart
    .equ PLIC_CONTEXT,  PLIC + 0x20_0000    # threshold, and at 4 claim and complete; 0x1000 bytes apart
    .equ UART_SOURCE,   10

    .equ LINE_SIZE,  80
    .equ QUEUE_SIZE, 256                # so that an index is a byte
    .equ BACKSPACE,  8
    .equ DELETE,     127
    .equ END,        4                  # control-D

# Registers: s0 characters in the line, s1 the PLIC's context of this hart, s2 the character before

    .globl _start
_start:
    la      sp, stack_top
    slli    t0, a0, 1                   # context: 2 * hart + 1
    addi    t0, t0, 1
    slli    t1, t0, 12
    li      s1, PLIC_CONTEXT
    add     s1, s1, t1
    slli    t1, t0, 7
    li      t2, PLIC_ENABLE
    add     t2, t2, t1
    li      t1, 1 << UART_SOURCE
    sw      t1, (t2)
    sw      zero, (s1)                  # every priority above 0 interrupts
    li      t1, 1
    li      t2, PLIC_PRIORITY + 4 * UART_SOURCE
    sw      t1, (t2)

    li      t0, UART
    li      t1, IER_RECEIVED
    sb      t1, UART_IER(t0)

    la      t0, trap
    csrw    stvec, t0
    li      t0, SEIP
    csrw    sie, t0

    print   "Type something; quit ends.\n"
    li      s2, 0
new_line:
    print   "> "
    li      s0, 0

next_character:
    call    wait_for_character
    mv      t0, s2
    mv      s2, a0
    li      t1, '\r'
    beq     a0, t1, end_of_line
    li      t1, '\n'
    beq     a0, t1, newline
    li      t1, END
    beq     a0, t1, quit
    li      t1, BACKSPACE
    beq     a0, t1, backspace
    li      t1, DELETE
    beq     a0, t1, backspace
    li      t1, LINE_SIZE
    bgeu    s0, t1, next_character      # no room
    la      t1, line
    add     a1, t1, s0
    sb      a0, (a1)
    sb      zero, 1(a1)
    addi    s0, s0, 1
    mv      a0, a1
    call    print_string                # show what is typed
    j       next_character

backspace:
    beqz    s0, next_character
    addi    s0, s0, -1
    print   "\b \b"
    j       next_character

newline:
    li      t1, '\r'                    # "\r\n" is one end, not two
    beq     t0, t1, next_character
end_of_line:
    print   "\n"
    la      t0, line
    add     t0, t0, s0
    sb      zero, (t0)
    ld      t0, line                    # "quit" and the zero behind it, in the lower five bytes
    slli    t0, t0, 24
    li      t1, 't' << 48 | 'i' << 40 | 'u' << 32 | 'q' << 24
    beq     t0, t1, quit
    beqz    s0, new_line
    print   "you said: "
    la      a0, line
    call    print_string
    print   "\n"
    j       new_line

quit:
    print   "bye\n"
    li      a0, 0
    call    finish

# wait_for_character() -> a0
#
# Interrupts are on only for a moment after wfi, which ends when one is pending, taken or not: so none can come between
# the look at the queue and the sleep.
wait_for_character:
    la      t0, queue_indices
    lbu     t1, 0(t0)                   # where to take from
    lbu     t2, 1(t0)                   # where to put to
    bne     t1, t2, 1f
    wfi
    csrsi   sstatus, SSTATUS_SIE
    nop                                 # the interrupt is here
    csrci   sstatus, SSTATUS_SIE
    j       wait_for_character
1:  la      t2, queue
    add     t2, t2, t1
    lbu     a0, (t2)
    addi    t1, t1, 1
    sb      t1, 0(t0)
    ret

# The interrupt: claim it, take what the port has, and say that it is done.
    .align 2
trap:
    addi    sp, sp, -48
    sd      t0, 0(sp)
    sd      t1, 8(sp)
    sd      t2, 16(sp)
    sd      t3, 24(sp)
    sd      t4, 32(sp)
    sd      t5, 40(sp)
    csrr    t0, scause
    li      t1, INTERRUPT | EXTERNAL_INTERRUPT
    bne     t0, t1, unexpected
    lwu     t4, 4(s1)
    beqz    t4, 3f                      # somebody else had it
    li      t0, UART
    la      t2, queue_indices
1:  lbu     t1, UART_LSR(t0)
    andi    t1, t1, LSR_RECEIVED
    beqz    t1, 2f
    lbu     t1, UART_RBR(t0)
    lbu     t3, 1(t2)
    la      t5, queue
    add     t5, t5, t3
    sb      t1, (t5)
    addi    t3, t3, 1
    sb      t3, 1(t2)
    j       1b
2:  sw      t4, 4(s1)
3:  ld      t0, 0(sp)
    ld      t1, 8(sp)
    ld      t2, 16(sp)
    ld      t3, 24(sp)
    ld      t4, 32(sp)
    ld      t5, 40(sp)
    addi    sp, sp, 48
    sret

unexpected:
    print   "FAILED: an unexpected trap, cause "
    csrr    a0, scause
    call    print_hex
    print   "\n"
    li      a0, 1
    call    finish

    .bss
    .align 4
line:           .zero LINE_SIZE + 16
queue:          .zero QUEUE_SIZE
queue_indices:  .zero 2                 # of the next to take, and of the next free place
    .align 4
    .zero 1024
stack_top:
