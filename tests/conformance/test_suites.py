"""The public suites, built outside the project: RVHYP_SUITES is the folder that has riscv-tests, and perhaps riscv-hyp-tests."""
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from rvhyp.cli.conformance import conformance

COUNTS = {"rv64ui": 108, "rv64um": 26, "rv64ua": 38, "rv64uc": 2, "rv64uf": 22, "rv64ud": 24, "rv64uzba": 16, "rv64uzbb": 48,
          "rv64uzbc": 6, "rv64uzbkb": 8, "rv64uzbkx": 4, "rv64uzbs": 16, "rv64uzfh": 22, "rv64uziccid": 2, "rv64uzicond": 4,
          "rv64si": 7, "rv64ssvnapot": 1, "rv64mi": 17, "rv64mzicbo": 1, "hypervisor": 3, "hypervisor-svadu": 2}
CONFIGURATION = Path(__file__).parents[2] / "riscv-tests"


@pytest.mark.skipif(not os.environ.get("RVHYP_SUITES"), reason="RVHYP_SUITES names no folder with a built riscv-tests")
def test_official_suite():
    assert sum(COUNTS.values()) == 377
    result = CliRunner().invoke(conformance, [
        str(Path(os.environ["RVHYP_SUITES"], "riscv-tests", "isa")),
        "--expected", str(CONFIGURATION / "expected.toml"), "--json", "-"])
    assert result.exit_code == 0, result.stderr
    tests = json.loads(result.stdout)["tests"]
    assert Counter(test["group"] for test in tests if test["group"] in COUNTS) == COUNTS
    assert Counter(test["group"] for test in tests if test["status"] == "pass" and test["group"] in COUNTS) == COUNTS
    print(result.stderr)


@pytest.mark.parametrize(("suite", "expected"), [
    ("riscv-hyp-tests", "expected-hyp-tests.toml"), ("riscv-hyp-tests-trdthg", "expected.toml")])
def test_riscv_hyp_tests(suite, expected):
    program = Path(os.environ.get("RVHYP_SUITES", ""), suite, "build", "spike", "rvh_test.elf")
    if "RVHYP_SUITES" not in os.environ or not program.exists():
        pytest.skip(f"RVHYP_SUITES names no folder with a built {suite}")
    result = CliRunner().invoke(conformance, [str(program), "--expected", str(CONFIGURATION / expected), "--json", "-"])
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["tests"]) == 119       # the program, and 118 checks
    print(result.stderr)
