"""RVA23: the names, what is claimed of them, and that nothing is claimed which the hart has not."""
import json

import pytest
from click.testing import CliRunner

from rvhyp.cli.isa import isa
from rvhyp.isa import config
from rvhyp.isa.profile import NOT_MET, PROFILES, standing

SHA = ("H", "Ssstateen", "Shcounterenw", "Shvstvala", "Shtvala", "Shvstvecd", "Shvsatpa", "Shgatpa")


def test_the_names_are_as_many_as_the_profile_has():
    """I and 33 more; I, those and 17 more, of which Sha is 8."""
    assert [len(PROFILES[name]) for name in ("RVA23U64", "RVA23S64")] == [34, 59]
    assert all(len(set(names)) == len(names) for names in PROFILES.values())
    assert set(PROFILES["RVA23U64"]) < set(PROFILES["RVA23S64"]) and set(SHA) < set(PROFILES["RVA23S64"])
    assert set(config.IMPLIED["sha"]) == {name.lower() for name in SHA}


def test_what_is_not_met_has_a_reason_and_nothing_else_has():
    found = standing("RVA23S64")
    assert found.not_met == NOT_MET and len(found.met) == 52
    assert str(standing("RVA23U64")) == "RVA23U64: 28 of 34 mandatory names are met"


@pytest.mark.parametrize("profile", PROFILES)
def test_names_that_are_met_make_an_isa_string(profile):
    config.extension_mask([name.lower() for name in standing(profile).met])


@pytest.mark.parametrize("name", sorted(NOT_MET))
def test_names_that_are_not_met_make_none(name):
    with pytest.raises(ValueError, match=f"unknown extension '{name.lower()}'"):
        config.extension_mask(["i", name.lower()])


def test_rvhyp_isa_prints_them():
    text = CliRunner().invoke(isa, []).output
    assert "RVA23S64: 52 of 59 mandatory names are met" in text and "there are no vector instructions" in text
    document = json.loads(CliRunner().invoke(isa, ["--json"]).output)
    assert [(each["name"], len(each["met"]), len(each["not met"])) for each in document["profiles"]] == [
        ("RVA23U64", 28, 6), ("RVA23S64", 52, 7)]
    assert {each["name"]: each["csrs"] for each in document["extensions"]}["Zihpm"] == 29
