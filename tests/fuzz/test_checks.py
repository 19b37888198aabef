"""Targets that hold rvhyp to rules: SBI calls as a state machine, damaged files; what is wrong is found and made small."""
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from rvhyp.conformance.expectations import Rules
from rvhyp.fuzz import loaders, sbi
from rvhyp.fuzz.campaign import Campaign, Plan
from rvhyp.fuzz.checks import CHECKS, RULES
from rvhyp.fuzz.sbi import ALL, BASE, DBCN, HSM, IPI, RFENCE, SRST, TIME, Call
from rvhyp.monitor import sbi as monitor

HARTS = 3
WORDS = st.one_of(st.integers(0, 4), st.sampled_from(sbi.WORDS), st.integers(0, ALL))


class Guest(RuleBasedStateMachine):
    """A guest's calls, made when the sequence is complete, and held to the model."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def make(self, eid, fid=0, *arguments):
        if len(self.calls) < sbi.CALLS:
            self.calls.append(Call(eid, fid, arguments))

    @rule(fid=st.integers(0, 8), a0=st.sampled_from((*sbi.THERE, *sbi.ABSENT)))
    def base(self, fid, a0):
        self.make(BASE, fid, a0)

    @rule(ticks=WORDS)
    def timer(self, ticks):
        self.make(TIME, 0, ticks)

    @rule(mask=WORDS, base=st.one_of(st.integers(0, HARTS), WORDS))
    def ipi(self, mask, base):
        self.make(IPI, 0, mask, base)

    @rule(fid=st.integers(0, 7), mask=WORDS, base=WORDS, start=WORDS, size=WORDS, asid=WORDS)
    def fence(self, fid, mask, base, start, size, asid):
        self.make(RFENCE, fid, mask, base, start, size, asid)

    @rule(hart=st.one_of(st.integers(0, HARTS), WORDS), odd=st.booleans(), place=st.sampled_from(("other", "text", "nowhere")))
    def start(self, hart, odd, place):
        where = {"other": sbi.places()["other"], "text": sbi.places()["other"] + 1, "nowhere": 0x1000}[place]
        self.make(HSM, 0, hart, where, 2 * len(self.calls) + odd)

    @rule(hart=st.one_of(st.integers(0, HARTS), WORDS))
    def status(self, hart):
        self.make(HSM, 2, hart)

    @precondition(lambda self: sbi.wakes([*self.calls, Call(HSM, 3)]))
    @rule(kind=st.sampled_from((0, 1, 0x1000_0000, 0x7FFF_FFFF, 0x8000_0000, 0x9000_0000, 0xFFFF_FFFF)))
    def suspend(self, kind):
        self.make(HSM, 3, kind)

    @rule()
    def ipi_to_itself(self):
        self.make(IPI, 0, 1, 0)

    @rule(kind=st.integers(3, 0xFFFF_FFFF), reason=WORDS)
    def reset_of_no_kind(self, kind, reason):
        self.make(SRST, 0, kind, reason)

    @rule(fid=st.integers(0, 3), size=WORDS, low=WORDS, high=st.sampled_from((0, 0, 1, ALL)))
    def console(self, fid, size, low, high):
        self.make(DBCN, fid, size, low, high)

    @rule(size=st.integers(0, len(sbi.TEXT)))
    def write_text(self, size):
        self.make(DBCN, 0, size, sbi.places()["text"], 0)

    @rule(eid=st.sampled_from((sbi.SET_TIMER, sbi.PUTCHAR, sbi.GETCHAR, sbi.CLEAR_IPI, 4, 7, *sbi.ABSENT)), a0=WORDS, a1=WORDS)
    def other(self, eid, a0, a1):
        self.make(eid, 0, a0, a1)

    def teardown(self):
        if self.calls:
            assert sbi.wrong_answer(self.calls, HARTS) == ""


TestGuest = Guest.TestCase
TestGuest.settings = settings(max_examples=25, stateful_step_count=25, derandomize=True, database=None, deadline=None)


def test_sequences_of_calls_are_answered_as_the_model_allows():
    assert [number for number in range(40) if sbi.run(1, number)] == []


@pytest.mark.parametrize("eid, fid, answer, call", [
    (BASE, 0, (0, 1), "a7=0x10 a6=0x0"), (HSM, 2, (0, 9), "a7=0x48534d a6=0x2"), (IPI, 0, -3, "a7=0x735049 a6=0x0")])
def test_a_wrong_answer_is_found_with_the_call_that_shows_it(monkeypatch, eid, fid, answer, call):
    monkeypatch.setitem(monitor.FUNCTIONS, (eid, fid), lambda made: answer)
    wrong = next(filter(None, (sbi.run(1, number) for number in range(20))))
    assert wrong.count("ecall") == 2 and call in wrong.replace("ffffffff00", "").replace("0xffffffff", "0x"), wrong


def test_damaged_files_are_taken_or_refused():
    assert [number for number in range(300) if loaders.run(1, number)] == []


def test_a_reader_that_fails_in_another_way_is_found(monkeypatch):
    def broken(path):
        raise KeyError("x")
    monkeypatch.setattr(Rules, "read", broken)
    assert any("rules: KeyError" in loaders.run(1, number) for number in range(30))


@pytest.mark.parametrize("target", CHECKS)
def test_they_are_campaigns_like_others(target):
    reports = [Campaign(Plan(target, seed=5, examples=24, seconds=None, jobs=jobs)).run() for jobs in (1, 2)]
    assert all(report.compared == {RULES: 24} and report.found == [] for report in reports)


def test_what_is_wrong_is_a_case_whatever_the_number_of_processes(monkeypatch):
    monkeypatch.setitem(monitor.FUNCTIONS, (BASE, 0), lambda made: (0, 1))
    found = [sorted((case.number, case.what) for case in Campaign(
        Plan("sbi", seed=1, examples=16, seconds=None, jobs=jobs)).run().found) for jobs in (1, 2)]
    assert found[0] == found[1] and found[0]
