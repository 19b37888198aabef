"""Tests of the suites leave the same on the interpreter as on the translator, with all of their code translated."""
import os
from pathlib import Path

import pytest

from rvhyp.conformance.discover import Test, discover
from rvhyp.conformance.runner import Config, Job, Run, Tail
from rvhyp.isa.configuration import Configuration
from tests.engine.support import difference, state_of
from tools import h_suite

SUITES = Path(os.environ.get("RVHYP_SUITES", "/nonexistent"))
FOLDERS = [folder for folder in (SUITES / "riscv-tests" / "isa", SUITES / "riscv-hyp-tests") if folder.is_dir()]
ALONE = [name for name in h_suite.programs() if h_suite.harts(name) == 1]
QUICK = {"h-interrupts", "h-trap-entry", "h-xlat-permissions"}


def hold_same(job: Job) -> None:
    runs, results = [], []
    for engine in ("interpreter", "translator"):
        run = Run(job, engine, Tail())
        if engine == "translator":
            run.translate(job)
            assert run.board.machine.engine.regions
        results.append((run.judge(), str(run.output)))
        runs.append(run)
    assert not difference(*(state_of(run.board.machine) for run in runs))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in ALONE])
def test_our_own_suite(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(h_suite.elf(name))
    config = Config(memory=16 << 20, max_instructions=h_suite.MAX_INSTRUCTIONS, choices=Configuration(h_suite.choices(name)))
    hold_same(Job(Test(name, str(path)), config))


@pytest.mark.long
@pytest.mark.skipif(not FOLDERS, reason="no riscv-tests/isa and riscv-hyp-tests in RVHYP_SUITES")
def test_official_suites():
    tests = [test for test in discover(FOLDERS) if not test.skip]
    assert tests
    for test in tests:
        hold_same(Job(test, Config(memory=16 << 20)))
