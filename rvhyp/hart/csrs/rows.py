"""What the rules of CSRs are attached to: rows of `rvhyp.isa.csr`, and the compiled table made of them."""
from rvhyp.isa.csr import CSRS
from rvhyp.isa.rule import load32, load64, rule, store64

# A row of the compiled table: 32 bytes for each of the 4,096 numbers.
ROW_BITS = 5
ROW_GATE, ROW_HYPERVISOR, ROW_READ, ROW_WRITE, ROW_TWIN, ROW_EXTENSION, ROW_STORAGE, ROW_MASK = 0, 1, 2, 3, 4, 6, 8, 16


def reads(*names):
    """Attach a rule `(h, number) -> value` to rows."""
    def attach(function):
        registered = rule(function)
        for name in names:
            CSRS[name].read = registered
        return registered
    return attach


def writes(*names):
    """Attach a rule `(h, number, value)` to rows."""
    def attach(function):
        registered = rule(function)
        for name in names:
            CSRS[name].write = registered
        return registered
    return attach


@rule
def write_stored(h, row, value):
    """Replace the writable bits of a row's word, if it has one."""
    storage = load32(row + ROW_STORAGE)
    if storage:
        mask = load64(row + ROW_MASK)
        store64(h + storage - 1, (load64(h + storage - 1) & ~mask) | (value & mask))
