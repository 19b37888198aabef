"""The engines held to each other on control flow: near, far and across pages, in every mode, through page tables."""
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.instruction import INSTRUCTIONS
from tests.engine.blocks import PAGE, PAGES, block_lists, lay_out
from tests.engine.paging import FULL, Allocator, PageTable, U, mostly
from tests.engine.programs import HANDLERS, MODES, PROGRAM, install, install_handlers, words64
from tests.engine.support import BASE, examples, hold_equal, hold_sliced, sizes

RAM = 1 << 19
counters = st.fixed_dictionaries({f"x{n}": words64 for n in range(10, 16)})
runs = st.lists(st.one_of(st.integers(1, 6), st.integers(1, 120)), min_size=3, max_size=10)


@sizes(100, 3000)
def test_branches_and_jumps(count):
    """In M-mode: loops within a page, across pages, into the middle of instructions."""
    @examples(count)
    @given(block_lists(), counters, runs)
    def check(blocks, values, counts):
        hold_equal(lambda bench: install(bench, lay_out(blocks), **values), counts)
    check()


@sizes(60, 2000)
def test_branches_and_jumps_in_slices(count):
    @examples(count)
    @given(block_lists(), counters, runs)
    def check(blocks, values, counts):
        hold_sliced(lambda bench: install(bench, lay_out(blocks), **values), counts)
    check()


# Through page tables: the pages of the program lie anywhere in memory, some may not be executed.

FRAMES = [BASE + 0x2000 + n * PAGE for n in range(5)]
places = st.permutations(FRAMES)
page_flags = st.lists(mostly((FULL, FULL & ~(1 << 6)), st.integers(0, 255)), min_size=PAGES, max_size=PAGES)
bases = st.sampled_from((0x40_0000, 0x3F_F000, 0x3F_FFFF_E000, 0xFFFF_FFC0_0000_0000, 0xFFFF_FFFF_FFFF_D000, 0x7FFF_E000))


@sizes(100, 3000)
def test_code_through_page_tables(count):
    """In S, U, VS and VU: instructions across pages that are not neighbours, pages that may not be executed, A bits, ASIDs."""
    @examples(count)
    @given(block_lists(), counters, runs, st.sampled_from(("HS", "U", "VS", "VU")), places, page_flags, page_flags,
           st.sampled_from((8, 9, 10)), st.sampled_from((0, 8, 9, 10)), bases, st.sampled_from((0, 1 << 61)))
    def check(blocks, values, counts, mode, frames, flags, g_flags, paging, g_paging, va, adue):
        prv, v = MODES[mode]
        code = lay_out(blocks)

        def prepare(bench):
            install_handlers(bench)
            allocate = Allocator()
            table = PageTable(bench.memory, paging, allocate)
            for number in range(PAGES):
                bench.memory.write(frames[number], code[number * PAGE:(number + 1) * PAGE])
                user = 0 if prv else U
                table.map(va + number * PAGE, frames[number], flags[number] & ~U | user)
            state = {"vsatp" if v else "satp": table.atp}
            if v and g_paging:
                g_stage = PageTable(bench.memory, g_paging, allocate, is_wide=True)
                for page in table.tables:
                    g_stage.map(page, page)
                for number in range(PAGES):
                    g_stage.map(frames[number], frames[number], g_flags[number])
                state["hgatp"] = g_stage.atp
            bench.set(menvcfg=adue, **state, henvcfg=adue, prv=prv, v=v, pc=va, **values)
        hold_equal(prepare, counts, size=RAM)
    check()


def test_the_places_are_free():
    assert PROGRAM + PAGES * PAGE <= BASE + 0x10000 and max(HANDLERS.values()) < PROGRAM and "mret" in INSTRUCTIONS
