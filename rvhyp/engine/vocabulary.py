"""What the words of rules mean to Numba and LLVM: vocabulary, memory primitives, and what the core has of the host's own.

Each is a Numba intrinsic: its type is fixed, and it writes its LLVM IR in place.
"""
from __future__ import annotations

from rvhyp.isa.rule import PRIMITIVES

# Primitives that are functions of the core: name -> arguments.
NATIVE = {"host_flags": 0, "set_host_mode": 1, "host_nanoseconds": 1}


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

    def compare_and_set(bits):
        def emit(b, address, old, new):
            if bits < 64:
                old, new = (b.trunc(value, ir.IntType(bits)) for value in (old, new))
            done = b.cmpxchg(b.inttoptr(address, ir.IntType(bits).as_pointer()), old, new, "seq_cst", "seq_cst")
            return b.zext(b.extract_value(done, 1), word)
        return define(3, emit)

    def compare_and_set_pair(b, address, *halves):
        double = ir.IntType(128)
        low_old, high_old, low_new, high_new = (b.zext(half, double) for half in halves)
        old, new = (b.or_(low, b.shl(high, ir.Constant(double, 64))) for low, high in ((low_old, high_old), (low_new, high_new)))
        done = b.cmpxchg(b.inttoptr(address, double.as_pointer()), old, new, "seq_cst", "seq_cst")
        return b.zext(b.extract_value(done, 1), word)

    def barrier(b):
        b.fence("seq_cst")
        return ir.Constant(word, 0)

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
        "compare_and_set32": compare_and_set(32), "compare_and_set64": compare_and_set(64),
        "compare_and_set128": define(5, compare_and_set_pair), "barrier": define(0, barrier),
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

; clock_gettime(CLOCK_MONOTONIC, time), in nanoseconds.
define internal i64 @"rule.host_nanoseconds"(i64 %clock) nounwind {
  %time = alloca [2 x i64], align 16
  %f = inttoptr i64 %clock to ptr
  %r = call i32 %f(i32 1, ptr %time)
  %s = load i64, ptr %time
  %second = getelementptr i64, ptr %time, i64 1
  %n = load i64, ptr %second
  %ns = mul i64 %s, 1000000000
  %sum = add i64 %ns, %n
  ret i64 %sum
}

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

