"""hstateen (Privileged ISA, chapter "Smstateen/Ssstateen").  mstateen is a word with a mask; a sstateen has nothing to enable.

A hart without these CSRs has all their bits 1, so that the gates they are stand open.
"""
from rvhyp.hart.csrs.rows import ROW_BITS, ROW_MASK, reads, writes
from rvhyp.isa.rule import load64

NAMES = tuple(f"hstateen{n}" for n in range(4))


@reads(*NAMES)
def read_hstateen(h, number):
    """A bit that is 0 in mstateen reads 0."""
    return h.hstateen[number & 3] & h.mstateen[number & 3]


@writes(*NAMES)
def write_hstateen(h, number, value):
    """... and keeps what it held."""
    mask = load64(h.csr_table + (number << ROW_BITS) + ROW_MASK) & h.mstateen[number & 3]
    h.hstateen[number & 3] = (h.hstateen[number & 3] & ~mask) | (value & mask)
