"""Targets that are not made of programs for a hart: number N of a seed is held to rules, there is nothing to compare it with.

    @check("name", "title")
    def one(seed, number): ...          gives what is wrong, or ""
"""
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rvhyp.fuzz.batches import Found, Result, Work

RULES = "its rules"                     # what takes an oracle's place in reports


@dataclass
class Check:
    """`run` makes example `number` of a seed, tries it, and says what is wrong; an exception of it is wrong as well."""

    name: str
    title: str
    run: Callable[[int, int], str]


CHECKS: dict[str, Check] = {}


def check(name: str, title: str):
    """Register what checks one example."""
    def register(run):
        CHECKS[name] = Check(name, title, run)
        return run
    return register


def draws(seed: int, number: int) -> random.Random:
    """The random numbers of an example: the same wherever it is made."""
    return random.Random(f"{seed}:{number}")


class Checker:
    """Does work as a bench does."""

    def __init__(self, name: str, seed: int):
        self.try_one, self.seed = CHECKS[name].run, seed

    def run(self, work: Work) -> Result:
        """All of it."""
        result = Result(work.first, work.count, compared=Counter({RULES: work.count}))
        for number in range(work.first, work.first + work.count):
            try:
                wrong = self.try_one(self.seed, number)
            except Exception as error:  # a traceback is what this looks for
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                result.found.append(Found(number, RULES, wrong))
        return result


from rvhyp.fuzz import loaders, sbi, virtio  # noqa: E402, F401
