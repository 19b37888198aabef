"""Explanations are computed from the state before a trap alone, and say what the interpreter does: on programs of all kinds."""
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.paging import Allocator
from tests.engine.programs import gate_settings, install, modes, program, registers, soups
from tests.engine.support import examples, sizes
from tests.engine.test_equality_memory import RAM, access_words, situations
from tests.explain.support import hold_explained


@sizes(25, 1000)
def test_accesses_through_random_page_tables(count):
    """Both stages, in all modes, valid and broken; MPRV, HLV and HSV, SUM, MXR, ADUE, PBMT, PMP, cached translations."""
    causes = set()

    @examples(count)
    @given(st.lists(access_words(), min_size=15, max_size=40), situations(), registers())
    def check(accesses, situation, values):
        host, guest, state = situation

        def prepare(bench):
            install(bench, program(sum(accesses, [])), **values | state)
            allocate = Allocator()
            bench.set(**host.install(bench, False, allocate), **guest.install(bench, True, allocate))
        causes.update(found.cause for found in hold_explained(prepare, 100, size=RAM))
    check()
    assert causes >= {5, 6, 7, 13, 15, 21, 23}


@sizes(30, 1500)
def test_anything_in_any_mode(count):
    """Words of all kinds and of none, in every mode, with random delegation, gates and interrupts."""
    exceptions, interrupts, levels = set(), set(), set()

    @examples(count)
    @given(soups, registers(), modes, gate_settings())
    def check(words, values, mode, gates):
        for found in hold_explained(lambda bench: install(bench, program(words), **values, **gates, prv=mode[0], v=mode[1]), 100):
            (interrupts if found.is_interrupt else exceptions).add(found.cause)
            levels.add(found.taken_in)
    check()
    wanted = {"M", "HS"} if count < 100 else {"M", "HS", "VS"}      # few examples may have none that VS takes
    assert levels >= wanted and exceptions >= {2, 22} and len(interrupts) > 2
