"""What a failing test leaves to look at: the end of its commit log, and why its last trap was taken.

The test is run again for it, three times, on fresh boards: runs are deterministic.
"""
from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

from rvhyp.conformance.result import Result, Status
from rvhyp.conformance.runner import Job, Run, Tail, run_test
from rvhyp.explain.find import Recorder, Wanted, differences, explain
from rvhyp.explain.text import lines
from rvhyp.machine.commitlog import CommitLog

KEPT_LINES = 10_000                     # of a commit log, counted from the end
TRACED = (Status.FAIL, Status.TRAP, Status.TIMEOUT)


def run_traced(job: Job, engine: str = "auto") -> Result:
    """Run a test, and if it fails leave NAME.txt and NAME.log in the folder for traces.

    What goes wrong with these changes no result.
    """
    result = run_test(job, engine)
    is_good = result.status not in TRACED and all(check.passed for check in result.checks)
    if not job.config.traces or is_good:
        return result
    stem = Path(job.config.traces, result.name.replace("/", "-").lstrip(".-"))
    written = []
    for suffix, text in ((".txt", explanation), (".log", commit_log)):
        path = stem.with_name(stem.name + suffix)
        try:
            path.write_text(text(job, engine, result), errors="replace")
        except Exception as error:
            written.append(f"{path}: {type(error).__name__}: {error}")
        else:
            written.append(str(path))
    return replace(result, trace=tuple(written))


def commit_log(job: Job, engine: str, result: Result) -> str:
    """Lines of the last instructions that retired."""
    run = Run(job, engine, Tail())
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    run.board.run(max(0, result.instructions - KEPT_LINES), job.config.timeout)
    CommitLog(run.board.machine, kept.append)
    run.board.run(result.instructions - run.board.machine.instret, job.config.timeout)
    return "".join(kept)


def explanation(job: Job, engine: str, result: Result) -> str:
    """Why the last trap was taken that is no environment call: by one of these a test reports."""
    config, limit = job.config, result.instructions + 1         # one more: a trap loop comes after the last instruction
    run, wanted = Run(job, engine, Tail()), Wanted()
    Recorder(run.board.machine, wanted)
    run.board.run(limit, config.timeout)
    heading = f"{result.name}: {result.verdict}, after {result.instructions} instructions\n{result.detail}".strip()
    if wanted.last is None:
        return f"{heading}\n\nIt took no trap.\n"
    trap = wanted.choose()
    found = explain(lambda: Run(job, engine, Tail()).board, trap, limit, config.timeout)
    which = (f"All its {wanted.count} traps are environment calls; this is the last." if trap.is_ecall else
             f"Trap {trap.number} of {wanted.count}, the last that is no environment call:")

    def place(va: int) -> str:
        symbol = run.program.symbol_at(va)
        return f"{va:#x} <{symbol}>" if symbol else f"{va:#x}"
    text = [heading, "", which, "", *lines(found, place)]
    if wrong := differences(found, trap):
        text += ["", f"The engine took it with another {', '.join(wrong)}: it used a cached translation."]
    return "\n".join(text) + "\n"
