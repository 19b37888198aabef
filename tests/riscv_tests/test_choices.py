"""Harts that choose otherwise: our own suite and the official one pass on them, but for what is about the choice itself."""
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given

from rvhyp.cli.conformance import conformance
from rvhyp.isa.choices import CHOICES
from tests.engine.programs import configurations
from tests.engine.support import examples, sizes
from tools import h_suite
from tools.h_suite import programs, read

LISTED = read("choices.toml")["configuration"]
PAGING = {"widest-mode": "bare"}                # of no use to a suite whose programs have page tables
FEW = {"asid-bits": (0, 8), "vmid-bits": (0, 7), "pmp-grain": (1, 10), "geilen": (1, 63), "medeleg": (0xF0_B5FE,)}
ALONE = [{name: value} for name, each in CHOICES.items() for value in FEW.get(name) or each.values
         if value != each.default and {name: value} != PAGING]
TOGETHER = [{"misaligned": "trap", "misaligned-priority": "high"}]
OFFICIAL = ("hypervisor*", "rv64mi-p-*", "rv64si-p-*", "rv64ssvnapot-*", "rv64ui-v-add", "rv64ui-v-ma_data", "rv64ua-v-lrsc")


def named(name: str, numbers: set[int]) -> set[str]:
    """Checks by the text they print."""
    return {f"{' '.join(check.statements)}: {check.title}" for check in h_suite.checks(name) if check.number in numbers}


def red(chosen: dict, engine: str = "interpreter") -> set[str]:
    """The checks that fail on such a hart."""
    return {text for name in programs() for text in named(name, h_suite.run(name, engine, (), chosen)[0])}


def listed(chosen: dict, *keys: str) -> set[str]:
    """Those that are listed for one of its choices."""
    return {text for each in LISTED if each["set"].items() <= chosen.items() for key in keys for text in each.get(key, ())}


@pytest.mark.parametrize("chosen", ALONE + TOGETHER, ids=str)
def test_a_hart_that_differs_in_one_choice(chosen):
    assert red(chosen) == listed(chosen, "red")


def test_everything_that_is_listed_is_tried():
    assert all(each["set"] in ALONE + TOGETHER and len(each["why"]) > 15 for each in LISTED)


@sizes(4, 100)
def test_a_hart_that_differs_in_any_choices(count):
    """What fails is what fails with one of the choices alone."""
    @examples(count)
    @given(configurations)
    def check(chosen):
        chosen = {name: value for name, value in chosen.items() if {name: value} in ALONE}
        assert red(chosen) <= listed(chosen, "red", "also"), chosen
    check()


def test_on_the_reference_engine():
    """Some programs with many choices at once; `tests.hart.test_choices` has each of them on both engines."""
    chosen = {"tinst": "zero", "ebreak-tval": "zero", "misaligned-priority": "high", "vsatp-unsupported-mode": "warl",
              "pmp-entries": 64, "pmp-grain": 3, "geilen": 9, "asid-bits": 3, "vmid-bits": 5,
              "mpp-reserved": "user", "vectored-alignment": 64}
    for name in ("h-csr", "h-csr-interrupts", "h-guest-external", "h-ad"):
        assert not h_suite.run(name, "reference", (), chosen)[0], name


# The official suite: which tests fail with which choice, and why.
EXPECTED = {
    ("misaligned", "trap"): {"rv64ui-v-ma_data"},                       # wants misaligned accesses made
    ("pmp-entries", 0): {"rv64mi-p-pmpaddr"},                           # wants PMP
    ("guest-page-fault-tval2", "zero"): {                               # want to be told of VS-stage page tables
        "hypervisor-p-2-stage_translation_implicit_load_error", "hypervisor-p-2-stage_translation_implicit_load_error_hs",
        "hypervisor-svadu-p-2-stage_translation_implicit_store_error",
        "hypervisor-svadu-p-2-stage_translation_implicit_store_error_hs"},
}
OFFICIALLY = [{"tinst": "zero", "ebreak-tval": "zero", "failed-sc": "skips-translation", "mpp-reserved": "user", "geilen": 20,
               "pmp-entries": 64, "vsatp-unsupported-mode": "warl", "bare-fields": "zero", "misaligned-priority": "high"},
              {"misaligned": "trap"}, {"pmp-entries": 0}, {"pmp-grain": 10}, {"asid-bits": 0, "vmid-bits": 0},
              {"widest-mode": "sv39"},
              {"tvec-modes": "direct", "vectored-alignment": 256, "misa-h": "read-only", "wfi": "nop"}, {"time": "absent"},
              {"guest-page-fault-tval2": "zero", "illegal-instruction-tval": "zero"}]


@pytest.mark.skipif(not os.environ.get("RVHYP_SUITES"), reason="RVHYP_SUITES names no folder with a built riscv-tests")
@pytest.mark.parametrize("chosen", OFFICIALLY, ids=str)
def test_official_suite(chosen):
    command = [str(Path(os.environ["RVHYP_SUITES"], "riscv-tests", "isa")), "--json", "-", "--jobs", "1",
               *(f"--select={glob}" for glob in OFFICIAL), *(f"--set={name}={value}" for name, value in chosen.items())]
    result = CliRunner().invoke(conformance, command)
    tests = json.loads(result.stdout)["tests"]
    failed = {test["name"] for test in tests if test["status"] not in ("pass", "not-selected")}
    expected = {test for name, value in chosen.items() for test in EXPECTED.get((name, value), ())}
    assert failed == expected
