"""Rules and expected failures: what the files say, and what is wrong with them."""
import datetime
from pathlib import Path

import pytest

from rvhyp.conformance.discover import Test
from rvhyp.conformance.expectations import DEFAULT_RULES, Expectations, Expected, Rules, Verdict
from rvhyp.conformance.result import Result, Status
from rvhyp.conformance.runner import Config
from rvhyp.machine.errors import BadInput
from tests.conformance.test_suites import COUNTS

RULES = """
[[rule]]
name = "rv64*"
memory = "64M"
timeout = 2

[[rule]]
name = "rv64um-*"
isa = "rv64im_zicsr"
max-instructions = 5_000

[[rule]]
name = "rv64um-p-mul"
memory = "1G"
skip = "slow"
"""


@pytest.fixture
def file(tmp_path):
    """Writes a TOML file."""
    def file(text):
        path = tmp_path / "file.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return file


@pytest.mark.parametrize(("name", "config"), [
    ("other", Config()),
    ("rv64ui-p-add", Config(memory=64 << 20, timeout=2)),
    ("rv64um-p-div", Config(memory=64 << 20, timeout=2, isa="rv64im_zicsr", max_instructions=5000)),
    ("rv64um-p-mul", Config(memory=1 << 30, timeout=2, isa="rv64im_zicsr", max_instructions=5000, skip="slow")),
])
def test_later_rules_count(file, name, config):
    assert Rules.read(file(RULES)).config(Test(name, "")) == config


def test_choices_of_all_rules_and_of_the_command_line(file):
    """Those of several rules come together; the command line counts more."""
    rules = Rules.read(file("""
[[rule]]
name = "a*"
set = { geilen = 3, tinst = "zero" }
[[rule]]
name = "*b"
set = { tinst = "transformed", wfi = "nop" }
"""))
    assert rules.config(Test("a", "")).choices.changes == {"geilen": 3, "tinst": "zero"}
    assert rules.config(Test("ab", "")).choices.changes == {"geilen": 3, "wfi": "nop"}
    assert rules.config(Test("ab", ""), choices={"geilen": 0, "misa-h": "read-only"}).choices.changes == {
        "wfi": "nop", "misa-h": "read-only"}
    assert rules.config(Test("c", "")) == Config()
    rules.check_machines("auto", {"geilen": 1})


def test_rules_match_the_last_part_of_a_name(file):
    assert Rules.read(file(RULES)).config(Test("isa/rv64ui-p-add", "")).timeout == 2


def test_the_command_line_counts_more(file):
    rules = Rules.read(file(RULES))
    assert rules.config(Test("rv64um-p-div", ""), max_instructions=7, timeout=None) == Config(
        memory=64 << 20, timeout=2, isa="rv64im_zicsr", max_instructions=7)


@pytest.mark.parametrize(("text", "message"), [
    ("[[rule]]\nisa = 'rv64i'", "rule 1 has no name"),
    ("[[rule]]\nname = 'a'\n[[rule]]\nname = 'b'\nmemori = '1G'",
     r"rule 2 \(b\) has an unknown key 'memori'; known: name, isa, memory"),
    ("[[rules]]\nname = 'a'", "it has an unknown key 'rules'; known: rule"),
    ("rule = 3", "'rule' is not an array of tables"),
    ("[rule]\nname = 'a'", r"write \[\[rule\]\]"),
    ("rule = [1]", "'rule' is not an array of tables"),
    ("[[rule]]\nname = ''", "name must be text that is not empty, not ''"),
    ("[[rule]]\nname = 3", "name must be text"),
    ("[[rule]]\nname = 'a'\nmemory = 64", r'rule 1 \(a\): memory must be a size like "64M", not 64'),
    ("[[rule]]\nname = 'a'\nmemory = 'large'", "memory must be a size"),
    ("[[rule]]\nname = 'a'\ntimeout = 0", "timeout must be a number greater than 0, not 0"),
    ("[[rule]]\nname = 'a'\ntimeout = nan", "timeout must be a number greater than 0"),
    ("[[rule]]\nname = 'a'\ntimeout = inf", "timeout must be a number greater than 0"),
    ("[[rule]]\nname = 'a'\ntimeout = true", "timeout must be a number greater than 0"),
    ("[[rule]]\nname = 'a'\nmax-instructions = 1.5", "max-instructions must be a whole number greater than 0, not 1.5"),
    ("[[rule]]\nname = 'a'\nmax-instructions = -1", "max-instructions must be a whole number"),
    ("[[rule]]\nname = 'a'\nmax-instructions = true", "max-instructions must be a whole number"),
    ("[[rule]]\nname = 'a'\nskip = false", "skip must be text"),
    ("[[rule]]\nname = 'a'\ncheck = '('", "check must be a regular expression .missing"),
    ("[[rule]]\nname = 'a'\ncheck = '(?P<name>.*)'", "check must be .* with the groups name and failed; failed is missing"),
    ("[[rule]]\nname = 'a'\nend = '['", "end must be a regular expression"),
    ("[[rule]", "is not TOML"),
    (b"\xff", "is not UTF-8 text"),
])
def test_bad_rules(file, text, message):
    with pytest.raises(BadInput, match=message) as caught:
        Rules.read(file(text))
    assert caught.value.where.endswith("file.toml") and "\n" not in str(caught.value)


@pytest.mark.parametrize("setting", [
    "isa = 'rv64iq'", "isa = 'rv32i'", "isa = 'nonsense'", "memory = '1'", "memory = '4097'", "memory = '9T'"])
def test_rules_with_impossible_machines(file, setting):
    rules = Rules.read(file(f"[[rule]]\nname = 'a'\ntimeout = 1\n[[rule]]\nname = 'b'\n{setting}"))
    with pytest.raises(BadInput, match="rule for b: ") as caught:
        rules.check_machines("auto")
    assert caught.value.where.endswith("file.toml")


def test_rules_with_possible_machines(file):
    Rules.read(file(RULES)).check_machines("auto")


def test_missing_files():
    for read in (Rules.read, Expectations.read):
        with pytest.raises(BadInput, match=r"/no/such: cannot be read \(No such file"):
            read("/no/such")


EXPECTED = """
[[expected]]
name = "rv64ui-p-*"
reason = "a bug"
date = 2026-01-31
"""


def test_expected_failures(file):
    expectations = Expectations.read(file(EXPECTED))
    expected = expectations.find(Result("rv64ui-p-add", "", Status.FAIL))
    assert expected == Expected("rv64ui-p-*", "a bug", datetime.date(2026, 1, 31)) and str(expected) == "a bug (2026-01-31)"
    assert expectations.find(Result("rv64ui-v-add", "", Status.FAIL)) is None


@pytest.mark.parametrize(("text", "message"), [
    ("[[expected]]\nname = 'a'\nreason = 'b'", r"expected 1 \(a\) has no date"),
    ("[[expected]]\nname = 'a'\ndate = 2026-01-31", r"expected 1 \(a\) has no reason"),
    ("[[expected]]\nreason = 'b'\ndate = 2026-01-31", "has no name"),
    ("[[expected]]\nname = 'a'\nreason = ' '\ndate = 2026-01-31", "reason must be text that is not empty"),
    ("[[expected]]\nname = 'a'\nreason = 'b'\ndate = '2026-01-31'", "date must be a date like 2026-01-31, without quot"),
    ("[[expected]]\nname = 'a'\nreason = 'b'\ndate = 2026-01-31T10:00:00", "date must be a date"),
    ("[[rule]]\nname = 'a'", "it has an unknown key 'rule'; known: expected"),
])
def test_bad_expectations(file, text, message):
    with pytest.raises(BadInput, match=message):
        Expectations.read(file(text))


@pytest.mark.parametrize(("status", "unlisted", "listed"), [
    (Status.PASS, Verdict.AS_IT_SHOULD, Verdict.UNEXPECTED),
    (Status.FAIL, Verdict.UNEXPECTED, Verdict.EXPECTED_FAILURE),
    (Status.TRAP, Verdict.UNEXPECTED, Verdict.EXPECTED_FAILURE),
    (Status.TIMEOUT, Verdict.UNEXPECTED, Verdict.EXPECTED_FAILURE),
    (Status.CRASH, Verdict.UNEXPECTED, Verdict.UNEXPECTED),
    (Status.ERROR, Verdict.UNEXPECTED, Verdict.UNEXPECTED),
    (Status.SKIP, Verdict.AS_IT_SHOULD, Verdict.AS_IT_SHOULD),
    (Status.NOT_SELECTED, Verdict.AS_IT_SHOULD, Verdict.AS_IT_SHOULD),
])
def test_verdicts(file, status, unlisted, listed):
    expectations = Expectations.read(file(EXPECTED))
    assert expectations.verdict(Result("rv64ui-v-add", "", status)) is unlisted
    assert expectations.verdict(Result("rv64ui-p-add", "", status)) is listed


def test_the_files_of_the_official_suite():
    folder = Path(__file__).parents[2] / "riscv-tests"
    rules = Rules.read(DEFAULT_RULES)
    rules.check_machines("auto")
    for group in COUNTS:
        assert rules.config(Test(f"{group}-p-test", "")) == Config()
    assert rules.config(Test("rv64up-p-add", "")).skip
    Expectations.read(folder / "expected.toml")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "{a=" * 5000, "a = " + "9" * 10_000, "[[[[" * 2000])
@pytest.mark.parametrize("reader", [Rules.read, Expectations.read])
def test_a_file_nested_too_deeply_or_with_an_endless_number_is_refused(tmp_path, reader, text):
    path = tmp_path / "file.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match="is not TOML"):
        reader(path)
