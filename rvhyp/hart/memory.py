"""System physical memory as rules see it: RAM regions, the pages with decoded code, the watched range."""
from rvhyp.hart.state import OFFSET
from rvhyp.isa.rule import load8, load16, load32, load64, rule, store8, store16, store32, store64

REGION_BASE, REGION_SIZE = OFFSET["region_base"], OFFSET["region_size"]
WATCH_BLOCKS = OFFSET["watch_blocks"]


@rule
def ram_region(h, pa, size):
    """1 + the number of the RAM region that holds pa..pa+size-1; 0 if none does."""
    index = 0
    while index < h.region_count:
        inside = pa - h.region_base[index]
        if (inside < h.region_size[index]) & (h.region_size[index] - inside >= size):
            return index + 1
        index += 1
    return 0


@rule
def ram_host(h, pa, size):
    """Host address of RAM at pa; 0 if pa..pa+size-1 is not RAM."""
    region = ram_region(h, pa, size)
    if region == 0:
        return 0
    return h.region_host[region - 1] + (pa - h.region_base[region - 1])


@rule
def code_page_entry(h, pa):
    """Host address of the word that leads from a page of RAM to its decoded code (0: none); 0 outside RAM."""
    region = ram_region(h, pa, 1)
    if region == 0:
        return 0
    return h.region_pages[region - 1] + (((pa - h.region_base[region - 1]) >> 12) << 3)


@rule
def load_sized(host, size):
    """1, 2, 4 or 8 bytes, zero-extended."""
    if size == 8:
        return load64(host)
    if size == 4:
        return load32(host)
    if size == 2:
        return load16(host)
    return load8(host)


@rule
def store_sized(host, size, value):
    """Store the low 1, 2, 4 or 8 bytes."""
    if size == 8:
        store64(host, value)
    elif size == 4:
        store32(host, value)
    elif size == 2:
        store16(host, value)
    else:
        store8(host, value)


@rule
def is_watched(h, pa, size):
    """Whether pa..pa+size-1 touches the range whose stores the machine wants to see."""
    return 1 if (pa < h.watch_high) & (pa + size > h.watch_low) else 0


@rule
def noticed_blocks(h, pa):
    """Of a page of RAM in which some stores must be noticed, the host address of a word with a bit for each such 64-byte block.

    0 if no store must be; 1 if every store must, since there are decoded code and watched bytes in it.
    """
    code = load64(code_page_entry(h, pa))
    if is_watched(h, pa & ~0xFFF, 4096) == 0:
        return code + HEADER_BLOCKS if code else 0
    last = h.watch_high - 1
    if (code != 0) | ((h.watch_low ^ last) > 0xFFF):
        return 1
    first = (h.watch_low >> 6) & 63
    h.watch_blocks = ((2 << (((last >> 6) & 63) - first)) - 1) << first
    return h + WATCH_BLOCKS


@rule
def write_ram(h, pa, host, size, value):
    """A store of the hart or of a device to RAM."""
    store_sized(host, size, value)
    notice_store(h, pa, size)


@rule
def notice_store(h, pa, size):
    """Keeps decoded code and watchers informed of a store to a page of RAM."""
    entry = code_page_entry(h, pa)
    if load64(entry):
        code_written(h, load64(entry), pa, size)
    if is_watched(h, pa, size):
        h.watch_hit = 1


@rule
def notice_write(h, pa, size):
    """The host has written RAM at pa: decoded code of these bytes is forgotten."""
    while size != 0:
        part = 4096 - (pa & 0xFFF)
        if part > size:
            part = size
        entry = code_page_entry(h, pa)
        if entry:
            if load64(entry):
                code_written(h, load64(entry), pa, part)
        pa += part
        size -= part


# A page of decoded code (laid out by rvhyp.engine.codepages): one uop of 16 bytes for each half-word.
UOP_BYTES, UOP_LENGTH, SLOTS = 16, 15, 2048
UOPS_IN_PAGE = SLOTS + 4
HEADER = UOP_BYTES * UOPS_IN_PAGE + 2 * UOPS_IN_PAGE        # after the uops and the depths
HEADER_UNDECODED, HEADER_PAGE_END, HEADER_PA, HEADER_HOST, HEADER_CODE, HEADER_BLOCKS = (HEADER + 8 * n for n in range(6))
PAGE_BYTES = (HEADER + 48 + 63) & ~63


@rule
def code_written(h, page, pa, size):
    """If a store hit the bytes of a decoded instruction, forget the page's decoded code; it is decoded again when it runs."""
    undecoded = load64(page + HEADER_UNDECODED)
    slot = (pa & 0xFFF) >> 1
    last = ((pa & 0xFFF) + size - 1) >> 1
    hit = 0
    if slot > 0:
        before = page + ((slot - 1) << 4)
        if (load64(before) != undecoded) & (load8(before + UOP_LENGTH) == 4):
            hit = 1
    while slot <= last:
        if load64(page + (slot << 4)) != undecoded:
            hit = 1
        slot += 1
    if hit:
        forget_code(h, page)


@rule
def forget_code(h, page):
    """Mark every slot of a page undecoded, with nothing to count.  Operands stay: the uop that stored still wants its own."""
    undecoded = load64(page + HEADER_UNDECODED)
    slot = 0
    while slot < SLOTS:
        store64(page + (slot << 4), undecoded)
        slot += 1
    slot = 0
    while slot < SLOTS:
        store16(page + UOP_BYTES * UOPS_IN_PAGE + (slot << 1), 0)
        slot += 1
    store64(page + HEADER_BLOCKS, 0)
    h.resync = 1
