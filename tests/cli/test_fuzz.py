"""rvhyp fuzz as a command: reports, exit statuses, bad input."""
import json
import os

import pytest

from tests.cli.terminal import rvhyp
from tests.firmware.peers import needs_spike


@needs_spike
def test_a_campaign_that_finds_nothing(tmp_path):
    done = rvhyp("fuzz", "--target", "user", "--target", "csr", "--examples", "100", "--oracle", "spike", "--jobs", "1",
                 "--json", str(tmp_path / "report.json"))
    assert done.returncode == 0, done.stdout
    assert b"user: 100 programs" in done.stdout and b"against spike: 100 programs" in done.stdout
    assert b"sc-slice" in done.stdout                   # how often each known difference was hit
    reports = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert [report["plan"]["target"] for report in reports] == ["user", "csr"]
    assert all(report["programs"] == 100 and report["found"] == [] for report in reports)


def test_a_missing_oracle_is_one_message_and_the_others_go_on(tmp_path):
    done = rvhyp("fuzz", "--target", "user", "--examples", "1", "--jobs", "1", env=os.environ | {"PATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"oracle spike is not there: ") == 1 and b"dtc not found" in done.stderr
    assert b"against reference: 1 programs" in done.stdout and b"against spike" not in done.stdout


@pytest.mark.parametrize("arguments, message", [
    (("--target", "usr"), "did you mean user?"),
    (("--oracle", "spke"), "did you mean spike?"),
    (("--isa", "rv64imafdch_zfoo"), "unknown extension"),
    (("--isa", "rv64i"), "lacks m, a, f, d, h"),
    (("--isa", "garbage"), "garbage"),
    (("--seed", "-1"), "--seed"),
    (("--seconds", "0"), "--seconds"),
    (("--jobs", "0"), "--jobs"),
    (("--corpus", "/dev/null/x"), "cannot be made a folder"),
    (("--json", "/nowhere/x.json"), "there is no folder"),
    (("--engine", "interpreter", "--oracle", "interpreter"), "nothing to compare with"),
])
def test_bad_input(arguments, message):
    done = rvhyp("fuzz", "--examples", "1", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.decode() and b"Traceback" not in done.stderr
