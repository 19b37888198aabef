"""Where everything lies in a batch's image: one image holds many programs, each in a slot of its own.

    80000000  nothing: addresses such as 0x8000_0000 are corners of operands, and harm nobody here
    80010000  the harness (harness.S)          80018000  the page that HS and VS trap to
    80020000  its context, and what the last program left
    80030000  two pages of data that programs load and store
    80033000  LOCKED_SIZE bytes that no mode may store to: an entry of PMP that is locked
    80040000  page tables: of HS, of VS (80050000), of the G-stage (80060000)
    80100000  results: for each slot a digest, one of what the manual leaves open, and the number of instructions
    80200000  code, SLOT_SIZE bytes for each slot
    80400000  records: the state that each program starts in
    80600000  code of variants, see `variants` in harness.py
"""
from __future__ import annotations

from rvhyp.isa.csr import CSRS
from rvhyp.machine import memory_map

RAM_BASE, RAM_SIZE = 0x8000_0000, 8 << 20
PAGE = 4096
HARNESS, PAD, PAD_SRET = 0x8001_0000, 0x8001_8000, 0x100
CONTEXT = 0x8002_0000                   # its bit 17 is MPRV's, see harness.S
FRAMES = 0x8003_0000
MSIP, MTIMECMP = memory_map.CLINT.base, memory_map.CLINT.base + 0x4000     # of hart 0
ALIAS = 0x8003_4000                     # the virtual page where a program may find its code again
LOCKED, LOCKED_SIZE = 0x8003_3000, 64
HS_TABLES, VS_TABLES, G_TABLES, TABLES_END = 0x8004_0000, 0x8005_0000, 0x8006_0000, 0x8008_0000
RESULTS, RESULT_SIZE = 0x8010_0000, 32
CODE, SLOT_SIZE = 0x8020_0000, 1024
RECORDS, RECORD_SIZE = 0x8040_0000, 2048
STAGE = 0x8060_0000                     # code of variants of one program, which run at its place in turn
SLOTS = 1024                            # a program's slot is its number modulo this, so its addresses depend on nothing else
EDGE = 0x100                            # programs touch this many bytes at both ends of each page of data

# Entries 0 to 7 of PMP as the harness has them: 0 to 2 NAPOT, the last of these locked, 7 TOR, to be read, locked.
PMPCFG0 = 0x8900_0000_0098_1818

# The CSRs that a program's state has, in the order in which they are written: those first that open or mask others.
STATE = ("pmpaddr3", "pmpaddr4", "pmpaddr5", "pmpcfg0",
         "menvcfg", "mcounteren", "medeleg", "mideleg", "hedeleg", "hideleg", "hcounteren", "scounteren", "henvcfg", "senvcfg",
         "hstatus", "vsstatus", "satp", "vsatp", "hgatp", "stvec", "vstvec", "sscratch", "sepc", "scause", "stval", "htval",
         "htinst", "vsscratch", "vsepc", "vscause", "vstval", "mtval2", "mtinst", "mie", "hvip", "mip", "htimedelta",
         "mcause", "mtval", "fcsr", "mstatus", "mepc",
         "mstateen0", "mstateen1", "mstateen2", "mstateen3", "hstateen0", "hstateen1", "hstateen2", "hstateen3")
STATEEN = {name: CSRS[name].number for name in STATE if "stateen" in name}      # a hart may have none of these
UNSAID = {name: (1 << 64) - 1 for name in STATEEN}      # what CSRs are that a state says nothing of, where it is not 0
TRAP = ("mcause", "mtval", "mepc", "mstatus")       # what is recorded of every trap into M
H_TRAP = ("mtval2", "mtinst")                       # ... while misa.H is 1
HS_TRAP = ("scause", "sepc", "stval", "sstatus")
HS_H_TRAP = ("htval", "htinst", "hstatus")
VS_TRAP = ("vscause", "vsepc", "vstval", "vsstatus")

# A record, in words of 64 bits.
R_X, R_F, R_CSR = 0, 32, 64
R_LENGTH = R_CSR + len(STATE)           # bytes of code; 0: the slot is empty
R_TRAPS = R_LENGTH + 1                  # the program ends at this many traps
R_SEED = R_LENGTH + 2                   # of the contents of the pages of data
R_POKES = R_LENGTH + 3                  # how many words of memory (page-table entries) are set before, and cleared afterwards
R_WITHOUT = R_LENGTH + 4                # bits of misa that are cleared when the program begins
R_POKE = R_LENGTH + 5                   # pairs of address and value
RECORD_WORDS = RECORD_SIZE // 8
MAX_POKES = (RECORD_WORDS - R_POKE) // 2

# What a program left, in words behind the context; the digest is over these, the data, and the words that were poked.
DUMP_X, DUMP_F, DUMP_CSR = 0, 32, 64
DUMP_TRAPS = DUMP_CSR + len(STATE)      # a digest of all traps' records
DUMP_WORDS = DUMP_TRAPS + 1
DUMP = CONTEXT + 0x400
DUMP_NAMES = tuple([f"x{n}" for n in range(32)] + [f"f{n}" for n in range(32)] + list(STATE) + ["traps"])

MIX = 0x9E37_79B9_7F4A_7C15             # the multiplier of all digests


def slot_code(slot: int) -> int:
    """Physical address of a slot's code."""
    return CODE + slot * SLOT_SIZE


def slot_record(slot: int) -> int:
    """Physical address of a slot's record."""
    return RECORDS + slot * RECORD_SIZE
