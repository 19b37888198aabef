"""From rules to LLVM IR, through Numba: one function at a time, calls left open until all are linked into the core.

A rule is written over words without types (rvhyp.isa.rule).  Before Numba sees it, its syntax tree is made explicit:

    12, MSTATUS_SIE.mask, LIMIT     -> u64_c ...            every constant is one of 64 unsigned bits, in hexadecimal
    h.mstatus, h.pmpaddr[i]         -> load64(h + offset)   and stores alike
    MSTATUS_FS.get(x), .put(x, v)   -> shifts and masks
    other_rule(...)                 -> a call of the symbol rule.other_rule, linked later

so none of Numba's rules for mixing integer types can apply, and each function compiles alone in tens of milliseconds.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Callable

from rvhyp.engine.vocabulary import NATIVE, external, vocabulary
from rvhyp.hart.state import COUNT, OFFSET
from rvhyp.isa.rule import RULES, BitField, Dispatch, Rule

MASK64 = (1 << 64) - 1
CONSTANT = "u64_"                       # begins the name of a constant


def call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def constant(value: int) -> ast.Name:
    """A name: as a global of its type, a constant costs Numba nothing, where u64(12) is one more call to resolve."""
    return ast.Name(f"{CONSTANT}{int(value) & MASK64:x}", ast.Load())


def binary(left: ast.expr, operator: ast.operator, right: ast.expr) -> ast.BinOp:
    return ast.BinOp(left, operator, right)


class Explicit(ast.NodeTransformer):
    """Rewrites one rule; `used` collects the names it then refers to."""

    def __init__(self, function: Callable):
        self.scope = function.__globals__
        self.where = f"{function.__module__}.{function.__name__}"
        self.locals = set(function.__code__.co_varnames)
        self.used: dict[str, object] = {}

    def refuse(self, node, why):
        raise TypeError(f"{self.where}, line {node.lineno} of the rule: {why}")

    def resolve(self, node):
        """The constant object that a global name or attribute of one stands for, or None."""
        if isinstance(node, ast.Name) and node.id not in self.locals:
            if node.id not in self.scope:
                self.refuse(node, f"unknown name {node.id}")
            return self.scope[node.id]
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return getattr(owner, node.attr) if isinstance(owner, BitField) else None
        return None

    def visit_Constant(self, node):
        return constant(node.value) if isinstance(node.value, int) else node

    def visit_Name(self, node):
        value = self.resolve(node)
        if isinstance(value, int):
            return constant(value)
        return node

    def visit_Attribute(self, node):
        value = self.resolve(node)
        if isinstance(value, int):
            return constant(value)
        return call("load64", self.field(node))

    def visit_Subscript(self, node):
        return call("load64", self.element(node))

    def field(self, node) -> ast.expr:
        """Address of h.name."""
        if not (isinstance(node.value, ast.Name) and node.value.id == "h" and node.attr in OFFSET):
            self.refuse(node, f"no field {ast.unparse(node)}")
        return binary(ast.Name("h", ast.Load()), ast.Add(), constant(OFFSET[node.attr]))

    def element(self, node) -> ast.expr:
        """Address of h.name[index]."""
        if COUNT.get(getattr(node.value, "attr", None), 1) == 1:
            self.refuse(node, f"{ast.unparse(node.value)} is not an array of the hart record")
        return binary(self.field(node.value), ast.Add(),
                      binary(self.visit(node.slice), ast.LShift(), constant(3)))

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute):
            return self.bit_field(node)
        name = node.func.id
        target = self.scope.get(name)
        if target is None:
            self.refuse(node, f"unknown function {name}")
        self.used[name] = target
        return ast.Call(node.func, [self.visit(a) for a in node.args], [])

    def bit_field(self, node):
        field = self.resolve(node.func.value)
        if not isinstance(field, BitField):
            self.refuse(node, f"{ast.unparse(node.func)} is not a rule or a field")
        register = self.visit(node.args[0])
        if node.func.attr == "get":
            return binary(binary(register, ast.RShift(), constant(field.shift)), ast.BitAnd(),
                          constant(field.mask >> field.shift))
        shifted = binary(self.visit(node.args[1]), ast.LShift(), constant(field.shift))
        return binary(binary(register, ast.BitAnd(), constant(~field.mask)), ast.BitOr(),
                      binary(shifted, ast.BitAnd(), constant(field.mask)))

    def store(self, target, value):
        address = self.field(target) if isinstance(target, ast.Attribute) else self.element(target)
        return ast.Expr(call("store64", address, value))

    def visit_Assign(self, node):
        value = self.visit(node.value)
        target = node.targets[0]
        if isinstance(target, ast.Name):
            return ast.Assign([target], value)
        return self.store(target, value)

    def visit_AugAssign(self, node):
        value = self.visit(node.value)
        if isinstance(node.target, ast.Name):
            return ast.AugAssign(node.target, node.op, value)
        old = self.visit_Attribute(node.target) if isinstance(node.target, ast.Attribute) else self.visit(node.target)
        return self.store(node.target, binary(old, node.op, value))

    def visit_Return(self, node):
        return ast.Return(self.visit(node.value) if node.value else constant(0))


def explicit(rule: Rule) -> tuple[str, dict[str, object]]:
    """Source of a rule made explicit, and the functions it calls by name.  Constants are names of their own."""
    definition = rule.tree()
    rewriter = Explicit(rule.function)
    definition.body = [rewriter.visit(statement) for statement in definition.body] + [ast.Return(constant(0))]
    return ast.unparse(ast.fix_missing_locations(definition)), rewriter.used


class Compiler:
    """Numba, set up to compile rules alone, with what they need of it: most of its passes are for what no rule has."""

    def __init__(self):
        from numba.core import compiler, config, registry, types
        from numba.core.compiler_machinery import PassManager
        from numba.core.typed_passes import (
            IRLegalization,
            NativeLowering,
            NoPythonBackend,
            NopythonTypeInference,
            PreLowerStripPhis,
        )
        from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode

        class Pipeline(compiler.CompilerBase):
            def define_pipelines(self):
                manager = PassManager("rule")
                for each in (TranslateByteCode, FixupArgs, IRProcessing, ReconstructSSA, NopythonTypeInference, PreLowerStripPhis,
                             IRLegalization, NativeLowering, NoPythonBackend):
                    manager.add_pass(each, each.__name__)
                manager.finalize()
                return [manager]

        config.OPT = type(config.OPT)(0)                  # the whole core is optimised once, when it is linked
        self.types, self.compile_extra, self.pipeline = types, compiler.compile_extra, Pipeline
        self.typing, self.target = registry.cpu_target.typing_context, registry.cpu_target.target_context
        self.flags = compiler.Flags()
        self.flags.no_compile = self.flags.no_cpython_wrapper = self.flags.no_cfunc_wrapper = True
        self.flags.error_model, self.flags.nrt = "numpy", False
        self.vocabulary = vocabulary()
        self.externals: dict[tuple[str, int], object] = {}
        self.remember_types()

    def remember_types(self) -> None:
        """Resolve each operator and function once for the types it is used with: they are words everywhere."""
        resolve, known = self.typing.resolve_function_type, {}

        def resolve_once(function, arguments, keywords):
            if keywords:
                return resolve(function, arguments, keywords)
            key = function, arguments
            if key not in known:
                known[key] = resolve(function, arguments, keywords)
            return known[key]
        self.typing.resolve_function_type = resolve_once

    def external(self, name: str, arguments: int):
        """A function of the core that is linked later."""
        key = name, arguments
        if key not in self.externals:
            self.externals[key] = external(f"rule.{name}", arguments)
        return self.externals[key]

    def scope(self, rule: Rule, source: str, used: dict[str, object]) -> dict[str, object]:
        """What the names in a rule's explicit source stand for."""
        from numpy import uint64
        scope: dict[str, object] = dict(self.vocabulary)
        for name in set(re.findall(rf"\b{CONSTANT}[0-9a-f]+\b", source)):
            scope[name] = uint64(int(name.removeprefix(CONSTANT), 16))
        for name, target in used.items():
            if target.__name__ in self.vocabulary:
                scope[name] = self.vocabulary[target.__name__]
            elif target.__name__ in NATIVE:
                scope[name] = self.external(target.__name__, NATIVE[target.__name__])
            elif RULES.get(target.__name__) is target:
                scope[name] = self.external(target.__name__, len(target.parameters))
            else:
                raise TypeError(f"{rule.__module__}.{rule.__name__} calls {name}, which is no rule")
        return scope

    def compile(self, rule: Rule) -> str:
        """LLVM IR of one rule, defining @"rule.name" as i64 (i64, ...)."""
        source, used = explicit(rule)
        scope = self.scope(rule, source, used)
        exec(compile(source, f"<rule {rule.__name__}>", "exec"), scope)
        u64 = self.types.uint64
        count = len(rule.parameters)
        result = self.compile_extra(self.typing, self.target, scope[rule.__name__], (u64,) * count, u64, self.flags, {},
                                    pipeline_class=self.pipeline)
        text = result.library.get_llvm_str()
        symbol = result.fndesc.llvm_func_name
        return clean(text, symbol, f"rule.{rule.__name__}", count)


def clean(text: str, symbol: str, name: str, count: int) -> str:
    """Keep the definition alone, under a plain name, with a wrapper of plain signature that inlines it."""
    body = re.sub(r", ![a-z.]+ !\d+", "", text[text.index("define "):])     # metadata of Numba's own module
    body = body.replace(symbol, f"{name}.body") if f'@"{symbol}"' in body else body.replace(
        f"@{symbol}", f'@"{name}.body"')
    definition, rest = body.split("\n}\n", 1)
    head, brace, code = definition.partition("{")
    head = head.rstrip().split(" #")[0].replace("define i32", "define internal i32") + " alwaysinline nounwind "
    declarations = [line for line in rest.splitlines() if line.startswith("declare")]
    arguments = ", ".join(f"i64 %a{n}" for n in range(count))
    passed = "".join(f", i64 %a{n}" for n in range(count))
    wrapper = (f'define internal i64 @"{name}"({arguments}) nounwind {{\n  %r = alloca i64\n  %e = alloca ptr\n'
               f'  %s = call i32 @"{name}.body"(ptr %r, ptr %e{passed})\n  %v = load i64, ptr %r\n  ret i64 %v\n}}\n')
    return "\n".join([head + brace + code + "\n}", wrapper, *declarations])


def dispatch_text(name: str, dispatch: Dispatch) -> str:
    """A switch over the functions of a Dispatch."""
    count = len(dispatch.parameters)
    arguments = ", ".join(f"i64 %a{n}" for n in range(count))
    passed = ", ".join(f"i64 %a{n}" for n in range(count - 1))
    numbers = range(1, len(dispatch.functions) + 1)
    cases = " ".join(f"i64 {n}, label %c{n}" for n in numbers)
    blocks = "".join(f'c{n}:\n  %r{n} = call i64 @"rule.{f.__name__}"({passed})\n  ret i64 %r{n}\n'
                     for n, f in zip(numbers, dispatch.functions, strict=True))
    return (f'define internal i64 @"rule.{name}"({arguments}) nounwind {{\n'
            f"  switch i64 %a{count - 1}, label %none [{cases}]\n{blocks}none:\n  unreachable\n}}\n")
