# The supervisor binary interface: how a kernel asks the firmware, or the hypervisor, below it.
# RISC-V SBI Specification 2.0.  The number of the extension goes to a7, of its function to a6, arguments to a0 to a5;
# the answer is an error in a0 and a value in a1.  All other registers keep their values.

    .equ SBI_BASE,   0x10               # 0 version, 1 implementation, 2 its version, 3 is there extension a0?
    .equ SBI_TIME,   0x54494D45         # 0 set_timer(when)
    .equ SBI_IPI,    0x735049           # 0 send_ipi(hart mask, first hart)
    .equ SBI_RFENCE, 0x52464E43         # 0 fence_i(mask, first), 1 sfence_vma(mask, first, start, size), 2 with an ASID
    .equ SBI_HSM,    0x48534D           # 0 hart_start(hart, address, a1), 1 hart_stop(), 2 hart_get_status(hart)
    .equ SBI_SRST,   0x53525354         # 0 system_reset(type, reason)
    .equ SBI_DBCN,   0x4442434E         # 0 write(size, address low, address high)
    .equ SBI_LEGACY_PUTCHAR,  1         # the first version of the interface: one number, an answer in a0 only
    .equ SBI_LEGACY_GETCHAR,  2

    .equ SBI_NOT_SUPPORTED,     -2      # errors
    .equ SBI_INVALID_PARAM,     -3
    .equ SBI_ALREADY_AVAILABLE, -6

    .equ HART_STARTED, 0                # hart_get_status
    .equ HART_STOPPED, 1

    .macro sbi extension, function
    li      a7, \extension
    li      a6, \function
    ecall
    .endm

# The test finisher, a device of this board: a word written to it ends the machine.
    .equ FINISHER,      0x0010_0000
    .equ FINISHER_PASS, 0x5555
    .equ FINISHER_FAIL, 0x3333          # with a status in the upper half
