"""SBI calls of a guest with some harts, each of them making any with any arguments, held to a small model of the specification.

Every hart makes the calls of its table and writes down what it is answered; one that starts again, or wakes from a suspension,
goes on with its table.  Between calls the monitor's time slices end at random, so that the harts' calls mix.  Whatever they do,
the monitor lives, answers as the model allows, and another guest goes on.
"""
from __future__ import annotations

import random
import struct
from functools import cache

from rvhyp.fuzz.checks import check, draws
from rvhyp.fuzz.sbi_guest import CALLS, HARTS, places, programs
from rvhyp.fuzz.sbi_model import (
    ABSENT,
    ALL,
    BASE,
    CLEAR_IPI,
    DBCN,
    EVENTS,
    FIRMWARE,
    FWFT,
    GETCHAR,
    GONE,
    HSM,
    IPI,
    PMU,
    PUTCHAR,
    RAM,
    RFENCE,
    SET_TIMER,
    SIZE,
    SRST,
    STA,
    SUCCESS,
    SUSP,
    TEXT,
    THERE,
    TIME,
    Call,
    Model,
)

INSTRUCTIONS = 2_000_000
PREEMPTED = 0.2                         # part of the calls behind which another hart runs
PAUSE = Call(IPI, 0, (0, ALL))
UNANSWERED = 0x5A5A_5A5A
WORDS = (0, 1, 2, 3, 4, 63, 64, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 63, ALL, ALL - 1)


def ipi_to(hart: int) -> Call:
    """What ends a suspension of that hart: its own IPI, before."""
    return Call(IPI, 0, (1, hart), hart)


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

    def place():                        # to start at
        return random.choice((places["other"],) * 4 + (RAM + 1, 0x1000, RAM + SIZE, 1 << 63))

    def memory(own, size):              # low, high: the hart's own, or some that is not
        return random.choice((
            (own, 0), (own, 0), (own, 0), (ALL, ALL), (own + size // 2, 0), (own, 1), (RAM + SIZE, 0), (RAM + SIZE - size, 1),
            (0, 0), (ALL, 0), (ALL - size + 1, 0), (-size & ALL, ALL), (RAM, 0)))

    def one_of_pmu(hart) -> Call:
        index = random.choice((0, 1, 2, 3, 10, FIRMWARE[0], FIRMWARE[3], FIRMWARE[-1], FIRMWARE[-1] + 1, 63, word()))
        counters = random.choice(((0, 5), (0, 0x1FF_FFFD), (0, 0x7F8), (0, 2), (FIRMWARE[0], 7), (index, 1), (index, 3), (5, 0),
                                  (word(), word())))
        flags = random.choice((0, 0, 1, 2, 3, 6, 4, 8, 1 << 63, word()))
        event = random.choice((1, 2, 3, 0, 0x10000, 0x20000, 0x30000, *(0xF0000 + random.randrange(16) for _ in range(6)),
                               1 << 20, word()))
        page, of = places["shared"] + 4096 * hart, random.choice
        return of((
            lambda: Call(*ids(PMU, 0)), lambda: Call(*ids(PMU, 1), (index,)),
            lambda: Call(*ids(PMU, 2), (*counters, of((flags, 6, 6, 0, 0xFF)), event, of((0, 0, 0, 1, 2, 16)))),
            lambda: Call(*ids(PMU, 2), (FIRMWARE[0], 0xFF, 6, 0xF0000 + of((5, 6, 7, 8, 9, 10, 11, 12, 13)), 0)),
            lambda: Call(*ids(PMU, 3), (*counters, flags, word())), lambda: Call(*ids(PMU, 4), (*counters, flags)),
            lambda: Call(*ids(PMU, of((5, 5, 5, 6))), (of((index, FIRMWARE[0], FIRMWARE[1])),)),
            lambda: Call(*ids(PMU, 7), (*memory(page, 4096), of((0, 0, 0, 1, 1 << 63)))),
            lambda: Call(*ids(PMU, 8), (*of(((places["events"], 0), memory(page, 4096), (page + 8, 0))),
                                of((0, 1, len(EVENTS), 256, 257, 1 << 18, 1 << 60, word())), of((0, 0, 0, 1)))),
            lambda: Call(*ids(PMU, of((9, ALL))), (index,))))()

    def one(hart) -> list[Call]:
        a, b, c, d, e = (word() for _ in range(5))
        size = random.choice((0, 1, 5, len(TEXT)))
        edge = RAM + SIZE - random.choice((0, 1, 2, 100))
        suspension = random.choice((0, 0, 1, 1 << 28, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0000, 0x9000_0000, ALL))
        return random.choice((
            lambda: [Call(*ids(BASE, random.choice((0, 1, 2, 3, 4, 5, 6, 7, ALL))), (random.choice((*THERE, *ABSENT, a)), b))],
            lambda: [Call(*ids(TIME, random.choice((0, 0, 1))), (a,))],
            lambda: [Call(*ids(IPI, random.choice((0, 0, 0, 1))), (mask(), base()))],
            lambda: [Call(*ids(RFENCE, random.choice((0, 1, 2, 3, 6, 7))), (mask(), base(), c, d, random.choice((0, 1, e))))],
            lambda: [Call(*ids(HSM, 0), (number(), place(), b))],
            lambda: [Call(*ids(HSM, 0), (number(), places["other"], b))],
            lambda: [Call(*ids(HSM, 2), (number(),))],
            lambda: [ipi_to(hart), Call(*ids(HSM, 3), (suspension, place(), b))],
            lambda: [ipi_to(hart), Call(*ids(SUSP, random.choice((0, 0, 0, 1))),
                                (random.choice((0, 0, 0, 1, 1 << 31, 1 << 32)), place(), b))],
            lambda: [Call(*ids(HSM, random.choice((1, 1, 4, ALL)) if hart else 4), (a,))],
            lambda: [Call(*ids(SRST, random.choice((0, 0, 1))), (random.choice((3, 0xFFFF_FFFF, 0xF000_0000)), b))],
            lambda: [Call(*ids(SRST, 0), (random.choice((0, 1, 2)), random.choice((2, 0xE000_0000, 0xFFFF_FFFF))))],
            lambda: [Call(*ids(DBCN, 0), (size, places["text"], 0))],
            lambda: [Call(*ids(DBCN, random.choice((0, 1))), (word(), word(), random.choice((0, 0, 1, a))))],
            lambda: [Call(*ids(DBCN, random.choice((0, 1))), (random.choice((0, 1, 2, 101, 1 << 22, ALL)), edge, 0))],
            lambda: [Call(*ids(DBCN, random.choice((2, 2, 3))), (a,))],
            *[lambda: [one_of_pmu(hart)]] * 5,
            lambda: [Call(*ids(STA, random.choice((0, 0, 0, 1))),
                  (*memory(places["stolen"] + 64 * hart, 64), random.choice((0, 0, 0, 1, a))))],
            *[lambda: [Call(*ids(FWFT, random.choice((0, 0, 1, 1, 2))), (random.choice((0, 4, 4, 4, random.randrange(8), a)),
                                                              random.choice((0, 1, 1, b)), random.choice((0, 0, 1, 2, c))))]] * 2,
            lambda: [Call(random.choice((SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI)), b, (a, c))],
            lambda: [Call(random.choice((4, 5, 6, 7)), b, (0, c))],
            lambda: [Call(random.choice(ABSENT), b, (a, c))]))()
    found: list[Call] = []
    while len(found) < CALLS - 2:
        hart = random.randrange(harts)
        for call in one(hart):
            call.hart = hart
            found.append(call)
    return found[:random.randrange(1, CALLS)]


@cache
def _engine():
    from rvhyp.engine import make_engine
    return make_engine("interpreter")


class Order:
    """A hook of the monitor: notes which hart makes the next call of its table, and ends its time slice at random."""

    def __init__(self, hypervisor, calls: list[Call], symbols: dict[str, int]):
        self.made: list[int | None] = []                # harts; None: hart 0 lets the others go on
        self._hypervisor, self._random = hypervisor, random.Random("\n".join(map(str, calls)))
        self._call, self._pause = symbols["call"], symbols["pause"]

    def __call__(self, vcpu, leaving) -> bool:
        if vcpu.vm is self._hypervisor.vms[0] and leaving.pc in (self._call, self._pause):
            self.made.append(vcpu.number if leaving.pc == self._call else None)
            if leaving.pc == self._pause or self._random.random() < PREEMPTED:
                self._hypervisor.end_slice()
        return False


def wrong_answer(calls: list[Call], harts: int) -> str:
    """Make the calls; what is answered against the model, "" if nothing."""
    from rvhyp.machine.machine import Ended
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    guest, other = programs()
    at, tables = guest.symbols, [[call for call in calls if call.hart == hart] for hart in range(HARTS)]
    output: list[bytes] = []
    beside: list[bytes] = []
    hypervisor = Hypervisor([VmConfig("guest", guest, SIZE, harts, output.append),
                             VmConfig("other", other, SIZE, 1, beside.append)], _engine())
    order = Order(hypervisor, calls, at)
    hypervisor.hooks.append(order)
    try:
        vm, neighbour = hypervisor.vms
        memory = vm.memory
        for hart, table in enumerate(tables):
            memory.write(at["calls"] + 64 * CALLS * hart, b"".join(call.words() for call in table))
        memory.write(at["count"], struct.pack(f"<{HARTS}Q", *map(len, tables)))
        memory.write(at["harts"], harts.to_bytes(8, "little"))
        memory.write(at["answers"], UNANSWERED.to_bytes(8, "little") * (2 * CALLS * HARTS))
        outcome = hypervisor.run(INSTRUCTIONS)
        answers = struct.unpack(f"<{2 * CALLS * HARTS}Q", memory.read(at["answers"], 16 * CALLS * HARTS))
        started = [struct.unpack("<2Q", memory.read(at["started"] + 16 * hart, 16)) for hart in range(harts)]
        seen = memory.read(at["events"], 16 * len(EVENTS))
        model = Model(harts, at)
        wrong = _compare(model, tables, order.made, answers, started)
        stolen = "" if wrong else _stolen(model, memory)
    finally:
        hypervisor.machine.memory.close()
    if wrong:
        return wrong
    if outcome.ended is not Ended.EXIT or order.made.count(0) != len(tables[0]) or vm.status != 0:
        return (f"the guest ended at call {order.made.count(0)} of {len(tables[0])}: {outcome.ended.value}, "
                f"status {vm.status} {vm.why}")
    if b"".join(beside) != b"k" or neighbour.status != 0:
        return f"the other guest wrote {b''.join(beside)!r}, status {neighbour.status} {neighbour.why}"
    for (_, _, is_there), (_, output_word, _) in zip(EVENTS, struct.iter_unpack("<IIQ", seen), strict=True):
        if output_word not in (0, is_there):
            return f"event_get_info says {seen.hex()}"
    if not is_within(model.written, b"".join(output)):
        return f"the console got {b''.join(output)!r}, expected {model.written!r} among it"
    return stolen


def _compare(model: Model, tables: list[list[Call]], made: list[int], answers: tuple[int, ...], started) -> str:
    """The calls in the order in which they were made; what is wrong of their answers, and of what harts were started with."""
    done = [0] * HARTS
    begun: list[set[int]] = [{0} for _ in started]
    for hart in made:
        if hart is None:
            model.allowed(PAUSE)
            model.after(PAUSE, SUCCESS, 0)
            continue
        call = tables[hart][done[hart]]
        place = 2 * (CALLS * hart + done[hart])
        error, value = answers[place:place + 2]
        error -= error >> 63 << 64
        done[hart] += 1
        (eid, fid), a = call.ids, call.all_arguments
        errors, values = model.allowed(call)
        if (error, value) == (UNANSWERED, UNANSWERED):
            error = GONE
            if errors - {GONE} and hart and done[hart] == made.count(hart):
                error, value = min(errors, key=abs), min(values or {0})     # the guest ended before it could say
        if error not in errors:
            return f"{call}: error {error}, allowed are {sorted(errors)}"
        if error == SUCCESS and values is not None and eid > 15 and value not in values:
            return f"{call}: value {value:#x}, allowed are {sorted(values)}"
        if error != GONE and eid < 16 and value not in (a[1], 0 if hart else a[1]):
            return f"{call}: a legacy call changed a1 to {value:#x}"
        model.after(call, error, value)
        if (eid, fid, error) == (HSM, 0, SUCCESS):
            begun[a[0]].add(a[2])
        if error == GONE and (eid, fid) != (HSM, 1):
            begun[hart].add(a[2])
    for number, (a0, a1) in enumerate(started):
        if a1 and (a0 != number or a1 not in begun[number]):
            return f"hart {number} was started with {a0:#x}, {a1:#x}; asked for was {begun[number]}"
    return ""


def _stolen(model: Model, memory) -> str:
    """What is wrong in the shared memory of STA."""
    for number, hart in enumerate(model.harts):
        if hart.stolen in (None, RAM):                  # other harts may have been given the latter too
            continue
        data = memory.read(hart.stolen, 64)
        sequence, flags, _, preempted = struct.unpack_from("<IIQB", data)
        if sequence % 2 or flags or preempted > 1 or any(data[17:]):
            return f"the stolen time of hart {number} is {data.hex()}"
    return ""


def is_within(expected: bytes, output: bytes) -> bool:
    """Whether all bytes that are expected are there, in this order, perhaps with others between."""
    rest = iter(output)
    return all(byte in rest for byte in expected)


def wakes(calls: list[Call]) -> bool:
    """Whether each suspension has an IPI to end it: without one, it is the guest's own fault that it waits for ever."""
    before: dict[int, Call] = {}
    for call in calls:
        if call.ids in ((HSM, 3), (SUSP, 0)) and before.get(call.hart) != ipi_to(call.hart):
            return False
        before[call.hart] = call
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
    harts = random.randrange(1, HARTS + 1)
    calls = calls_of(random, harts, places())
    wrong = wrong_answer(calls, harts)
    if not wrong:
        return ""
    calls = fewest(calls, harts)
    return "; ".join([f"{harts} harts", *map(str, calls), wrong_answer(calls, harts) or wrong])
