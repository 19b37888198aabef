"""Single faults that our semantics could have: where each could be, what it would be, and a drawing of some of them.

A *place* is a piece of source where a fault of some kind can be; the faults of a place are its alternatives.  Places are found in
the syntax trees of the instruction records, the CSR rows and the rules.
"""
from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "rvhyp"
AREAS = {                               # what each area consists of, in the package
    "encodings": ("isa/rv_*.py",),
    "instructions": ("isa/rv_*.py",),
    "CSR rows": ("isa/csr.py",),
    "CSR rules": tuple(f"hart/csrs/{name}.py" for name in ("__init__", "access", "rows", "stateen", "status", "translation")),
    "interrupts": ("hart/interrupt.py", "hart/csrs/interrupts.py"),
    "counters": ("hart/counters.py", "hart/csrs/counters.py"),
    "floating point": ("isa/softfloat*.py", "isa/ieee754.py", "isa/fpu.py", "hart/fp.py", "hart/csrs/floats.py"),
    "accesses": ("hart/access.py", "hart/blocks.py"),
    "memory": ("hart/memory.py", "hart/peers.py"),
    "paging": ("hart/paging.py",),
    "TLB": ("hart/tlb.py", "hart/second.py"),
    "fences": ("hart/fences.py",),
    "traps": ("hart/trap.py",),
    "PMP": ("hart/pmp.py",),
}
LEAST = 8                               # faults that are drawn in each area, if it has so many places
RULE_MARKS = {"rule", "reads", "writes"}
OPERATORS = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
             ast.BitXor: ("^", "|"), ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
             ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="),
             ast.GtE: (">=", ">")}
DROPPED_KEYWORDS = {"gate", "twin", "extension", "guest"}      # of a record, what goes without saying
FIXED_BITS = re.compile(r"(?<![\w{\[|:])[01]{2,}(?![\w}\]|:])")     # in an encoding row


@dataclass(frozen=True)
class Fault:
    """`old`, at a place of a file, becomes `new`."""

    area: str
    file: str                           # from the root of the repository
    within: str                         # the function, or "" for the module
    line: int
    column: int
    kind: str
    at: int                             # offset in bytes
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.kind}"

    def apply(self, source: bytes) -> bytes:
        """The file with the fault in it.  `ValueError` if the file is not the one that it was found in."""
        end = self.at + len(self.old.encode())
        if source[self.at:end] != self.old.encode():
            raise ValueError(f"the source is not what it was: {self}")
        return source[:self.at] + self.new.encode() + source[end:]

    def lines(self, source: bytes) -> tuple[str, str]:
        """The line that it is in (all of them, in one), before and after."""
        begin = source.rfind(b"\n", 0, self.at) + 1
        end = source.find(b"\n", self.at + len(self.old.encode()))
        changed = self.apply(source)
        texts = source[begin:end], changed[begin:len(changed) - len(source) + end]
        return tuple(" ".join(line.strip() for line in text.decode().splitlines()) for text in texts)

    def diff(self, root: Path = ROOT) -> str:
        """What becomes what, in one line."""
        return " -> ".join(self.lines((root / self.file).read_bytes()))


class Finder(ast.NodeVisitor):
    """Collects the places of one file: lists of faults of which one may be drawn."""

    def __init__(self, area: str, path: Path, root: Path = ROOT):
        self.area, self.file = area, str(path.relative_to(root))
        self.source = path.read_bytes()
        self.starts = [0]
        for line in self.source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.within = ""
        self.has_encodings = path.name.startswith("rv_")
        self.has_rows = path.name == "csr.py"
        self.is_rules = not (self.has_encodings or self.has_rows)
        self.places: list[list[Fault]] = []
        self.visit(ast.parse(self.source))

    # Source text.

    def begin(self, node) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node) -> int:
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node) -> str:
        return self.source[self.begin(node):self.end(node)].decode()

    def add(self, kind: str, begin: int, end: int, *alternatives: str) -> None:
        """A place."""
        line = self.source.count(b"\n", 0, begin)
        old = self.source[begin:end].decode()
        self.places.append([Fault(self.area, self.file, self.within, line + 1, begin - self.starts[line], kind, begin, old, new)
                            for new in alternatives])

    # Where faults can be: in rules, bodies, rows of records and constants; not in what surrounds them.

    def visit_Module(self, node):
        for each in node.body:
            if isinstance(each, ast.FunctionDef | ast.Assign | ast.AnnAssign) or not self.is_rules:
                self.visit(each)

    def visit_ClassDef(self, node):
        pass

    visit_Import = visit_ImportFrom = visit_Assert = visit_Raise = visit_ClassDef

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node):
        marks = {name.func.id if isinstance(name, ast.Call) else name.id for name in node.decorator_list
                 if isinstance(getattr(name, "func", name), ast.Name)}
        if self.is_rules and not marks & RULE_MARKS or self.has_rows:
            return
        outer, self.within = self.within, self.within or node.name
        if not self.is_rules:
            for each in (*node.decorator_list, *node.args.defaults):
                self.visit(each)
        for each in node.body:
            if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)):
                self.visit(each)
        self.within = outer

    # What can be wrong.

    def visit_Constant(self, node):
        text = self.text(node)
        if isinstance(node.value, bool):
            self.add("constant", self.begin(node), self.end(node), str(not node.value))
        elif isinstance(node.value, int):
            values = [node.value + 1, *[node.value - 1] * (node.value > 0)]
            values += [node.value ^ 1 << bit for bit in range(node.value.bit_length())]
            kept = [value for value in dict.fromkeys(values) if value != node.value]
            self.add("constant", self.begin(node), self.end(node), *(hex(n) if text.startswith("0x") else str(n) for n in kept))
        elif isinstance(node.value, str):
            self.encoding(node)

    def visit_JoinedStr(self, node):
        self.encoding(node)

    def encoding(self, node) -> None:
        """A fixed bit of an encoding row is another."""
        if not self.has_encodings:
            return
        begin, text = self.begin(node), self.text(node)
        bits = [at for run in FIXED_BITS.finditer(text) for at in range(run.start(), run.end())]
        if bits:
            self.add("encoding", begin, self.end(node), *(text[:at] + "10"[int(text[at])] + text[at + 1:] for at in bits))

    def operator(self, left, operator, right) -> None:
        if type(operator) in OPERATORS:
            old, new = OPERATORS[type(operator)]
            between = re.sub(rb"#.*", lambda m: b" " * len(m[0]), self.source[self.end(left):self.begin(right)])
            at = self.end(left) + between.index(old.encode())
            self.add("operator", at, at + len(old), new)

    def visit_BinOp(self, node):
        self.operator(node.left, node.op, node.right)
        if isinstance(node.op, ast.BitOr | ast.BitAnd):         # a bit of a mask, or a condition, is missing
            alone = [f"({self.text(each)})" for each in (node.left, node.right)]
            self.add("operand dropped", self.begin(node), self.end(node), *alone)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Invert):
            at = self.begin(node)
            self.add("operator", at, at + 1, "")
        self.generic_visit(node)

    def visit_Compare(self, node):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            self.operator(left, operator, right)
        self.generic_visit(node)

    def condition(self, node) -> None:
        text = self.text(node)
        self.add("condition", self.begin(node), self.end(node), f"(0 if {text} else 1)", "0", "1")

    def visit_If(self, node):
        self.condition(node.test)
        self.generic_visit(node)

    visit_IfExp = visit_If

    def visit_While(self, node):
        self.add("condition", self.begin(node.test), self.end(node.test), "0")
        self.generic_visit(node)

    def dropped(self, node) -> None:
        self.add("statement dropped", self.begin(node), self.end(node), "pass")

    def visit_Assign(self, node):
        if self.within and isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self.dropped(node)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        if self.within:
            self.dropped(node)
        self.operator(node.target, node.op, node.value)
        self.generic_visit(node)

    def visit_Expr(self, node):
        if self.within and isinstance(node.value, ast.Call):
            self.dropped(node)
        self.generic_visit(node)

    def visit_Call(self, node):
        self.arguments(node)
        for each in node.keywords:
            if each.arg in DROPPED_KEYWORDS and not self.is_rules:
                before = max(self.end(other) for other in (*node.args, *node.keywords) if self.end(other) < self.begin(each))
                self.add("argument dropped", before, self.end(each), "")
        self.generic_visit(node)

    def arguments(self, node: ast.Call) -> None:
        """Two neighbours change places."""
        if not self.within or getattr(node.func, "id", "") in ("rule", "instruction"):
            return
        first = 1 if getattr(node.func, "id", "") == "select" else 0         # its condition is no word
        pairs = zip(node.args[first:], node.args[first + 1:], strict=False)
        for one, other in pairs:
            if self.text(one) == self.text(other) or "h" in (self.text(one), self.text(other)):
                continue
            if any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in (one, other)):
                continue
            between = self.source[self.end(one):self.begin(other)].decode()
            self.add("arguments swapped", self.begin(one), self.end(other), f"{self.text(other)}{between}{self.text(one)}")


@dataclass(frozen=True)
class Apart:
    """Faults that no comparison could find, and why: those of a file, of a function `within` it, or on a line; if `becomes` is
    given, only what makes that of the line.
    """

    file: str
    why: str
    line: str = ""
    becomes: str = ""
    within: str = ""

    def has(self, fault: Fault) -> bool:
        """Whether a fault is one of these."""
        if fault.file != self.file or self.within not in ("", fault.within):
            return False
        old, new = (re.sub(r"\s*#.*", "", text) for text in fault.lines((ROOT / self.file).read_bytes()))
        return self.line in ("", old) and self.becomes in ("", new)


class Faults:
    """All places of the package, by area."""

    @cached_property
    def places(self) -> dict[str, list[list[Fault]]]:
        return {area: [place for path in files(area) for place in Finder(area, path).places
                       if place and (area == "encodings") == (place[0].kind == "encoding")] for area in AREAS}

    def shares(self, count: int) -> dict[str, int]:
        """How many are drawn in each area: LEAST, and the rest as places are spread."""
        sizes = {area: len(places) for area, places in self.places.items()}
        least = min(LEAST, count // len(sizes))
        shares = {area: min(least, size) for area, size in sizes.items()}
        rest, total = count - sum(shares.values()), sum(sizes.values())
        exact = {area: rest * size / total for area, size in sizes.items()}
        for area in sizes:
            shares[area] += int(exact[area])
        for area in sorted(sizes, key=lambda area: int(exact[area]) - exact[area])[:count - sum(shares.values())]:
            shares[area] += 1
        return {area: min(share, sizes[area]) for area, share in shares.items()}

    def draw(self, count: int, seed: int) -> list[Fault]:
        """Some faults, no two at one place; the same for a seed."""
        return list(self._drawn(count, random.Random(seed)))

    def _drawn(self, count: int, random: random.Random) -> Iterator[Fault]:
        for area, share in self.shares(count).items():
            for place in random.sample(self.places[area], share):
                yield random.choice(place)


def files(area: str) -> list[Path]:
    """The files of an area."""
    return [path for pattern in AREAS[area] for path in sorted(PACKAGE.glob(pattern))]
