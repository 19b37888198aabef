"""An instruction is defined once: change its body in the source, and everything that executes it changes with it."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rvhyp
from rvhyp import Hypervisor, VmConfig, assemble, load, make_engine
from rvhyp.engine import cache, load_core

PACKAGE = Path(rvhyp.__file__).parent
ENGINES = "interpreter", "reference"

# File, what to find in it, what to put there: one instruction of each kind that has a body.
CHANGES = [
    ("rv_i.py", r"(def addi\(.*\n    return) rs1 \+ imm", r"\1 rs1 - imm"),
    ("rv_m.py", r"(def mulh\(.*\n    return) mulhs\(", r"\1 mulhu("),
    ("rv_i.py", r"(def bltu\(.*\n    return) rs1 < rs2", r"\1 rs1 > rs2"),
    ("rv_i.py", r"(def lb\(.*\n    return) sext\(value, 8\)", r"\1 value"),
    ("rv_a.py", r"(def amoxor\(.*\n    return) old \^ rs2", r"\1 old | rs2"),
    ("rv_zicsr.py", r"(def csrrsi\(.*\n    return) old \| uimm", r"\1 old & ~uimm"),
    ("rv_fd.py", r"fp\.add\(width", "fp.sub(width"),
]

# Code that leaves a result in t1, and the result the manual wants.  None of what is around it uses an instruction that changes.
CHECKS = {
    "addi": ("ld t1, seven\n addi t1, t1, 100", 107),
    "c.addi": ("ld t1, seven\n c.addi t1, 5", 12),
    "c.addi in a superinstruction": ("ld t1, seven\n c.addi t2, 1\n c.addi t1, 5\n c.addi t1, 3", 15),
    "mulh": ("ld t1, minus\n ld t2, seven\n mulh t1, t1, t2", -1),
    "bltu": ("ld t1, seven\n ld t2, minus\n bltu t1, t2, 1f\n xor t1, t1, t1\n1:", 7),
    "bltu into another page": ("ld t1, seven\n ld t2, minus\n j 1f\n .balign 4096\n .zero 4000\n1: bltu t1, t2, 2f\n"
                               " xor t1, t1, t1\n j 2f\n .balign 4096\n2:", 7),
    "lb": ("ld t2, at\n lb t1, 0(t2)", -128),
    "lb of a device, by the monitor": ("ld t2, scratch\n ld t1, byte\n sb t1, 0(t2)\n lb t1, 0(t2)", -128),
    "amoxor": ("ld t2, at\n ld t1, minus\n amoxor.d t1, t1, (t2)\n ld t1, 0(t2)", 0x180 ^ -3),
    "csrrsi": ("ld t1, seven\n csrrw x0, sscratch, t1\n csrrsi x0, sscratch, 9\n csrrs t1, sscratch, x0", 15),
    "fadd on the host's unit": ("ld t1, one\n fmv.d.x fa0, t1\n fadd.d fa0, fa0, fa0\n fmv.x.d t1, fa0", 2 << 61),
    "fadd by rule": ("ld t1, one\n fmv.d.x fa0, t1\n fadd.d fa0, fa0, fa0, rup\n fmv.x.d t1, fa0", 2 << 61),
}
DATA = "seven: .dword 7\nminus: .dword -3\none: .dword 0x3ff0000000000000\nbyte: .dword 0x180\nat: .dword byte\n" \
       "scratch: .dword 0x10000007\nshutdown: .dword 8\n"


def program() -> str:
    """A guest that collects in s1 a bit for each check: 1 if the result is the manual's."""
    text, data = "_start: xor s1, s1, s1\n", DATA
    for number, (code, want) in enumerate(CHECKS.values()):
        text += f"{code}\n ld t2, want{number}\n xor t0, t1, t2\n sltiu t0, t0, 1\n slli s1, s1, 1\n or s1, s1, t0\n"
        data += f"want{number}: .dword {want}\n"
    return text + " ld a7, shutdown\n ecall\n .data\n .balign 8\n" + data


def verdicts(engine: str) -> dict[str, bool]:
    """Whether each check finds what the manual wants."""
    guest = load(assemble(program(), 0x8020_0000).to_elf(), "checks")
    hypervisor = Hypervisor([VmConfig("checks", guest, 16 << 20)], make_engine(engine))
    assert hypervisor.run(10_000).ended.value == "exit", hypervisor.vms[0].report
    bits = hypervisor.vcpus[0].register(9)
    return {name: bool(bits >> number & 1) for number, name in enumerate(reversed(CHECKS))}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_checks_pass_as_it_is(engine):
    assert verdicts(engine) == dict.fromkeys(CHECKS, True)


def test_a_changed_body_changes_it_everywhere(tmp_path):
    """In a copy of the package, with a core of its own."""
    copy = tmp_path / "rvhyp"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file, pattern, replacement in CHANGES:
        path = copy / "isa" / file
        text, count = re.subn(pattern, replacement, path.read_text())
        assert count == 1, f"{pattern} is {count} times in {file}"
        path.write_text(text)
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    load_core()
    for rules in cache.folder().glob("rules-*"):        # bodies are no rules: these need not be compiled again
        shutil.copy(rules, folder)
    environment = os.environ | {"RVHYP_CACHE": str(folder), "PYTHONPATH": f"{tmp_path}{os.pathsep}{PACKAGE.parent}"}
    result = subprocess.run([sys.executable, __file__], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen.pop("package") == str(copy)
    assert seen == {engine: dict.fromkeys(CHECKS, False) for engine in ENGINES}


if __name__ == "__main__":              # in the changed copy
    print(json.dumps({"package": str(PACKAGE)} | {engine: verdicts(engine) for engine in ENGINES}))
