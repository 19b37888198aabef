"""The prebuilt programs: their sources give them, with the pinned compiler, and give the same results elsewhere."""
import hashlib
import re
import shutil
import subprocess
import tomllib

import pytest

import firmware
from firmware import build

HOST = """
#include <stdio.h>
#include "bench.h"
int main(void)
{
    for (int i = 0; i < 2; i++)
        printf("%d ", iteration() == expected);
}
"""


def compiler_is_missing():
    try:
        build.compiler()
    except build.BuildError as error:
        return str(error)
    return ""


needs_compiler = pytest.mark.skipif(bool(compiler_is_missing()), reason=compiler_is_missing())


def test_the_compiler_is_pinned():
    settings = tomllib.loads((firmware.FOLDER.parent / "pyproject.toml").read_text())
    assert settings["project"]["optional-dependencies"]["firmware"] == [f"ziglang=={build.ZIG_VERSION}"]


def test_every_source_is_built():
    assert {path.stem for path in build.PREBUILT.iterdir()} == set(build.benchmarks())
    assert len(build.benchmarks()) == 13


@needs_compiler
def test_sources_give_what_is_committed(capsys):
    assert build.main(["--check"]) == 0, capsys.readouterr().out


@needs_compiler
def test_a_difference_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "sort.elf").write_bytes(firmware.load("sort")[:-1] + b"?")
    (tmp_path / "hash.elf").write_bytes(firmware.load("hash"))
    (tmp_path / "other.elf").write_bytes(b"")
    monkeypatch.setattr(build, "PREBUILT", tmp_path)
    monkeypatch.setattr(build, "benchmarks", lambda: ["hash", "sha", "sort"])
    assert build.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "sha.elf is missing", "sort.elf is not what its sources give", "other.elf has no source"]


def test_another_compiler_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(build, "ZIG_VERSION", "0.0.1")
    assert build.main(["--check"]) == 2
    assert "pip install ziglang==0.0.1" in capsys.readouterr().err


def test_sha():
    message = bytes(i * 7 + (i >> 8) & 0xFF for i in range(65536))
    source = firmware.find("sha").source.read_text()
    assert re.search(r"expected = 0x(\w+);", source)[1] == hashlib.sha256(message).hexdigest()[:16]


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler for this machine")
@pytest.mark.parametrize("name", build.benchmarks())
def test_checksums_on_this_machine(name, tmp_path):
    """Another compiler, another processor, no optimisation: the same checksums."""
    (tmp_path / "host.c").write_text(HOST)
    subprocess.run(["cc", "-std=gnu11", "-O0", "-ffp-contract=off", f"-I{firmware.FOLDER / 'include/bench'}",
                    tmp_path / "host.c", firmware.find(name).source, "-lm", "-o", tmp_path / "host"], check=True)
    assert subprocess.run([tmp_path / "host"], capture_output=True, text=True).stdout == "1 1 "
