"""rvhyp bench: what it measures is what it says.  How fast anything is, is no business of a test."""
import json
import math
import os
import sys
from xml.etree import ElementTree

import pytest

import firmware
from rvhyp.bench import idle, linux, paging, process, programs, report, traps
from rvhyp.bench.peers import Peer, peers
from rvhyp.bench.picture import COLOURS, grid_step, picture
from rvhyp.bench.process import Cost
from rvhyp.cli.bench import PEERS, installed_peers, measure_traps
from rvhyp.engine import make_engine
from rvhyp.engine.translator.engine import Translator
from rvhyp.guests import store
from rvhyp.isa.text import assemble
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load
from tests.browser import needs_chromium, opened
from tests.cli.terminal import rvhyp

SVG = "{http://www.w3.org/2000/svg}"
ECHO = [sys.executable, "-c"]


@pytest.fixture(scope="module")
def engine():
    return make_engine("interpreter")


def test_iterations_make_the_wanted_number_of_instructions(engine):
    count = programs.iterations_for("sort", 5_000_000, engine)
    _, instructions = programs.run_here(programs.with_words("sort", iterations=count), "sort", engine)
    assert 3_000_000 < instructions <= 5_500_000


def test_a_program_that_computes_something_else_is_refused(engine):
    elf = bytearray(programs.with_words("sort", iterations=1))
    code = load(bytes(elf), "sort").segments[0].data
    elf[elf.index(code) + len(code) - 8] ^= 1                      # the last constant is the checksum that is expected
    with pytest.raises(BadInput, match="did not pass its own check"):
        programs.run_here(bytes(elf), "sort", engine)


@pytest.fixture(scope="module")
def engines(engine):
    return programs.Engines(make_engine("translator"), engine, Translator(counted=True))


def test_steady_state_of_a_peer_is_without_its_start(engines, monkeypatch):
    costs = iter([Cost(9, 9), Cost(8, 8), Cost(6, 6), Cost(7, 5), Cost(3, 1)])  # warm, interpreted, cold, the peer, its start
    monkeypatch.setattr(programs.process, "run", lambda command, environment=None: next(costs))
    monkeypatch.setattr(programs, "WARM_UPS", 1)
    warm, cold, interpreted, peer = programs.measure("sort", 1_000_000, 1, engines, [Peer("peer", lambda elf: ["peer", elf])])
    assert (warm.cache, cold.cache, interpreted.cache, peer.cache) == ("warm", "cold", "", "")
    assert warm.whole == [(9, 9)] and interpreted.whole == [(8, 8)] and cold.whole == [(6, 6)] and not cold.steady
    assert peer.whole == [(7, 5)] and peer.steady == [(4, 4)]
    assert warm.instructions == peer.instructions > 100_000
    assert 0 <= warm.translated < 1
    assert peer.mips("steady") == peer.instructions / 4 / 1e6 and peer.mips("whole", "wall") == peer.instructions / 7 / 1e6


def test_variants_of_a_program_take_turns(engines, monkeypatch):
    ran = []
    monkeypatch.setattr(programs.process, "run", lambda command: ran.append(command[0]) or Cost(0, len(ran)))
    monkeypatch.setattr(programs, "WARM_UPS", 1)
    variants = [{"stages": 1}, {"stages": 2}]
    peer = Peer("peer", lambda elf: [elf.rpartition("/")[2]])
    found = programs.costs_of_iteration("memory-chase", variants, 2, 2, engines, [peer])
    one, two = [["memory-chase-0-2.elf", "memory-chase-0-1.elf"], ["memory-chase-1-2.elf", "memory-chase-1-1.elf"]]
    assert ran == [*one, *two, *one, *two] and len(found) == 2


def test_a_cold_cache_has_the_core_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("RVHYP_CACHE", str(tmp_path))
    for name in ("core-1", "regions-1", "hot-1", "objects-1"):
        (tmp_path / name).write_text(name)
    with process.cold_cache() as environment:
        folder = environment["RVHYP_CACHE"]
        assert folder != str(tmp_path) and sorted(os.listdir(folder)) == ["core-1", "guests"]
    assert not os.path.exists(folder) and (tmp_path / "core-1").exists()


def test_the_cost_of_an_iteration_is_without_the_start(engines, monkeypatch):
    costs = iter([Cost(9, 8), Cost(1, 2), Cost(9, 11), Cost(1, 2), Cost(7, 5), Cost(3, 2)])
    monkeypatch.setattr(programs.process, "run", lambda command: next(costs))
    monkeypatch.setattr(programs, "WARM_UPS", 1)
    found, = programs.costs_of_iteration("trap-hs", [{}], 4, 3, engines, [Peer("peer", lambda elf: ["peer", elf])])
    assert list(found) == [programs.OURS, programs.INTERPRETED, "peer"] and found["peer"] == 2


@pytest.mark.parametrize("load", paging.LOADS, ids=lambda load: load.name)
def test_loads_do_what_they_count(load, engine):
    """Per unit at least one instruction, and a store for each eight bytes that are copied; either way the same work."""
    def instructions(stages, iterations):
        elf = programs.with_words(load.program, iterations=iterations, stages=stages, **load.words)
        return programs.run_here(elf, load.program, engine)[1]
    one, two = (instructions(stages, 3) - instructions(stages, 2) for stages in (1, 2))
    assert one == two and (1 if load.program == "memory-chase" else 16) <= one / load.units < 20


def test_loads_check_themselves(engine):
    """A cycle that does not come to all pages, and a copy that leaves a word out."""
    with pytest.raises(BadInput, match="did not pass its own check"):
        programs.run_here(programs.with_words("memory-chase", working_set=3 << 12), "memory-chase", engine)
    source = firmware.find("memory-copy").source.read_text()
    assert source.count("sd      t1, \\at + 8(a2)") == 1
    wrong = assemble(source.replace("sd      t1, \\at + 8(a2)", "nop"), firmware.BARE_BASE, include=firmware.included)
    with pytest.raises(BadInput, match="did not pass its own check"):
        programs.run_here(wrong.to_elf(), "memory-copy", engine)


def test_a_miss_is_what_a_large_working_set_costs_more():
    assert paging.miss({"a": (1, 2)}, {"a": (11, 32)}) == {"a": (10, 30)}
    assert report.staged("miss", paging.miss({"a": (1, 2)}, {"a": (11, 32)}))[0].ratio == 3


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
                             .replace("    li a6, 0\n    ecall", "    nop").replace("    li a0, -1\n    ecall", "    nop"))
    with pytest.raises(AssertionError):
        traps.measure(without, engine)


def test_peers_say_what_they_lack(monkeypatch):
    monkeypatch.setattr("rvhyp.bench.peers.find", lambda program: None)
    assert [peer.missing for peer in peers()] == ["spike and dtc", "qemu-system-riscv64"]


def test_peers_can_be_chosen(monkeypatch):
    monkeypatch.setattr("rvhyp.bench.peers.find", lambda program: f"/{program}")
    assert [peer.name for peer in installed_peers(())] == ["Spike", "QEMU"]
    assert [[peer.name for peer in installed_peers((name,))] for name in PEERS] == [["Spike"], ["QEMU"]]


def test_command(tmp_path):
    """As a user runs it, on the smallest scale."""
    path = tmp_path / "bench.json"
    result = rvhyp("bench", "sort", "--instructions", "2000000", "--rounds", "1", "--json", str(path),
                   "--svg", str(tmp_path / "bench.svg"))
    assert result.returncode == 0, result.stderr
    text = result.stdout.decode()
    assert "steady state" in text and "whole process" in text
    assert ElementTree.parse(tmp_path / "bench.svg").getroot().tag == f"{SVG}svg"
    document = json.loads(path.read_text())
    ours = document["programs"][0]
    assert ours["runner"] == programs.OURS and len(ours["sha256"]) == 64
    assert ours["instructions"] > 1_000_000 and ours["steady"][0]["cpu"] > 0
    assert [each["cache"] for each in document["programs"][:2]] == ["warm", "cold"] == [
        line.split()[1] for line in text.split("whole process")[1].splitlines() if line.startswith("sort")]


def test_every_trap_is_measured_on_both_engines(engines, monkeypatch):
    monkeypatch.setattr(traps, "TURNS", 500)
    monkeypatch.setattr(traps, "LOOPS", [loop._replace(turns=500) for loop in traps.LOOPS])
    monkeypatch.setattr(programs, "WARM_UPS", 1)
    figures = measure_traps(1, engines, [])
    assert [(each.what, each.engine, each.cache) for each in figures] == [
        (each.name, *runner) for each in (*traps.LOOPS, *traps.PROGRAMS)
        for runner in ((programs.OURS, "warm"), (programs.INTERPRETED, ""))]
    assert all(each.value > 0 for each in figures)
    assert [len(row) for row in report.figure_table("traps", figures)] == [5] * (1 + len(figures))


def measured(program, **mips):
    """Measurements of a million instructions, by runner."""
    names = {"ours": programs.OURS, "interpreted": programs.INTERPRETED}
    return [programs.Measurement(program, names.get(runner, runner), "", 1_000_000, [], steady=[Cost(1 / speed, 1 / speed)])
            for runner, speed in mips.items()]


def test_the_picture_is_to_scale_and_has_the_figures():
    found = measured("sort", ours=1200, interpreted=400, Spike=100, QEMU=600) + measured("nbody", ours=2400, QEMU=300)
    root = ElementTree.fromstring(picture(found, "a < b"))
    bars = {each.get("fill"): float(each.get("width")) for each in root.iter(f"{SVG}rect") if each.get("rx") == "2"}
    assert set(bars) == set(COLOURS.values())
    widths = [float(each.get("width")) for each in root.iter(f"{SVG}rect") if each.get("rx") == "2"]
    assert [round(each / widths[0], 2) for each in widths] == [1, 0.33, 0.5, 0.08, 2, 0.25]
    texts = [each.text for each in root.iter(f"{SVG}text")]
    for text in ("sort", "nbody", "1,200", "400", "100", "600", "2.00x QEMU", "8.00x QEMU", "Integer", "Double precision",
                 "a < b", "2.00x QEMU, geometric mean", "8.00x QEMU, geometric mean"):
        assert text in texts
    places = [float(each.get(key)) for each in root.iter() for key in ("x", "x1", "x2") if each.get(key)]
    assert 0 < min(places) and max(places) < 1116


def test_the_picture_without_peers_has_no_ratios():
    text = picture(measured("sort", ours=7, interpreted=3), "")
    assert "QEMU" not in text and "Spike" not in text and ">7<" in text


@pytest.mark.parametrize("most, step", [(7, 10), (60, 10), (61, 20), (121, 50), (5999, 1000), (6001, 2000), (30_001, 10_000)])
def test_lines_of_the_grid(most, step):
    assert grid_step(most) == step


@needs_chromium
def test_a_peer_whose_run_took_no_longer_than_its_start_has_no_speed():
    found = measured("sort", ours=1200, QEMU=600)
    for seconds in (-0.01, 0.0):
        found[-1].steady[:] = [Cost(seconds, seconds)]
        text = picture(found, "note")
        assert "1,200" in text and "geometric mean" not in text
        assert math.isnan(found[-1].mips("steady"))


def test_a_browser_shows_the_picture(tmp_path):
    path = tmp_path / "bench.svg"
    path.write_text(picture(measured("sort", ours=1200, QEMU=600), "note"))
    assert "2.00x QEMU" in opened(path)


def test_a_picture_without_programs_is_one_message():
    result = rvhyp("bench", "--part", "start", "--svg", "x.svg")
    assert result.returncode == 2 and b"--part programs" in result.stderr


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


@pytest.mark.parametrize("arguments", [["--part", "kvm"], ["--lkvm", "/dev/null"]])
def test_kvm_wants_its_program_and_nothing_else_does(arguments):
    result = rvhyp("bench", *arguments)
    assert result.returncode == 2 and b"--part kvm --lkvm FILE" in result.stderr


def test_a_linux_guest_that_is_not_prepared_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "folder", lambda: tmp_path)
    with pytest.raises(BadInput, match="rvhyp guests prepare debian"):
        linux.prepared()
