"""The programs as such: found by name, described, assembled, accepted by our loader."""
import re
import tomllib
from pathlib import Path

import pytest

import firmware
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load_elf, place
from rvhyp.machine.ram import Memory, Ram

ROOT = Path(firmware.__file__).parent
GUESTS = [name for name in firmware.names() if firmware.find(name).kind == "guest"]
BARE = [name for name in firmware.names() if firmware.find(name).kind == "bare"]
BENCHMARKS = [name for name in firmware.names() if firmware.find(name).is_benchmark]
EXPECTED = {"hello", "tasks", "selftest", "echo", "smp", "benchmark", "badaccess", "badjump", "badloop",
            "bare-hello", "pass", "fail-result", "fail-trap", "fail-loop", "fail-pretended", "trap-vs",
            "sort", "hash", "list", "bytecode", "statemachine", "intmatrix", "strings", "recursion", "sha",
            "matmul", "nbody", "spmv", "linpack"}


def program(name):
    return load_elf(firmware.load(name), name)


def test_names():
    assert set(firmware.names()) >= EXPECTED
    sources = [*ROOT.glob("guests/*"), *ROOT.glob("bare/*"), *ROOT.glob("bench/*")]
    assert len(firmware.names()) == len(sources), "two programs of the same name, or a file that is none"
    assert GUESTS and BARE and len(BENCHMARKS) == 13 and set(BENCHMARKS) <= set(BARE)


@pytest.mark.parametrize("name", firmware.names())
def test_description(name):
    found = firmware.find(name)
    assert found.name == name and found.source.stem == name
    assert re.fullmatch(r"[A-Z].{10,110}\.", found.description), found.description


@pytest.mark.parametrize("name, message", [
    ("helo", "helo: is none of the built-in programs; did you mean hello?"),
    ("fail-resul", "did you mean fail-result or fail-"),
    ("linux", "linux: is none of the built-in programs; there are badaccess, badjump, "),
    ("../guests/hello", "none of the built-in programs"),
    ("", "there are"),
])
def test_unknown_names(name, message):
    for function in (firmware.find, firmware.load):
        with pytest.raises(BadInput) as error:
            function(name)
        assert message in str(error.value)


def test_a_new_program_is_one_file(tmp_path, monkeypatch):
    for folder in ("guests", "include"):
        (tmp_path / folder).mkdir()
    (tmp_path / "include/stop.S").write_text(".macro stop\nebreak\n.endm\n")
    (tmp_path / "guests/new.S").write_text('# Does little.\n.include "stop.S"\n_start: stop\n')
    monkeypatch.setattr(firmware, "FOLDER", tmp_path)
    firmware._programs.cache_clear()
    try:
        assert firmware.names() == ["new"]
        assert firmware.find("new").description == "Does little."
        assert program("new").segments[0].data == (0x0010_0073).to_bytes(4, "little")
    finally:
        firmware._programs.cache_clear()


@pytest.mark.parametrize("name", firmware.names())
def test_fits_the_machine(name):
    """Within 32 MiB of RAM, where it belongs, and starting where it is loaded: QEMU and our monitor jump there."""
    loaded = program(name)
    base = 0x8020_0000 if name in GUESTS else 0x8000_0000
    assert loaded.entry == min(s.pa for s in loaded.segments) == loaded.symbols["_start"] == base
    memory = Memory([Ram(0x8000_0000, 32 << 20)])
    place(loaded, memory)
    memory.close()


@pytest.mark.parametrize("name", BARE)
def test_host_interface(name):
    loaded = program(name)
    assert loaded.tohost and loaded.fromhost and loaded.tohost % 64 == 0 and loaded.fromhost % 64 == 0
    assert not any(s.pa >> 12 <= loaded.tohost >> 12 <= s.pa + s.memsz - 1 >> 12 and s.flags & 1
                   for s in loaded.segments), "in a page with code"
    assert not any(byte for s in loaded.segments if s.holds(loaded.tohost)
                   for byte in s.data[loaded.tohost - s.pa:loaded.tohost - s.pa + 8])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_nothing_but_the_host_interface_is_in_its_page(name):
    """Stores beside `tohost` are watched: none of a benchmark may be."""
    loaded = program(name)
    watched = loaded.tohost >> 12
    assert loaded.fromhost >> 12 == watched
    near = [s for s in loaded.segments if s.pa >> 12 <= watched <= s.pa + s.memsz - 1 >> 12]
    assert [s.pa for s in near] == [loaded.tohost] and near[0].memsz <= 128


@pytest.mark.parametrize("name", [*BENCHMARKS, "benchmark", "trap-vs", "trap-hs", "memory-chase", "memory-copy"])
def test_iterations(name):
    loaded = program(name)
    at = loaded.symbols["iterations"]
    segment = next(s for s in loaded.segments if s.holds(at))
    data = segment.data[at - segment.va:at - segment.va + 8]
    assert at % 8 == 0 and segment.flags & 2 and 0 < int.from_bytes(data, "little") < 1 << 32


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks_are_small_and_know_no_paths(name):
    elf = firmware.load(name)
    assert len(elf) < 32 << 10
    assert not re.search(rb"/(home|tmp|root|usr|work|build)\b|\.c\0|clang|LLVM|zig", elf)
    assert "main" in program(name).symbols


def test_same_source_same_bytes():
    before = {name: firmware.load(name) for name in GUESTS}
    firmware._assembled.cache_clear()
    assert {name: firmware.load(name) for name in GUESTS} == before


def test_lines_are_short_and_clean():
    for path in [*ROOT.rglob("*.S"), *ROOT.rglob("*.[ch]"), Path(__file__).with_name("sbi.S")]:
        for number, line in enumerate(path.read_text(encoding="ascii").split("\n"), 1):
            assert len(line) <= 120 and line == line.rstrip() and "\t" not in line, f"{path.name}:{number}"


def test_every_file_is_shipped():
    settings = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["firmware"]
    shipped = {path for pattern in patterns for path in ROOT.glob(pattern)}
    files = {path for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.parent != ROOT} == shipped
    assert {path.suffix for path in files - shipped} == {".py"}
