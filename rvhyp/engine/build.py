"""Builds the core: an object of all handlers and one of all rules, linked to a position-independent image.

Needs numba and llvmlite and takes some seconds; `rvhyp.engine.core` keeps the result on disk, so that a warm start needs neither.
Both are used in child processes only: their long native calls heed no signal, so whoever wants an end kills them.
"""
from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from rvhyp.engine import cache, compile, vocabulary
from rvhyp.engine.children import available_cores, call_in_children
from rvhyp.engine.compile import Compiler, dispatch_text, explicit
from rvhyp.engine.link import Part, flatten
from rvhyp.engine.vocabulary import NATIVE, NATIVE_TEXT
from rvhyp.isa.rule import RULES, Dispatch

_COMPILER = "".join(Path(module.__file__).read_text() for module in (compile, vocabulary))
_OPTIMISER = Path(__file__).read_text()


def load_rules() -> None:
    """Import every module that defines rules."""
    import rvhyp.engine.codepages
    import rvhyp.engine.regions
    import rvhyp.hart.blocks
    import rvhyp.hart.csrs
    import rvhyp.hart.fences
    import rvhyp.hart.interrupt
    import rvhyp.isa.fpu  # noqa: F401


compiler = functools.cache(Compiler)            # one for all the rules that a child compiles


def compile_rules(names: list[str]) -> dict[str, str]:
    """LLVM IR of some rules by name."""
    load_rules()
    return {name: compiler().compile(RULES[name]) for name in names}


def fingerprint(name: str) -> str:
    """Hash of all that the IR of a rule is made from."""
    source, used = explicit(RULES[name])
    signature = sorted((function, len(getattr(target, "parameters", ()))) for function, target in used.items())
    return hashlib.sha256(f"{source}{signature}{_COMPILER}".encode()).hexdigest()


def kept_in(what: str) -> Path:
    """The file that keeps parts of cores for later ones."""
    return cache.folder() / f"{what}-{hashlib.sha256(cache.toolchain().encode()).hexdigest()[:16]}"


def known_rules() -> tuple[Path, dict[str, str]]:
    """The file that keeps the IR of rules, and what is in it: IR by fingerprint, so that a change of one rule recompiles one."""
    path = kept_in("rules")
    _, known = cache.read(path) or ({}, b"{}")
    return path, json.loads(known)


class Objects:
    """The objects of the last core, each with a hash of what it was made from: a change of a rule leaves that of handlers."""

    def __init__(self):
        self._path = kept_in("objects")
        header, payload = cache.read(self._path) or ({"sizes": []}, b"")
        self._known, at, self._used = {}, 0, {}
        for key, size in header["sizes"]:
            self._known[key] = payload[at:at + size]
            at += size

    def get(self, key: str) -> bytes:
        """The object, or nothing."""
        return self._known.get(key, b"")

    def keep(self, key: str, code: bytes) -> None:
        """Keep one of this core's."""
        self._used[key] = code

    def write(self) -> None:
        """Replace the last core's."""
        if self._used.keys() != self._known.keys():
            cache.write(self._path, {"sizes": [(key, len(code)) for key, code in self._used.items()]},
                        b"".join(self._used.values()))


def object_key(text: str, exported: frozenset[str] = frozenset()) -> str:
    """Hash of all that an object is made from."""
    return hashlib.sha256(f"{text}{sorted(exported)}{_OPTIMISER}".encode()).hexdigest()


def without_duplicate_declarations(text: str) -> str:
    """Keep one declaration of each symbol, and none of those that are defined."""
    symbol = re.compile(r'@("[^"]+"|[\w.]+)\(')
    lines, seen = text.splitlines(), set()
    for line in lines:
        if line.startswith("define"):
            seen.add(symbol.search(line).group(1).strip('"'))
    kept = []
    for line in lines:
        if line.startswith("declare"):
            name = symbol.search(line).group(1).strip('"')
            if name in seen:
                continue
            seen.add(name)
        kept.append(line)
    return "\n".join(kept)


def target_machine():
    """LLVM's code generator for this very host."""
    import llvmlite.binding as llvm
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, reloc="pic",
        codemodel="small", jit=False)


def handler_table() -> str:
    """A table of offsets from its own address: of handlers by their numbers, then of what translated code calls."""
    from rvhyp.engine.handlers import callables
    from rvhyp.engine.tables import HANDLERS
    names = [*HANDLERS, *callables()]
    entries = ", ".join(
        "i32 0" if name == "none" else
        f'i32 trunc (i64 sub (i64 ptrtoint (ptr @"{name}" to i64), i64 ptrtoint (ptr @handler_table to i64)) to i32)'
        for name in names)
    return f"@handler_table = constant [{len(names)} x i32] [{entries}]\n"


def build_image(progress: Callable[[int, int], None]) -> tuple[bytes, dict[str, int]]:
    """The image of the whole core, and the offsets of its global symbols.  `progress(done, total)` is called now and then.

    Handlers know rules as symbols alone, so LLVM compiles them, in one child process, while others compile rules.
    """
    load_rules()
    path, known = known_rules()
    names = [name for name, rule in RULES.items() if not isinstance(rule, Dispatch)]
    keys = {name: fingerprint(name) for name in names}
    missing = [name for name in names if keys[name] not in known]
    objects, text = Objects(), handlers_text()
    handlers_key = object_key(text)
    handlers = objects.get(handlers_key)
    total = len(names) + 2
    progress(len(names) - len(missing), total)
    calls: list[tuple] = [] if handlers else [(compile_module, text)]
    calls += [(compile_rules, missing[start:start + 8]) for start in range(0, len(missing), 8)]
    for result in call_in_children(calls, available_cores()):
        if isinstance(result, dict):
            known |= {keys[name]: text for name, text in result.items()}
        else:
            handlers = result
        progress(sum(key in known for key in keys.values()) + bool(handlers), total)
    if missing:
        cache.write(path, {}, json.dumps({key: known[key] for key in keys.values()}).encode())
    text, exported = rules_text(known[keys[name]] for name in names), Part(handlers).undefined()
    rules_key = object_key(text, exported)
    rules = objects.get(rules_key)
    if not rules:
        rules, = call_in_children([(compile_module, text, exported)], 1)
    objects.keep(handlers_key, handlers)
    objects.keep(rules_key, rules)
    objects.write()
    progress(total, total)
    return flatten([handlers, rules])


def rules_text(each: Iterable[str]) -> str:
    """The module of all rules, from the IR of each."""
    dispatches = [dispatch_text(name, rule) for name, rule in RULES.items() if isinstance(rule, Dispatch)]
    return "\n".join([NATIVE_TEXT, *dispatches, *each])


def handlers_text() -> str:
    """The module of all handlers and entry points.

    They lie in one object, next to each other: placed apart they would compete for the same lines of the host's caches.
    """
    from rvhyp.engine.handlers import interpreter_text
    text = "\n".join([interpreter_text(), handler_table()])
    called = sorted(set(re.findall(r'@"rule\.(\w+)"', text)))
    declarations = [f'declare i64 @"rule.{name}"({", ".join(["i64"] * arguments(name))}) nounwind' for name in called]
    return "\n".join([*declarations, text])


def arguments(name: str) -> int:
    """How many words a rule, or a function of the core that stands for one, takes."""
    return NATIVE[name] if name in NATIVE else len(RULES[name].parameters)


def compile_module(text: str, exported: frozenset[str] = frozenset()) -> bytes:
    """The object of a module; of its rules, those named by their symbols can be called from another object."""
    import llvmlite.binding as llvm
    text = re.sub(r'define internal (i64 @"(rule\.\w+)")', lambda m: f"define {m[1]}" if m[2] in exported else m[0],
                  without_duplicate_declarations(text))
    machine = target_machine()
    if path := os.environ.get("RVHYP_DUMP_IR"):
        with open(path, "a") as file:
            file.write(text)
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine.emit_object(module)
