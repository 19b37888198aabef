"""Physical memory protection (Privileged ISA, section "Physical Memory Protection")."""
from rvhyp.isa.cause import M
from rvhyp.isa.choices import PMP_COUNT, PMP_GRAIN
from rvhyp.isa.csr import PMP_ENTRIES
from rvhyp.isa.rule import BitField, rule

CFG_A = BitField("A", 3, 4)
CFG_L = BitField("L", 7)
A_OFF, A_TOR, A_NA4 = 0, 1, 2
R, W, X = 1, 2, 4
RWX = R | W | X
MIXED = 8                       # an entry matches some bytes of the range only: an access fails, a page may not be cached


@rule
def pmp_config(h, index):
    """The configuration byte of an entry."""
    return (h.pmpcfg[index >> 3] >> ((index & 7) << 3)) & 0xFF


@rule
def pmp_permissions(h, pa, size, prv):
    """R, W, X allowed to an access of `size` bytes at pa by privilege prv, or MIXED."""
    last = pa + size - 1
    below = (1 << PMP_GRAIN.get(h.choices)) - 1
    index = 0
    previous = 0
    while index < h.pmp_count:
        config = pmp_config(h, index)
        mode = CFG_A.get(config)
        address = h.pmpaddr[index] & ~below
        if mode != A_OFF:
            low = address << 2
            high = low + 4
            if mode == A_TOR:
                high = low
                low = previous << 2
            elif mode != A_NA4:
                region = h.pmpaddr[index] | (below >> 1)
                ones = region ^ (region + 1)
                low = (region & ~ones) << 2
                high = low + ((ones + 1) << 2)
            if (pa < high) & (last >= low) & (low < high):
                if (pa < low) | (last >= high):
                    return MIXED
                if (prv == M) & (CFG_L.get(config) == 0):
                    return RWX
                return config & RWX
        previous = address
        index += 1
    return RWX if (prv == M) | (PMP_COUNT.get(h.choices) == 0) else 0


@rule
def pmp_write_config(h, index, value):
    """Write pmpcfg2*index: locked bytes keep their value, W without R is reserved (kept as no W), NA4 wants the finest grain."""
    old = h.pmpcfg[index]
    new = 0
    byte = 0
    while byte < 8:
        was = (old >> (byte << 3)) & 0xFF
        now = (value >> (byte << 3)) & 0x9F
        if (now & (R | W)) == W:
            now = now & ~W
        if (CFG_A.get(now) == A_NA4) & (PMP_GRAIN.get(h.choices) != 0):
            now = now | CFG_A.mask
        if CFG_L.get(was):
            now = was
        new |= now << (byte << 3)
        byte += 1
    h.pmpcfg[index] = new
    count = 0
    entry = 0
    while entry < PMP_ENTRIES:
        if CFG_A.get(pmp_config(h, entry)) != A_OFF:
            count = entry + 1
        entry += 1
    h.pmp_count = count


@rule
def pmp_write_address(h, index, value):
    """Write pmpaddr: not if the entry is locked, nor if the next one is a locked TOR range that starts here."""
    if CFG_L.get(pmp_config(h, index)):
        return 0
    if index + 1 < PMP_ENTRIES:
        following = pmp_config(h, index + 1)
        if (CFG_L.get(following) != 0) & (CFG_A.get(following) == A_TOR):
            return 0
    h.pmpaddr[index] = value & 0x3F_FFFF_FFFF_FFFF
    return 0
