"""Harts that run at the same time, each on a thread of the host: what one must know of the code that another has decoded.

Each has decoded pages of its own, and a map that leads to them.  An instruction fetch need not see a store of another hart before
the hart that fetches executes FENCE.I (Unprivileged ISA, "Zifencei"), so nobody ever waits for anybody:

- Who stores to a block of 64 bytes in which another hart has decoded code takes the page's blocks out of that hart's map, and
  puts the page on its list of stale ones.  The hart forgets what is on the list at its next FENCE.I.
- Such a store must not go by the write TLB, where it would not be seen.  So a page enters that only if no hart has code there,
  and a hart that decodes the first code of a page makes the others empty their write TLBs: it counts the machine's *epoch* up,
  and each hart looks at that when a slice begins.  Until all have, the page is kept on the hart's own list: stale by birth.

Order matters: who stores does that first and looks for code then, who decodes marks the block first and reads then.
"""
from rvhyp.hart.state import OFFSET
from rvhyp.hart.tlb import WRITE_TLB, flush_mixed, flush_table
from rvhyp.isa.rule import barrier, compare_and_set64, load64, record, rule, store64

# An entry of the map from pages of RAM to decoded code, four words: the decoded page; a bit for each 64-byte block with code; the
# next entry of the list of stale ones, if it is on the list; the epoch that all others must have seen before it need not be.
ENTRY_PAGE, ENTRY_BLOCKS, ENTRY_NEXT, ENTRY_EPOCH = 0, 8, 16, 24
ENTRY_SHIFT = 5
ON_LIST = 1                     # in ENTRY_NEXT, besides the address of the next entry
RUNNING, EPOCH_SEEN = OFFSET["running"], OFFSET["epoch_seen"]
STALE, STALE_LOCK = OFFSET["stale"], OFFSET["stale_lock"]


@rule
def exchange64(address, new):
    """Write eight bytes at a host address in one step with reading the old ones."""
    old = load64(address)
    while compare_and_set64(address, old, new) == 0:
        old = load64(address)
    return old


@rule
def next_peer_of(h):
    """The next in the ring of harts that run at the same time."""
    return h.next_peer


@rule
def lock_list(h):
    """From now on no other thread changes the hart's list of stale pages."""
    tries = 0
    while compare_and_set64(h + STALE_LOCK, 0, 1) == 0:
        tries += 1


@rule
def unlock_list(h):
    """The list may be changed again."""
    compare_and_set64(h + STALE_LOCK, 1, 0)


@rule
def put_on_list(h, entry):
    """The page of an entry is stale: its hart forgets it at the next FENCE.I.  The list is locked."""
    if load64(entry + ENTRY_NEXT) == 0:
        store64(entry + ENTRY_NEXT, load64(h + STALE) | ON_LIST)
        store64(h + STALE, entry)
    return 0


@rule
def written_by_peer(h, entry, blocks):
    """Another hart, or the host, has written to blocks of a page of which this one, on another thread, may have code.

    Whoever finds the blocks gone finds the page on the list.
    """
    if load64(entry + ENTRY_BLOCKS) & blocks:
        lock_list(h)
        put_on_list(h, entry)
        exchange64(entry + ENTRY_BLOCKS, 0)
        unlock_list(h)
    return 0


@rule
def take_list(h):
    """The first entry of the hart's list of stale pages, which is empty then; 0 if it was."""
    if h.stale == 0:
        return 0
    lock_list(h)
    entry = exchange64(h + STALE, 0)
    unlock_list(h)
    return entry


@rule
def all_have_seen(h, epoch):
    """Whether every other hart has emptied its write TLB since that epoch, or will before it runs."""
    other = h.next_peer
    while other != h + 0:
        if (load64(other + RUNNING) != 0) & (load64(other + EPOCH_SEEN) < epoch):
            return 0
        other = next_peer_of(record(other))
    return 1


@rule
def settle(h, entry):
    """Before more of a page is decoded: it is on the list as long as others may store to it unseen."""
    epoch = load64(entry + ENTRY_EPOCH)
    if epoch:
        if all_have_seen(h, epoch):
            store64(entry + ENTRY_EPOCH, 0)
        else:
            lock_list(h)
            put_on_list(h, entry)
            unlock_list(h)
    return 0


@rule
def mark_blocks(h, entry, blocks):
    """Note that a page has decoded code in some 64-byte blocks, before that is read."""
    old = load64(entry + ENTRY_BLOCKS)
    if (old & blocks) == blocks:
        return 0
    while compare_and_set64(entry + ENTRY_BLOCKS, old, old | blocks) == 0:
        old = load64(entry + ENTRY_BLOCKS)
    if (old == 0) & (h.epoch != 0):
        epoch = load64(h.epoch) + 1
        while compare_and_set64(h.epoch, epoch - 1, epoch) == 0:
            epoch = load64(h.epoch) + 1
        store64(entry + ENTRY_EPOCH, epoch)
        settle(h, entry)
    return 0


@rule
def see_epoch(h):
    """When a slice begins: if others have decoded first code of a page, no store may go there unseen from now on."""
    barrier()
    epoch = load64(h.epoch)
    if epoch != h.epoch_seen:
        flush_table(h, WRITE_TLB)
        flush_mixed(h)
        barrier()
        h.epoch_seen = epoch
    return 0
