"""The engines held to each other on harts that choose otherwise: the configuration is drawn with the program."""
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.paging import Allocator
from tests.engine.programs import configurations, gate_settings, install, modes, program, registers, slices, soups, uniform64
from tests.engine.support import examples, hold_equal, sizes
from tests.engine.test_equality_memory import RAM, access_words, situations


@sizes(40, 2000)
def test_anything_in_any_mode_of_any_hart(count):
    """Words of all kinds, in every mode, with random gates, interrupts and lines of guest external interrupts."""
    @examples(count)
    @given(configurations, soups, registers(), modes, gate_settings(), uniform64, uniform64, slices)
    def check(chosen, words, values, mode, gates, hgeip, hgeie, counts):
        def prepare(bench):
            install(bench, program(words), **values, **gates, hgeie=hgeie, prv=mode[0], v=mode[1])
            bench.hart.hgeip = hgeip & (2 << chosen.get("geilen", 0)) - 2
        hold_equal(prepare, counts, choices=chosen)
    check()


@sizes(40, 2000)
def test_accesses_through_random_page_tables_on_any_hart(count):
    """Misaligned ones, atomics, HLV and HSV, PMP with a grain, modes and ASIDs that may not be there."""
    @examples(count)
    @given(configurations, st.lists(access_words(), min_size=15, max_size=40), situations(), registers(),
           st.lists(st.integers(1, 80), min_size=2))
    def check(chosen, accesses, situation, values, counts):
        host, guest, state = situation

        def prepare(bench):
            install(bench, program(sum(accesses, [])), **values | state)
            allocate = Allocator()
            bench.set(**host.install(bench, False, allocate), **guest.install(bench, True, allocate))
        hold_equal(prepare, [*counts, 200], size=RAM, choices=chosen)
    check()
