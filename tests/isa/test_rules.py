"""Rules keep to the language that means the same compiled and in plain Python (`rvhyp.isa.rule`)."""
import ast
import importlib
import inspect
import pkgutil
import textwrap

import pytest

import rvhyp.engine.codepages
import rvhyp.hart
import rvhyp.isa
from rvhyp.isa import word
from rvhyp.isa.rule import PRIMITIVES, RULES, BitField, Rule

LANGUAGE = (
    ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AugAssign, ast.If, ast.While, ast.Return, ast.Expr,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift,
    ast.UnaryOp, ast.Invert, ast.Not, ast.BoolOp, ast.And, ast.Or, ast.IfExp,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.Call, ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Load, ast.Store,
)
VOCABULARY = {name for name, member in vars(word).items() if inspect.isfunction(member) and name[0] != "_"}
CONDITIONS = {"lt_s", "ge_s"}
CALLABLE = VOCABULARY | {primitive.__name__ for primitive in PRIMITIVES}


class Checked(ast.NodeVisitor):
    """One rule's source; `complaints` says what in it is outside the language."""

    def __init__(self, source: str, names: dict):
        self.names, self.complaints = names, []
        (definition,) = ast.parse(textwrap.dedent(source)).body
        definition.decorator_list = []
        self.parameters = {a.arg for a in definition.args.args}
        assigned = [n for n in ast.walk(definition) if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)]
        self.flags = set()              # variables that hold conditions
        self.flags = {n.targets[0].id for n in assigned if self.is_condition(n.value)}
        self.locals = self.parameters | {n.targets[0].id for n in assigned}
        for n in assigned:
            if n.targets[0].id in self.flags and not self.is_condition(n.value):
                self.refuse(n, f"{n.targets[0].id} is a word here and a condition elsewhere")
        self.visit(definition)

    def refuse(self, node, what):
        self.complaints.append(f"line {getattr(node, 'lineno', 1)}: {what}")

    def is_field(self, name) -> bool:
        return isinstance(self.names.get(name), BitField)

    def is_condition(self, node) -> bool:
        match node:
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return True
            case ast.Call(func=ast.Name(id=name)):
                return name in CONDITIONS
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor()):
                return self.is_condition(node.left) and self.is_condition(node.right)
            case ast.Name(id=name):
                return name in self.flags
        return False

    def word(self, *nodes):
        """Each of these must be a word."""
        for node in nodes:
            if node is not None and self.is_condition(node):
                self.refuse(node, f"a condition where a word is wanted: {ast.unparse(node)}")

    def visit(self, node):
        if not isinstance(node, LANGUAGE):
            self.refuse(node, f"{type(node).__name__} is not in the language of rules")
        super().visit(node)

    def visit_FunctionDef(self, node):
        plain = ast.arguments([], node.args.args, None, [], [], None, [])
        if ast.dump(node.args) != ast.dump(plain):
            self.refuse(node, "a rule has plain parameters without defaults")
        for statement in node.body[1:] if ast.get_docstring(node) else node.body:
            self.visit(statement)

    def visit_Assign(self, node):
        if len(node.targets) != 1:
            self.refuse(node, "assignment to several targets")
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        self.visit_BinOp(ast.BinOp(node.target, node.op, node.value))

    def visit_Return(self, node):
        self.word(node.value)
        self.generic_visit(node)

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Call):
            self.refuse(node, "a statement without effect")
        self.generic_visit(node)

    def visit_BinOp(self, node):
        if not self.is_condition(node):
            self.word(node.left, node.right)
        match node:
            case ast.BinOp(op=ast.LShift() | ast.RShift(), right=ast.Constant(value=count)) if count > 63:
                self.refuse(node, "a shift by 64 or more")
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Invert):
            self.word(node.operand)
        self.generic_visit(node)

    def visit_IfExp(self, node):
        self.word(node.body, node.orelse)
        self.generic_visit(node)

    def visit_Compare(self, node):
        if len(node.ops) != 1:
            self.refuse(node, "chained comparison")
        self.word(node.left, *node.comparators)
        self.generic_visit(node)

    def visit_Call(self, node):
        if node.keywords:
            self.refuse(node, "keyword argument")
        match node.func:
            case ast.Name(id="word" | "select"):
                self.word(*node.args[1:])
            case ast.Name(id=name) if name in CALLABLE or name in RULES:
                self.word(*node.args)
            case ast.Attribute(value=ast.Name(id=name), attr="get" | "put") if self.is_field(name):
                self.word(*node.args)
            case _:
                self.refuse(node, f"a call of {ast.unparse(node.func)}, which is no rule, primitive or vocabulary")
        for argument in node.args:
            self.visit(argument)

    def visit_Name(self, node):
        value = self.names.get(node.id)
        if node.id not in self.locals and (not isinstance(value, int) or isinstance(value, bool)):
            self.refuse(node, f"{node.id} is neither local nor an integer constant")

    def visit_Attribute(self, node):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr="mask") if self.is_field(name):
                return
        self.generic_visit(node)

    def visit_Constant(self, node):
        if type(node.value) is not int or node.value >= 1 << 64:
            self.refuse(node, f"the literal {node.value!r}")


def registered() -> dict:
    """Every rule of the packages that have rules."""
    for package in (rvhyp.isa, rvhyp.hart):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    return {name: registered for name, registered in RULES.items() if isinstance(registered, Rule)}


@pytest.mark.parametrize("name, rule", registered().items())
def test_rule_is_in_the_language(name, rule):
    complaints = Checked(inspect.getsource(rule.function), rule.function.__globals__).complaints
    assert not complaints, f"{rule.__module__}.{name}: " + "; ".join(complaints)


@pytest.mark.parametrize("name, rule", registered().items())
def test_calls_of_rules_have_the_right_number_of_arguments(name, rule):
    for node in ast.walk(rule.tree()):
        called = RULES.get(node.func.id) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if called is not None:
            assert len(node.args) == len(called.parameters), ast.unparse(node)


LIMIT, FIELD, TEXT = 3, BitField("FIELD", 2, 3), "text"

GOOD = """
def sample(h, a):
    "Everything that a rule may use."
    b = a + LIMIT
    is_small = a < 3
    h.fflags |= FIELD.get(a) & FIELD.mask
    while b != 0 and not lt_s(a, b):
        b = b >> 1 if is_small else 0
    is_small &= b == 0
    if (a == 1) | (b == 2):
        h.x[3] = word(a < b) + sext(b, 32)
    return ~b
"""

BAD = [
    ("for b in a: c = b", "For"),
    ("b = (a, a)", "Tuple"),
    ("b, c = a", "Tuple"),
    ("b = [a]", "List"),
    ("b = {a: a}", "Dict"),
    ("b = c = a", "several targets"),
    ("b = 1.5", "literal 1.5"),
    ("b = 'text'", "literal 'text'"),
    ("b = True", "literal True"),
    ("b = None", "literal None"),
    ("b = 1 << 64", "shift by 64"),
    ("b = 0x1_0000_0000_0000_0000", "literal 18446744073709551616"),
    ("b = -1", "USub"),
    ("b = -a", "USub"),
    ("b = a / 2", "Div"),
    ("b = a // 2", "FloorDiv"),
    ("b = a % 2", "Mod"),
    ("b = a ** 2", "Pow"),
    ("b = lambda: a", "Lambda"),
    ("b: int = a", "AnnAssign"),
    ("b = f'{a}'", "JoinedStr"),
    ("b = 1 if 0 < a < 2 else 0", "chained"),
    ("b = sext(a, width=32)", "keyword"),
    ("b = sext(*a)", "Starred"),
    ("b = len(a)", "len"),
    ("b = h.method(a)", "h.method"),
    ("b = TEXT", "TEXT"),
    ("b = missing", "missing"),
    ("a", "without effect"),
    ("b = (a < 1) + 1", "a < 1"),
    ("b = a & (a < 1)", "a < 1"),
    ("b = ~lt_s(a, 1)", "lt_s"),
    ("return a < 1", "a < 1"),
    ("return sext(a == 1, 2)", "a == 1"),
    ("b = 1 if a else a < 1", "a < 1"),
    ("b = a < 1\n    b = a", "elsewhere"),
    ("b = a < 1\n    return b << 1", "wanted: b"),
    ("b = a < 1\n    b += 1", "wanted: b"),
    ("h.b |= a < 1", "a < 1"),
    ("try: b = a\n    finally: b = 0", "Try"),
    ("with a: b = a", "With"),
    ("global b", "Global"),
    ("yield a", "Yield"),
    ("raise a", "Raise"),
    ("assert a", "Assert"),
    ("b = (c := a)", "NamedExpr"),
    ("b = [c for c in a]", "ListComp"),
    ("b = a in a", "In"),
    ("b = a is a", "Is"),
    ("del a", "Delete"),
    ("import math", "Import"),
]


def test_the_language_is_accepted():
    assert Checked(GOOD, globals()).complaints == []


@pytest.mark.parametrize("statement, complaint", BAD)
def test_what_is_outside_is_refused(statement, complaint):
    source = f'def sample(h, a):\n    "A rule."\n    {statement}\n'
    assert any(complaint in said for said in Checked(source, globals()).complaints)


@pytest.mark.parametrize("head", ["h, a=1", "h, *a", "h, **a", "h, *, a", "h, /, a"])
def test_parameters_are_plain(head):
    complaints = Checked(f'def sample({head}):\n    "A rule."\n    return 0\n', globals()).complaints
    assert any("plain parameters" in said for said in complaints)
