"""Counters: what they count, in which modes, and what happens when they overflow (Privileged ISA, "Hardware Performance Monitor",
"Smcntrpmf", "Sscofpmf").

All 29 hpmcounters exist.  The events are cycles (as many as instructions here), retired instructions, and traps taken.
Counting instructions costs them nothing: while such a counter runs, its value is an offset plus the instructions that have
retired.  Whatever starts or stops a counter, and a change of mode if one counts in some modes only, changes offsets; a slice
ends where a counter overflows.
"""
from rvhyp.isa.cause import LCOFI, M
from rvhyp.isa.csr import HPMEVENT_EVENT, HPMEVENT_INHIBITS, HPMEVENT_OF
from rvhyp.isa.instruction import EXTENSIONS
from rvhyp.isa.rule import rule

EVENT_CYCLES, EVENT_INSTRUCTIONS, EVENT_TRAPS = 1, 2, 16        # the first two as in SBI's list of events
EVENTS = 1 << EVENT_CYCLES | 1 << EVENT_INSTRUCTIONS | 1 << EVENT_TRAPS
COUNTERS, FIRST_HPMCOUNTER = 32, 3
NEVER = (1 << 64) - 1
SSCOFPMF = EXTENSIONS["Sscofpmf"].number


@rule
def counter_value(h, number):
    """A counter as it reads; `number` is its own, or that of one of its CSRs."""
    n = number & 31
    return h.counter_offset[n] + (((h.counters_running >> n) & 1) * (h.slice_end - h.budget))


@rule
def overflow(h, n):
    """A counter went from all ones to 0: once in OF, a pending interrupt each time OF was 0."""
    h.mhpmevent[n] = h.mhpmevent[n] | HPMEVENT_OF.mask
    h.software_interrupts = h.software_interrupts | (1 << LCOFI)


@rule
def restart_counters(h):
    """What decides on counting has changed, or a counter overflows now: look at all of them.  The slice may end sooner for it."""
    retired = h.slice_end - h.budget
    inhibit = 1 << (62 if h.prv == M else 60 + h.prv - 2 * h.v)         # the field of this mode: MINH, SINH, UINH, VSINH, VUINH
    full = h.counters_full if retired >= h.counters_due else 0
    can_overflow = (h.extensions >> SSCOFPMF) & 1
    running = 0
    h.counters_of_traps = 0
    h.counters_filtered = 0
    h.counters_full = 0
    h.counters_due = NEVER
    n = 0
    while n < COUNTERS:
        value = counter_value(h, n)
        if (full >> n) & 1:
            overflow(h, n)
        config = h.mhpmevent[n]
        event = HPMEVENT_EVENT.get(config)
        if config & HPMEVENT_INHIBITS:
            h.counters_filtered = 1
        if (((h.mcountinhibit >> n) & 1) != 0) | ((config & inhibit) != 0):
            event = 0
        if event == EVENT_TRAPS:
            h.counters_of_traps = h.counters_of_traps | (1 << n)
        elif event:
            running |= 1 << n
            value -= retired
            due = 0 - value
            if (can_overflow != 0) & (n >= FIRST_HPMCOUNTER) & (HPMEVENT_OF.get(config) == 0) & (due > retired):
                if due < h.counters_due:
                    h.counters_due = due
                    h.counters_full = 0
                if due == h.counters_due:
                    h.counters_full = h.counters_full | (1 << n)
        h.counter_offset[n] = value
        n += 1
    h.counters_running = running
    if h.counters_due < h.slice_end:
        h.slice_end = h.counters_due
        h.budget = h.counters_due - retired


@rule
def count_trap(h):
    """A trap is taken.  If a counter overflows by it, interrupts are looked at before the handler's first instruction."""
    n = FIRST_HPMCOUNTER
    while n < COUNTERS:
        if (h.counters_of_traps >> n) & 1:
            value = h.counter_offset[n] + 1
            h.counter_offset[n] = value
            if (value == 0) & (HPMEVENT_OF.get(h.mhpmevent[n]) == 0) & (((h.extensions >> SSCOFPMF) & 1) != 0):
                overflow(h, n)
                h.slice_end = h.slice_end - h.budget
                h.budget = 0
                h.counters_due = h.slice_end
                h.counters_full = 0
        n += 1
