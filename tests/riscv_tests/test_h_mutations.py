"""The checks of the H suite can fail: some mutations here, all of them in the long run."""
import pytest

from tools.h_mutations import ROOT, Mutation, mutations, unnoticed

ALL = mutations()
SAMPLE = 40                                 # every so many is tried each time


@pytest.mark.parametrize("mutation", [pytest.param(each, marks=() if number % SAMPLE == 7 else pytest.mark.long, id=f"{number}")
                                      for number, each in enumerate(ALL)])
def test_turns_red(mutation):
    assert unnoticed(mutation) == ""


@pytest.mark.parametrize("mutation", ALL, ids=str)
def test_names_a_line_that_is_there(mutation):
    source = (ROOT / mutation.file).read_text()
    changed = mutation.apply(source)
    compile(changed, mutation.file, "exec")
    assert sum(a != b for a, b in zip(source.splitlines(), changed.splitlines(), strict=True)) == 1


def test_one_that_changes_nothing_is_noticed_as_green():
    same = Mutation("rvhyp/hart/trap.py", "mret", "if h.prv != M:", "if M != h.prv:", ("H-ACC-003",))
    assert unnoticed(same) == "GREEN H-ACC-003"


def test_one_that_does_not_run_is_an_error():
    broken = Mutation("rvhyp/hart/trap.py", "mret", "if h.prv != M:", "if h.prv != nothing:", ("H-ACC-003",))
    assert "NameError" in unnoticed(broken)
    absent = Mutation("rvhyp/hart/trap.py", "mret", "if h.prv != 77:", "", ("H-ACC-003",))
    assert "not once in the source" in unnoticed(absent)
