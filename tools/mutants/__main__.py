"""How many single faults in our semantics a fuzzing campaign finds.

    python -m tools.mutants [--count 200] [--seed 2026] [--seconds 600] [--jobs 2] [--only WORD] [--json FILE] [--again FILE]
    python -m tools.mutants --shrink 20

Faults are drawn by the seed from everything that instruction bodies, CSR rows and rules say (tools/mutants/faults.py).  For each,
a copy of the package is built with it, and runs the batches of a campaign over all targets, one of each in turn, held to what
Spike makes of them, until a program differs or the time is over.  tools/mutants/apart.toml lists what no comparison can find.
With --shrink the program that finds a fault is made smaller as a campaign would, for so many faults: see shrunk.py.
"""
from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import cache
from pathlib import Path

from rvhyp.engine.children import available_cores
from rvhyp.fuzz.oracles import Missing
from tools.mutants.faults import Apart, Fault, Faults
from tools.mutants.shrunk import Shrunk, in_any_order, medians, shrunk
from tools.mutants.trial import CRASH, FOUND, HANG, NOT_BUILT, NOT_RUN, SAME_CODE, SURVIVED, Result, Trials

LISTED = "listed"                       # survived, and is on the list of what cannot be found
LISTED_SECONDS = 3                      # what is on the list gets no more
ARE_FOUND = (FOUND, CRASH, HANG)
OUTCOMES = (FOUND, CRASH, HANG, SURVIVED, LISTED, NOT_RUN, SAME_CODE, NOT_BUILT)
PROGRAM_SEED = 1                        # of the campaign


@cache
def apart() -> tuple[Apart, ...]:
    """The list."""
    rows = tomllib.loads(Path(__file__).with_name("apart.toml").read_text())["apart"]
    return tuple(Apart(**row) for row in rows)


def why_apart(fault: Fault) -> str:
    """Why the list says that it cannot be found; "" if it does not."""
    return next((each.why for each in apart() if each.has(fault)), "")


def known(path: Path) -> list[Result]:
    """Results of an earlier run, but for survivors."""
    rows = [{name: row[name] for name in row if name != "diff"} for row in json.loads(path.read_text())]
    results = [Result(**row | {"fault": Fault(**row["fault"])}) for row in rows]
    return [each for each in results if each.outcome not in (SURVIVED, LISTED)]


def run_one(fault: Fault, seconds: float) -> Result:
    """In a worker, which has the trials of the process that it was forked from."""
    why = why_apart(fault)
    result = TRIALS[0].run(fault, min(seconds, LISTED_SECONDS) if why else seconds)
    if why and result.outcome == SURVIVED:
        result.outcome, result.why = LISTED, why
    elif why and result.outcome in ARE_FOUND:
        result.why += " (it is on the list of what cannot be found)"
    return result


TRIALS: list[Trials] = []


def _make_trials() -> None:
    """Before workers are forked: all want what runs of our package."""
    TRIALS[:] = [Trials(PROGRAM_SEED)]
    _ = TRIALS[0].code_that_runs


def run_all(faults: list[Fault], seconds: float, jobs: int) -> Iterable[Result]:
    """Results as they come."""
    _make_trials()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        futures = [pool.submit(run_one, fault, seconds) for fault in faults]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def shrink_one(fault: Fault, seconds: float) -> Shrunk | None:
    """In a worker."""
    return shrunk(TRIALS[0], fault, seconds)


def shrink_some(faults: list[Fault], count: int, seconds: float, jobs: int) -> list[Shrunk]:
    """Counterexamples of the first faults that have one, whatever the number of workers; told as they come."""
    _make_trials()
    cases: list[Shrunk] = []
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        futures = [pool.submit(shrink_one, fault, seconds) for fault in faults]
        try:
            for future in futures:
                if case := future.result():
                    cases.append(case)
                    print(case.line(), *case.program(), sep="\n", flush=True)
                    if len(cases) == count:
                        break
        finally:
            pool.shutdown(cancel_futures=True)
    return cases


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def table(results: list[Result]) -> list[str]:
    """Outcomes by area."""
    areas = list(dict.fromkeys(each.fault.area for each in results))
    lines = [" ".join([f"{'':15}", *(f"{name:>14}" for name in OUTCOMES)])]
    for area in [*areas, "all"]:
        counts = Counter(each.outcome for each in results if area in (each.fault.area, "all"))
        lines.append(" ".join([f"{area:15}", *(f"{counts[name]:14}" for name in OUTCOMES)]))
    return lines


def score(results: list[Result]) -> list[str]:
    """Found of all that are other code, and of those that can be found."""
    counts = Counter(each.outcome for each in results)
    found = sum(counts[name] for name in ARE_FOUND)
    raw = found + counts[SURVIVED] + counts[LISTED] + counts[NOT_RUN]
    return [f"{found} of {raw} found: {share(found, raw)}; without what cannot be found: {found} of {found + counts[SURVIVED]}, "
            f"{share(found, found + counts[SURVIVED])}",
            f"processor time: {sum(each.seconds for each in results):.0f} s as campaigns of their own, "
            f"{sum(each.built for each in results):.0f} s for their cores"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="how many faults are drawn")
    parser.add_argument("--seed", type=int, default=2026, help="of the drawing")
    parser.add_argument("--seconds", type=float, default=600, help="processor time of a campaign, at most")
    parser.add_argument("--jobs", type=int, default=available_cores())
    parser.add_argument("--only", default="", help="those with this in their place or lines")
    parser.add_argument("--json", type=Path, help="write the results to a file, after each")
    parser.add_argument("--again", type=Path, help="take from such a file what did not survive")
    parser.add_argument("--shrink", type=int, metavar="N", help="shrink counterexamples of N faults, and tell their sizes")
    options = parser.parse_args(arguments)
    if options.count < 1 or options.jobs < 1 or options.shrink is not None and options.shrink < 1:
        parser.error("--count, --jobs and --shrink are at least 1")
    try:
        earlier = known(options.again) if options.again else []
    except (OSError, ValueError, TypeError, KeyError) as error:
        parser.error(f"{options.again} has no results of an earlier run: {error}")
    faults = [each for each in Faults().draw(options.count, options.seed) if options.only in f"{each} {each.diff()}"]
    if options.shrink:
        try:
            cases = shrink_some(in_any_order(faults, options.seed), options.shrink, options.seconds, options.jobs)
        except Missing as error:
            print(f"Spike {error}", file=sys.stderr)
            return 2
        print("", *medians(cases), sep="\n")
        return 0
    results = [each for each in earlier if each.fault in faults]
    left = [fault for fault in faults if fault not in [each.fault for each in results]]
    try:
        for result in run_all(left, options.seconds, options.jobs):
            results.append(result)
            print(result.line(), flush=True)
            if options.json:
                options.json.write_text(json.dumps([asdict(each) | {"diff": each.fault.diff()} for each in results], indent=1))
    except Missing as error:
        print(f"Spike {error}", file=sys.stderr)
        return 2
    results.sort(key=lambda each: faults.index(each.fault))
    print("\nsurvivors:" if any(each.outcome == SURVIVED for each in results) else "\nno survivors")
    for each in results:
        if each.outcome == SURVIVED:
            print(each.line())
            print(f"{'':14} batches: {', '.join(f'{name} {count}' for name, count in each.tried.items())}")
    print("", *table(results), "", *score(results), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
