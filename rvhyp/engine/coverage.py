"""Coverage: which instructions of some programs ran, in which mode, to what outcome; CSRs they wrote; traps they took.

A covered run steps through the programs' own code and runs everything else at full speed: `fetch_page` leaves the engine where
such code would be entered.  After each step bits of a map are set that Python gave, at h.coverage:

    what        number of a feature, from its base on
    outcome     instruction, mode, 0 if it retired or 1 + the exception's code
    CSR         CSR written, mode, and the byte of it that changed (8: none did)
    cause       interrupt or exception, code, mode it came from, mode it went to
    pair        class of the instruction before and whether it trapped, class, mode

Modes are prv | V << 2.  The plain-Python engine runs the same rules.
"""
from rvhyp.engine.tables import ROW_NUMBER
from rvhyp.engine.uop import find_row
from rvhyp.hart.csrs import csr_access, csr_read
from rvhyp.hart.state import REASON_BUDGET, REASON_TRAP
from rvhyp.isa.cause import M
from rvhyp.isa.csr import HSTATUS_SPV, MSTATUS_MPP, MSTATUS_MPV, MSTATUS_SPP
from rvhyp.isa.rule import load8, load16, load64, rule, store16, store64

# The area at h.coverage: words that Python sets ...
LOW, BYTES, MASK, SHIFT, NEXT, END, SHORTS, CLASSES, REACHED = (8 * n for n in range(9))
# ... (what pcs are a program's: (pc & MASK) - LOW < BYTES, program by program 1 << SHIFT; where the log goes; numbers of 16-bit
# instructions; classes by number; for each feature the last program that reached it), and words of the run.
QUANTUM, INSTRET, TRAPS, MODE, NUMBER, CSR, OLD, PREVIOUS, PROGRAM = (8 * n for n in range(9, 18))
AREA_BYTES = 8 * 18

OUTCOME_BITS, MODE_BITS, CLASS_BITS, CODE_BITS, NUMBER_BITS, BYTE_BITS, CSR_BITS = 5, 3, 6, 6, 9, 4, 12
SLOT_BITS = 16                          # in the log: a feature above, the program's slot below
UNCHANGED = 8
START = (1 << CLASS_BITS) - 1           # the class before a program's first instruction
OUTCOMES = 0
CAUSES = OUTCOMES + (1 << (NUMBER_BITS + MODE_BITS + OUTCOME_BITS))
PAIRS = CAUSES + (1 << (1 + CODE_BITS + 2 * MODE_BITS))
WRITES = PAIRS + (1 << (1 + 2 * CLASS_BITS + MODE_BITS))
FEATURES = WRITES + (1 << (CSR_BITS + MODE_BITS + BYTE_BITS))
SYSTEM, CSRRW = 0x73, 1


@rule
def is_program(h, pc):
    """Whether a pc is in a program's code, wherever that is mapped."""
    return 1 if (pc & load64(h.coverage + MASK)) - load64(h.coverage + LOW) < load64(h.coverage + BYTES) else 0


@rule
def is_covered(h):
    """Whether the next instruction is a program's."""
    return is_program(h, h.pc)


@rule
def enter_program(h, pc):
    """What is noted from here on is of the program at a pc."""
    area = h.coverage
    program = (((pc & load64(area + MASK)) - load64(area + LOW)) >> load64(area + SHIFT)) + 1
    if program != load64(area + PROGRAM):
        store64(area + PROGRAM, program)
        store64(area + PREVIOUS, START)


@rule
def coverage_start(h):
    """Before a covered run."""
    store64(h.coverage + QUANTUM, h.quantum_end)
    store64(h.coverage + TRAPS, h.traps)


@rule
def coverage_before(h):
    """1 if the next instruction is a program's: then it alone is to be run.  Else all up to the next one that is."""
    h.reason = 0
    area = h.coverage
    store64(area + TRAPS, h.traps)
    if is_covered(h) == 0:
        return 0
    enter_program(h, h.pc)
    instret = h.slice_end - h.budget
    h.slice_end = instret + 1
    h.quantum_end = instret + 1
    h.budget = 1
    store64(area + INSTRET, instret)
    store64(area + MODE, h.prv | (h.v << 2))
    store64(area + NUMBER, 0)
    store64(area + CSR, 0)
    return 1


@rule
def coverage_look(h):
    """The instruction in h.insn is about to be executed: which is it, and which CSR would it write?"""
    insn = h.insn
    area = h.coverage
    if (insn & 3) != 3:
        store64(area + NUMBER, load16(load64(area + SHORTS) + ((insn & 0xFFFF) << 1)))
        return 0
    row = find_row(h, insn)
    store64(area + NUMBER, load16(row + ROW_NUMBER) + 2 if row else 1)
    form = (insn >> 12) & 3
    if ((insn & 0x7F) == SYSTEM) & (form != 0):
        if (form == CSRRW) | (((insn >> 15) & 31) != 0):
            number = csr_access(h, insn >> 20, 1)
            h.fault = 0
            if number:
                store64(area + CSR, number)
                store64(area + OLD, csr_read(h, number))
    return 0


@rule
def coverage_after(h, stepped):
    """After a step, or a run of what is not covered.  1 if the engine must leave: h.reason says why."""
    area = h.coverage
    h.fault = 0
    instret = h.slice_end - h.budget
    outcome = note_trap(h) if h.traps != load64(area + TRAPS) else 0
    if stepped:
        note_step(h, instret - load64(area + INSTRET), outcome)
    quantum = load64(area + QUANTUM)
    h.quantum_end = quantum
    if (h.reason != REASON_BUDGET) & (h.reason != REASON_TRAP):
        return 1
    h.reason = REASON_BUDGET
    return 1 if instret >= quantum else 0


@rule
def trapped_mode(h):
    """The mode that the last trap was taken from: where an xRET led, if an interrupt was waiting there."""
    if h.prv == M:
        return MSTATUS_MPP.get(h.mstatus) | (MSTATUS_MPV.get(h.mstatus) << 2)
    if h.v:
        return MSTATUS_SPP.get(h.vsstatus) | 4
    return MSTATUS_SPP.get(h.mstatus) | (HSTATUS_SPV.get(h.hstatus) << 2)


@rule
def note_trap(h):
    """A trap was taken; if that is a program's, the way that it took.  1 + the code of an exception; 0 for an interrupt."""
    cause = h.mcause if h.prv == M else (h.vscause if h.v else h.scause)
    code = cause & ((1 << CODE_BITS) - 1)
    epc = h.mepc if h.prv == M else (h.vsepc if h.v else h.sepc)
    if is_program(h, epc):
        enter_program(h, epc)
        place = ((((cause >> 63) << CODE_BITS) | code) << MODE_BITS) | trapped_mode(h)
        note(h, CAUSES + ((place << MODE_BITS) | h.prv | (h.v << 2)))
    return 0 if cause >> 63 else code + 1


@rule
def note_step(h, retired, outcome):
    """What a step did."""
    area = h.coverage
    mode = load64(area + MODE)
    if (retired == 0) & (outcome == 0):
        return 0                            # an interrupt alone, or an access that Python makes: it runs again
    number = load64(area + NUMBER)
    note(h, OUTCOMES + ((((number << MODE_BITS) | mode) << OUTCOME_BITS) | outcome))
    own = load8(load64(area + CLASSES) + number)
    note(h, PAIRS + ((((load64(area + PREVIOUS) << CLASS_BITS) | own) << MODE_BITS) | mode))
    store64(area + PREVIOUS, own if outcome == 0 else own | (1 << CLASS_BITS))
    csr = load64(area + CSR)
    if (csr != 0) & (retired != 0):
        changed = load64(area + OLD) ^ csr_read(h, csr)
        place = WRITES + (((csr << MODE_BITS) | mode) << BYTE_BITS)
        if changed == 0:
            note(h, place + UNCHANGED)
        while changed != 0:
            if changed & 0xFF:
                note(h, place)
            changed = changed >> 8
            place += 1


@rule
def note(h, feature):
    """A program reaches a feature: the first time that it does goes to the log."""
    area = h.coverage
    seen = load64(area + REACHED) + (feature << 1)
    program = load64(area + PROGRAM)
    if load16(seen) != program:
        place = load64(area + NEXT)
        if place < load64(area + END):
            store16(seen, program)
            store64(place, (feature << SLOT_BITS) | (program - 1))
            store64(area + NEXT, place + 8)
