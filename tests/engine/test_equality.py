"""The interpreter and the plain-Python reference, held to each other: same state, same count, same reasons to return."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Kind
from tests.engine.programs import (
    FLOATS,
    RECORDS,
    doubles,
    gate_settings,
    halves,
    install,
    modes,
    program,
    registers,
    singles,
    slices,
    soups,
    words64,
    words_of,
)
from tests.engine.support import examples, hold_equal, hold_sliced, sizes

DIRTY = 3 << 13                         # mstatus.FS


def floats_for(name):
    """Operands of a floating-point record: mostly of its own format."""
    return {"s": st.one_of(singles, singles, doubles), "d": st.one_of(doubles, doubles, singles),
            "h": st.one_of(halves, halves, singles)}.get(name.rpartition(".")[2], st.one_of(doubles, singles, halves))


@sizes(2, 25)
@pytest.mark.parametrize("name", RECORDS)
def test_every_record(name, count):
    """Twelve of it in a row, at once and one by one."""
    @examples(count)
    @given(st.lists(words_of(name), min_size=12, max_size=12), registers(floats=floats_for(name)), st.integers(0, 7),
           st.sampled_from((DIRTY, DIRTY, 1 << 13, 2 << 13, 0)))
    def check(words, values, frm, fs):
        def prepare(bench):
            install(bench, program(words), frm=frm, mstatus=fs, **values)
        hold_equal(prepare, [14, 20])
        hold_equal(prepare, [1] * 15)
    check()


FP = [name for name, record in INSTRUCTIONS.items() if record.kind is Kind.FP]


@sizes(3, 60)
@pytest.mark.parametrize("name", FP)
def test_floating_point_on_all_pairs_of_modes_and_formats(name, count):
    """Results, flags and FS, with flags read after each instruction."""
    width = {"d": 64, "h": 16}.get(name[-1], 32)
    read_flags, clear_flags = INSTRUCTIONS["csrrs"], INSTRUCTIONS["csrrwi"].encode(rd=0, csr=1, uimm=0)

    @examples(count)
    @given(st.lists(words_of(name), min_size=9, max_size=9),
           registers(floats=st.sampled_from(FLOATS[width]), integers=words64), st.integers(0, 4))
    def check(words, values, frm):
        code = [bits for n, word in enumerate(words)
                for bits in (word, read_flags.encode(rd=20 + n, csr=1, rs1=0), clear_flags)]
        hold_equal(lambda bench: install(bench, program(code), frm=frm, mstatus=DIRTY, **values), [30])
    check()


@pytest.mark.long
@sizes(150, 4000)
def test_anything_in_any_mode(count):
    """Words of all kinds and of none, in every mode, with random delegation, gates and interrupts, in random slices."""
    @examples(count)
    @given(soups, registers(), modes, gate_settings(), slices)
    def check(words, values, mode, gates, counts):
        hold_equal(lambda bench: install(bench, program(words), **values, **gates, prv=mode[0], v=mode[1]), counts)
    check()


@pytest.mark.long
@sizes(100, 3000)
def test_slices_do_not_matter(count):
    """One run, and the same in slices of 1, 2, 3 ... instructions."""
    @examples(count)
    @given(soups, registers(), modes, gate_settings(), slices,
           st.sampled_from(("interpreter", "interpreter", "interpreter", "reference")))
    def check(words, values, mode, gates, counts, engine):
        hold_sliced(lambda bench: install(bench, program(words), **values, **gates, prv=mode[0], v=mode[1]), counts, engine)
    check()


def test_every_record_is_among_these():
    assert set(RECORDS) == {*INSTRUCTIONS, *COMPRESSED} and len(FP) > 50
