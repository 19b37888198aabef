"""CSRs: what reads and writes do, and who may.

Rows are in `rvhyp.isa.csr`.  The modules of this package have the rules of the CSRs that are more than a word with a write mask,
attached to their rows by `@reads(...)` and `@writes(...)`; a rule serves several rows where they are views of one register.
`csr_access` decides whether an instruction may, `csr_read` and `csr_write` do it.
"""
import struct

from rvhyp.hart.csrs import counters, floats, interrupts, stateen, status, translation  # noqa: F401  (their rules)
from rvhyp.hart.csrs.access import csr_access
from rvhyp.hart.csrs.rows import (
    ROW_BITS,
    ROW_EXTENSION,
    ROW_GATE,
    ROW_HYPERVISOR,
    ROW_MASK,
    ROW_READ,
    ROW_STORAGE,
    ROW_TWIN,
    ROW_WRITE,
    write_stored,
)
from rvhyp.hart.interrupt import SEIP
from rvhyp.hart.state import OFFSET
from rvhyp.isa.csr import CSRS
from rvhyp.isa.instruction import EXTENSIONS
from rvhyp.isa.rule import Dispatch, load8, load32, load64, rule


@rule
def csr_read(h, number):
    """The value of a CSR; no checks, no side effects."""
    row = h.csr_table + (number << ROW_BITS)
    special = load8(row + ROW_READ)
    if special:
        return csr_read_special(h, number, special)
    storage = load32(row + ROW_STORAGE)             # 1 + its offset in the record
    return load64(h + storage - 1) if storage else 0


@rule
def csr_write(h, number, value):
    """Write a CSR as software may; no checks."""
    row = h.csr_table + (number << ROW_BITS)
    special = load8(row + ROW_WRITE)
    if special:
        csr_write_special(h, number, value, special)
        return 0
    write_stored(h, row, value)
    return 0


@rule
def csr_modify_base(h, number, value):
    """What a read-modify-write starts from: of mip's SEIP, the software-written bit alone."""
    if number == 0x344:
        return (value & ~SEIP) | (h.software_interrupts & SEIP)
    return value


csr_read_special = Dispatch("csr_read_special", list(dict.fromkeys(row.read for row in CSRS.values() if row.read)))
csr_write_special = Dispatch("csr_write_special", list(dict.fromkeys(row.write for row in CSRS.values() if row.write)))


def csr_table() -> bytes:
    """The rows as csr_access, csr_read and csr_write look them up."""
    table = bytearray(4096 << ROW_BITS)
    for row in CSRS.values():
        at = row.number << ROW_BITS
        table[at + ROW_GATE] = row.gate
        table[at + ROW_HYPERVISOR] = row.hypervisor
        table[at + ROW_READ] = csr_read_special.number(row.read)
        table[at + ROW_WRITE] = csr_write_special.number(row.write)
        twin = CSRS[row.twin].number if row.twin else 0
        storage = OFFSET[row.storage] + 8 * row.index + 1 if row.storage else 0
        struct.pack_into("<HxxI", table, at + ROW_TWIN, twin, storage)
        table[at + ROW_EXTENSION] = EXTENSIONS[row.extension].number
        struct.pack_into("<Q", table, at + ROW_MASK, row.writable)
    return bytes(table)


__all__ = ["csr_access", "csr_modify_base", "csr_read", "csr_table", "csr_write"]
