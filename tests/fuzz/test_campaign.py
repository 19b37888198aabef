"""Campaigns: a simulator that is wrong somewhere is found, the case shrunk and written; one that is right is not blamed."""
import os
import subprocess
import sys

import pytest

from rvhyp.bench.peers import find
from rvhyp.fuzz import differences, oracles
from rvhyp.fuzz.campaign import SHOWN, Campaign, Plan
from rvhyp.fuzz.examine import examine
from rvhyp.fuzz.layout import STAGE
from rvhyp.fuzz.oracles import Engine, Failed, Missing, Oracle
from rvhyp.fuzz.targets import ISA, TARGETS
from tests.firmware.peers import needs_spike
from tests.fuzz.mutant import Mutant


@pytest.fixture
def register(monkeypatch):
    def add(name, make, is_ours=True):
        monkeypatch.setitem(oracles.ORACLES, name, Oracle(name, name, make, is_ours, 1024, 1))
    return add


def plan(*names, **more):
    return Plan(**{"seed": 5, "oracles": names, "examples": 200, "seconds": None} | more)


def test_a_wrong_instruction_is_found_and_shrunk_to_itself(register, tmp_path):
    register("mutant", Mutant)
    report = Campaign(plan("mutant", examples=120, corpus=str(tmp_path))).run()
    assert report.compared["mutant"] == 120
    assert 2 <= len(report.found) < 60
    for case in report.found[:2]:
        texts = [str(line) for line in case.example.lines]
        assert len(texts) <= 2 and any(text.startswith("sub ") for text in texts), texts
        assert len(case.files) == 3
    source, elf, _ = report.found[0].files
    assert "sub " in open(source).read()
    assert run_status(elf) == 1


def run_status(elf, isa=ISA):
    from rvhyp import Board, load
    board = Board(8 << 20, isa)
    board.load(load(elf))
    return board.run(1_000_000).status


@needs_spike
def test_a_reproducer_runs_on_other_simulators(register, tmp_path):
    register("mutant", Mutant)
    report = Campaign(plan("mutant", examples=60, corpus=str(tmp_path))).run()
    done = subprocess.run([find("spike"), f"--isa={ISA}", "-m0x80000000:0x800000", report.found[0].files[1]], timeout=60)
    assert done.returncode == 1                         # as the interpreter, and not as the mutant


@pytest.mark.long
def test_a_campaign_builds_a_core_that_is_not_there(tmp_path):
    """Its children may have no children, who would do that."""
    code = ("from rvhyp.fuzz.campaign import Campaign, Plan\n"
            "print(Campaign(Plan(oracles=('reference',), examples=1, seconds=None)).run().compared['reference'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ | {"RVHYP_CACHE": str(tmp_path)},
                          timeout=300)
    assert done.stdout == b"1\n", done.stderr


def test_the_same_cases_whatever_the_number_of_processes(register):
    register("mutant", Mutant)
    found = [sorted((case.number, case.oracle) for case in campaign._hunt(0) or campaign.report.cases)
             for campaign in (Campaign(plan("mutant", examples=1200, jobs=jobs)) for jobs in (1, 2))]
    assert found[0] == found[1] and len(found[0]) > 10


def test_a_missing_oracle_does_not_keep_others_from_running(register):
    def missing(isa):
        raise Missing("it is not installed")
    register("absent", missing)
    register("twin", lambda isa: Engine("interpreter", isa))
    report = Campaign(plan("absent", "twin")).run()
    assert report.missing == {"absent": "it is not installed"}
    assert report.compared == {"twin": 200} and not report.cases


class Crashing(Engine):
    """Ends its process when program 77 is in the batch, or says that it did not end."""

    def __init__(self, isa, how):
        super().__init__("interpreter", isa)
        self.how = how

    def run(self, image, region, instructions):
        records = image.section(".records")
        from rvhyp.fuzz.layout import RECORD_SIZE, slot_record
        first = (records.address - slot_record(0)) // RECORD_SIZE
        if first <= 77 < first + len(records.data) // RECORD_SIZE:
            self.how()
        return super().run(image, region, instructions)


def test_a_crash_of_a_process_is_a_finding(register):
    register("crashing", lambda isa: Crashing(isa, lambda: os.kill(os.getpid(), 9)))
    report = Campaign(plan("crashing")).run()
    assert [(case.number, case.what) for case in report.found] == [(77, "the process ended by SIGKILL")]
    assert report.compared["crashing"] == 199


class Fragile(Mutant):
    """Ends its process on variants of a program."""

    def run(self, image, region, instructions):
        if image.section(".slots").address == STAGE:
            os.kill(os.getpid(), 9)
        return super().run(image, region, instructions)


def test_a_crash_while_a_program_is_made_smaller_leaves_it_as_it_was_found(register):
    register("fragile", Fragile)
    report = Campaign(plan("fragile")).run()
    assert len(report.found) > SHOWN and report.compared["fragile"] == 200
    assert {case.lines[0] for case in report.found[:SHOWN]} == {
        "as it was found: the process that made it smaller ended by SIGKILL"}


def test_a_program_that_shrinks_to_a_known_difference_is_told_as_it_was_found(register, monkeypatch):
    """Else a bug would hide behind what is known."""
    register("mutant", Mutant)
    case = (campaign := Campaign(plan("mutant"))).run().found[0]
    answers = iter((None, differences.known()[0]))              # of the program, of the smaller one
    monkeypatch.setattr(differences, "find", lambda oracle, where: next(answers))
    again = examine(campaign.plan, case)
    assert len(case.example.lines) <= 2 and len(again.example.lines) > 50 and not again.known


def test_an_exception_in_python_is_a_finding(register):
    def fail():
        raise KeyError("seven")
    register("raising", lambda isa: Crashing(isa, fail))
    report = Campaign(plan("raising")).run()
    assert [(case.number, case.what) for case in report.found] == [(77, "the process ended by KeyError: 'seven'")]


def test_a_process_that_cannot_begin_ends_the_campaign(register):
    def make(isa):
        if os.getpid() != here:
            raise KeyError("seven")
        return Engine("interpreter", isa)
    here = os.getpid()
    register("unable", make)
    with pytest.raises(RuntimeError, match="cannot begin\n(.*\n)*KeyError: 'seven'"):
        Campaign(plan("unable")).run()


def test_a_simulator_that_does_not_end_is_a_finding(register):
    def fail():
        raise Failed("did not end")
    register("hanging", lambda isa: Crashing(isa, fail))
    report = Campaign(plan("hanging")).run()
    assert [(case.number, case.what) for case in report.found] == [(77, "hanging did not end")]


@needs_spike
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_spike_agrees(target):
    report = Campaign(plan("spike", target=target, examples=256)).run()
    assert report.compared["spike"] == 256
    assert not report.found, report.found[0].lines


@pytest.mark.long
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_reference_agrees(target):
    report = Campaign(plan("reference", target=target, examples=1)).run()
    assert report.compared["reference"] == 1 and not report.found


class Lacking(Engine):
    """Our interpreter without an extension."""

    def __init__(self, isa, extension):
        super().__init__("interpreter", isa.replace(extension, ""))


@needs_spike
@pytest.mark.parametrize("extension, target, reason", [
    ("_zicond", "guest", "mcause"), ("_svadu", "guest", "menvcfg")])
def test_reproducers_tell_who_is_who(register, tmp_path, extension, target, reason):
    """Of traps, of paging and of CSRs: 0 as Spike, 1 as the engine that is wrong; the explanation says in what state it begins
    and what is left."""
    register("lacking", lambda isa: Lacking(isa, extension))
    report = Campaign(plan("spike", engine="lacking", target=target, examples=256, corpus=str(tmp_path))).run()
    case = next(case for case in report.found if case.files)
    assert any(reason in line for line in case.lines), case.lines
    assert len(case.example.lines) <= 3 and any(" in " in f" {line.strip()}" and "-mode, at 0x8" in line for line in case.lines)
    elf = case.files[1]
    done = subprocess.run([find("spike"), f"--isa={ISA}", "-m0x80000000:0x800000", elf], timeout=60)
    assert (done.returncode, run_status(elf, ISA.replace(extension, ""))) == (0, 1)


def test_a_campaign_on_an_engine_that_is_wrong_everywhere_ends(register):
    """It tells some programs, and how many more there are."""
    class Broken(Engine):
        def run(self, image, region, instructions):
            raise Failed("did not end")
    register("broken", lambda isa: Broken("interpreter", isa))
    reports = [Campaign(plan("broken", examples=5000, jobs=jobs)).run() for jobs in (1, 2)]
    for report in reports:
        assert len(report.found) == 8 and "504 more were not looked at" in report.messages[0]


def test_a_campaign_ends_when_most_programs_differ(register):
    class Wrong(Engine):
        def run(self, image, region, instructions):
            return bytes([1]) * region.size
    register("wrong", lambda isa: Wrong("interpreter", isa))
    one, other = (Campaign(plan("wrong", examples=5000, jobs=jobs)).run() for jobs in (1, 2))
    assert sorted(case.number for case in one.found) == sorted(case.number for case in other.found) == list(range(512))
    assert one.messages == ["512 of the first 512 programs of user differ or do not end: the campaign ends here, for more would "
                            "say the same"]
