"""The cold loop: a program that differs is held to what is known, made smaller, explained and written down."""
from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from rvhyp.fuzz import differences, reproducer
from rvhyp.fuzz.batches import COMMON_WORDS, OUR_WORDS
from rvhyp.fuzz.corpus import SUFFIX
from rvhyp.fuzz.example import Example
from rvhyp.fuzz.lockstep import parting
from rvhyp.fuzz.oracles import ORACLES
from rvhyp.fuzz.plan import Case, Plan
from rvhyp.fuzz.shrink import differ, shrink


def examine(plan: Plan, case: Case) -> Case:
    """The case with the known difference that it is; or with the least program, why it differs, and the files."""
    program = case.program
    assert program is not None
    engine, oracle = ORACLES[plan.engine].make(plan.isa), ORACLES[case.oracle].make(plan.isa)
    example = Example.read(case.number, program.slot, program.code, program.record)
    words = OUR_WORDS if ORACLES[case.oracle].is_ours else COMMON_WORDS
    different = partial(differ, engine, oracle, words)
    where = parting(plan.engine, case.oracle, plan.isa, example.image())
    if known := differences.find(case.oracle, where):
        return replace(case, example=example, known=known.name)
    if not different([example])[0]:
        return replace(case, example=example, lines=["it differs only where it runs: not alone"])
    smaller = shrink(example, different, partial(reproducer.values_left_by, engine))
    where_smaller = parting(plan.engine, case.oracle, plan.isa, smaller.image())
    if not differences.find(case.oracle, where_smaller):        # else it is another difference that is left
        example, where = smaller, where_smaller
    observations = reproducer.observe(example, engine, oracle)
    lines, files = reproducer.explanation(example, where, observations, plan.engine, case.oracle, plan.isa), []
    if plan.corpus and observations:
        origin = case.entry.removesuffix(SUFFIX) or f"{plan.seed}-{case.number}"
        name = f"{plan.target}-{origin}-{case.oracle}"
        files = reproducer.write(Path(plan.corpus), name, example, observations[0], plan.engine, case.oracle, lines)
    return replace(case, example=example, lines=lines, files=list(map(str, files)))
