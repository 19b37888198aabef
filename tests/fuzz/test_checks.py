"""Targets that hold rvhyp to rules: SBI calls as a state machine, damaged files; what is wrong is found and made small."""
import re

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from rvhyp.conformance.expectations import Rules
from rvhyp.fuzz import loaders, sbi
from rvhyp.fuzz.campaign import Campaign, Plan
from rvhyp.fuzz.checks import CHECKS, RULES
from rvhyp.fuzz.sbi_model import ALL, BASE, DBCN, FIRMWARE, FWFT, HSM, IPI, PMU, RFENCE, SRST, STA, SUSP, TIME, Call
from rvhyp.monitor import sbi as monitor

HARTS = 3
WORDS = st.one_of(st.integers(0, 4), st.sampled_from(sbi.WORDS), st.integers(0, ALL))


class Guest(RuleBasedStateMachine):
    """Calls of a guest's harts, made when the sequence is complete, and held to the model."""

    def __init__(self):
        super().__init__()
        self.calls, self.hart = [], 0

    def make(self, eid, fid=0, *arguments):
        if len(self.calls) < sbi.CALLS:
            self.calls.append(Call(eid, fid, arguments, self.hart))

    @rule(hart=st.integers(0, HARTS - 1))
    def go_on_with(self, hart):
        self.hart = hart

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

    @precondition(lambda self: len(self.calls) < sbi.CALLS - 1)
    @rule(kind=st.sampled_from((0, 1, 0x1000_0000, 0x7FFF_FFFF, 0x8000_0000, 0x9000_0000, 0xFFFF_FFFF)), odd=st.booleans())
    def suspend(self, kind, odd):
        self.calls.append(sbi.ipi_to(self.hart))
        self.make(HSM, 3, kind, sbi.places()["other"] + odd, len(self.calls))

    @precondition(lambda self: len(self.calls) < sbi.CALLS - 1)
    @rule(kind=st.sampled_from((0, 0, 1, 0x8000_0000)), odd=st.booleans())
    def suspend_all(self, kind, odd):
        self.calls.append(sbi.ipi_to(self.hart))
        self.make(SUSP, 0, kind, sbi.places()["other"] + odd, len(self.calls))

    @precondition(lambda self: self.hart)
    @rule()
    def stop(self):
        self.make(HSM, 1)

    @rule(fid=st.sampled_from((2, 3, 4)), base=st.sampled_from((0, 0, 1, FIRMWARE[0], FIRMWARE[-1], ALL)), mask=WORDS,
          flags=WORDS, event=st.one_of(st.integers(0, 3), st.integers(0xF0000, 0xF0010), st.integers(0, ALL)), data=WORDS)
    def counters(self, fid, base, mask, flags, event, data):
        self.make(PMU, fid, base, mask, flags, event, data)

    @rule(event=st.integers(0xF0004, 0xF000E))
    def count_firmware_event(self, event):
        self.make(PMU, 2, FIRMWARE[0], 0xF, 6, event, 0)

    @rule(fid=st.sampled_from((1, 5, 6, 9)), number=st.one_of(st.integers(0, FIRMWARE[-1] + 1), WORDS))
    def counter(self, fid, number):
        self.make(PMU, fid, number)

    @rule(what=st.sampled_from(((PMU, 7, "shared", 4096), (STA, 0, "stolen", 64))), off=st.sampled_from((0, 0, 8)),
          high=st.sampled_from((0, 0, 1, ALL)), flags=st.sampled_from((0, 0, 1, 1 << 63)))
    def share(self, what, off, high, flags):
        eid, fid, name, size = what
        self.make(eid, fid, sbi.places()[name] + size * self.hart + off, high, flags)

    @rule(low=WORDS, high=WORDS, entries=WORDS, flags=st.sampled_from((0, 0, 1)))
    def event_info(self, low, high, entries, flags):
        self.make(PMU, 8, low, high, entries, flags)

    @rule(fid=st.integers(0, 2), feature=st.one_of(st.just(4), st.integers(0, 6), WORDS), value=st.integers(0, 2),
          flags=st.integers(0, 2))
    def feature(self, fid, feature, value, flags):
        self.make(FWFT, fid, feature, value, flags)

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


@pytest.mark.parametrize("eid, fid, answer", [
    (BASE, 0, (0, 1)), (HSM, 2, (0, 9)), (RFENCE, 0, -4), (PMU, 0, (0, 1)), (FWFT, 1, -1), (STA, 0, -2)])
def test_a_wrong_answer_is_found_with_the_call_that_shows_it(monkeypatch, eid, fid, answer):
    monkeypatch.setitem(monitor.FUNCTIONS, (eid, fid), lambda made: answer)
    wrong = next(filter(None, (sbi.run(1, number) for number in range(60))))
    calls = [(int(a7, 16) & 0xFFFF_FFFF, int(a6, 16) & 0xFFFF_FFFF) for a7, a6 in re.findall(r"a7=(\w+) a6=(\w+)", wrong)]
    assert calls == [(eid, fid)] * 2, wrong             # the one call that it takes, and what is wrong with it


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
