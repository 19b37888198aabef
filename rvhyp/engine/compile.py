"""From rules to LLVM IR, through Numba: one function at a time, calls left open until all are linked into the core.

A rule is written over words without types (rvhyp.isa.rule).  Before Numba sees it, its syntax tree is made explicit:

    12, MSTATUS_SIE.mask, LIMIT     -> u64(12) ...          every constant gets 64 unsigned bits
    h.mstatus, h.pmpaddr[i]         -> load64(h + offset)   and stores alike
    MSTATUS_FS.get(x), .put(x, v)   -> shifts and masks
    other_rule(...)                 -> a call of the symbol rule.other_rule, linked later

so none of Numba's rules for mixing integer types can apply, and each function compiles alone in tens of milliseconds.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Callable

from rvhyp.hart.state import COUNT, OFFSET
from rvhyp.isa.rule import PRIMITIVES, RULES, BitField, Dispatch, Rule

MASK64 = (1 << 64) - 1
NATIVE = {"host_flags": 0, "set_host_mode": 1}          # primitives that are functions of the core: name -> arguments


def call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def constant(value: int) -> ast.Call:
    return call("u64", ast.Constant(int(value) & MASK64))


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
    """Source of a rule made explicit, and the functions it calls by name."""
    definition = rule.tree()
    rewriter = Explicit(rule.function)
    definition.body = [rewriter.visit(statement) for statement in definition.body] + [ast.Return(constant(0))]
    return ast.unparse(ast.fix_missing_locations(definition)), rewriter.used


class Compiler:
    """Numba, set up to compile rules alone."""

    def __init__(self):
        from numba.core import config, registry, types
        from numba.core.compiler import Flags
        config.OPT = type(config.OPT)(0)                  # the whole core is optimised once, when it is linked
        self.types = types
        self.typing, self.target = registry.cpu_target.typing_context, registry.cpu_target.target_context
        self.flags = Flags()
        self.flags.no_compile = self.flags.no_cpython_wrapper = self.flags.no_cfunc_wrapper = True
        self.flags.error_model, self.flags.nrt = "numpy", False
        self.vocabulary = vocabulary()
        self.externals: dict[tuple[str, int], object] = {}

    def external(self, name: str, arguments: int):
        """A function of the core that is linked later."""
        key = name, arguments
        if key not in self.externals:
            self.externals[key] = external(f"rule.{name}", arguments)
        return self.externals[key]

    def compile(self, rule: Rule) -> str:
        """LLVM IR of one rule, defining @"rule.name" as i64 (i64, ...)."""
        from numba.core import compiler
        source, used = explicit(rule)
        scope: dict[str, object] = dict(self.vocabulary)
        for name, target in used.items():
            if target.__name__ in self.vocabulary:
                scope[name] = self.vocabulary[target.__name__]
            elif target.__name__ in NATIVE:
                scope[name] = self.external(target.__name__, NATIVE[target.__name__])
            elif RULES.get(target.__name__) is target:
                scope[name] = self.external(target.__name__, len(target.parameters))
            else:
                raise TypeError(f"{rule.__module__}.{rule.__name__} calls {name}, which is no rule")
        exec(compile(source, f"<rule {rule.__name__}>", "exec"), scope)
        u64 = self.types.uint64
        count = len(rule.parameters)
        result = compiler.compile_extra(self.typing, self.target, scope[rule.__name__], (u64,) * count, u64,
                                        self.flags, {})
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


def external(symbol: str, arguments: int):
    """A Numba intrinsic that calls a symbol of type i64 (i64, ...)."""
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic
    word = ir.IntType(64)

    def emit(context, builder, signature, values):
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(word, [word] * arguments), symbol)
        words = [builder.zext(v, word) if v.type.width < 64 else v for v in values]
        return builder.call(function, words)

    # Numba reads the number of parameters from the function's own signature.
    names = ", ".join(f"a{n}" for n in range(arguments))
    scope: dict[str, object] = {"signature": types.uint64(*[types.uint64] * arguments), "emit": emit}
    exec(f"def call({', '.join(filter(None, ('context', names)))}):\n    return signature, emit", scope)
    return intrinsic(scope["call"])


def vocabulary() -> dict[str, object]:
    """Numba's meaning of the words, memory primitives and constants that rules use."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic
    u64, word, bit = types.uint64, ir.IntType(64), ir.IntType(1)

    def define(count, emit, result=u64):
        names = ", ".join(f"a{n}" for n in range(count))

        def codegen(context, builder, signature, values):
            return emit(builder, *values)
        scope: dict[str, object] = {"signature": result(*[u64] * count), "codegen": codegen}
        exec(f"def function(context, {names}):\n    return signature, codegen", scope)
        return intrinsic(scope["function"])

    def load(bits):
        def emit(b, address):
            value = b.load(b.inttoptr(address, ir.IntType(bits).as_pointer()), align=1)
            return b.zext(value, word) if bits < 64 else value
        return define(1, emit)

    def store(bits):
        def emit(b, address, value):
            narrow = b.trunc(value, ir.IntType(bits)) if bits < 64 else value
            b.store(narrow, b.inttoptr(address, ir.IntType(bits).as_pointer()), align=1)
            return ir.Constant(word, 0)
        return define(2, emit)

    def signed_compare(symbol):
        return define(2, lambda b, x, y: b.icmp_signed(symbol, x, y), types.boolean)

    def sext(b, value, width):
        up = b.sub(ir.Constant(word, 64), width)
        return b.ashr(b.shl(value, up), up)

    def zext(b, value, width):
        up = b.sub(ir.Constant(word, 64), width)
        return b.lshr(b.shl(value, up), up)

    def high(extend):
        def emit(b, x, y):
            wide = ir.IntType(128)
            product = b.mul(getattr(b, extend)(x, wide), getattr(b, extend)(y, wide))
            return b.trunc(b.lshr(product, ir.Constant(wide, 64)), word)
        return define(2, emit)

    names: dict[str, object] = {f"load{n}": load(n) for n in (8, 16, 32, 64)}
    names |= {f"store{n}": store(n) for n in (8, 16, 32, 64)}
    names |= {
        "u64": types.uint64, "record": define(1, lambda b, x: x),
        "sext": define(2, sext), "zext": define(2, zext),
        "sext32": define(1, lambda b, x: sext(b, x, ir.Constant(word, 32))),
        "zext32": define(1, lambda b, x: zext(b, x, ir.Constant(word, 32))),
        "lt_s": signed_compare("<"), "ge_s": signed_compare(">="),
        "sra": define(2, lambda b, x, n: b.ashr(x, n)),
        "mulhu": high("zext"), "mulhs": high("sext"),
        "clz": define(1, lambda b, x: b.ctlz(x, ir.Constant(bit, 0))), "cpop": define(1, lambda b, x: b.ctpop(x)),
        "div_u": define(2, lambda b, x, y: b.udiv(x, y)), "rem_u": define(2, lambda b, x, y: b.urem(x, y)),
        "word": word_of(bit, word), "select": select_of(word),
    }
    assert {p.__name__ for p in PRIMITIVES} <= names.keys() | NATIVE.keys()
    return names


def word_of(bit, word):
    """word(condition): 1 or 0."""
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def as_word(context, condition):
        def codegen(context, builder, signature, values):
            return builder.zext(values[0], word)
        return types.uint64(types.boolean), codegen
    return as_word


def select_of(word):
    """select(condition, a, b)."""
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def choose(context, condition, a, b):
        def codegen(context, builder, signature, values):
            return builder.select(*values)
        return types.uint64(types.boolean, types.uint64, types.uint64), codegen
    return choose


NATIVE_TEXT = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

; MXCSR: IE 0, ZE 2, OE 3, UE 4, PE 5.  fflags: NX 0, UF 1, OF 2, DZ 3, NV 4.
define internal i64 @"rule.host_flags"() nounwind {
  %p = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %p)
  %m = load i32, ptr %p
  %w = zext i32 %m to i64
  %i = shl i64 %w, 4
  %nv = and i64 %i, 16
  %z = shl i64 %w, 1
  %dz = and i64 %z, 8
  %o = lshr i64 %w, 1
  %of = and i64 %o, 4
  %u = lshr i64 %w, 3
  %uf = and i64 %u, 2
  %n = lshr i64 %w, 5
  %nx = and i64 %n, 1
  %a = or i64 %nv, %dz
  %b = or i64 %a, %of
  %c = or i64 %b, %uf
  %d = or i64 %c, %nx
  ret i64 %d
}

; All exceptions masked, flags clear; RISC-V's RNE RTZ RDN RUP are x86's 0 3 1 2.
define internal i64 @"rule.set_host_mode"(i64 %mode) nounwind {
  %p = alloca i32
  %twice = shl i64 %mode, 1
  %moved = lshr i64 156, %twice
  %rc = and i64 %moved, 3
  %field = shl i64 %rc, 13
  %word = or i64 %field, 8064
  %m = trunc i64 %word to i32
  store i32 %m, ptr %p
  call void @llvm.x86.sse.ldmxcsr(ptr %p)
  ret i64 0
}
"""

