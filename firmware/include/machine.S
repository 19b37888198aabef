# Names of what M-mode sees.  Privileged ISA, "Machine-Level ISA" and "Hypervisor Extension".

    .equ MSTATUS_MPP,   3 << 11         # the mode to return to
    .equ MPP_S,         1 << 11
    .equ MSTATUS_MPV,   1 << 39         # virtualization mode to return to
    .equ MISA_H,        1 << 7          # 'h' - 'a'
    .equ ECALL_FROM_S,  9               # mcause
    .equ ECALL_FROM_VS, 10
    .equ ECALL_FROM_M,  11
    .equ PMP_ALL,       0x1f            # readable, writable, executable; a region of a power of two
