"""Counters and their configuration.  What they count, and when, is in `rvhyp.hart.counters`.

What a write to a configuration starts or stops already counts, or does not, the writing instruction; a counter that is
written reads the value at the next instruction.
"""
from rvhyp.hart.counters import COUNTERS, EVENTS, FIRST_HPMCOUNTER, SSCOFPMF, counter_value, restart_counters
from rvhyp.hart.csrs.rows import reads, writes
from rvhyp.hart.interrupt import ticks
from rvhyp.isa.cause import M
from rvhyp.isa.csr import (
    CSRS,
    HPMEVENT_EVENT,
    HPMEVENT_INHIBITS,
    HPMEVENT_OF,
    HPMEVENT_VSINH,
    HPMEVENT_VUINH,
    LOW32,
    MCOUNTINHIBIT_WRITABLE,
    MISA_H,
)
from rvhyp.isa.rule import rule

HPMCOUNTERS = range(FIRST_HPMCOUNTER, COUNTERS)
WRITABLE_COUNTERS = "mcycle", "minstret", *(f"mhpmcounter{n}" for n in HPMCOUNTERS)
CONFIGURATIONS = "mcyclecfg", "minstretcfg", *(f"mhpmevent{n}" for n in HPMCOUNTERS)
GUEST_INHIBITS = HPMEVENT_VSINH.mask | HPMEVENT_VUINH.mask

for _name in ("cycle", "instret", *WRITABLE_COUNTERS, *(f"hpmcounter{n}" for n in HPMCOUNTERS)):
    CSRS[_name].read = counter_value


@reads("time")
def read_time(h, number):
    return ticks(h) + h.htimedelta if h.v else ticks(h)


@rule
def configured(h, number):
    """The number of the counter that a configuration is of."""
    return 0 if (number & 31) == 1 else number & 31         # mcyclecfg is not in the place of counter 0


@rule
def configuration_bits(h, n):
    """The bits that there are in a counter's configuration."""
    bits = HPMEVENT_INHIBITS
    if n >= FIRST_HPMCOUNTER:
        bits = HPMEVENT_EVENT.mask | (HPMEVENT_OF.mask | HPMEVENT_INHIBITS if (h.extensions >> SSCOFPMF) & 1 else 0)
    return bits if MISA_H.get(h.misa) else bits & ~GUEST_INHIBITS


@writes(*WRITABLE_COUNTERS)
def write_counter(h, number, value):
    n = number & 31
    h.counters_running = h.counters_running & ~(1 << n)
    h.counter_offset[n] = value
    restart_counters(h)
    if (h.counters_running >> n) & 1:
        h.counter_offset[n] = h.counter_offset[n] - 1           # the writing instruction does not count
        h.counters_full = h.counters_full & ~(1 << n)           # due one later, or never if 0 was written: to be seen when due
    h.resync = 1


@reads(*CONFIGURATIONS)
def read_configuration(h, number):
    n = configured(h, number)
    return h.mhpmevent[n] & configuration_bits(h, n)


@writes(*CONFIGURATIONS)
def write_configuration(h, number, value):
    """An event that there is not becomes no event."""
    n = configured(h, number)
    mask = configuration_bits(h, n)
    event = HPMEVENT_EVENT.get(value)
    if (event > 63) | (((EVENTS >> (event & 63)) & 1) == 0):
        value = HPMEVENT_EVENT.put(value, 0)
    h.mhpmevent[n] = (h.mhpmevent[n] & HPMEVENT_EVENT.mask & ~mask) | (value & mask)
    restart_counters(h)
    h.resync = 1


@writes("mcountinhibit")
def write_mcountinhibit(h, number, value):
    """A counter keeps its value when it stops and when it goes on."""
    h.mcountinhibit = value & MCOUNTINHIBIT_WRITABLE
    restart_counters(h)
    h.resync = 1


@reads("scountovf")
def read_scountovf(h, number):
    """OF of the counters that the mode may know of (section "Supervisor Count Overflow (scountovf) Register")."""
    visible = LOW32 if h.prv == M else h.mcounteren
    if h.v:
        visible &= h.hcounteren
    overflowed = 0
    n = FIRST_HPMCOUNTER
    while n < COUNTERS:
        overflowed |= HPMEVENT_OF.get(h.mhpmevent[n]) << n
        n += 1
    return overflowed & visible
