"""SBI calls of a guest with some harts, any of them with any arguments, held to a small model of the specification (2.0).

Hart 0 makes the calls of a table and writes down what it is answered; harts that it starts say so, and stop or wait.  Whatever it
does, the monitor lives, answers as the model allows, and another guest goes on.
"""
from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from functools import cache

from rvhyp.fuzz.checks import check, draws

SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM, INVALID_ADDRESS, ALREADY_AVAILABLE = 0, -1, -2, -3, -5, -6
BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN = 0x10, 0x5449_4D45, 0x73_5049, 0x5246_4E43, 0x48_534D, 0x5352_5354, 0x4442_434E
SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SHUTDOWN = 0, 1, 2, 3, 8
THERE = (BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN)
ABSENT = (0x504D_55, 0x5355_5350, 0x4350_5043, 0x4E41_434C, 0x53_5441, 0x4657_4654, 0x0A00_0000, 0x0900_0000, 0xFFFF_FFFF, 9, 15)
ALL = (1 << 64) - 1
STARTED, STOPPED = 0, 1
RAM, SIZE, LINKED = 0x8000_0000, 4 << 20, 0x8020_0000
CALLS, INSTRUCTIONS = 40, 2_000_000
TEXT = b"what is written to the console\n"
WORDS = (0, 1, 2, 3, 4, 63, 64, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 63, ALL, ALL - 1)
SOURCE = f"""
_start:
    csrwi sie, 2                # software interrupts end a suspension; none is taken
    la   s0, calls
    la   s1, answers
    la   s2, count
    ld   s2, (s2)
1:  ld   a7, 0(s0)
    ld   a6, 8(s0)
    ld   a0, 16(s0)
    ld   a1, 24(s0)
    ld   a2, 32(s0)
    ld   a3, 40(s0)
    ld   a4, 48(s0)
    ld   a5, 56(s0)
    ecall
    sd   a0, 0(s1)
    sd   a1, 8(s1)
    addi s0, s0, 64
    addi s1, s1, 16
    addi s2, s2, -1
    la   t0, made
    ld   t1, (t0)
    addi t1, t1, 1
    sd   t1, (t0)
    bnez s2, 1b
    li   a7, {SHUTDOWN}
    ecall
other:                          # a hart that was started: a0 and a1 go to its place
    la   t0, started
    slli t1, a0, 4
    add  t0, t0, t1
    sd   a0, 0(t0)
    sd   a1, 8(t0)
    andi t2, a1, 1
    beqz t2, 2f
    li   a7, {HSM}
    li   a6, 1
    ecall
2:  wfi
    j    2b
    .balign 8
count:   .dword 0
made:    .dword 0
started: .zero 16 * 8
text:    .ascii "{TEXT.decode().strip()}\\n"
    .balign 8
calls:   .zero 64 * {CALLS}
answers: .zero 16 * {CALLS}
"""
NEIGHBOUR = """
_start:
    li   s0, 2000
1:  addi s0, s0, -1
    bnez s0, 1b
    li   a7, 1
    li   a0, 'k'
    ecall
    li   a7, 8
    ecall
"""


@dataclass
class Call:
    """a7, a6 and a0 to a5."""

    eid: int
    fid: int = 0
    arguments: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"ecall a7={self.eid:#x} a6={self.fid:#x} {' '.join(f'{n:#x}' for n in self.arguments)}"

    def words(self) -> bytes:
        return struct.pack("<8Q", self.eid, self.fid, *(*self.arguments, 0, 0, 0, 0, 0, 0)[:6])


SELF_IPI = Call(IPI, 0, (1, 0))


@dataclass
class Model:
    """What a guest with `harts` harts may be answered, by what it has done so far.  `states` has what each hart may be."""

    harts: int
    places: dict[str, int]              # of `other` and `text`
    states: list[set[int]] = field(default_factory=list)
    written: bytes = b""                # what the console got for certain, in this order

    def __post_init__(self):
        self.states = [{STARTED}] + [{STOPPED}] * (self.harts - 1)

    def allowed(self, call: Call) -> tuple[set[int], set[int] | None]:
        """Errors that may be answered, and values with SUCCESS (None: any)."""
        eid, fid, a = call.eid & 0xFFFF_FFFF, call.fid & 0xFFFF_FFFF, (*call.arguments, 0, 0, 0, 0, 0, 0)
        answer = getattr(self, f"_{eid:x}", None)
        return ({NOT_SUPPORTED}, None) if answer is None else answer(fid, a)

    def _10(self, fid, a):
        if fid == 3:
            asked = a[0] & 0xFFFF_FFFF
            exists = asked in (*THERE, SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SHUTDOWN)
            return {SUCCESS}, {int(exists)}
        return ({SUCCESS}, {0x0200_0000} if fid == 0 else None) if fid < 7 else ({NOT_SUPPORTED}, None)

    def _54494d45(self, fid, a):
        return ({SUCCESS}, {0}) if fid == 0 else ({NOT_SUPPORTED}, None)

    def _errors_of_mask(self, mask, base) -> set[int]:
        if base == ALL:
            return {SUCCESS}
        named = [base + bit for bit in range(64) if mask >> bit & 1]
        if any(number >= self.harts for number in named):
            return {INVALID_PARAM}
        return {SUCCESS} if base < self.harts else {SUCCESS, INVALID_PARAM}

    def _735049(self, fid, a):
        return (self._errors_of_mask(a[0], a[1]), {0}) if fid == 0 else ({NOT_SUPPORTED}, None)

    def _52464e43(self, fid, a):
        if fid > 2:                                     # the others are for guests with H
            return {NOT_SUPPORTED}, None
        errors = self._errors_of_mask(a[0], a[1])
        if fid and a[2] + a[3] > ALL and (a[2], a[3]) != (0, ALL):
            errors = errors | {INVALID_ADDRESS}
        if fid == 2 and a[4] >> 16:
            errors = errors | {INVALID_PARAM}
        return errors, {0}

    def _48534d(self, fid, a):
        number = a[0]
        if fid == 0:
            if number >= self.harts:
                return {INVALID_PARAM}, None
            errors = set()
            if STARTED in self.states[number]:
                errors |= {ALREADY_AVAILABLE}
            if a[1] != self.places["other"]:
                errors |= {INVALID_ADDRESS}
            elif STOPPED in self.states[number]:
                errors |= {SUCCESS}
            return errors, {0}
        if fid == 2:
            return ({INVALID_PARAM}, None) if number >= self.harts else ({SUCCESS}, self.states[number])
        if fid == 3:
            kind = number & 0xFFFF_FFFF
            return ({SUCCESS} if kind == 0 else {NOT_SUPPORTED} if kind == 0x8000_0000 else {INVALID_PARAM}), {0}
        return {NOT_SUPPORTED}, None

    def _53525354(self, fid, a):
        return {INVALID_PARAM if fid == 0 else NOT_SUPPORTED}, None       # valid ones end the guest

    def _4442434e(self, fid, a):
        if fid == 2:
            return {SUCCESS}, {0}
        if fid > 2:
            return {NOT_SUPPORTED}, None
        if a[2] or not RAM <= a[1] <= a[1] + a[0] <= RAM + SIZE:
            return {INVALID_PARAM}, None
        return {SUCCESS}, ({0} if fid else {min(a[0], n) for n in (a[0], 1 << 16)})

    def _0(self, fid, a):
        return {SUCCESS}, None

    _1 = _3 = _0

    def _2(self, fid, a):
        return {FAILED}, None

    def after(self, call: Call, error: int) -> None:
        """The call has been made: what changed."""
        eid, fid, a = call.eid & 0xFFFF_FFFF, call.fid & 0xFFFF_FFFF, (*call.arguments, 0, 0, 0, 0, 0, 0)
        if (eid, fid, error) == (HSM, 0, SUCCESS):
            self.states[a[0]] = {STARTED, STOPPED} if a[2] & 1 else {STARTED}
        if eid == PUTCHAR or (eid, fid) == (DBCN, 2):
            self.written += bytes([a[0] & 0xFF])
        if (eid, fid, error) == (DBCN, 0, SUCCESS) and a[1] == self.places["text"]:
            self.written += TEXT[:a[0]]


def calls_of(random: random.Random, harts: int, places: dict[str, int]) -> list[Call]:
    """A sequence of calls, none of which ends the guest."""
    def word():
        return random.choice((*WORDS, random.getrandbits(64), random.getrandbits(4)))

    def number():
        return random.choice((*range(harts), *range(harts), harts, 7, 1 << 31, 1 << 63, ALL))

    def mask():
        return random.choice((0, 1, (1 << harts) - 1, 1 << harts, ALL, random.getrandbits(harts), random.getrandbits(64)))

    def base():
        return random.choice((0, 0, 0, 1, ALL, harts, harts - 1, 1 << 63, ALL - 1))

    def ids(eid, fid):                  # 32 bits, whatever stands above
        return eid | random.choice((0, 0, 0, 0xFFFF_FFFF << 32)), fid | random.choice((0, 0, 0, 1 << 32))

    def one() -> list[Call]:
        a, b, c, d, e = (word() for _ in range(5))
        size = random.choice((0, 1, 5, len(TEXT)))
        edge = RAM + SIZE - random.choice((0, 1, 2, 100))
        return random.choice((
            [Call(*ids(BASE, random.choice((0, 1, 2, 3, 4, 5, 6, 7, ALL))), (random.choice((*THERE, *ABSENT, a)), b))],
            [Call(*ids(TIME, random.choice((0, 0, 1))), (a,))],
            [Call(*ids(IPI, random.choice((0, 0, 0, 1))), (mask(), base()))],
            [Call(*ids(RFENCE, random.choice((0, 1, 2, 3, 6, 7))), (mask(), base(), c, d, random.choice((0, 1, e))))],
            [Call(*ids(HSM, 0), (number(), random.choice((places["other"],) * 3 + (RAM + 1, 0x1000, RAM + SIZE, 1 << 63)),
                             b))],
            [Call(*ids(HSM, 0), (number(), places["other"], b))],
            [Call(*ids(HSM, 2), (number(),))],
            [SELF_IPI, Call(*ids(HSM, 3), (random.choice((0, 0, 1, 1 << 28, 0x7FFF_FFFF, 0x8000_0000, 0x9000_0000, ALL)),))],
            [Call(*ids(HSM, random.choice((4, ALL))), (a,))],
            [Call(*ids(SRST, random.choice((0, 0, 1))), (random.choice((3, 0xFFFF_FFFF, 0xF000_0000)), b))],
            [Call(*ids(DBCN, 0), (size, places["text"], 0))],
            [Call(*ids(DBCN, random.choice((0, 1))), (word(), word(), random.choice((0, 0, 1, a))))],
            [Call(*ids(DBCN, random.choice((0, 1))), (random.choice((0, 1, 2, 101, 1 << 22, ALL)), edge, 0))],
            [Call(*ids(DBCN, random.choice((2, 2, 3))), (a,))],
            [Call(random.choice((SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI)), b, (a, c))],
            [Call(random.choice((4, 5, 6, 7)), b, (0, c))],
            [Call(random.choice(ABSENT), b, (a, c))]))
    found: list[Call] = []
    while len(found) < CALLS - 2:
        found += one()
    return found[:random.randrange(1, CALLS)]


@cache
def _programs():
    from rvhyp.isa.text import assemble
    from rvhyp.machine.loader import load
    return tuple(load(assemble(source, LINKED, name).to_elf(), name)
                 for source, name in ((SOURCE, "guest"), (NEIGHBOUR, "other")))


@cache
def _engine():
    from rvhyp.engine import make_engine
    return make_engine("interpreter")


def places() -> dict[str, int]:
    """Addresses in the guest's program."""
    return _programs()[0].symbols


def wrong_answer(calls: list[Call], harts: int) -> str:
    """Make the calls; what is answered against the model, "" if nothing."""
    from rvhyp.machine.machine import Ended
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    guest, other = _programs()
    output: list[bytes] = []
    beside: list[bytes] = []
    hypervisor = Hypervisor([VmConfig("guest", guest, SIZE, harts, output.append),
                             VmConfig("other", other, SIZE, 1, beside.append)], _engine())
    try:
        vm, neighbour = hypervisor.vms
        vm.memory.write(guest.symbols["calls"], b"".join(call.words() for call in calls))
        vm.memory.write(guest.symbols["count"], len(calls).to_bytes(8, "little"))
        outcome = hypervisor.run(INSTRUCTIONS)
        made = vm.memory.word(guest.symbols["made"])
        answers = struct.unpack(f"<{2 * made}Q", vm.memory.read(guest.symbols["answers"], 16 * made))
        started = [struct.unpack("<2Q", vm.memory.read(guest.symbols["started"] + 16 * n, 16)) for n in range(harts)]
    finally:
        hypervisor.machine.memory.close()
    model = Model(harts, guest.symbols)
    begun: dict[int, set[int]] = {}
    for call, error, value in zip(calls, answers[::2], answers[1::2], strict=False):
        error -= error >> 63 << 64
        errors, values = model.allowed(call)
        if error not in errors:
            return f"{call}: error {error}, allowed are {sorted(errors)}"
        if error == SUCCESS and values is not None and call.eid & 0xFFFF_FFFF > 15 and value not in values:
            return f"{call}: value {value:#x}, allowed are {sorted(values)}"
        if call.eid < 4 and value != (*call.arguments, 0, 0)[1]:
            return f"{call}: a legacy call changed a1 to {value:#x}"
        model.after(call, error)
        if (call.eid & 0xFFFF_FFFF, call.fid & 0xFFFF_FFFF, error) == (HSM, 0, SUCCESS):
            begun.setdefault(call.arguments[0], set()).add(call.arguments[2])
    if outcome.ended is not Ended.EXIT or made != len(calls) or vm.status != 0:
        return f"the guest ended at call {made} of {len(calls)}: {outcome.ended.value}, status {vm.status} {vm.why}"
    if b"".join(beside) != b"k" or neighbour.status != 0:
        return f"the other guest wrote {b''.join(beside)!r}, status {neighbour.status} {neighbour.why}"
    for number, (a0, a1) in enumerate(started):
        if a1 and (a0 != number or a1 not in begun.get(number, ())):
            return f"hart {number} was started with {a0:#x}, {a1:#x}; asked for was {begun.get(number)}"
    if not is_within(model.written, b"".join(output)):
        return f"the console got {b''.join(output)!r}, expected {model.written!r} among it"
    return ""


def is_within(expected: bytes, output: bytes) -> bool:
    """Whether all bytes that are expected are there, in this order, perhaps with others between."""
    rest = iter(output)
    return all(byte in rest for byte in expected)


def wakes(calls: list[Call]) -> bool:
    """Whether each suspension has an IPI to end it: without one, it is the guest's own fault that it waits for ever."""
    is_pending = False
    for call in calls:
        is_pending |= call == SELF_IPI
        is_pending &= call.eid & 0xFFFF_FFFF != CLEAR_IPI
        if (call.eid & 0xFFFF_FFFF, call.fid & 0xFFFF_FFFF) == (HSM, 3) and not is_pending:
            return False
    return True


def fewest(calls: list[Call], harts: int) -> list[Call]:
    """The same without those calls that it does not take to be wrong."""
    size = max(len(calls) // 2, 1)
    while size:
        at = 0
        while at < len(calls):
            fewer = calls[:at] + calls[at + size:]
            if fewer and wakes(fewer) and wrong_answer(fewer, harts):
                calls = fewer
            else:
                at += size
        size //= 2
    return calls


@check("sbi", "SBI calls with any arguments, of guests with up to four harts, held to a model of the specification")
def run(seed: int, number: int) -> str:
    """One sequence."""
    random = draws(seed, number)
    harts = random.randrange(1, 5)
    calls = calls_of(random, harts, places())
    wrong = wrong_answer(calls, harts)
    if not wrong:
        return ""
    calls = fewest(calls, harts)
    return "; ".join([f"{harts} harts", *map(str, calls), wrong_answer(calls, harts) or wrong])
