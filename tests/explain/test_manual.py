"""The table of what our rules' conditions mean: nothing is missing from it, and nothing in it is of no rule."""
import ast

import pytest

from rvhyp.engine import codepages, reference  # noqa: F401  (for their rules)
from rvhyp.explain.decide import REPORTING, alternatives, called, locate
from rvhyp.explain.manual import ROWS
from rvhyp.explain.observe import syntax_tree
from rvhyp.isa.rule import RULES, Rule


def trees() -> dict[str, ast.FunctionDef]:
    """All rules, and the reference engine's own functions, by name."""
    found = {name: rule.tree() for name, rule in RULES.items() if isinstance(rule, Rule)}
    return found | {name: syntax_tree(name, function.__code__) for name, function in vars(reference.Reference).items()
                    if hasattr(function, "__code__")}


TREES = trees()


def reported(tree: ast.FunctionDef) -> list[str]:
    """The conditions under which a rule reports a trap, each alternative for itself."""
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(ast.Expr(node)) & REPORTING and getattr(
                node.func, "id", getattr(node.func, "attr", "")) in REPORTING:
            conditions = []
            locate(tree.body, node.lineno, conditions)
            texts += [ast.unparse(part) for part in alternatives(conditions[-1][0])] if conditions else [""]
    return texts


REPORTS = [(name, text) for name, tree in TREES.items() if name not in REPORTING for text in dict.fromkeys(reported(tree))]


@pytest.mark.parametrize("name, text", REPORTS)
def test_every_report_of_a_trap_is_explained(name, text):
    """A new gate needs a row: say what it means, and where the manual says so."""
    rows = [row for row in ROWS if row.rule == name and (row.fragment in text if row.fragment else not text)]
    assert rows, f"no row for rule {name}, condition {text!r}"


def test_there_are_many():
    assert len(REPORTS) > 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rule}-{row.fragment}")
def test_every_row_is_of_a_rule(row):
    assert row.fragment in ast.unparse(TREES[row.rule])
    if row.when:
        ast.parse(row.when, mode="eval")


def test_every_row_cites_the_manual_unless_it_is_about_all_of_it():
    assert [row.rule for row in ROWS if not row.manual] == ["execute", "execute"]
