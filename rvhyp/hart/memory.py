"""System physical memory as rules see it: RAM regions, the pages with decoded code, the watched range."""
from rvhyp.hart.peers import (
    ENTRY_BLOCKS,
    ENTRY_NEXT,
    ENTRY_PAGE,
    ENTRY_SHIFT,
    ON_LIST,
    next_peer_of,
    take_list,
    written_by_peer,
)
from rvhyp.hart.state import OFFSET
from rvhyp.isa.rule import barrier, load8, load16, load32, load64, record, rule, store8, store16, store32, store64

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
    """Host address of the entry that leads from a page of RAM to its decoded code (rvhyp.hart.peers); 0 outside RAM."""
    region = ram_region(h, pa, 1)
    if region == 0:
        return 0
    return h.region_pages[region - 1] + (((pa - h.region_base[region - 1]) >> 12) << ENTRY_SHIFT)


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
    entry = code_page_entry(h, pa)
    code = load64(entry + ENTRY_PAGE)
    if h.epoch:
        if peers_have_code(h, pa):
            return 1
    if is_watched(h, pa & ~0xFFF, 4096) == 0:
        return entry + ENTRY_BLOCKS if code else 0
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
    if load64(entry + ENTRY_PAGE):
        code_written(h, load64(entry + ENTRY_PAGE), pa, size)
    if h.epoch:
        barrier()
        tell_peers(h, pa, size)
    if is_watched(h, pa, size):
        h.watch_hit = 1


@rule
def blocks_of(pa, size):
    """The 64-byte blocks of pa..pa+size-1, which is within a page, as bits."""
    first = (pa >> 6) & 63
    return ((2 << (((pa + size - 1) >> 6 & 63) - first)) - 1) << first


@rule
def tell_peers(h, pa, size):
    """The other harts that run at the same time may have decoded what has been written to."""
    other = h.next_peer
    while other != h + 0:
        written_by_peer(record(other), code_page_entry(record(other), pa), blocks_of(pa, size))
        other = next_peer_of(record(other))


@rule
def peers_have_code(h, pa):
    """Whether another hart that runs at the same time has decoded code of a page."""
    other = h.next_peer
    while other != h + 0:
        if load64(code_page_entry(record(other), pa) + ENTRY_BLOCKS):
            return 1
        other = next_peer_of(record(other))
    return 0


@rule
def notice_write(h, pa, size):
    """The host has written RAM at pa: decoded code of these bytes is forgotten.

    Of harts that run at the same time `h` may be on another thread now, as all the others: it must execute FENCE.I, as they must.
    """
    while size != 0:
        part = 4096 - (pa & 0xFFF)
        if part > size:
            part = size
        entry = code_page_entry(h, pa)
        if entry:
            if h.epoch:
                barrier()
                tell_peers(h, pa, part)
                written_by_peer(h, entry, blocks_of(pa, part))
            elif load64(entry + ENTRY_PAGE):
                code_written(h, load64(entry + ENTRY_PAGE), pa, part)
        pa += part
        size -= part


# A page of decoded code (laid out by rvhyp.engine.codepages): one uop of 16 bytes for each half-word.
UOP_BYTES, UOP_LENGTH, SLOTS = 16, 15, 2048
UOPS_IN_PAGE = SLOTS + 4
HEADER = UOP_BYTES * UOPS_IN_PAGE + 2 * UOPS_IN_PAGE        # after the uops and the depths
HEADER_UNDECODED, HEADER_PAGE_END, HEADER_PA, HEADER_HOST, HEADER_CODE = (HEADER + 8 * n for n in range(5))
PAGE_BYTES = (HEADER + 40 + 63) & ~63


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
    """Mark every slot of a page undecoded: a store to any of it need not be noticed until it is decoded again."""
    forget_slots(h, page)
    store64(load64(page + HEADER_CODE) + ENTRY_BLOCKS, 0)


@rule
def forget_stale(h):
    """FENCE.I: what others have written to is decoded anew."""
    entry = take_list(h)
    while entry:
        following = load64(entry + ENTRY_NEXT) & ~ON_LIST
        store64(entry + ENTRY_NEXT, 0)
        barrier()
        if load64(entry + ENTRY_PAGE):
            forget_slots(h, load64(entry + ENTRY_PAGE))
        entry = following
    return 0


@rule
def forget_slots(h, page):
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
    h.resync = 1
