"""Loads, stores and atomics off the fast path: TLB misses, misaligned and straddling accesses, devices, HLV and HSV.

An engine probes the TLB inline and calls these rules when that fails; plain Python always calls them.  After each, h.fault
says whether the instruction trapped or must leave the engine; nothing has been written then.
"""
from rvhyp.hart.memory import (
    load_sized,
    notice_store,
    noticed_blocks,
    ram_host,
    store_sized,
    write_ram,
)
from rvhyp.hart.paging import translate
from rvhyp.hart.second import find
from rvhyp.hart.state import FAULT_LEAVE, MMIO_OK, REASON_MMIO
from rvhyp.hart.tlb import (
    LAST_CONTEXT,
    READ_TLB,
    WRITE_TLB,
    context_key,
    context_slot,
    effective_mode,
    flush_tlbs,
    mixed_fill,
    tlb_fill,
    tlb_find,
    update_contexts,
)
from rvhyp.hart.trap import LOAD, STORE, access_fault, illegal, misaligned, virtual
from rvhyp.isa.cause import U
from rvhyp.isa.choices import FAILED_SC_SKIPS, MISALIGNED_ATOMIC_FAULTS, MISALIGNED_FIRST, MISALIGNED_TRAPS
from rvhyp.isa.csr import HSTATUS_HU, HSTATUS_SPVP, MISA_H
from rvhyp.isa.rule import compare_and_set32, compare_and_set64, compare_and_set128, load8, load64, rule
from rvhyp.isa.word import zext

PLAIN, HLV, HLVX = 0, 1, 2              # how an access was made


@rule
def guest_access(h):
    """Whether HLV, HLVX and HSV may run now: 0 with the trap set if not."""
    if MISA_H.get(h.misa) == 0:
        return illegal(h)
    if h.v:
        return virtual(h)
    if (h.prv == U) & (HSTATUS_HU.get(h.hstatus) == 0):
        return illegal(h)
    return 1


@rule
def access_mode(h, flavour):
    """Effective mode (prv | V << 2): HLV and HSV act as the guest at privilege SPVP, whatever MPRV says."""
    if flavour == PLAIN:
        return effective_mode(h)
    return HSTATUS_SPVP.get(h.hstatus) | 4


@rule
def access_slot(h, flavour):
    """The context slot of an access."""
    if flavour == PLAIN:
        return h.data_slot
    if h.next_context >= LAST_CONTEXT:
        flush_tlbs(h)
        update_contexts(h)
    return context_slot(h, context_key(h, access_mode(h, flavour), 1))


@rule
def fill_for(h, table, va, pa, host, mode, slot):
    """Enter the page of a successful access in a TLB, if every later access to it may take the same path."""
    if h.page_is_whole == 0:
        return 0
    if table == WRITE_TLB:
        blocks = noticed_blocks(h, pa)
        if blocks:
            if blocks > 1:
                mixed_fill(h, va, host, slot, blocks)
            return 0
    tlb_fill(h, table, va, host, slot)
    return 0


@rule
def device_access(h, pa, size, is_write, value, va, access, mode):
    """An access outside RAM.  First it leaves the engine; run again after Python has performed it, it gives the value read."""
    if h.mmio_done:
        done = h.mmio_done
        h.mmio_done = 0
        h.resync = 1                        # the device may have raised an interrupt, or set the timer
        return h.mmio_value if done == MMIO_OK else access_fault(h, va, access, mode >> 2)
    if (size & (size - 1)) | (pa & (size - 1)):
        return access_fault(h, va, access, mode >> 2)       # devices take naturally aligned accesses only
    h.mmio_address = pa
    h.mmio_size = size
    h.mmio_is_write = is_write
    h.mmio_value = value
    h.reason = REASON_MMIO
    h.fault = FAULT_LEAVE
    return 0


@rule
def load_part(host, size):
    """1 to 8 bytes, zero-extended."""
    if (size & (size - 1)) == 0:
        return load_sized(host, size)
    value = 0
    index = 0
    while index < size:
        value |= load8(host + index) << (index << 3)
        index += 1
    return value


@rule
def load_within(h, va, size, flavour):
    """A load of 1 to 8 bytes that lie in one page."""
    mode = access_mode(h, flavour)
    slot = access_slot(h, flavour)
    host = 0 if flavour == HLVX else tlb_find(h, READ_TLB, va, load64(slot + 8))
    if host:
        return load_part(host, size)
    pa = find(h, va, size, LOAD, mode, slot, 1 if flavour == HLVX else 0)
    if h.fault:
        return 0
    host = ram_host(h, pa, size)
    if host == 0:
        return device_access(h, pa, size, 0, 0, va, LOAD, mode)
    if flavour != HLVX:
        fill_for(h, READ_TLB, va, pa, host, mode, slot)
    return load_part(host, size)


@rule
def refuse_split(h, va, access, flavour):
    """A part of a straddling access failed: a trap stands, and a device takes no parts."""
    if h.fault == FAULT_LEAVE:
        h.fault = 0
        access_fault(h, va, access, access_mode(h, flavour) >> 2)
    return 0


@rule
def refuse_misaligned(h, va, size, access, flavour):
    """Where misaligned accesses trap: address-misaligned, unless a part of it faults and that comes first."""
    mode = access_mode(h, flavour)
    if MISALIGNED_FIRST.get(h.choices):
        return misaligned(h, va, access, mode >> 2)
    first = 4096 - (va & 0xFFF)
    translate(h, va, size if size < first else first, access, mode, 1 if flavour == HLVX else 0)
    if h.fault:
        return 0
    if first < size:
        translate(h, va + first, size - first, access, mode, 1 if flavour == HLVX else 0)
        if h.fault:
            h.trap_offset = first
            return 0
    return misaligned(h, va, access, mode >> 2)


@rule
def load(h, va, size, flavour):
    """`size` bytes at va, zero-extended."""
    if flavour != PLAIN:
        if guest_access(h) == 0:
            return 0
    if va & (size - 1):
        if MISALIGNED_TRAPS.get(h.choices):
            return refuse_misaligned(h, va, size, LOAD, flavour)
    first = 4096 - (va & 0xFFF)
    if first >= size:
        return load_within(h, va, size, flavour)
    low = load_within(h, va, first, flavour)
    if h.fault:
        return refuse_split(h, va, LOAD, flavour)
    high = load_within(h, va + first, size - first, flavour)
    if h.fault:
        refuse_split(h, va + first, LOAD, flavour)
        h.trap_offset = first
        return 0
    return low | (high << (first << 3))


@rule
def store_target(h, va, size, slot, flavour):
    """System physical address to which a store of `size` bytes within one page may go; not RAM is fine."""
    return find(h, va, size, STORE, access_mode(h, flavour), slot, 0)


@rule
def store_bytes(h, pa, size, value):
    """Write 1 to 7 bytes to RAM."""
    index = 0
    while index < size:
        write_ram(h, pa + index, ram_host(h, pa + index, 1), 1, (value >> (index << 3)) & 0xFF)
        index += 1


@rule
def store_misaligned(h, va, size, value, flavour):
    """Both parts are translated before anything is written."""
    mode = access_mode(h, flavour)
    slot = access_slot(h, flavour)
    first = 4096 - (va & 0xFFF)
    if first >= size:
        host = tlb_find(h, WRITE_TLB, va, load64(slot + 8))
        if host:                        # nothing is to be noticed on such a page
            store_sized(host, size, value)
            return 0
        first = size
    pa = store_target(h, va, first, slot, flavour)
    if h.fault:
        return 0
    if ram_host(h, pa, first) == 0:
        return access_fault(h, va, STORE, mode >> 2)
    if first == size:
        store_bytes(h, pa, size, value)
        fill_for(h, WRITE_TLB, va, pa, ram_host(h, pa, size), mode, slot)
        return 0
    rest = store_target(h, va + first, size - first, slot, flavour)
    if h.fault == 0:
        if ram_host(h, rest, size - first) == 0:
            access_fault(h, va + first, STORE, mode >> 2)
    if h.fault:
        h.trap_offset = first
        return 0
    store_bytes(h, pa, first, value)
    store_bytes(h, rest, size - first, value >> (first << 3))
    return 0


@rule
def store(h, va, size, value, flavour):
    """Store the low `size` bytes of a value."""
    if flavour != PLAIN:
        if guest_access(h) == 0:
            return 0
    if va & (size - 1):
        if MISALIGNED_TRAPS.get(h.choices):
            return refuse_misaligned(h, va, size, STORE, flavour)
        return store_misaligned(h, va, size, value, flavour)
    slot = access_slot(h, flavour)
    host = tlb_find(h, WRITE_TLB, va, load64(slot + 8))
    if host:
        store_sized(host, size, value)
        return 0
    pa = store_target(h, va, size, slot, flavour)
    if h.fault:
        return 0
    host = ram_host(h, pa, size)
    mode = access_mode(h, flavour)
    if host == 0:
        device_access(h, pa, size, 1, zext(value, size << 3), va, STORE, mode)
        return 0
    write_ram(h, pa, host, size, value)
    fill_for(h, WRITE_TLB, va, pa, host, mode, slot)
    return 0


# Atomics: naturally aligned, in main memory, store-type faults (load-type for LR).

@rule
def refuse_misaligned_atomic(h, va, access, mode):
    """A misaligned LR, SC or AMO traps, behind a fault of its address or before it."""
    if MISALIGNED_FIRST.get(h.choices) == 0:
        translate(h, va, 1, access, mode, 0)
        if h.fault:
            return 0
    if MISALIGNED_ATOMIC_FAULTS.get(h.choices):
        return access_fault(h, va, access, mode >> 2)
    return misaligned(h, va, access, mode >> 2)


@rule
def atomic_target(h, va, size, access):
    """Translate an atomic's address; remembers it in amo_spa and amo_host."""
    mode = effective_mode(h)
    if va & (size - 1):
        return refuse_misaligned_atomic(h, va, access, mode)
    pa = find(h, va, size, access, mode, h.data_slot, 0)
    if h.fault:
        return 0
    host = ram_host(h, pa, size)
    if host == 0:
        return access_fault(h, va, access, mode >> 2)
    h.amo_spa = pa
    h.amo_host = host
    return host


@rule
def amo_begin(h, va, size):
    """Host address of the old value; whoever has replaced it, in one step, calls amo_end."""
    host = atomic_target(h, va, size, STORE)
    if h.fault:
        return 0
    fill_for(h, WRITE_TLB, va, h.amo_spa, host, effective_mode(h), h.data_slot)
    return host


@rule
def amo_end(h, size):
    """An AMO has written its result."""
    notice_store(h, h.amo_spa, size)


@rule
def pair_high(h, register):
    """The upper half of a pair of registers, of which the lower is even: that of x0 is 0 too."""
    return h.x[register + 1] if register else 0


@rule
def amocas_q(h, va, source, rd):
    """AMOCAS.Q: 16 bytes compared with the pair rd, which gets them, and replaced by the pair `source` where they are equal."""
    host = atomic_target(h, va, 16, STORE)
    if h.fault:
        return 0
    done = 0
    low = 0
    high = 0
    while done == 0:
        low = load64(host)
        high = load64(host + 8)
        if (low == h.x[rd]) & (high == pair_high(h, rd)):
            done = compare_and_set128(host, low, high, h.x[source], pair_high(h, source))
            if done:
                notice_store(h, h.amo_spa, 16)
        else:
            done = compare_and_set128(host, low, high, low, high)       # were they so at one moment?
    if rd:
        h.x[rd] = low
        h.x[rd + 1] = high
    return 0


@rule
def is_plain_atomic(h, va, size, access):
    """Whether an LR (its access is LOAD) or SC (STORE) neither traps nor is to be noticed: translated code goes on behind it."""
    if va & (size - 1):
        return 0
    pa = find(h, va, size, access, effective_mode(h), h.data_slot, 0)
    if h.fault:
        h.fault = 0
        return 0
    if ram_host(h, pa, size) == 0:
        return 0
    if h.resync | h.watch_hit:
        return 0
    if access == STORE:
        return 1 if noticed_blocks(h, pa) == 0 else 0
    return 1


@rule
def load_reserved(h, va, size):
    """LR: load, and reserve."""
    host = atomic_target(h, va, size, LOAD)
    if h.fault:
        return 0
    h.reservation = h.amo_spa + 1
    h.reserved_value = load_sized(host, size)
    return h.reserved_value


@rule
def store_conditional(h, va, size, value):
    """SC: 0 if it stored, 1 if not.

    The address is translated first, so that a failing SC faults like a succeeding one; by choice, one without a reservation fails
    at once, if only it is aligned.

    Where other harts run at the same time, it stores if what LR loaded is there: a plain store of theirs leaves no other mark.
    """
    if h.reservation == 0:
        if (FAILED_SC_SKIPS.get(h.choices) != 0) & ((va & (size - 1)) == 0):
            return 1
    atomic_target(h, va, size, STORE)
    if h.fault:
        return 0
    reserved = 1 if h.reservation == h.amo_spa + 1 else 0
    h.reservation = 0
    if reserved == 0:
        return 1
    if h.epoch == 0:
        write_ram(h, h.amo_spa, h.amo_host, size, value)
        return 0
    if size == 8:
        done = compare_and_set64(h.amo_host, h.reserved_value, value)
    else:
        done = compare_and_set32(h.amo_host, h.reserved_value, value)
    if done == 0:
        return 1
    notice_store(h, h.amo_spa, size)
    return 0
