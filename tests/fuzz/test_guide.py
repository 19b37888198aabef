"""Guidance: the same programs whatever the number of processes, each of which can be made alone."""
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.fuzz.campaign import Campaign
from rvhyp.fuzz.generate import Genes
from rvhyp.fuzz.guide import NOBODY, POOL, UNIT, breed, end_of, generation
from rvhyp.fuzz.oracles import Engine
from rvhyp.fuzz.targets import TARGETS
from tests.engine.support import examples
from tests.fuzz.test_campaign import Crashing, Mutant, plan, register  # noqa: F401  (register is a fixture)


@examples(200)
@given(st.integers(0, 1 << 30))
def test_generations_follow_each_other(number):
    which = generation(number)
    assert (end_of(which - 1) if which else 0) <= number < end_of(which)
    assert (end_of(which + 1) - end_of(which)) >= (end_of(which) - (end_of(which - 1) if which else 0))


def test_a_bred_program_depends_on_its_number_and_the_pool_alone():
    own, pool = Genes.fresh(3, 1000, 40), Genes.fresh(4, 0, 20)
    whole = breed(own, pool).table()
    assert np.array_equal(whole[10:13], breed(own[10:13], pool).table())
    from_pool = np.isin(whole, pool.table()).mean(axis=1)
    from_own = np.isin(whole, own.table()).mean(axis=1)
    assert np.allclose(from_pool + from_own, 1)
    assert 0.2 < (from_pool == 0).mean() < 0.4 and (from_pool > 0.5).sum() > 10
    assert np.array_equal(breed(own, Genes.fresh(0, 0, 0)).table(), own.table())


@pytest.fixture(scope="module")
def guided():
    """A function that runs a guided campaign against an engine that agrees, and gives its report."""
    from rvhyp.fuzz import oracles
    oracles.ORACLES["twin"] = oracles.Oracle("twin", "twin", lambda isa: Engine("interpreter", isa), True, 1024, 1)
    yield lambda **more: Campaign(plan("twin", **{"target": "csr", "examples": 4 * UNIT, "guided": True} | more)).run()
    del oracles.ORACLES["twin"]


@pytest.fixture(scope="module")
def report(guided):
    return guided(jobs=1)


def test_the_same_programs_whatever_the_number_of_processes(guided, report):
    other = guided(jobs=3)
    assert np.array_equal(report.guide.first, other.guide.first) and np.array_equal(report.guide.counts, other.guide.counts)
    assert report.guide.credited() == other.guide.credited()
    assert max(program.number for program in report.guide.credited()) >= 3 * UNIT


def test_a_program_can_be_made_alone(report):
    maker = report.plan.maker()
    bred = 0
    for program in report.guide.credited()[-20:]:
        genes = Genes.of_table(program.words[None, :])
        batch = maker.batch(program.number, 1, genes)
        assert batch.code.tobytes() == program.code and batch.records.tobytes() == program.record
        bred += genes.table().tobytes() != Genes.fresh(report.plan.seed, program.number, 1).table().tobytes()
    assert bred


def test_a_pool_is_what_earlier_generations_left(report):
    guide = report.guide
    assert len(guide.pool(1)) == 0 and len(guide.pool(2)) == POOL
    newest = [program for program in guide.credited(end_of(0))][-POOL:]
    assert guide.pool(2).table().tobytes() == b"".join(program.genes for program in newest)
    assert guide.pool(guide.complete + 3) is None


def test_what_is_not_wanted_is_not_measured(guided):
    report = guided(examples=8, guided=False)
    assert (report.guide.first == NOBODY).all()


def test_programs_that_run_many_times_are_measured_once(guided):
    few, many = (guided(target="mixed", examples=16, repeats=repeats).guide.counts for repeats in (2, 200))
    assert np.array_equal(few, many) and few.any()


def test_a_crash_does_not_keep_generations_from_ending(register):  # noqa: F811
    register("crashing", lambda isa: Crashing(isa, lambda: os.kill(os.getpid(), 9)))
    report = Campaign(plan("crashing", target="user", examples=3 * UNIT, guided=True)).run()
    assert [case.number for case in report.found][:1] == [77] and report.guide.complete >= 1
    assert report.programs == 3 * UNIT - len(report.found)


def test_bred_programs_that_differ_are_shrunk_too(register):  # noqa: F811
    register("mutant", Mutant)
    campaign = Campaign(plan("mutant", target="user", examples=3 * UNIT, guided=True))
    campaign._hunt(0)
    bred = [each for each in campaign.report.cases if campaign.plan.is_bred(each.program)]
    assert bred and min(each.number for each in bred) >= 2 * UNIT
    case = bred[-1]
    campaign._examine(case)
    assert "bred" in case.lines[-1]
    assert [str(line) for line in case.example.lines][-1].startswith("sub ") and len(case.example.lines) <= 2


def test_programs_do_not_depend_on_the_order_of_sets():
    """PYTHONHASHSEED decides in which order a set of names is gone through."""
    code = ("import hashlib\nfrom rvhyp.fuzz.targets import TARGETS\n"
            "for target in TARGETS.values():\n    batch = target.maker(1).batch(0, 32)\n"
            "    print(hashlib.sha256(batch.code.tobytes() + batch.records.tobytes()).hexdigest())")
    outputs = {subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True,
                              check=True).stdout for seed in ("1", "2")}
    assert len(outputs) == 1 and len(outputs.pop().split()) == len(TARGETS)
