"""What decided: the condition in the source of a rule because of which a trap was reported, and the manual's words for it."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from rvhyp.explain.manual import ROWS, Row
from rvhyp.explain.observe import Before, Call
from rvhyp.isa.cause import mode_name
from rvhyp.isa.csr import MSTATUS_FS, csr_by_number
from rvhyp.isa.word import u64

# Rules that report what their caller has found.
REPORTING = frozenset(("raise_trap", "raise_at", "illegal", "virtual", "refuse", "page_fault", "access_fault", "guest_page_fault",
                       "misaligned"))


@dataclass(frozen=True)
class Decision:
    """`condition` is the text in the source of `rule`, at `place`; `says` what it means here, `manual` where the manual says so.

    The last two are empty where nobody has written them: the condition must do.
    """

    rule: str
    place: str
    condition: str
    says: str = ""
    manual: str = ""


def decisions(report: Call) -> list[Decision]:
    """Why a trap was reported, from a call of `raise_trap`: what its rule found, then what the rule it asked had found, ..."""
    call = next(call for call in report.ancestors() if call.name not in REPORTING)
    site = next(child for child in [*reversed(report.ancestors()), report] if child.parent is call)
    before = call.children[:call.children.index(site)]
    found = decision(call, site.site, True, report.before)
    return [found, *asked(call, site.site, before, report.before)]


def asked(call: Call, line: int, before: list[Call], hart: Before) -> Iterator[Decision]:
    """What the rules had found that a condition speaks of: their results, or variables that got these."""
    condition = deciding(call, line, hart)
    names = called(condition) if condition else set()
    names |= {name for variable in variables(condition) for name in assigned(call.tree, variable)}
    answer = next((child for child in reversed(before) if child.name in names), None)
    if answer is not None:
        found = decision(answer, answer.line, False, hart)
        if found.says:
            yield found
            yield from asked(answer, answer.line, answer.children, hart)


def decision(call: Call, line: int, is_report: bool, hart: Before) -> Decision:
    """The condition under which a line of a call runs, or what a predicate returns there."""
    condition = deciding(call, line, hart)
    text = ast.unparse(condition) if condition else ""
    row = row_of(call, text, hart)
    code = call.function_code
    place = f"{call.place.rpartition(':')[0]}:{code.co_firstlineno + line - 1}"
    if row is None:
        return Decision(call.name, place, text)
    return Decision(call.name, place, text, row.says.format(**words_for(call, hart)), row.manual)


def row_of(call: Call, text: str, hart: Before) -> Row | None:
    """The first row of the table that speaks of a condition."""
    return next((row for row in ROWS if row.rule == call.name and (row.fragment in text if row.fragment else not text)
                 and (not row.when or evaluate(ast.parse(row.when, mode="eval").body, call, hart))), None)


def words_for(call: Call, hart: Before) -> dict[str, object]:
    """What the texts of the table may name: the variables of the rule, and some things in the manual's words."""
    values = {name: value for name, value in call.values.items() if isinstance(value, int)}
    words: dict[str, object] = {"mode": mode_name(hart.prv, hart.v), "access_name": "access",
                                "fs": "vsstatus.FS" if MSTATUS_FS.get(hart.mstatus) else "mstatus.FS"}
    if "access" in values:
        words["access_name"] = ("fetch", "load", "store")[values["access"]]
    if "v" in values:
        words |= {"status": "vsstatus" if values["v"] else "sstatus", "atp": "vsatp" if values["v"] else "satp",
                  "stage_config": "henvcfg" if values["v"] else "menvcfg"}
    if "number" in values:
        row = csr_by_number(values["number"])
        words |= {"csr": row.name if row else f"CSR {values['number']:#x}", "bit": values["number"] & 31}
    return values | words


# The syntax tree.

def deciding(call: Call, line: int, hart: Before) -> ast.expr | None:
    """The condition because of which a line runs: of alternatives (`a | b`) the first that holds.  Or what it returns."""
    conditions: list[tuple[ast.expr, bool]] = []
    statement = locate(call.tree.body, line, conditions)
    if isinstance(statement, ast.Return) and statement.value and not is_constant(statement.value) and not reports(statement):
        return statement.value
    if not conditions:
        return None
    condition, holds = conditions[-1]
    if not holds:
        return ast.copy_location(ast.UnaryOp(ast.Not(), condition), condition)
    return next((part for part in alternatives(condition) if evaluate(part, call, hart)), condition)


def locate(body: list[ast.stmt], line: int, conditions: list) -> ast.stmt | None:
    """The statement at a line; adds the conditions on the way to it."""
    for statement in body:
        if statement.lineno <= line <= statement.end_lineno:
            for branch, holds in (("body", True), ("orelse", False)):
                inner = getattr(statement, branch, [])
                if inner and inner[0].lineno <= line <= inner[-1].end_lineno:
                    if isinstance(statement, ast.If):
                        conditions.append((statement.test, holds))
                    return locate(inner, line, conditions)
            return statement
    return None


def is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)


def reports(statement: ast.Return) -> bool:
    """Whether a return statement is the report of a trap."""
    return bool(called(statement) & REPORTING)


def called(node: ast.AST) -> set[str]:
    """Names of the functions called in it."""
    return {getattr(each.func, "id", getattr(each.func, "attr", "")) for each in ast.walk(node) if isinstance(each, ast.Call)}


def variables(node: ast.AST | None) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} if node else set()


def assigned(tree: ast.FunctionDef, variable: str) -> set[str]:
    """Functions whose results a variable gets."""
    return {name for each in ast.walk(tree) if isinstance(each, ast.Assign) and getattr(each.targets[0], "id", "") == variable
            and isinstance(each.value, ast.Call) for name in called(each.value)}


def alternatives(condition: ast.expr) -> list[ast.expr]:
    """The operands of the outermost `|` or `or` of a condition."""
    if isinstance(condition, ast.BinOp) and isinstance(condition.op, ast.BitOr):
        return alternatives(condition.left) + alternatives(condition.right)
    return list(condition.values) if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.Or) else [condition]


def evaluate(node: ast.expr, call: Call, hart: Before) -> bool:
    """Whether a part of a condition held, from the variables and the hart as they were.  Rules are not run again."""
    names = {name: u64(value) if type(value) is int else value for name, value in call.values.items()}
    names |= {child.name: lambda *_, result=child.result: u64(result) for child in call.children}
    if "h" in names:
        names["h"] = hart
    try:
        return bool(eval(compile(ast.Expression(node), "<condition>", "eval"), call.scope | names))     # our own source
    except Exception:
        return False
