"""The update of A and D is a compare-and-set of the whole PTE, and a PTE that has changed is looked at again (H-AD-008;
Privileged ISA, "Virtual Address Translation Process", step 9).  `riscv-tests/hypervisor/h-harts.S` has two harts at once."""
import pytest

from rvhyp.hart import paging
from rvhyp.isa.csr import ENVCFG_ADUE, MSTATUS_MPRV
from rvhyp.isa.rule import compare_and_set64, load64
from tests.engine.paging import FULL, A, Allocator, D, PageTable
from tests.engine.support import BASE, Bench

RAM = 1 << 19
DATA, OTHER = BASE + 0x8000, BASE + 0x9000
HERE = 0x40_0000
FRESH, SUM = FULL & ~(A | D), 1 << 18
STORE = "li t0, 0x55\nsd t0, 0(x4)\nj ."


def leaf(frame: int, bits: int) -> int:
    return frame >> 2 | bits


@pytest.fixture
def meddle(monkeypatch):
    """meddle(bench, pte address, value): another hart stores `value` between the walk's look at a PTE and its update."""
    def prepare(bench, pa, value):
        done = []

        def load_and_meddle(host):
            pte = load64(host)
            if host == bench.memory.regions[0].address + pa - BASE and not done:
                done.append(pte)
                bench.memory.set_word(pa, value)
            return pte
        for walk in (paging.first_stage, paging.second_stage):
            monkeypatch.setitem(walk.plain.__globals__, "load64", load_and_meddle)
        return done
    return prepare


@pytest.mark.parametrize("stage", ["first", "second"])
@pytest.mark.parametrize("value, traps, at", [
    (leaf(OTHER, FRESH), 0, OTHER), (0, 1, None), (leaf(OTHER, FRESH | A | D), 0, OTHER)])
def test_a_pte_that_changes_under_the_walk_is_walked_again(meddle, stage, value, traps, at):
    bench = Bench("reference", size=RAM)
    allocate = Allocator()
    first, second = PageTable(bench.memory, 8, allocate), PageTable(bench.memory, 8, allocate, is_wide=True)
    changed = first.map(HERE, DATA, FRESH)
    for page in (*first.tables, OTHER):
        second.map(page, page, FULL)
    last = second.map(DATA, DATA, FRESH)
    pte = changed if stage == "first" else last
    bench.put(STORE, BASE)
    bench.put("j .", BASE + 0x100)
    bench.set(menvcfg=ENVCFG_ADUE.mask, henvcfg=ENVCFG_ADUE.mask, mtvec=BASE + 0x100, vsatp=first.atp, hgatp=second.atp,
              mstatus=MSTATUS_MPRV.mask | 1 << 39 | 1 << 11, vsstatus=SUM, x4=HERE)
    seen = meddle(bench, pte, value)
    bench.run(3)
    assert seen == [leaf(DATA, FRESH)]
    assert int(bench.hart.traps) == traps
    assert bench.memory.word(pte) == (value | A | D if value else 0)
    assert bench.memory.word(DATA) == 0 and (at is None or bench.memory.word(at) == 0x55)


def test_a_comparison_that_fails_sets_nothing():
    bench = Bench("reference", size=RAM)
    done = [int(compare_and_set64(bench.memory.regions[0].address, old, 7)) for old in (1, 0, 0, 7)]
    assert done == [0, 1, 0, 1] and bench.memory.word(BASE) == 7
