"""--config and --set of the verbs, `rvhyp isa --config`: what they do, and one message for what they cannot."""
import json
import tomllib

import pytest

from rvhyp import assemble
from rvhyp.isa.choices import CHOICES
from tests.cli.terminal import rvhyp
from tests.cli.test_run import refused

# Status 0 if a misaligned load is made, 1 if it traps; by the exit command of riscv-tests.
MISALIGNED = """
_start:
    la t0, trap
    csrw mtvec, t0
    la t0, _start
    lw t1, 2(t0)
    li a0, 1
    j end
    .balign 4
trap: li a0, 3
end: la t0, tohost
1:  sd a0, 0(t0)
    j 1b
    .balign 8
.globl tohost
tohost: .dword 0
.globl fromhost
fromhost: .dword 0
"""
VERBS = ["bare", "run", "conformance"]


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "misaligned"
    path.write_bytes(assemble(MISALIGNED, 0x8000_0000).to_elf())
    return path


@pytest.fixture
def file(tmp_path):
    """Writes a file for --config."""
    def file(text):
        path = tmp_path / "config.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return file


def test_what_isa_prints_is_a_file_for_config(program, file):
    printed = rvhyp("isa", "--config")
    assert printed.returncode == 0 and tomllib.loads(printed.stdout.decode()) == {n: c.default for n, c in CHOICES.items()}
    assert rvhyp("bare", program, "--config", file(printed.stdout)).returncode == 0
    edited = printed.stdout.replace(b'misaligned = "supported"', b'misaligned = "trap"')
    assert edited != printed.stdout
    assert rvhyp("bare", program, "--config", file(edited)).returncode == 1
    assert rvhyp("isa", "--config", "--set", "misaligned=trap").stdout == edited.replace(
        b'# "supported" or "trap"', b'# "supported" or "trap"; by default "supported"')


def test_isa_as_json():
    document = json.loads(rvhyp("isa", "--config", "--json", "--set", "geilen=9").stdout)
    assert document["values"]["geilen"] == 9 and document["schema"]["properties"]["geilen"]["maximum"] == 63
    assert set(document["values"]) == set(document["schema"]["properties"]) == set(CHOICES)


def test_set_counts_before_the_file(program, file):
    path = file('misaligned = "trap"\n')
    assert rvhyp("bare", program, "--config", path).returncode == 1
    assert rvhyp("bare", program, "--config", path, "--set", "misaligned=supported").returncode == 0
    assert rvhyp("bare", program, "--set", "misaligned=supported", "--set", "misaligned=trap").returncode == 1


def test_conformance_by_command_line_and_by_rule(program, file):
    assert rvhyp("conformance", program).returncode == 0
    result = rvhyp("conformance", program, "--set", "misaligned=trap")
    assert result.returncode == 1 and b"fail(1)" in result.stdout
    rules = file('[[rule]]\nname = "mis*"\nset = { geilen = 2 }\n[[rule]]\nname = "*"\nset = { misaligned = "trap" }\n')
    assert rvhyp("conformance", program, "--rules", rules).returncode == 1
    assert rvhyp("conformance", program, "--rules", rules, "--set", "misaligned=supported").returncode == 0


def test_a_guest_on_a_hart_that_chose_otherwise():
    result = rvhyp("run", "selftest", "--set", "tinst=zero", "--set", "illegal-instruction-tval=zero", "--set", "wfi=nop",
                   "--set", "pmp-entries=0", "--set", "ebreak-tval=zero")
    assert result.returncode == 0 and b" 0 failed" in result.stdout, result.stdout


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("setting, words", [
    ("geilen=64", ["--set: geilen must be 0 to 63, not '64'"]), ("geiln=3", ["no choice 'geiln'; did you mean geilen?"]),
    ("xyzzy=3", ["rvhyp isa --config"]), ("geilen", ["'geilen' is not name=value"])])
def test_bad_settings(program, verb, setting, words):
    refused(rvhyp(verb, program, "--set", setting), *words)
    if verb == "run":
        refused(rvhyp("isa", "--config", "--set", setting), *words)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("text, words", [
    ("geilen = 64\n", ["config.toml: geilen must be 0 to 63"]), ("geilen = true\n", ["not True"]), ("geilen\n", ["is not TOML"]),
    (b"\xff\n", ["is not UTF-8 text"]), ("[geilen]\n", ["geilen must be"]), ("tinst = 1\n", ["tinst must be"])])
def test_bad_files(program, file, verb, text, words):
    refused(rvhyp(verb, program, "--config", file(text)), *words)


def test_a_file_that_is_not_there(program, tmp_path):
    refused(rvhyp("bare", program, "--config", tmp_path / "none.toml"), "none.toml", "cannot be read")
    refused(rvhyp("bare", program, "--config", tmp_path), "cannot be read")


@pytest.mark.parametrize("settings, words", [
    (["time=absent"], ["time"]), (["guest-page-fault-tval2=zero"], ["htval"]), (["widest-mode=bare"], ["Sv39x4"]),
    (["medeleg=0"], ["medeleg"]), (["vmid-bits=0"], ["1 guest cannot"])])
def test_what_the_monitor_cannot_do_with(settings, words):
    refused(rvhyp("run", "hello", *(f"--set={setting}" for setting in settings)), "cannot run with", *words)


def test_an_isa_string_that_promises_the_contrary(program):
    refused(rvhyp("bare", program, "--isa", "rv64gc_zicclsm", "--set", "misaligned=trap"), "zicclsm", "misaligned is 'trap'")


@pytest.mark.parametrize("value, words", [
    ("3", ["rule 1 (x): set must be a table of choices"]), ("{ geilen = 99 }", ["rule 1 (x): set: geilen must be 0 to 63"]),
    ("{ geiln = 9 }", ["did you mean geilen"])])
def test_bad_rules(program, file, value, words):
    refused(rvhyp("conformance", program, "--rules", file(f'[[rule]]\nname = "x"\nset = {value}\n')), *words)


def test_a_rule_for_a_machine_that_cannot_be(program, file):
    rules = file('[[rule]]\nname = "x"\nisa = "rv64g_sv57"\nset = { widest-mode = "sv39" }\n')
    refused(rvhyp("conformance", program, "--rules", rules), "rule for x", "sv57")
