"""rvhyp bench: what it measures is what it says.  How fast anything is, is no business of a test."""
import json
import sys

import pytest

from rvhyp.bench import idle, linux, process, programs, traps
from rvhyp.bench.peers import Peer, peers
from rvhyp.bench.process import Cost
from rvhyp.engine import make_engine
from rvhyp.guests import store
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load
from tests.cli.terminal import rvhyp

ECHO = [sys.executable, "-c"]


@pytest.fixture(scope="module")
def engine():
    return make_engine("interpreter")


def test_iterations_make_the_wanted_number_of_instructions(engine):
    count = programs.iterations_for("sort", 5_000_000, engine)
    _, instructions = programs.run_here(programs.with_iterations("sort", count), "sort", engine)
    assert 3_000_000 < instructions <= 5_500_000


def test_a_program_that_computes_something_else_is_refused(engine):
    elf = bytearray(programs.with_iterations("sort", 1))
    code = load(bytes(elf), "sort").segments[0].data
    elf[elf.index(code) + len(code) - 8] ^= 1                      # the last constant is the checksum that is expected
    with pytest.raises(BadInput, match="did not pass its own check"):
        programs.run_here(bytes(elf), "sort", engine)


def test_steady_state_of_a_peer_is_without_its_start(engine, monkeypatch):
    costs = iter([Cost(9, 9), Cost(8, 8), Cost(7, 5), Cost(3, 1)])      # ours, interpreted, the peer's run, the peer's start
    monkeypatch.setattr(programs.process, "run", lambda command: next(costs))
    monkeypatch.setattr(programs, "WARM_UPS", 1)
    engines = programs.Engines(make_engine("translator"), engine)
    ours, interpreted, peer = programs.measure("sort", 1_000_000, 1, engines, [Peer("peer", lambda elf: ["peer", elf])])
    assert ours.whole == [(9, 9)] and interpreted.whole == [(8, 8)] and peer.whole == [(7, 5)] and peer.steady == [(4, 4)]
    assert ours.instructions == peer.instructions > 100_000
    assert peer.mips("steady") == peer.instructions / 4 / 1e6 and peer.mips("whole", "wall") == peer.instructions / 7 / 1e6


def test_a_process_that_fails_is_no_measurement():
    with pytest.raises(BadInput, match="status 3"):
        process.run([*ECHO, "import sys; sys.exit(3)"])
    assert process.run([*ECHO, "import sys; sys.exit(3)"], accept=(3,)).wall > 0
    with pytest.raises(BadInput, match="status 4: .*oh"):
        process.peak_memory([*ECHO, "import sys; print('oh', file=sys.stderr); sys.exit(4)"])


def test_peak_memory_is_that_of_the_command_alone():
    ballast = bytearray(200 << 20)                                 # of this process
    ballast[::4096] = b"x" * len(ballast[::4096])
    small = process.peak_memory([*ECHO, "pass"])
    large = process.peak_memory([*ECHO, "x = b'x' * (100 << 20)"])
    assert small < 60 << 20 and 95 << 20 < large - small < 120 << 20


@pytest.mark.parametrize("loop", traps.LOOPS, ids=lambda loop: loop.name)
def test_a_trap_loop_traps(loop, engine):
    short = loop._replace(turns=500)
    assert traps.measure(short, engine) > 0
    without = short._replace(source=short.source.replace("ebreak", "nop").replace("lbu t1, 0(t0)", "nop")
                             .replace("    li a6, 0\n    ecall", "    nop"))
    with pytest.raises(AssertionError):
        traps.measure(without, engine)


def test_peers_say_what_they_lack(monkeypatch):
    monkeypatch.setattr("rvhyp.bench.peers.find", lambda program: None)
    assert [peer.missing for peer in peers()] == ["spike and dtc", "qemu-system-riscv64"]


def test_command(tmp_path):
    """Every part, as a user runs it, on the smallest scale."""
    path = tmp_path / "bench.json"
    result = rvhyp("bench", "sort", "--part", "programs", "--part", "traps", "--instructions", "2000000", "--rounds", "1",
                   "--json", str(path))
    assert result.returncode == 0, result.stderr
    text = result.stdout.decode()
    for word in ("steady state", "whole process", "traps", "SBI call"):
        assert word in text
    document = json.loads(path.read_text())
    ours = next(each for each in document["programs"] if each["runner"] == "rvhyp")
    assert ours["instructions"] > 1_000_000 and ours["steady"][0]["cpu"] > 0 and len(ours["sha256"]) == 64
    assert all(value > 0 for value in document["traps_us"].values())


def test_unknown_program():
    result = rvhyp("bench", "sorting")
    assert result.returncode == 2 and b"sorting" in result.stderr and b"there are" in result.stderr


class Beside:
    """Guests whose busy one gets slower with each idle one beside it, and by luck."""

    def __init__(self, engine, most):
        self.luck = iter([0, 3, 0, -3] * 100)

    def speed(self, beside):
        return (100 - beside) * (1 + next(self.luck) / 1000)


def test_what_idle_guests_cost_is_a_median(monkeypatch):
    monkeypatch.setattr(idle, "Guests", Beside)
    alone, lost = idle.lost_beside(None, 4)
    assert abs(alone - 100) < 0.2 and [round(part, 2) for part in lost] == [0.01, 0.02]


def test_a_linux_guest_that_is_not_prepared_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "folder", lambda: tmp_path)
    with pytest.raises(BadInput, match="rvhyp guests prepare debian"):
        linux.prepared()
