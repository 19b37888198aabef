"""An engine in a process of its own, from a copy of the package with a fault in it, which changes nothing outside.

The process has one end of a pipe and answers questions: what its core compiles to, and what images leave.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from tools.mutants.faults import PACKAGE, ROOT, Fault

CONSTANT_WORDS = ("choices", "extensions", "monitor", "stop_at_traps")      # of a hart record: none changes while programs run
CONSTANT_ARRAYS = {"mstateen": "Smstateen", "hstateen": "Ssstateen"}        # nor these without the extension: all bits are 1
BUILD_SECONDS, RUN_SECONDS = 300, 60    # by the clock: more is a hang


class Image(NamedTuple):
    """What an engine needs of an `Assembly`, in plain words: no assembler of the mutant's takes part."""

    entry: int
    symbols: dict[str, int]
    segments: list[tuple[int, bytes]]

    @classmethod
    def of(cls, assembly) -> Image:
        return cls(assembly.entry, assembly.symbols, [(at, bytes(data)) for at, data in assembly.segments])


class Built(NamedTuple):
    """What became of a core."""

    seconds: float                      # of the processor
    code: str                           # a hash of the compiled code, its tables, and the words that a hart begins with
    words: dict[str, int]               # CONSTANT_WORDS


class Answer(NamedTuple):
    """What became of an image: what it left, or why it did not end."""

    seconds: float
    data: bytes
    failure: str = ""


class Ended(Exception):
    """The process is there no more; the message says how it ended."""


class Process:
    """The process, and the copy of the package in a folder.  `kept` is a cache whose parts its build may use again."""

    def __init__(self, folder: Path, fault: Fault | None, kept: Path):
        from rvhyp.engine.children import Child
        shutil.copytree(PACKAGE, folder / "rvhyp", ignore=shutil.ignore_patterns("__pycache__"))
        if fault:
            path = folder / fault.file
            path.write_bytes(fault.apply(path.read_bytes()))
        self.folder, self.cache = folder, folder / "cache"
        self.cache.mkdir(mode=0o700)
        for pattern in ("rules-*", "objects-*"):
            for path in kept.glob(pattern):
                shutil.copy(path, self.cache)
        self._child = Child(_become, folder)

    def ask(self, seconds: float, what: str, *arguments):
        """The answer to a question.  `Ended` if there is none, in this time or ever."""
        connection = self._child.connection
        try:
            connection.send((what, *arguments))
            if not connection.poll(seconds):
                self.end()
                raise Ended("hang")
            return connection.recv()
        except (EOFError, OSError):
            how = self._child.how_it_ended()
            errors = (self.folder / "errors").read_text(errors="replace").strip().splitlines()
            raise Ended(errors[-1] if errors else f"ended {how}") from None

    def end(self) -> None:
        self._child.kill()


def _become(connection: Connection, folder: Path) -> None:
    """In a fork: become Python anew, in the other package; it still ends when the parent does."""
    os.set_inheritable(connection.fileno(), True)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "RVHYP_CACHE": str(folder / "cache"),
                                "PYTHONDONTWRITEBYTECODE": "1"}
    with open(folder / "errors", "wb") as errors:
        os.dup2(errors.fileno(), 2)
    os.chdir(folder)
    code = f"from tools.mutants.engine import main; main({connection.fileno()})"
    os.execve(sys.executable, [sys.executable, "-c", code], environment)


# In the new process.

class Here:
    """Answers to the questions."""

    def build(self, isa: str, ram: int) -> Built:
        """Build the core, and make an engine."""
        from rvhyp.engine import cache, load_core
        from rvhyp.fuzz.oracles import Engine
        from rvhyp.machine.board import Board
        load_core()
        self.engine = Engine("interpreter", isa)
        hart = Board(ram, isa, self.engine.engine).machine.hart
        _, core = cache.read(cache.folder() / f"core-{cache.source_key()}") or ({}, b"")
        parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return Built(sum(part.ru_utime + part.ru_stime for part in parts), _hash(core, _words(hart)),
                     {name: int(getattr(hart, name)) for name in CONSTANT_WORDS})

    def run(self, image: Image, region: tuple[int, int], instructions: int) -> Answer:
        """What an image leaves in a region."""
        from rvhyp.fuzz.oracles import Failed, Region
        start = time.process_time()
        try:
            data, failure = self.engine.run(image, Region(*region), instructions), ""
        except Failed as error:
            data, failure = b"", str(error)
        return Answer(time.process_time() - start, data, failure)

    def code_that_runs(self, isa: str, ram: int, words: dict[str, int]) -> str:
        """A hash of the core as if some words of the hart record were constants: what never runs then is gone."""
        import ast

        from rvhyp.engine import build, compile
        from rvhyp.engine.handlers import ENTRY_POINTS, interpreter_text
        from rvhyp.engine.tables import constant_tables
        from rvhyp.machine.board import Board
        extensions = _extensions(words["extensions"])
        attribute, subscript = compile.Explicit.visit_Attribute, compile.Explicit.visit_Subscript

        def visit_attribute(rewriter, node):
            is_hart = isinstance(node.value, ast.Name) and node.value.id == "h"
            return compile.constant(words[node.attr]) if is_hart and node.attr in words else attribute(rewriter, node)

        def visit_subscript(rewriter, node):
            extension = CONSTANT_ARRAYS.get(getattr(node.value, "attr", ""))
            return compile.constant(-1) if extension and extension not in extensions else subscript(rewriter, node)
        compile.Explicit.visit_Attribute, compile.Explicit.visit_Subscript = visit_attribute, visit_subscript
        build.load_rules()
        path, known = build.known_rules()
        names = [name for name, rule in build.RULES.items() if not isinstance(rule, build.Dispatch)]
        keys = {name: build.fingerprint(name) for name in names}
        known |= {keys[name]: text for name, text in build.compile_rules([n for n in names if keys[n] not in known]).items()}
        build.cache.write(path, {}, json.dumps(known).encode())
        of_programs = interpreter_text().partition('define i64 @"export.')[0] + ENTRY_POINTS
        of_machine = {"rule.ticks", "rule.next_event", "rule.notice_write", "rule.prepare_scratch"}
        ignored = _ignored_results(of_programs)
        exported = frozenset(re.findall(r'@"(rule\.\w+)"', of_programs)) - {f"rule.{name}" for name in ignored} | of_machine
        callers = [_call_alone(name, build.arguments(name)) for name in sorted(ignored)]
        text = build.rules_text([*(known[key] for key in keys.values()), *callers])
        for name in _of_absent_csrs(extensions):
            text = re.sub(rf'(c\d+:\n)  %r\d+ = call i64 @"rule\.{name}"\(.*\n  ret .*\n', r"\1  unreachable\n", text)
        code = build.compile_module(text, exported)
        tables = constant_tables()
        tables["csr_table"] = _present_rows(tables["csr_table"], words["extensions"])
        return _hash(code, build.handlers_text(), tables, _words(Board(ram, isa, "reference").machine.hart))


def _hash(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _ignored_results(handlers: str) -> set[str]:
    """Rules of which no handler looks at the result."""
    called, used = set(), set()
    for function in handlers.split("\ndefine "):
        for value, name in re.findall(r'(%\w+) = call i64 @"rule\.(\w+)"', function):
            called.add(name)
            if len(re.findall(rf"{value}\b", function)) > 1:
                used.add(name)
    return called - used


def _call_alone(name: str, count: int) -> str:
    words = ", ".join(f"i64 %a{n}" for n in range(count))
    return f'define void @"alone.{name}"({words}) nounwind {{\n  %r = call i64 @"rule.{name}"({words})\n  ret void\n}}\n'


def _extensions(mask: int) -> set[str]:
    from rvhyp.isa.instruction import EXTENSIONS
    return {name for name, extension in EXTENSIONS.items() if mask >> extension.number & 1}


def _of_absent_csrs(extensions: set[str]) -> list[str]:
    """Rules of CSRs that are all of extensions that a hart has not."""
    from rvhyp.isa.csr import CSRS
    users: dict[str, list[bool]] = {}
    for row in CSRS.values():
        for rule in (row.read, row.write):
            if rule:
                users.setdefault(rule.__name__, []).append(row.extension in extensions)
    return [name for name, there in users.items() if not any(there)]


def _present_rows(table: bytes, extensions: int) -> bytes:
    """The table of CSRs without the rows of those that a hart has not."""
    from rvhyp.hart.csrs.rows import ROW_BITS, ROW_EXTENSION
    size = 1 << ROW_BITS
    rows = [table[at:at + size] for at in range(0, len(table), size)]
    return b"".join(row if extensions >> row[ROW_EXTENSION] & 1 else b"\0" * size for row in rows)


def _words(hart) -> dict[str, object]:
    """What a hart begins with, but for host addresses."""
    from rvhyp.hart.state import COUNT
    from rvhyp.isa.csr import CSRS
    names = {row.storage for row in CSRS.values() if row.storage} | {
        "prv", "v", "wires", "cycles_per_tick", "mtimecmp", "counters_running", "counters_of_traps", "counters_due", "extensions",
        "pmp_count", "choices", "medeleg_writable", "menvcfg_writable", "region_count", "fp_gate", "watch_low"}
    return {name: list(map(int, getattr(hart, name))) if COUNT[name] > 1 else int(getattr(hart, name)) for name in sorted(names)}


def main(descriptor: int) -> None:
    """Answer until nobody asks."""
    connection, here = Connection(descriptor), Here()
    with suppress(EOFError):
        while True:
            what, *arguments = connection.recv()
            connection.send(getattr(here, what)(*arguments))
