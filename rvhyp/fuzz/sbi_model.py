"""A small model of the SBI specification (3.0): what a guest's call may be answered, by what the guest has done so far.

It knows what is there and each function's rules for arguments and its list of errors; where the specification leaves something
open, all of it is allowed.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass, field

SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM, DENIED, INVALID_ADDRESS = 0, -1, -2, -3, -4, -5
ALREADY_AVAILABLE, ALREADY_STARTED, ALREADY_STOPPED, NO_SHMEM, DENIED_LOCKED = -6, -7, -8, -9, -14
GONE = -99                              # no error: the call has not returned
BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN = 0x10, 0x5449_4D45, 0x73_5049, 0x5246_4E43, 0x48_534D, 0x5352_5354, 0x4442_434E
PMU, SUSP, STA, FWFT = 0x504D_55, 0x5355_5350, 0x53_5441, 0x4657_4654
SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SHUTDOWN = 0, 1, 2, 3, 8
THERE = (BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, PMU, SUSP, STA, FWFT)
ABSENT = (0x4350_5043, 0x4E41_434C, 0x4442_5452, 0x53_5345, 0x4D50_5859,       # CPPC, NACL, DBTR, SSE, MPXY
          0x0800_0000, 0x0900_0000, 0x0A00_0000, 0xFFFF_FFFF, 9, 15)
ALL = (1 << 64) - 1
STARTED, STOPPED, SUSPENDED = 0, 1, 4
RAM, SIZE, LINKED = 0x8000_0000, 4 << 20, 0x8020_0000
TEXT = b"what is written to the console\n"
HARDWARE = (0, 2, *range(3, 11))        # counters; the firmware's follow
FIRMWARE = range(11, 25)
CYCLES, INSTRUCTIONS, TRAPS, FIRMWARE_EVENTS = 1, 2, 16, 14
SET_TIMER_EVENT, IPI_SENT, FENCE_I_SENT, SFENCE_VMA_SENT, SFENCE_VMA_ASID_SENT = 5, 6, 8, 10, 12     # received: one more
EVENTS = ((1, 0, 1), (9, 0, 0), (0xF0006, 0, 1), (0xF0006, 5, 0), (0x20000, 2, 1), (0x30000, 3, 0))     # event, data, there?
UNKNOWN: tuple[set[int], None] = ({NOT_SUPPORTED}, None)


@dataclass
class Call:
    """a7, a6 and a0 to a5 of one hart."""

    eid: int
    fid: int = 0
    arguments: tuple[int, ...] = ()
    hart: int = 0

    def __str__(self) -> str:
        return f"hart {self.hart}: ecall a7={self.eid:#x} a6={self.fid:#x} {' '.join(f'{n:#x}' for n in self.arguments)}"

    def words(self) -> bytes:
        return struct.pack("<8Q", self.eid, self.fid, *(*self.arguments, 0, 0, 0, 0, 0, 0)[:6])

    @property
    def ids(self) -> tuple[int, int]:
        """Extension and function: 32 bits, whatever stands above."""
        return self.eid & 0xFFFF_FFFF, self.fid & 0xFFFF_FFFF

    @property
    def all_arguments(self) -> tuple[int, ...]:
        """a0 to a5."""
        return (*self.arguments, 0, 0, 0, 0, 0, 0)[:6]


@dataclass
class HartModel:
    """One hart: the states it may be in, whether an IPI may be pending, its counters and features, its shared memory."""

    states: set[int]
    pending: set[int] = field(default_factory=lambda: {0})
    running: set[int] = field(default_factory=lambda: {0, 2})
    events: dict[int, int] = field(default_factory=dict)                # of firmware counters
    values: dict[int, int | None] = field(default_factory=lambda: dict.fromkeys(FIRMWARE, 0))
    snapshot: bool = False
    updating: int = 0                                                   # PTE_AD_HW_UPDATING
    locked: set[int] = field(default_factory=set)
    stolen: int | None = None

    def happens(self, event: int, times: int = 1) -> None:
        for number, counted in self.events.items():
            if counted == event and number in self.running and self.values[number] is not None:
                self.values[number] += times


def is_ram(low: int, high: int, size: int) -> bool:
    return high == 0 and RAM <= low <= low + size <= RAM + SIZE


def counters_of(base: int, mask: int) -> list[int] | None:
    named = [base + bit for bit in range(64) if mask >> bit & 1]
    return named if all(number in HARDWARE or number in FIRMWARE for number in named) else None


def counters_for(index: int, data: int) -> tuple[int, ...]:
    """The counters that can count an event."""
    kind, code = index >> 16, index & 0xFFFF
    if kind == 0 and code in (CYCLES, INSTRUCTIONS) and data == 0:
        event = code
    elif kind in (2, 3) and code == 0 and data in (CYCLES, INSTRUCTIONS, TRAPS):
        event = data
    elif kind == 15 and code < FIRMWARE_EVENTS and data == 0:
        return tuple(FIRMWARE)
    else:
        return ()
    return ({CYCLES: (0,), INSTRUCTIONS: (2,)}.get(event, ())) + HARDWARE[2:]


class Model:
    """A guest with `harts` harts, all started; `places` are addresses in its program."""

    def __init__(self, harts: int, places: dict[str, int]):
        self.count, self.places = harts, places
        self.harts = [HartModel({STARTED}) for _ in range(harts)]
        self.written = b""                              # what the console got for certain, in this order

    def allowed(self, call: Call) -> tuple[set[int], set[int] | None]:
        """Errors that may be answered, and values with SUCCESS (None: any)."""
        eid, fid = call.ids
        self.hart = self.harts[call.hart]
        self.hart.states = {STARTED}                    # it makes a call
        answer = getattr(self, f"_{eid:x}", None)
        return UNKNOWN if answer is None else answer(fid, call.all_arguments)

    def _10(self, fid, a):
        if fid == 3:
            asked = a[0] & 0xFFFF_FFFF
            exists = asked in (*THERE, SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SHUTDOWN)
            return {SUCCESS}, {int(exists)}
        return ({SUCCESS}, {0x0300_0000} if fid == 0 else None) if fid < 7 else UNKNOWN

    def _54494d45(self, fid, a):
        return ({SUCCESS}, {0}) if fid == 0 else UNKNOWN

    def targets(self, mask: int, base: int) -> list[int]:
        return list(range(self.count)) if base == ALL else [base + bit for bit in range(64) if mask >> bit & 1]

    def _errors_of_mask(self, mask, base) -> set[int]:
        return {INVALID_PARAM} if any(number >= self.count for number in self.targets(mask, base)) else {SUCCESS}

    def _735049(self, fid, a):
        return (self._errors_of_mask(a[0], a[1]), {0}) if fid == 0 else UNKNOWN

    def _52464e43(self, fid, a):
        if fid > 2:                                     # the others are for guests with H
            return UNKNOWN
        errors = self._errors_of_mask(a[0], a[1])
        if fid and a[2] + a[3] > 1 << 64 and a[3] != ALL:
            errors = errors - {SUCCESS} | {INVALID_ADDRESS}
        if fid == 2 and a[4] >> 16:
            errors = errors - {SUCCESS} | {INVALID_PARAM}
        return errors, {0}

    def _resume(self, address: int) -> set[int]:
        return {GONE} if address == self.places["other"] else {INVALID_ADDRESS}

    def _48534d(self, fid, a):
        number = a[0]
        if fid == 1:
            return {GONE}, None
        if fid == 3:
            kind = number & 0xFFFF_FFFF
            return ({SUCCESS, GONE} if kind == 0 else self._resume(a[1]) if kind == 0x8000_0000 else {INVALID_PARAM}), {0}
        if fid > 3:
            return UNKNOWN
        if number >= self.count:
            return {INVALID_PARAM}, None
        states = self.harts[number].states
        if fid == 2:
            return {SUCCESS}, states
        errors = {ALREADY_AVAILABLE} if states != {STOPPED} else set()
        if a[1] != self.places["other"]:
            errors |= {INVALID_ADDRESS}
        return errors or {SUCCESS}, {0}

    def _53525354(self, fid, a):
        return ({INVALID_PARAM}, None) if fid == 0 else UNKNOWN           # valid ones end the guest

    def _4442434e(self, fid, a):
        if fid == 2:
            return {SUCCESS}, {0}
        if fid > 2:
            return UNKNOWN
        if not is_ram(a[1], a[2], a[0]):
            return {INVALID_PARAM}, None
        return {SUCCESS}, ({0} if fid else {min(a[0], n) for n in (a[0], 1 << 16)})

    def _504d55(self, fid, a):
        hart = self.hart
        if fid == 0:
            return {SUCCESS}, {FIRMWARE[-1] + 1}
        if fid == 1:
            if a[0] in FIRMWARE:
                return {SUCCESS}, None
            return ({SUCCESS}, {63 << 12 | 0xC00 + a[0]}) if a[0] in HARDWARE else ({INVALID_PARAM}, None)
        if fid in (2, 3, 4):
            return getattr(self, ("_config", "_start", "_stop")[fid - 2])(counters_of(a[0], a[1]), a)
        if fid in (5, 6):
            if a[0] not in FIRMWARE:
                return {INVALID_PARAM}, None
            value = hart.values[a[0]] if fid == 5 else 0
            return {SUCCESS}, None if value is None else {value}
        if fid == 7:
            return self._shared(a, 4096)
        if fid == 8:
            low, high, entries, flags = a[:4]
            if flags or low % 16:
                return {INVALID_PARAM} | ({INVALID_ADDRESS} if not is_ram(low, high, 16 * entries) else set()), None
            if not is_ram(low, high, 16 * entries):
                return {INVALID_ADDRESS}, None
            known = low == self.places["events"] and entries <= len(EVENTS)
            return {SUCCESS} if known else {SUCCESS, INVALID_PARAM, FAILED}, None
        return UNKNOWN

    def _config(self, named, a):
        if named is None or a[2] >> 8:
            return {INVALID_PARAM}, None
        if a[2] & 1:
            fitting = set(named[:1]) & set(counters_for(a[3], a[4]))
        else:
            fitting = {number for number in counters_for(a[3], a[4]) if number in named and number not in self.hart.running}
        return ({SUCCESS}, fitting) if fitting else ({NOT_SUPPORTED}, None)

    def _start(self, named, a):
        if named is None or a[2] > 2:                   # the two flags exclude each other
            return {INVALID_PARAM}, None
        if a[2] == 2 and not self.hart.snapshot:
            return {NO_SHMEM}, None
        return {ALREADY_STARTED if self.hart.running & set(named) else SUCCESS}, {0}

    def _stop(self, named, a):
        if named is None or a[2] > 3:
            return {INVALID_PARAM}, None
        if a[2] & 2 and not self.hart.snapshot:
            return {NO_SHMEM}, None
        return {SUCCESS if self.hart.running >= set(named) else ALREADY_STOPPED}, {0}

    def _shared(self, a, size: int):
        """Shared memory of a hart: address, flags."""
        if a[2]:
            return {INVALID_PARAM}, None
        if a[0] == a[1] == ALL:
            return {SUCCESS}, {0}
        errors = {INVALID_PARAM} if a[0] % size else set()
        if not is_ram(a[0], a[1], size):
            errors |= {INVALID_ADDRESS}
        return errors or {SUCCESS}, {0}

    def _535441(self, fid, a):
        return self._shared(a, 64) if fid == 0 else UNKNOWN

    def _53555350(self, fid, a):
        if fid:
            return UNKNOWN
        if a[0] & 0xFFFF_FFFF:
            return {INVALID_PARAM}, None
        others = [hart.states for hart in self.harts if hart is not self.hart]
        errors = self._resume(a[1]) - {GONE}
        if any(states != {STOPPED} for states in others):
            errors |= {DENIED}
        return errors or {GONE}, None

    def _46574654(self, fid, a):
        feature = a[0] & 0xFFFF_FFFF
        if fid > 1:
            return UNKNOWN
        if feature > 5:
            return {DENIED}, None
        if feature not in (0, 4):
            return {NOT_SUPPORTED}, None
        value = self.hart.updating if feature else 1
        if fid == 1:
            return {SUCCESS}, {value}
        if a[1] > 1 or a[2] > 1:
            return {INVALID_PARAM}, None
        if a[1] == value:
            return {SUCCESS}, {0}
        return {DENIED_LOCKED} if feature in self.hart.locked else {SUCCESS} if feature else {DENIED}, {0}

    def _0(self, fid, a):
        return {SUCCESS}, None

    _1 = _0

    def _2(self, fid, a):
        return {FAILED}, None

    def _3(self, fid, a):
        return self.hart.pending, None

    # What changes.

    def after(self, call: Call, error: int, value: int) -> None:
        """The call has been answered so."""
        (eid, fid), a, hart = call.ids, call.all_arguments, self.harts[call.hart]
        if eid == CLEAR_IPI:
            hart.pending = {0}
        if eid == PUTCHAR or (eid, fid) == (DBCN, 2):
            self.written += bytes([a[0] & 0xFF])
        if eid == SET_TIMER or (eid, fid) == (TIME, 0):
            hart.happens(SET_TIMER_EVENT)
        if (eid, fid) in ((HSM, 1), (HSM, 3), (SUSP, 0)) and error in (GONE, SUCCESS):
            hart.states = {STOPPED} if fid == 1 else {STARTED, SUSPENDED}
            hart.pending = hart.pending if error == SUCCESS else {0, 1}
        elif error == SUCCESS:
            self._succeeded(hart, (eid, fid), a, value)
        elif eid == PMU and error in (ALREADY_STARTED, ALREADY_STOPPED):
            self._counters(hart, fid, a, value)

    def _succeeded(self, hart: HartModel, ids: tuple[int, int], a, value: int) -> None:
        match ids:
            case (0x48534D, 0):
                self.harts[a[0]] = HartModel({STARTED})
            case (0x4442434E, 0) if a[1] == self.places["text"]:
                self.written += TEXT[:a[0]]
            case (0x735049, 0):
                self._each_other(hart, a, IPI_SENT)
                for number in self.targets(a[0], a[1]):
                    self.harts[number].pending = {1}
            case (0x52464E43, fid):
                self._each_other(hart, a, (FENCE_I_SENT, SFENCE_VMA_SENT, SFENCE_VMA_ASID_SENT)[fid])
            case (0x504D55, 7):
                hart.snapshot = a[0] != ALL
            case (0x504D55, fid):
                self._counters(hart, fid, a, value)
            case (0x535441, 0):
                hart.stolen = None if a[0] == ALL else a[0]
            case (0x46574654, 0):
                if a[0] & 0xFFFF_FFFF == 4:
                    hart.updating = a[1]
                if a[2]:
                    hart.locked.add(a[0] & 0xFFFF_FFFF)

    def _each_other(self, hart: HartModel, a, sent: int) -> None:
        for number in self.targets(a[0], a[1]):
            if self.harts[number] is not hart:
                hart.happens(sent)
                self.harts[number].happens(sent + 1)

    @staticmethod
    def _counters(hart: HartModel, fid: int, a, value: int) -> None:
        """config_matching gave a counter; start and stop deal with all that are named, also if some were so already."""
        if fid == 2:
            if value in FIRMWARE:
                hart.events[value] = a[3] & 0xFFFF
                hart.values[value] = 0 if a[2] & 2 else hart.values[value]
            hart.running |= {value} if a[2] & 4 else set()
        if fid == 3:
            started = set(counters_of(a[0], a[1])) - hart.running
            for number in started & set(FIRMWARE) if a[2] else ():
                hart.values[number] = a[3] if a[2] == 1 else None
            hart.running |= started
        if fid == 4:
            stopped = set(counters_of(a[0], a[1]))
            hart.running -= stopped
            for number in stopped if a[2] & 1 else ():
                hart.events.pop(number, None)
