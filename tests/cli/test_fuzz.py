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
    assert all(report["coverage"]["features"]["outcomes"] > 100 for report in reports)


def test_a_missing_oracle_is_one_message_and_the_others_go_on(tmp_path):
    done = rvhyp("fuzz", "--target", "user", "--examples", "1", "--jobs", "1", "--no-guided", "--json", str(tmp_path / "json"),
                 env=os.environ | {"PATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "json").read_text())["reports"][0]["coverage"] is None        # what was not asked for
    assert done.stderr.count(b"oracle spike is not there: ") == 1 and b"dtc not found" in done.stderr
    assert b"against reference: 1 programs" in done.stdout and b"against spike" not in done.stdout


def test_a_corpus_is_kept_run_again_and_minimised(tmp_path):
    def run(*more):
        done = rvhyp("fuzz", "--target", "user", "--jobs", "1", "--oracle", "reference", "--corpus", str(tmp_path / "c"), *more)
        assert done.returncode == 0, done.stderr
        return done
    assert b"corpus: 0 programs run again" in run("--examples", "1").stdout
    files = sorted((tmp_path / "c" / "user").iterdir())
    assert len(files) == 1
    damaged = tmp_path / "c" / "user" / "damaged.program"
    damaged.write_bytes(files[0].read_bytes()[:-1])
    done = run("--examples", "1", "--json", str(tmp_path / "json"), "--report", str(tmp_path / "page.html"))
    assert f"{damaged}: is damaged".encode() in done.stderr
    assert f"corpus: {len(files)} programs run again, 0 new".encode() in done.stdout
    figures = json.loads((tmp_path / "json").read_text())
    assert figures["reports"][0]["coverage"]["outcomes"]["addi"]["M"]["retired"] >= 1
    assert (tmp_path / "page.html").read_bytes().count(b"</script>") == 2
    done = run("--minimise")
    assert f"of {len(files)} programs reach all ".encode() in done.stdout and damaged.exists()


@pytest.mark.parametrize("arguments, message", [
    (("--minimise",), "give the folder of a corpus"),
    (("--minimise", "--corpus", "/nowhere"), "nothing to minimise"),
    (("--report", "/nowhere/x.html"), "there is no folder"),
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
