"""AMOCAS: compare-and-swap of every width, register pairs, and where it may be.  Zawrs: waiting for a reservation."""
import pytest

from rvhyp.isa.instruction import INSTRUCTIONS
from tests.engine.programs import to_bytes
from tests.engine.support import BASE, ENGINES, Bench

DATA = BASE + 0x1000
MASK = (1 << 64) - 1
OLD = 0x8765_4321_FEDC_BA98
both = pytest.mark.parametrize("engine", ENGINES)


def run(engine, name, rd=10, rs2=12, address=DATA, memory=(OLD, 5), **registers):
    """The instruction with its address in sp, after a write of x0; gives the bench, and the cause or 0."""
    bench = Bench(engine)
    bench.put("addi zero, zero, 77", BASE)
    bench.put(to_bytes(INSTRUCTIONS[name].encode(rd=rd, rs1=2, rs2=rs2, aq=0, rl=0)), BASE + 4)
    bench.put("j .", BASE + 0x100)
    for number, word in enumerate(memory):
        bench.memory.set_word(DATA + 8 * number, word)
    bench.set(mtvec=BASE + 0x100, x2=address, **registers)
    bench.run(2)
    return bench, 0 if bench.hart.pc == BASE + 8 else bench.csr("mcause")


@both
@pytest.mark.parametrize("name, width", [("amocas.b", 8), ("amocas.h", 16), ("amocas.w", 32), ("amocas.d", 64)])
def test_swaps_if_the_low_bits_are_equal(engine, name, width):
    """Bits of the registers above the width do not matter; rd gets the old value, sign-extended."""
    low = (1 << width) - 1
    for expected, new in ((OLD ^ (MASK & ~low), 0x1122_3344_5566_7788), (OLD ^ 1, 7)):
        bench, cause = run(engine, name, x10=expected, x12=new)
        swapped = (OLD & ~low | new & low) if expected & low == OLD & low else OLD
        extended = (OLD & low) - ((OLD >> width - 1 & 1) << width)
        assert (cause, bench.word(DATA), int(bench.hart.x[10])) == (0, swapped, extended & MASK)
        assert bench.word(DATA + 8) == 5


@both
def test_x0_is_compared_as_0_and_stays_so(engine):
    for memory, swapped in ((0, 9), (1, 1)):
        bench, _ = run(engine, "amocas.d", rd=0, memory=(memory, 5), x12=9)
        assert (bench.word(DATA), int(bench.hart.x[0])) == (swapped, 0)


@both
@pytest.mark.parametrize("low, high", [(OLD, 5), (OLD, 6), (OLD ^ 1 << 63, 5)])
def test_pairs(engine, low, high):
    bench, cause = run(engine, "amocas.q", x10=low, x11=high, x12=1, x13=2)
    assert (bench.word(DATA), bench.word(DATA + 8)) == ((1, 2) if (low, high) == (OLD, 5) else (OLD, 5))
    assert (cause, int(bench.hart.x[10]), int(bench.hart.x[11])) == (0, OLD, 5)


@both
def test_the_pair_of_x0_is_0_as_a_whole(engine):
    """x1 is no part of it: neither compared, nor stored, nor written."""
    bench, _ = run(engine, "amocas.q", rd=0, rs2=0, memory=(0, 0), x1=77)
    assert (bench.word(DATA), bench.word(DATA + 8), int(bench.hart.x[0]), int(bench.hart.x[1])) == (0, 0, 0, 77)
    bench, _ = run(engine, "amocas.q", rd=0, rs2=12, memory=(0, 77), x1=77, x12=1, x13=2)
    assert (bench.word(DATA), bench.word(DATA + 8), int(bench.hart.x[1])) == (0, 77, 77)
    bench, _ = run(engine, "amocas.q", rs2=0, x1=77, x10=OLD, x11=5)
    assert (bench.word(DATA), bench.word(DATA + 8)) == (0, 0)


@both
@pytest.mark.parametrize("name, size", [("amocas.h", 2), ("amocas.w", 4), ("amocas.d", 8), ("amocas.q", 16)])
def test_alignment(engine, name, size):
    bench, cause = run(engine, name, address=DATA + size // 2, x10=OLD)
    assert (cause, bench.csr("mtval"), bench.word(DATA)) == (6, DATA + size // 2, OLD)
    assert run(engine, name, address=0x1000_0000)[1] == 7


@both
def test_pairs_begin_at_even_registers(engine):
    for bits in (1 << 7, 1 << 20):
        bench = Bench(engine)
        bench.put(to_bytes(INSTRUCTIONS["amocas.q"].encode(rd=10, rs1=2, rs2=12, aq=0, rl=0) | bits), BASE)
        bench.put("j .", BASE + 0x100)
        bench.set(mtvec=BASE + 0x100, x2=DATA)
        bench.run(1)
        assert bench.csr("mcause") == 2


TW = VTW = 1 << 21
ILLEGAL, VIRTUAL = 2, 22


def wait(engine, source, prv, v, **registers):
    """The cause of the trap that a program of three instructions takes; 0 if it takes none."""
    bench = Bench(engine)
    bench.put(source + "\n j .")
    bench.put("j .", BASE + 0x100)
    bench.set(mtvec=BASE + 0x100, x2=DATA, prv=prv, v=v, **registers)
    bench.run(3)
    return 0 if bench.hart.pc == BASE + 12 else bench.csr("mcause")


@both
@pytest.mark.parametrize("prv, v, by_vtw, by_tw", [(3, 0, 0, 0), (1, 0, 0, ILLEGAL), (0, 0, 0, ILLEGAL), (1, 1, VIRTUAL, ILLEGAL),
                                             (0, 1, VIRTUAL, ILLEGAL)])
def test_a_wait_for_a_reservation_is_bounded_by_tw_and_vtw(engine, prv, v, by_vtw, by_tw):
    """Nobody else runs, so the bound is always reached: with VTW alone, and with TW, which counts first (Zawrs)."""
    source = "lr.w a0, (sp)\n wrs.nto\n wrs.sto"
    assert wait(engine, source, prv, v) == 0
    assert wait(engine, source, prv, v, hstatus=VTW) == by_vtw
    assert wait(engine, source, prv, v, hstatus=VTW, mstatus=TW) == wait(engine, source, prv, v, mstatus=TW) == by_tw


@both
def test_without_a_reservation_or_with_an_interrupt_there_is_no_wait(engine):
    assert wait(engine, "lr.w a0, (sp)\n sc.w a0, a0, (sp)\n wrs.nto", 1, 1, hstatus=VTW, mstatus=TW) == 0
    pending = {"software_interrupts": 2, "mie": 2, "mideleg": 2, "vsstatus": 0}          # SSIP, in S-mode with SIE clear
    assert wait(engine, "lr.w a0, (sp)\n wrs.nto\n nop", 1, 0, mstatus=TW, **pending) == 0
