"""Counters.  Both count retired instructions; the offsets are what software wrote."""
from rvhyp.hart.csrs.rows import reads, writes
from rvhyp.hart.interrupt import ticks
from rvhyp.isa.rule import rule

CY, IR = 1, 4                           # bits of mcountinhibit


@rule
def counted(h, inhibit, offset):
    """A counter: frozen at its offset while inhibited."""
    return offset if h.mcountinhibit & inhibit else h.slice_end - h.budget + offset


@reads("cycle", "mcycle")
def read_cycle(h, number):
    return counted(h, CY, h.cycle_offset)


@reads("instret", "minstret")
def read_instret(h, number):
    return counted(h, IR, h.instret_offset)


@reads("time")
def read_time(h, number):
    return ticks(h) + h.htimedelta if h.v else ticks(h)


@rule
def offset_for(h, inhibit, value):
    """The offset that makes a counter read `value` at the next instruction."""
    return value if h.mcountinhibit & inhibit else value - (h.slice_end - h.budget + 1)


@writes("mcycle")
def write_mcycle(h, number, value):
    h.cycle_offset = offset_for(h, CY, value)


@writes("minstret")
def write_minstret(h, number, value):
    h.instret_offset = offset_for(h, IR, value)


@writes("mcountinhibit")
def write_mcountinhibit(h, number, value):
    """A counter keeps its value when it stops and when it goes on."""
    cycle = counted(h, CY, h.cycle_offset)
    instret = counted(h, IR, h.instret_offset)
    retired = h.slice_end - h.budget
    h.mcountinhibit = value & (CY | IR)
    h.cycle_offset = cycle if value & CY else cycle - retired
    h.instret_offset = instret if value & IR else instret - retired
