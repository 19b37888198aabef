"""The programs for the bare machine, on Spike."""
import pytest

import firmware
from rvhyp.bench.programs import with_words
from tests.firmware.peers import needs_spike, on_spike

pytestmark = needs_spike
BENCHMARKS = [name for name in firmware.names() if firmware.find(name).is_benchmark]


@pytest.fixture
def elf(tmp_path):
    """A program as a file; words in memory may be changed, by the name of a symbol."""
    def write(name, **words):
        path = tmp_path / f"{name}.elf"
        path.write_bytes(with_words(name, **words))
        return path
    return write


def test_hello(elf):
    run = on_spike(elf("bare-hello"), "--isa=rv64gc")
    assert run.status == 0 and run.lines == ["Hello from M-mode!", "extensions: acdfimsu"]


@pytest.mark.parametrize("name, status", [
    ("pass", 0), ("fail-result", 3), ("fail-trap", (1337 | 2) >> 1 & 0xFF), ("fail-ecall", 5),
])
def test_reports(elf, name, status):
    """Spike's status is what was stored to tohost, without its lowest bit."""
    assert on_spike(elf(name)).status == status


@pytest.mark.parametrize("name", ["fail-loop", "fail-trap-loop", "fail-silent", "fail-pretended"])
def test_never_reports(elf, name):
    assert on_spike(elf(name), timeout=1.5).status is None


def test_pretends_to_pass(elf):
    assert on_spike(elf("fail-pretended"), "--instructions=200000").lines == ["PASS"]


@pytest.mark.parametrize("name", ["trap-vs", "trap-hs"])
def test_round_trips(elf, name):
    for count in (0, 1, 5000):
        assert on_spike(elf(name, iterations=count), "--isa=rv64gch").status == 0
    assert on_spike(elf(name), "--isa=rv64gc").status == 2, "there is no hypervisor extension"


@pytest.mark.parametrize("name", ["memory-chase", "memory-copy"])
def test_memory(elf, name):
    for stages in (1, 2):
        for size in (1 << 16, 1 << 24):
            assert on_spike(elf(name, iterations=2, stages=stages, working_set=size), "--isa=rv64gch").status == 0
    assert on_spike(elf(name, iterations=2, stages=2), "--isa=rv64gc").status == 2, "there is no hypervisor extension"
    assert on_spike(elf(name, iterations=2, stages=1), "--isa=rv64gc").status == 0


def test_memory_with_fences(elf):
    for stages in (1, 2):
        assert on_spike(elf("memory-chase", iterations=3, stages=stages, fences=1), "--isa=rv64gch").status == 0


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks(elf, name):
    run = on_spike(elf(name, iterations=2), "--isa=rv64gc", timeout=60)
    assert run.status == 0 and not run.text


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks_notice(elf, name):
    run = on_spike(elf(name, iterations=1, expected=0x1234), timeout=60)
    assert run.status == 1 and "instead of 0x0000000000001234" in run.text
