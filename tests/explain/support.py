"""The traps of a bench, as an engine takes them and as they are explained."""
from __future__ import annotations

from rvhyp.explain.find import Trap, differences, trap_taken
from rvhyp.explain.step import Watched
from rvhyp.explain.text import lines
from rvhyp.explain.trap import Explanation
from rvhyp.hart.state import REASON_MMIO, REASON_TRAP_LOOP, REASON_WFI
from tests.engine.support import Bench

MOST = 40                               # traps of one run


def run(bench: Bench, count: int, step, on_trap) -> None:
    """Run `count` instructions by `step()`, up to WFI or the last trap we look at."""
    hart, machine = bench.hart, bench.machine
    end, seen, first = machine.instret + count, int(hart.traps), int(hart.traps)
    while machine.instret < end and hart.traps < first + MOST:
        hart.stop_at_traps, hart.quantum_end = 1, end
        reason = step()
        if hart.traps != seen:
            seen = int(hart.traps)
            on_trap()
        if reason == REASON_MMIO:
            machine.serve(reason)
        elif reason in (REASON_WFI, REASON_TRAP_LOOP):
            return


def taken(bench: Bench, count: int) -> list[tuple[Trap, int]]:
    """The traps that the engine takes, each with the pc after it."""
    traps: list[tuple[Trap, int]] = []
    run(bench, count, bench.machine.run_hart, lambda: traps.append((trap_taken(bench.machine), int(bench.hart.pc))))
    return traps


def explained(bench: Bench, count: int) -> list[Explanation]:
    """The traps as explained, from the same beginning: nothing here knows what an engine has saved."""
    watched, found = Watched(bench.hart), []
    run(bench, count, watched.run, lambda: found.append(watched.explanation))
    return found


def hold_explained(prepare, count: int, **options) -> list[Explanation]:
    """What the interpreter does and what is explained are the same, trap by trap."""
    benches = Bench("interpreter", **options), Bench("interpreter", **options)
    for bench in benches:
        prepare(bench)
    traps, explanations = taken(benches[0], count), explained(benches[1], count)
    assert len(traps) == len(explanations)
    for (trap, pc), explanation in zip(traps, explanations, strict=True):
        assert differences(explanation, trap) == [], (trap, "\n".join(lines(explanation)))
        assert explanation.vector == pc
        assert explanation.decided or explanation.interrupt
        assert all(decision.says for decision in explanation.decided), explanation.decided
        assert lines(explanation)
    return explanations
