"""Targets that are not made of programs for a hart: number N of a seed is held to rules, there is nothing to compare it with.

    @check("name", "title")
    def one(seed, number): ...          gives what is wrong, or ""
"""
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

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
    """In a child: takes batches as a campaign's bench does."""

    def __init__(self, name: str, seed: int):
        self.run, self.seed = CHECKS[name].run, seed

    def compare(self, first: int, count: int) -> tuple[int, int, Counter[str], list[tuple[int, str, str]]]:
        """Examples, 0 instructions, how many were checked, and (number, rules, what) of those that are wrong."""
        found = []
        for number in range(first, first + count):
            try:
                wrong = self.run(self.seed, number)
            except Exception as error:  # a traceback is what this looks for
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                found.append((number, RULES, wrong))
        return count, 0, Counter({RULES: count}), found


from rvhyp.fuzz import loaders, sbi  # noqa: E402, F401
