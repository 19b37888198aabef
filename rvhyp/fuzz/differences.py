"""Known differences of other simulators: a list with the manual's rule for each, matched where two runs part."""
from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rvhyp.fuzz.lockstep import Parting
from rvhyp.isa.text import disassemble

PATTERNS = ("before", "instruction", "ours", "theirs")


@dataclass(frozen=True)
class Difference:
    name: str
    rule: str
    before: str = ""
    instruction: str = ""
    ours: str = ""
    theirs: str = ""
    avoided: str = ""                   # how it is kept out of what is compared

    def matches(self, parting: Parting) -> bool:
        """Whether two runs part for this reason, as far as one can see there."""
        if not any(getattr(self, name) for name in PATTERNS) or parting.instruction is None:
            return False
        texts = {"before": "; ".join(disassemble(commit.bits) for commit in parting.before),
                 "instruction": disassemble(parting.instruction.bits),
                 "ours": parting.ours.effects if parting.ours else "", "theirs": parting.theirs.effects if parting.theirs else ""}
        return all(re.search(getattr(self, name), texts[name]) for name in PATTERNS if getattr(self, name))


@cache
def known(oracle: str = "spike") -> tuple[Difference, ...]:
    """The list for an oracle; our engines have none."""
    if oracle != "spike":
        return ()
    rows = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())["difference"]
    return tuple(Difference(**row) for row in rows)


def find(oracle: str, parting: Parting | None) -> Difference | None:
    """The known difference for which two runs part, if it is one."""
    return next((each for each in known(oracle) if parting is not None and each.matches(parting)), None)


def report(hits: Counter[str], oracle: str = "spike") -> list[str]:
    """How often each was hit."""
    return [f"{each.name:28} {'avoided' if each.avoided and not hits[each.name] else hits[each.name]}" for each in known(oracle)]
