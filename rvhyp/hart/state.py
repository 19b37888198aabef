"""The hart record: every word of state that a hart has, in one block of memory at one host address.

Interpreter, rules, plain Python and the monitor all see this block; compiled code reaches a field by its offset, Python by
`hart.mstatus` or `hart.x[10]`.  All fields are 64-bit words.  The integer registers come first, so that a register operand
is an index of a word: 0..31 for x0..x31, 32 for the sink that swallows writes to x0, 64..95 for f0..f31.
"""
from __future__ import annotations

import ctypes
import mmap

from rvhyp.isa.choices import DEFAULT_WORD
from rvhyp.isa.csr import (
    CSRS,
    HSTATUS_VSXL,
    MEDELEG_WRITABLE,
    MENVCFG_WRITABLE,
    MSTATUS_SXL,
    MSTATUS_UXL,
)
from rvhyp.isa.rule import RECORDS
from rvhyp.isa.word import Word, u64

SINK, F0 = 32, 64
TLB_BITS = 10
TLB_ENTRIES = 1 << TLB_BITS
MIXED_ENTRIES = 64
KEPT_WAYS, KEPT_SPANS = 32, (1, 2, 4, 8, 0)                     # of kept pages: as many for each size of accesses, 0 for others
KEPT = KEPT_WAYS * len(KEPT_SPANS)
TABLE_PAGES = 256               # pages of page tables that are remembered
SECOND_ENTRIES = 1 << 15         # of the second-level TLB, 16 bytes each, in a mapping of its own: touched as it is used
CONTEXTS = 256                  # slots of the context table, a hash of the key
RAM_REGIONS = 32

# (name, words).  What a rule may not touch through a CSR is here; CSRs with storage follow below.
_FIELDS = [
    ("x", 64), ("f", 32),
    # Where the hart is.
    ("pc", 1), ("next_pc", 1), ("prv", 1), ("v", 1), ("insn", 1),
    # Budget: the engine returns when instret reaches quantum_end.  `budget` counts down to the end of the slice (next timer
    # event or end of the quantum), so the number of retired instructions is always slice_end - budget.
    ("budget", 1), ("slice_end", 1), ("quantum_end", 1),
    # What a rule tells the shell that called it: FAULT_* and the trap to take, or why to leave.
    ("fault", 1), ("resync", 1), ("reason", 1),
    ("trap_cause", 1), ("trap_tval", 1), ("trap_gva", 1), ("trap_tval2", 1), ("trap_inst", 1), ("trap_offset", 1),
    ("trap_instret", 1), ("trap_repeats", 1), ("traps", 1),
    ("stop_at_traps", 1),                   # not 0: leave the engine when one is taken, whatever its mode
    # A device access: performed by Python between two runs of the same instruction.
    ("mmio_address", 1), ("mmio_size", 1), ("mmio_is_write", 1), ("mmio_value", 1), ("mmio_done", 1),
    # AMO in two halves; the reservation (system physical address + 1, or 0), and what LR loaded.
    ("amo_host", 1), ("amo_spa", 1), ("reservation", 1), ("reserved_value", 1),
    # The page of decoded code being run, pc == (uop >> 3) + bias.
    ("page", 1), ("bias", 1),
    # Translation contexts: tag bits of the TLBs, and the slots of the context table they come from.
    ("fetch_context", 1), ("data_context", 1), ("fetch_slot", 1), ("data_slot", 1), ("next_context", 1),
    ("leaf_bits", 1), ("page_is_whole", 1), # of the last translation: its first-stage page; whether PMP splits its page
    ("addend", 1),                          # of the entry last filled
    ("second_tlb", 1), ("generation", 1),   # where it is, 0: nothing is kept of walks; what makes its entries count
    # Not 0 where a floating-point instruction may not simply run: see FP_* below.
    ("fp_gate", 1), ("fflags_before", 1),
    # Not 0 while the engine runs: the host's floating-point unit is the hart's.
    ("running", 1),
    # Interrupt wires (bits of mip), software-set bits of mip, the clock.
    ("wires", 1), ("software_interrupts", 1),
    ("cycles_per_tick", 1), ("skipped_cycles", 1), ("mtimecmp", 1),
    ("host_clock", 1), ("clock_zero", 1),   # clock_gettime of the host, if time is the host's, and its tick when mtime was 0
    # Counters, by their numbers (rvhyp.hart.counters): which of them run, which count traps; when the next one overflows, and
    # which ones then do; whether some count in some modes only.  CSRs hold the rest.
    ("counters_running", 1), ("counters_of_traps", 1), ("counters_due", 1), ("counters_full", 1), ("counters_filtered", 1),
    # The machine around the hart.
    ("monitor", 1),                         # MONITOR_*: what becomes of a trap into HS
    # Of its handler stub: what it costs the guest in cycles, instret where it was entered (or NOT_IN_STUB).
    ("stub_cycles", 1), ("stub_instret", 1),
    ("extensions", 1), ("pmp_count", 1),    # pmp_count: entries up to the last that is on
    # What it does where the manual leaves a choice (rvhyp.isa.choices), and which bits can be written for that reason or another.
    ("choices", 1), ("medeleg_writable", 1), ("menvcfg_writable", 1),
    ("region_count", 1), ("region_base", RAM_REGIONS), ("region_size", RAM_REGIONS), ("region_host", RAM_REGIONS),
    ("region_pages", RAM_REGIONS),
    ("watch_low", 1), ("watch_high", 1), ("watch_hit", 1), ("watch_blocks", 1),
    ("next_hart", 1),
    # Harts that run at the same time (rvhyp.hart.peers): the ring of them, where their epoch is (0: there are none: it is the
    # first one's `epoch_count`), which one this hart has seen, and its list of stale pages.
    ("next_peer", 1), ("epoch", 1), ("epoch_count", 1), ("epoch_seen", 1), ("stale", 1), ("stale_lock", 1),
    ("coverage", 1),                        # what rvhyp.engine.coverage keeps of a covered run; 0 in any other
    # Constant tables of the core, and the pool of decoded pages (rvhyp.engine.codepages).
    ("code_base", 1), ("handlers", 1), ("handler_flags", 1), ("csr_table", 1), ("decode_buckets", 1), ("decode_rows", 1),
    ("imm_formats", 1), ("expansions", 1), ("fusions", 1), ("compressed_extension", 1),
    ("pool", 1), ("scratch", 1), ("worklist", 1), ("work_top", 1), ("work_lines", 1),
    ("translated_low", 1), ("translated_high", 1),      # where code of rvhyp.engine.translator lies
    # ... and functions of the core that it calls.
    ("fill_read", 1), ("fill_write", 1), ("keep_read", 1), ("keep_write", 1), ("keep_either", 1), ("clear_kept", 1),
    ("kept_context", 1),                                # data_context, as long as what is in `kept_...` holds
    ("translated_retired", 1),                          # instructions retired there, by code that counts them (Demands.counted)
    ("in_region", 1), ("tended", 1),                    # not 0: it ended the last slice; instret when that was last looked at
]
_STORED: dict[str, int] = {}
for _row in CSRS.values():
    if _row.storage:
        _STORED[_row.storage] = max(_row.index + 1, _STORED.get(_row.storage, 1))
_FIELDS += _STORED.items()
_FIELDS += [
    ("contexts", CONTEXTS * 4),             # key, id << 3, lowest and highest address mapped by superpages
    ("fetch_tlb", TLB_ENTRIES * 2), ("read_tlb", TLB_ENTRIES * 2), ("write_tlb", TLB_ENTRIES * 2),   # tag, addend
    ("mixed_tlb", MIXED_ENTRIES * 4),       # stores to pages with decoded code: tag, addend, address of the blocks that have some
    # Pages that translated code found last (rvhyp.engine.translator.groups): bytes from its start at which an access there may
    # begin, 0 where nothing is kept; address; addend.
    ("kept_limit", KEPT), ("kept_page", KEPT), ("kept_addend", KEPT),
    ("table_pages", TABLE_PAGES * 4),       # pages of page tables: (guest) physical page, hgatp, host address
]

OFFSET: dict[str, int] = {}     # field -> byte offset in the record
COUNT: dict[str, int] = {}      # field -> words
_at = 0
for _name, _count in _FIELDS:
    OFFSET[_name], COUNT[_name] = _at, _count
    _at += 8 * _count
SIZE = _at

# h.fault
FAULT_TRAP = 1                  # the instruction traps: trap_* say how
FAULT_LEAVE = 2                 # the instruction cannot go on in the engine: reason says why; run it again

# h.mmio_done: what became of the device access that the engine left for
MMIO_OK, MMIO_REFUSED = 1, 2

# h.fp_gate
FP_OFF = 1                      # FS is Off (in sstatus, or with V=1 in vsstatus): illegal instruction
FP_CLEAN = 2                    # FS is not Dirty in both: an instruction that changes state must set it first
FP_MODE = 4                     # frm is not one that the host can do (RMM or reserved)

# h.monitor
MONITOR_PYTHON = 1              # the engine returns
MONITOR_STUB = 2                # ... unless it is an ECALL of VS-mode: the code at stvec goes first
NOT_IN_STUB = (1 << 64) - 1

# Why the engine returned, h.reason.
REASON_BUDGET = 1               # quantum_end reached
REASON_HS_TRAP = 2              # a trap into HS, with a monitor attached
REASON_MMIO = 3                 # an access to the bus, before it happens
REASON_WATCH = 4                # a store to the watched range (HTIF) has retired
REASON_WFI = 5                  # waiting, and nothing pending
REASON_TRAP_LOOP = 6            # a thousand traps without one retired instruction
REASON_TRAP = 7                 # a trap was taken, and stop_at_traps asks to be told
REASON_NAMES = {7: "trap", 1: "budget", 2: "HS trap", 3: "MMIO", 4: "watched store", 5: "WFI", 6: "trap loop"}


class _Scalar:
    """A word field of the record, as an attribute."""

    def __init__(self, name: str):
        self.index = OFFSET[name] // 8

    def __get__(self, hart, owner=None) -> Word:
        return self if hart is None else u64(hart.words[self.index])

    def __set__(self, hart, value) -> None:
        hart.words[self.index] = value


class Words:
    """A field of several words; indexing gives words."""

    def __init__(self, words):
        self._words = words

    def __getitem__(self, index) -> Word:
        return u64(self._words[index])

    def __setitem__(self, index, value) -> None:
        self._words[index] = value

    def __len__(self) -> int:
        return len(self._words)


class Hart:
    """A hart at reset: M-mode, V=0, all of it in `words` (a memoryview of u64 at host address `address`).

    `hart + offset` is a host address, so that rules can compute with the record as compiled code does.
    """

    def __init__(self, mhartid: int = 0):
        self._map = mmap.mmap(-1, SIZE + mmap.PAGESIZE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.words = memoryview(self._map)[:SIZE].cast("Q")
        for name, count in COUNT.items():
            if count > 1:
                start = OFFSET[name] // 8
                setattr(self, name, Words(self.words[start:start + count]))
        self._second = mmap.mmap(-1, 16 * SECOND_ENTRIES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.second_tlb = ctypes.addressof(ctypes.c_char.from_buffer(self._second))
        self.next_hart = self.next_peer = self.address
        RECORDS[self.address] = self
        self.reset(mhartid)

    def __add__(self, offset) -> Word:
        return u64(self.address + int(offset))

    def __index__(self) -> int:
        return self.address

    def reset(self, mhartid: int) -> None:
        """Machine mode, no translation, interrupts off (Privileged ISA, section "Reset"); misa says RV64IMAFDCHSU."""
        self.prv, self.v = 3, 0
        self.mhartid = mhartid
        self.misa = 2 << 62 | sum(1 << ord(letter) - ord("A") for letter in "IMAFDCHSU")
        self.mstatus = MSTATUS_UXL.put(u64(0), 2) | MSTATUS_SXL.put(u64(0), 2)
        self.vsstatus = MSTATUS_UXL.put(u64(0), 2)
        self.hstatus = HSTATUS_VSXL.put(u64(0), 2)
        self.stimecmp = self.vstimecmp = self.mtimecmp = (1 << 64) - 1
        self.mideleg = 1 << 2 | 1 << 6 | 1 << 10
        self.cycles_per_tick = 100
        self.extensions = (1 << 64) - 1
        self.choices = DEFAULT_WORD
        self.medeleg_writable, self.menvcfg_writable = MEDELEG_WRITABLE, MENVCFG_WRITABLE
        self.watch_low = (1 << 64) - 1
        self.stub_instret = NOT_IN_STUB
        self.fp_gate = FP_OFF
        self.counters_running, self.counters_due = 0b101, (1 << 64) - 1
        self.mhpmevent[0], self.mhpmevent[2] = 1, 2             # the events of cycle and instret
        self.trap_instret = (1 << 64) - 1
        for table in ("fetch_tlb", "read_tlb", "write_tlb"):
            words = getattr(self, table)
            for index in range(0, 2 * TLB_ENTRIES, 2):
                words[index] = (1 << 64) - 1
        for index in range(0, 4 * MIXED_ENTRIES, 4):
            self.mixed_tlb[index] = (1 << 64) - 1


for _name, _count in COUNT.items():
    if _count == 1:
        setattr(Hart, _name, _Scalar(_name))
