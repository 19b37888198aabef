"""Over whole programs: every trap that the engine takes is explained, and the explanation says what the engine did."""
import os
from pathlib import Path

import pytest

import firmware
from rvhyp.explain.find import Recorder, Wanted, differences, explain
from rvhyp.explain.step import Watched
from rvhyp.explain.text import lines
from rvhyp.hart.state import OFFSET
from rvhyp.machine.board import Board
from rvhyp.machine.loader import load
from rvhyp.monitor.hypervisor import Hypervisor
from rvhyp.monitor.vm import VmConfig
from tools import h_suite

SUITES = os.environ.get("RVHYP_SUITES", "")
OFFICIAL = ("rv64ui-v-add", "rv64uc-v-rvc", "rv64ua-v-lrsc", "rv64ud-v-fadd", "rv64si-p-dirty", "rv64si-p-icache-alias",
            "rv64mi-p-illegal", "rv64mi-p-csr", "rv64mi-p-ma_addr", "rv64ssvnapot-p-napot", "hypervisor-p-2-stage_translation",
            "hypervisor-svadu-p-2-stage_translation_implicit_store_error")
PROGRAMS = ("h-trap-values", "h-access-csr", "h-xlat-permissions", "h-xlat-stages", "h-interrupts", "h-hlv")
TRAPS, QUANTUM_END = OFFSET["traps"] // 8, OFFSET["quantum_end"] // 8


def hold_all(make, limit: int, most: int) -> int:
    """Explain up to `most` traps of a run, spread over all of it; how many there were."""
    traps = []
    runner = make()
    Recorder(runner.machine, traps.append)
    runner.run(limit)
    for trap in traps[::max(1, len(traps) // most)]:
        found = explain(make, trap, limit)
        assert differences(found, trap) == [], (trap, "\n".join(lines(found)))
        assert found.interrupt or all(decision.says for decision in found.decided)
    return len(traps)


def hold_whole(make, limit: int) -> int:
    """Explain all traps of a run in one go: run in plain Python from its beginning.  How many there were."""
    traps, found = [], []
    runner = make()
    Recorder(runner.machine, traps.append)
    runner.run(limit)
    runner = make()
    machine, watched = runner.machine, Watched(runner.machine.hart)

    def step():
        before = machine.hart.words[TRAPS]
        reason = watched.run()
        if machine.hart.words[TRAPS] != before:
            found.append(watched.explanation)
        return reason
    machine.run_hart = step
    runner.run(limit)
    assert len(traps) == len(found)
    for trap, explanation in zip(traps, found, strict=True):
        assert differences(explanation, trap) == [], (trap, "\n".join(lines(explanation)))
    return len(traps)


def board_of(program):
    def make():
        board = Board(16 << 20)
        board.load(program)
        return board
    return make


@pytest.mark.parametrize("name", [*PROGRAMS, *(pytest.param(name, marks=pytest.mark.long) for name in h_suite.programs()
                                               if name not in PROGRAMS and h_suite.harts(name) == 1)])
def test_our_suite_for_h(name):
    assert hold_all(board_of(load(h_suite.elf(name), name)), h_suite.MAX_INSTRUCTIONS, 12) > 5


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in h_suite.programs() if h_suite.harts(name) == 1])
def test_our_suite_for_h_trap_by_trap(name):
    assert hold_whole(board_of(load(h_suite.elf(name), name)), h_suite.MAX_INSTRUCTIONS) > 5


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_tests(name):
    path = Path(SUITES, "riscv-tests/isa", name)
    if not SUITES or not path.exists():
        pytest.skip("RVHYP_SUITES has no built riscv-tests")
    assert hold_all(board_of(load(str(path))), 1_000_000, 8) > 0


@pytest.mark.parametrize("name", ["hello", "badaccess", "tasks"])
def test_guests_under_the_monitor(name):
    program = load(firmware.load(name), name)
    assert hold_all(lambda: Hypervisor([VmConfig(name, program, 16 << 20)]), 400_000, 10) > 0


def test_the_default_is_the_last_trap_that_is_no_environment_call():
    wanted = Wanted()
    runner = Hypervisor([VmConfig("hello", load(firmware.load("hello"), "hello"), 16 << 20)])
    Recorder(runner.machine, wanted)
    runner.run()
    chosen = wanted.choose()
    assert chosen.name == "virtual instruction" and chosen.number < wanted.count and not wanted.last.number != wanted.count


def test_running_with_a_recorder_changes_nothing():
    program = load(h_suite.elf("h-timer"), "h-timer")
    plain, recorded = board_of(program)(), board_of(program)()
    count = []
    Recorder(recorded.machine, count.append)
    assert plain.run() == recorded.run()
    assert plain.machine.instret == recorded.machine.instret and int(plain.machine.hart.traps) == len(count)
