# Names from the Privileged ISA: causes, fields of CSRs, bits of page-table entries.

# A mode, as MPP and MPV of mstatus say it.
    .equ MPP,           3 << 11
    .equ MPV,           1 << 39
    .equ M,             3 << 11
    .equ HS,            1 << 11
    .equ U,             0
    .equ VS,            1 << 39 | 1 << 11
    .equ VU,            1 << 39

    .equ FETCH_ACCESS_FAULT,    1
    .equ ILLEGAL,               2
    .equ BREAKPOINT,            3
    .equ LOAD_MISALIGNED,       4
    .equ LOAD_ACCESS_FAULT,     5
    .equ STORE_MISALIGNED,      6
    .equ STORE_ACCESS_FAULT,    7
    .equ ECALL_U,               8
    .equ ECALL_HS,              9
    .equ ECALL_VS,              10
    .equ ECALL_M,               11
    .equ FETCH_PAGE_FAULT,      12
    .equ LOAD_PAGE_FAULT,       13
    .equ STORE_PAGE_FAULT,      15
    .equ DOUBLE_TRAP,           16
    .equ FETCH_GUEST_PAGE_FAULT, 20
    .equ LOAD_GUEST_PAGE_FAULT, 21
    .equ VIRTUAL,               22
    .equ STORE_GUEST_PAGE_FAULT, 23
    .equ INTERRUPT,             1 << 63
    .equ PTE_READ,              0x3000      # htinst and mtinst: the hart read a VS-stage PTE
    .equ PTE_WRITE,             0x3020      # ... or wrote one

    .equ SSI,           1               # interrupt codes
    .equ VSSI,          2
    .equ MSI,           3
    .equ STI,           5
    .equ VSTI,          6
    .equ MTI,           7
    .equ SEI,           9
    .equ VSEI,          10
    .equ LCOFI,         13
    .equ VS_INTERRUPTS, 1 << 2 | 1 << 6 | 1 << 10
    .equ S_INTERRUPTS,  1 << 1 | 1 << 5 | 1 << 9

    .equ MSTATUS_SIE,   1 << 1          # the same bits in sstatus and vsstatus
    .equ MSTATUS_MIE,   1 << 3
    .equ MSTATUS_SPIE,  1 << 5
    .equ MSTATUS_MPIE,  1 << 7
    .equ MSTATUS_SPP,   1 << 8
    .equ MSTATUS_FS,    3 << 13
    .equ FS_CLEAN,      2 << 13
    .equ MSTATUS_MPRV,  1 << 17
    .equ MSTATUS_SUM,   1 << 18
    .equ MSTATUS_MXR,   1 << 19
    .equ MSTATUS_TVM,   1 << 20
    .equ MSTATUS_TW,    1 << 21
    .equ MSTATUS_TSR,   1 << 22
    .equ MSTATUS_SDT,   1 << 24
    .equ MSTATUS_GVA,   1 << 38
    .equ MSTATUS_SD,    1 << 63
    .equ HSTATUS_GVA,   1 << 6
    .equ HSTATUS_SPV,   1 << 7
    .equ HSTATUS_SPVP,  1 << 8
    .equ HSTATUS_HU,    1 << 9
    .equ HSTATUS_VTVM,  1 << 20
    .equ HSTATUS_VTW,   1 << 21
    .equ HSTATUS_VTSR,  1 << 22
    .equ ENVCFG_CBIE_FLUSH, 1 << 4
    .equ ENVCFG_CBIE,   3 << 4
    .equ ENVCFG_CBCFE,  1 << 6
    .equ ENVCFG_CBZE,   1 << 7
    .equ ENVCFG_DTE,    1 << 59
    .equ ENVCFG_ADUE,   1 << 61
    .equ ENVCFG_PBMTE,  1 << 62
    .equ ENVCFG_STCE,   1 << 63
    .equ MISA_H,        1 << 7
    .equ COUNTEREN_TM,  1 << 1
    .equ STATEEN_ENVCFG, 1 << 62
    .equ STATEEN_SE,    1 << 63
    .equ HPMEVENT_OF,   1 << 63
    .equ HPMEVENT_MINH, 1 << 62
    .equ HPMEVENT_SINH, 1 << 61
    .equ HPMEVENT_UINH, 1 << 60
    .equ HPMEVENT_VSINH, 1 << 59
    .equ HPMEVENT_VUINH, 1 << 58

    .equ SV39,          8 << 60
    .equ SV48,          9 << 60
    .equ SV57,          10 << 60
    .equ ATP_MODE,      15 << 60
    .equ ASID,          44              # where ASID and VMID begin
    .equ ASID_1,        1 << 44
    .equ PTE_V,         1 << 0
    .equ PTE_R,         1 << 1
    .equ PTE_W,         1 << 2
    .equ PTE_X,         1 << 3
    .equ PTE_U,         1 << 4
    .equ PTE_G,         1 << 5
    .equ PTE_A,         1 << 6
    .equ PTE_D,         1 << 7
    .equ PTE_N,         1 << 63
    .equ PTE_NC,        1 << 61         # PBMT
    .equ PTE_IO,        2 << 61
    .equ RWX,           PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D   # a page with every permission, of privilege S
    .equ RWXU,          RWX | PTE_U                                     # ... of privilege U, as all of the G-stage
    .equ PAGE,          1 << 12
    .equ MIB2,          1 << 21         # what an entry covers one level above the last
    .equ GIB,           1 << 30         # ... and two levels

    .equ ECALL_INSN,    0x0000_0073
    .equ C_NOP_INSN,    0x0001
    .equ NOP_INSN,      0x0000_0013
    .equ EBREAK_INSN,   0x0010_0073
    .equ PMP_NAPOT,     0x18            # pmpcfg: a region of a power of two
    .equ PMP_RWX,       7
