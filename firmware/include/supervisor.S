# Names of what S-mode sees: bits of its CSRs, causes of its traps, page table entries.
# Privileged ISA, "Supervisor-Level ISA".

# sstatus
    .equ SSTATUS_SIE,   1 << 1          # interrupts are taken in S-mode
    .equ SSTATUS_SPIE,  1 << 5          # what SIE was before the trap
    .equ SSTATUS_SPP,   1 << 8          # the trap came from S-mode (else from U-mode)
    .equ SSTATUS_FS,    3 << 13         # floating point: 0 off, 1 initial, 2 clean, 3 dirty
    .equ SSTATUS_SUM,   1 << 18         # S-mode may access pages of U-mode
    .equ SSTATUS_MXR,   1 << 19         # executable pages may be read
    .equ FS_INITIAL,    1 << 13

# sie, sip: one bit per interrupt, and its number in scause
    .equ SOFTWARE_INTERRUPT, 1
    .equ TIMER_INTERRUPT,    5
    .equ EXTERNAL_INTERRUPT, 9
    .equ SSIP, 1 << SOFTWARE_INTERRUPT
    .equ STIP, 1 << TIMER_INTERRUPT
    .equ SEIP, 1 << EXTERNAL_INTERRUPT
    .equ INTERRUPT, 1 << 63             # scause: an interrupt, not an exception

# scause: exceptions
    .equ FETCH_ACCESS_FAULT,    1
    .equ ILLEGAL_INSTRUCTION,   2
    .equ BREAKPOINT,            3
    .equ LOAD_ACCESS_FAULT,     5
    .equ STORE_ACCESS_FAULT,    7
    .equ ECALL_FROM_U,          8
    .equ FETCH_PAGE_FAULT,      12
    .equ LOAD_PAGE_FAULT,       13
    .equ STORE_PAGE_FAULT,      15

# Sv39: three levels of 512 entries; an entry has the page number from bit 10 on, and these bits
    .equ PTE_V, 1 << 0
    .equ PTE_R, 1 << 1
    .equ PTE_W, 1 << 2
    .equ PTE_X, 1 << 3
    .equ PTE_U, 1 << 4
    .equ PTE_G, 1 << 5
    .equ PTE_A, 1 << 6
    .equ PTE_D, 1 << 7
    .equ PTE_SHIFT, 2                   # a page's address, shifted down by this, is its number in place
    .equ PTE_RWX, PTE_R | PTE_W | PTE_X
    .equ PTE_KERNEL, PTE_V | PTE_RWX | PTE_G | PTE_A | PTE_D
    .equ PAGE, 1 << 12
    .equ GIB, 1 << 30                   # what one entry of the root table covers
    .equ SATP_SV39, 8 << 60
    .equ SATP_ASID, 44                  # position of the address space's number
