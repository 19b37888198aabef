"""A misaligned store may take the short way only where every later one to the page may take it too."""
import pytest

from rvhyp.isa.csr import MSTATUS_MPRV
from tests.engine.paging import Allocator, PageTable, W
from tests.engine.support import BASE, ENGINES, Bench

RAM = 1 << 19
DATA, HERE, HANDLER = BASE + 0x8000, 0x40_0000, BASE + 0x100
VALUE = 0x1122_3344_5566_7788
both = pytest.mark.parametrize("engine", ENGINES)
STORE_PAGE_FAULT = 15


def bench_of(engine, source, **values):
    bench = Bench(engine, size=RAM)
    bench.put(source)
    bench.put("j .", HANDLER)
    return bench.set(**{"mtvec": HANDLER, "x5": VALUE} | values)


@both
def test_a_fence_ends_it(engine):
    bench = bench_of(engine, "sd t0, 1(x4)\n sd t0, 9(x4)\n sfence.vma\n sd t0, 17(x4)\n j .")
    table = PageTable(bench.memory, 8, Allocator())
    pte = table.map(HERE, DATA)
    bench.set(satp=table.atp, mstatus=MSTATUS_MPRV.mask | 1 << 11 | 1 << 18, x4=HERE)      # as S-mode, with SUM
    bench.run(2)
    assert bench.memory.read(DATA, 24) == b"\0" + 2 * VALUE.to_bytes(8, "little") + bytes(7)
    bench.memory.set_word(pte, bench.memory.word(pte) & ~W)
    bench.run(2)
    assert (bench.csr("mcause"), bench.csr("mtval"), bench.memory.word(DATA + 17)) == (STORE_PAGE_FAULT, HERE + 17, 0)


@both
def test_code_that_one_overwrites_is_forgotten(engine):
    """Before the page is decoded, when it is, and when it is decoded again."""
    patch = "sd {}, 2(x4)\n jalr ra, 2(x4)\n"
    bench = bench_of(engine, "sd t1, 2(x4)\n" + "".join(map(patch.format, ("t1", "t0", "t1"))) + "j .", x4=DATA,
                     x5=0x0000_8067_0015_0513, x6=0x0000_8067_0000_0013)           # addi a0, a0, 1; ret / nop; ret
    bench.run(1 + 3 * 4)
    assert int(bench.hart.x[10]) == 1 and bench.hart.pc == BASE + 28


@both
def test_watched_words_are_seen(engine):
    bench = bench_of(engine, "sd t0, 1(x4)\n sd t0, 65(x4)\n j .", x4=DATA)
    bench.hart.watch_low, bench.hart.watch_high = DATA + 64, DATA + 72
    assert [reason for reason, _ in bench.run(3)][0] == "watched store"
    assert bench.hart.pc == BASE + 8
