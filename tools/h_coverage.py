"""docs/h-coverage.md: each statement about H, the checks that are for it, and the mutations that turn them red.

    python -m tools.h_coverage [--check]
"""
from __future__ import annotations

import sys
import textwrap
from collections import Counter, defaultdict

from tools import h_mutations, h_suite
from tools.h_suite import TABLE, all_checks, read

WIDTH = 100             # of a statement in the table
HEAD = """\
# What the H suite covers

Made by `python -m tools.h_coverage`; a test holds it current. Statements are those of
`riscv-tests/hypervisor/statements.toml`. One is **shown** if it has a check, and a mutation of our rules that turns the
check red; **checked** if no mutation shows yet that the check can fail; others wait for an extension, or are **not yet**
covered. A check is named by its program and its number there.

"""


def state(checks: list[str], mutations: int, waits: str | None) -> str:
    if waits:
        return f"waits for {waits}"
    if not checks:
        return "not yet"
    return "shown" if mutations else "checked"


def table() -> str:
    """The text of the file."""
    document = read("statements.toml")
    checks, mutations = defaultdict(lambda: defaultdict(list)), Counter()
    for check in all_checks():
        for statement in check.statements:
            checks[statement][check.program].append(str(check.number))
    for mutation in h_mutations.mutations():
        mutations.update(mutation.red)
    rows, states = [], Counter()
    for statement, text in document["statements"].items():
        places = [f"{program} {', '.join(numbers)}" for program, numbers in checks[statement].items()]
        what = state(places, mutations[statement], document["waits"].get(statement))
        states[what.split(" for ")[0]] += 1
        short = textwrap.shorten(text, WIDTH, placeholder=" ...").replace("|", "\\|")
        rows.append(f"| {statement} | {short} | {what} | {'; '.join(places)} | {mutations[statement] or ''} |")
    counts = ", ".join(f"{count} {what}" for what, count in states.most_common())
    summary = (f"{len(rows)} statements: {counts}; {len(all_checks())} checks in {len(h_suite.programs())} programs; "
               f"{len(h_mutations.mutations())} mutations.")
    columns = "| Statement | What it says | State | Checks | Mutations |\n|---|---|---|---|---|"
    return "\n".join([HEAD + summary, "", columns, *rows, ""])


def main(arguments: list[str]) -> int:
    text = table()
    if arguments == ["--check"]:
        return TABLE.read_text() != text
    TABLE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
