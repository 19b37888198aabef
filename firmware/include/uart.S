# The serial port, a ns16550a: registers of one byte each.
#
# uart_print waits until the port takes the next character; reading it by interrupts is in echo.S.

    .equ UART,     0x1000_0000
    .equ UART_RBR, 0                    # read: the character received
    .equ UART_THR, 0                    # write: the character to send
    .equ UART_IER, 1                    # interrupts: bit 0 "a character has come"
    .equ UART_LSR, 5                    # status
    .equ IER_RECEIVED,  1 << 0
    .equ LSR_RECEIVED,  1 << 0          # there is a character to read
    .equ LSR_THR_EMPTY, 1 << 5          # the next character can be sent

    .pushsection .text.uart             # behind the program's own code

# uart_print(a0: address, a1: size); changes t0, t1, t2 and its arguments
uart_print:
    li      t0, UART
1:  beqz    a1, 3f
2:  lbu     t1, UART_LSR(t0)
    andi    t1, t1, LSR_THR_EMPTY
    beqz    t1, 2b
    lbu     t2, (a0)
    sb      t2, UART_THR(t0)
    addi    a0, a0, 1
    addi    a1, a1, -1
    j       1b
3:  ret
    .popsection
