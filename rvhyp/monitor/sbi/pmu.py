"""PMU: counters of the calling hart (SBI specification, chapter "Performance Monitoring Unit Extension").

What they are is in `rvhyp.monitor.pmu`.  Counters are named by a base and a mask; 1, the number of the time CSR, is none.
"""
from __future__ import annotations

from contextlib import contextmanager

from rvhyp.hart.counters import EVENT_CYCLES, EVENT_INSTRUCTIONS
from rvhyp.hart.counters import EVENTS as HART_EVENTS
from rvhyp.isa.csr import CSR_NUMBERS, HPMEVENT_VSINH, HPMEVENT_VUINH
from rvhyp.monitor.pmu import COUNTERS, CYCLE, HARDWARE, INSTRET, TIME, WIDTH, Firmware, Pmu
from rvhyp.monitor.sbi import (
    ALL_ONES,
    ALREADY_STARTED,
    ALREADY_STOPPED,
    FAILED,
    INVALID_ADDRESS,
    INVALID_PARAM,
    NO_SHMEM,
    NOT_SUPPORTED,
    SUCCESS,
    extension,
    function,
)

EID = extension(0x50_4D55, "PMU", "Performance Monitoring Unit")
SKIP_MATCH, CLEAR_VALUE, AUTO_START, UINH, SINH = 1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 6
CONFIG_FLAGS = (1 << 8) - 1
SET_INIT_VALUE, INIT_SNAPSHOT = 1, 2
RESET, TAKE_SNAPSHOT = 1, 2
GENERAL, RAW, RAW_V2, FIRMWARE = 0, 2, 3, 15            # types of events
GENERAL_EVENTS = {1: EVENT_CYCLES, 2: EVENT_INSTRUCTIONS}
EVENT_BITS, CODE_BITS = 20, 16
SNAPSHOT_SIZE, SNAPSHOT_VALUES = 4096, 8
ENTRY, OUTPUT = 16, 4                                   # of event_get_info: bytes of an entry, where the answer is in it
MOST_ENTRIES = 1 << 12                                  # bound the work of one call


@contextmanager
def counters(call):
    """The calling vcpu's counters, off the hart for as long as they are changed."""
    pmu: Pmu = call.vcpu.pmu
    hart = call.vcpu.hart
    pmu.save(hart)
    yield pmu
    pmu.load(hart, call.hypervisor.rules)
    call.vcpu.pcpu.look_at_counters(call.vcpu)


def is_counter(number: int) -> bool:
    """Whether there is a counter of that number."""
    return number in COUNTERS and number != TIME


def named(base: int, mask: int) -> list[int] | None:
    """The counters of a set; None if it has one that there is not."""
    numbers = [base + bit for bit in range(64) if mask >> bit & 1]
    return numbers if all(map(is_counter, numbers)) else None


def event_of(index: int, data: int) -> tuple[bool, int] | None:
    """(whether it is the firmware's, which one) of an event that can be counted; None for all others."""
    if index >> EVENT_BITS:
        return None
    kind, code = index >> CODE_BITS, index & (1 << CODE_BITS) - 1
    if kind == GENERAL and code in GENERAL_EVENTS and data == 0:
        return False, GENERAL_EVENTS[code]
    if kind in (RAW, RAW_V2) and code == 0 and data < 64 and HART_EVENTS >> data & 1:
        return False, data
    if kind == FIRMWARE and code in Firmware._value2member_map_ and data == 0:
        return True, code
    return None


def can_count(number: int, is_firmware: bool, event: int) -> bool:
    """Whether a counter can count an event: cycle and instret have their own, the others any of their kind."""
    if is_firmware or number >= HARDWARE:
        return is_firmware and number >= HARDWARE
    return {CYCLE: EVENT_CYCLES, INSTRET: EVENT_INSTRUCTIONS}.get(number, event) == event


@function(EID, 0)
def num_counters(call):
    return SUCCESS, len(COUNTERS)


@function(EID, 1)
def counter_get_info(call):
    number = call.arguments[0]
    if not is_counter(number):
        return INVALID_PARAM
    return SUCCESS, 1 << 63 if number >= HARDWARE else WIDTH - 1 << 12 | CSR_NUMBERS["cycle"] + number


@function(EID, 2)
def counter_config_matching(call):
    """The first of the set that stands still and can count the event.  The guest is in VS and VU when it says S and U."""
    base, mask, flags, index, data = call.arguments[:5]
    numbers = named(base, mask)
    if numbers is None or flags & ~CONFIG_FLAGS:
        return INVALID_PARAM
    wanted = event_of(index, data)
    if wanted is None:
        return NOT_SUPPORTED
    filters = bool(flags & UINH) * HPMEVENT_VUINH.mask | bool(flags & SINH) * HPMEVENT_VSINH.mask
    with counters(call) as pmu:
        if flags & SKIP_MATCH:
            fitting = [number for number in numbers[:1] if can_count(number, *wanted)]
        else:
            fitting = [number for number in numbers if can_count(number, *wanted) and not pmu.is_running(number)]
        if not fitting:
            return NOT_SUPPORTED
        number = fitting[0]
        pmu.set_event(number, wanted[1], int(filters))
        if flags & CLEAR_VALUE:
            pmu.set_value(number, 0)
        if flags & AUTO_START:
            pmu.set_running(number, True)
    return SUCCESS, number


@function(EID, 3)
def counter_start(call):
    """Those that run already go on as they are; all others start."""
    base, mask, flags, initial = call.arguments[:4]
    numbers, shared = named(base, mask), call.vcpu.pmu.snapshot
    if numbers is None or flags & ~(SET_INIT_VALUE | INIT_SNAPSHOT) or flags == SET_INIT_VALUE | INIT_SNAPSHOT:
        return INVALID_PARAM                            # "mutually exclusive"
    if flags & INIT_SNAPSHOT and shared is None:
        return NO_SHMEM
    error = SUCCESS
    with counters(call) as pmu:
        for number in numbers:
            if pmu.is_running(number):
                error = ALREADY_STARTED
                continue
            if flags & SET_INIT_VALUE:
                pmu.set_value(number, initial)
            elif flags & INIT_SNAPSHOT:
                pmu.set_value(number, call.vm.memory.word(shared + SNAPSHOT_VALUES + 8 * (number - base)))
            pmu.set_running(number, True)
    return error


@function(EID, 4)
def counter_stop(call):
    """All of the set stand still afterwards.  Nothing overflows for a guest without Sscofpmf: that bitmap is 0."""
    base, mask, flags = call.arguments[:3]
    numbers, shared = named(base, mask), call.vcpu.pmu.snapshot
    if numbers is None or flags & ~(RESET | TAKE_SNAPSHOT):
        return INVALID_PARAM
    if flags & TAKE_SNAPSHOT and shared is None:
        return NO_SHMEM
    error = SUCCESS
    with counters(call) as pmu:
        for number in numbers:
            if not pmu.is_running(number):
                error = ALREADY_STOPPED
            pmu.set_running(number, False)
            if flags & RESET:
                pmu.set_event(number, None)
            if flags & TAKE_SNAPSHOT:
                call.vm.memory.write(shared + SNAPSHOT_VALUES + 8 * (number - base), pmu.value(number).to_bytes(8, "little"))
    if flags & TAKE_SNAPSHOT:
        call.vm.memory.zero(shared, SNAPSHOT_VALUES)
    return error


@function(EID, 5)
def counter_fw_read(call):
    number = call.arguments[0]
    if not is_counter(number) or number < HARDWARE:
        return INVALID_PARAM
    return SUCCESS, call.vcpu.pmu.value(number)


@function(EID, 6)
def counter_fw_read_hi(call):
    number = call.arguments[0]
    return INVALID_PARAM if not is_counter(number) or number < HARDWARE else (SUCCESS, 0)


@function(EID, 7)
def snapshot_set_shmem(call):
    low, high, flags = call.arguments[:3]
    if flags:
        return INVALID_PARAM
    if low == high == ALL_ONES:
        call.vcpu.pmu.snapshot = None
        return SUCCESS
    if low % SNAPSHOT_SIZE:
        return INVALID_PARAM
    if not call.is_ram(low, high, SNAPSHOT_SIZE):
        return INVALID_ADDRESS
    call.vcpu.pmu.snapshot = low
    return SUCCESS


@function(EID, 8)
def event_get_info(call):
    """Which events can be counted; nothing is written if one of them is wrong."""
    low, high, entries, flags = call.arguments[:4]
    if flags or low % ENTRY:
        return INVALID_PARAM
    if not call.is_ram(low, high, ENTRY * entries):
        return INVALID_ADDRESS
    if entries > MOST_ENTRIES:
        return FAILED
    data = bytearray(call.vm.memory.read(low, ENTRY * entries))
    for at in range(0, len(data), ENTRY):
        index = int.from_bytes(data[at:at + OUTPUT], "little")
        if index >> EVENT_BITS:
            return INVALID_PARAM
        kind = index >> CODE_BITS                       # event_data counts for raw and firmware events only
        value = int.from_bytes(data[at + 8:at + ENTRY], "little") if kind in (RAW, RAW_V2, FIRMWARE) else 0
        data[at + OUTPUT:at + 8] = int(event_of(index, value) is not None).to_bytes(4, "little")
    call.vm.memory.write(low, bytes(data))
    return SUCCESS
