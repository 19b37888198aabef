"""Watching rules run in plain Python: each call with its arguments, what it gave, and the line it returned from.

A profile function of the interpreter sees the calls, so the rules know nothing of it, and it costs nothing where nobody watches.
"""
from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

from rvhyp.engine import reference
from rvhyp.hart.state import COUNT, OFFSET, Hart, Words
from rvhyp.isa.rule import RULES, Rule
from rvhyp.isa.word import u64

KEPT = ("raise_trap", "enter_trap")     # rules at whose call the whole hart is kept
ROOT = Path(reference.__file__).parents[2]


class Before:
    """A copy of a hart record, with its fields as attributes."""

    def __init__(self, hart: Hart):
        self.words = memoryview(bytes(hart.words)).cast("Q")

    def __getattr__(self, name: str):
        start = OFFSET[name] // 8
        if COUNT[name] > 1:
            return Words(self.words[start:start + COUNT[name]])
        return u64(self.words[start])


@dataclass(eq=False)
class Call:
    """A call of a rule, or of a function of the reference engine.  Lines count from 1, the first one of its source.

    `values` are its local names when it returned, its parameters among them; `line` is where it returned, `site` where its parent
    called it.
    """

    name: str
    code: CodeType
    parent: Call | None
    site: int
    scope: dict = field(repr=False)     # the globals it ran in
    values: dict = field(default_factory=dict)
    result: int = 0
    line: int = 0
    children: list[Call] = field(default_factory=list, repr=False)
    before: Before | None = field(default=None, repr=False)

    def all(self, *names: str) -> list[Call]:
        """Calls with these names in it, at any depth, in their order."""
        found = []
        for child in self.children:
            found += [child] * (child.name in names) + child.all(*names)
        return found

    def child(self, name: str) -> Call | None:
        """The last call of a rule that it made itself."""
        return next((child for child in reversed(self.children) if child.name == name), None)

    def ancestors(self) -> list[Call]:
        """Whom it was called by, the innermost first."""
        return [self.parent, *self.parent.ancestors()] if self.parent else []

    @property
    def place(self) -> str:
        """File and line, where it returned."""
        code = self.function_code
        path = Path(code.co_filename)
        path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        return f"{path}:{code.co_firstlineno + self.line - 1}"

    @property
    def function_code(self) -> CodeType:
        """The code as written, whose lines are those of the file."""
        rule = RULES.get(self.name)
        return rule.function.__code__ if isinstance(rule, Rule) else self.code

    @property
    def tree(self) -> ast.FunctionDef:
        """The syntax tree of the definition."""
        return syntax_tree(self.name, self.code)


@cache
def syntax_tree(name: str, code: CodeType) -> ast.FunctionDef:
    rule = RULES.get(name)
    return rule.tree() if isinstance(rule, Rule) else ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]


class Observer:
    """While used as a context, `calls` collects what runs on a hart: the outermost calls, each with those it makes."""

    def __init__(self, hart: Hart):
        self.calls: list[Call] = []
        self._hart = hart
        self._stack: list[tuple[FrameType, Call]] = []

    def __enter__(self) -> Observer:
        self._previous = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_) -> None:
        sys.setprofile(self._previous)

    def all(self, *names: str) -> list[Call]:
        """Calls with these names, at any depth."""
        return [found for call in self.calls for found in [call] * (call.name in names) + call.all(*names)]

    def _event(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            if is_watched(frame.f_code):
                self._enter(frame)
        elif event == "return" and self._stack and self._stack[-1][0] is frame:
            self._leave(frame, argument)

    def _enter(self, frame: FrameType) -> None:
        caller, parent = self._stack[-1] if self._stack else (None, None)
        call = Call(frame.f_code.co_name, frame.f_code, parent, line_of(caller) if caller else 0, frame.f_globals)
        (parent.children if parent else self.calls).append(call)
        if call.name in KEPT:
            call.before = Before(self._hart)
        self._stack.append((frame, call))

    def _leave(self, frame: FrameType, result: object) -> None:
        _, call = self._stack.pop()
        call.line, call.values = line_of(frame), dict(frame.f_locals)
        call.result = int(result) if isinstance(result, int) else 0


@cache
def is_watched(code: CodeType) -> bool:
    """Whether code is that of a rule in plain Python, or of the reference engine itself."""
    rule = RULES.get(code.co_name)
    if isinstance(rule, Rule) and "plain" in rule.__dict__ and rule.plain.__code__ is code:
        return True
    return code.co_filename == reference.__file__ and not code.co_name.startswith("<")


def line_of(frame: FrameType) -> int:
    """The line a frame is at; the plain form of a rule counts its lines from 1 anyway."""
    code = frame.f_code
    return frame.f_lineno - code.co_firstlineno + 1 if code.co_filename == reference.__file__ else frame.f_lineno
