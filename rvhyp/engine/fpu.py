"""The floating-point unit as traced: on the host's, or on the exact rules of `rvhyp.isa.softfloat`.

`HostFpu` uses constrained intrinsics at the rounding mode and flags of MXCSR, which are RISC-V's sticky flags while the engine
runs.  x86 and RISC-V agree on results and flags (both detect tininess after rounding) except for the NaN they give,
so every result that is a NaN becomes the canonical one.  What x86 cannot do exactly is left to the rules.
"""
from __future__ import annotations

from rvhyp.engine.trace import UNLIKELY, Symbol, Text
from rvhyp.isa.rule import RULES

TYPE = {32: "float", 64: "double"}
CANONICAL_NAN = {32: 0x7FC0_0000, 64: 0x7FF8_0000_0000_0000}
STRICT = 'metadata !"round.dynamic", metadata !"fpexcept.strict"'
STRICT_EXACT = 'metadata !"fpexcept.strict"'
RTZ, DYNAMIC = 1, 7


class RuleFpu:
    """Every operation is a call of its rule."""

    def __init__(self, text: Text, call, rm):
        self.text, self.call, self.rm = text, call, rm

    def __getattr__(self, name):
        rule = RULES[f"f_{name}"]
        rounded = rule.parameters[-1] == "rm"
        return lambda *operands: self.call(rule.__name__, *operands, *([self.rm] if rounded else []))


class HostFpu(RuleFpu):
    """The host's unit, at MXCSR's rounding mode; `rounding` is RTZ for conversions that truncate, else DYNAMIC."""

    def __init__(self, text: Text, call, rounding: int):
        super().__init__(text, call, rounding)
        self.declarations: set[str] = set()

    def _by_rule(self, name, *operands):
        """What the host's unit does not do exactly."""
        rm = self.rm if self.rm == RTZ else self.call("fp_rounding", DYNAMIC)
        return getattr(RuleFpu(self.text, self.call, rm), name)(*operands)

    def _float(self, width, bits) -> str:
        name = bits.truncated(32) if width == 32 else bits.name
        return self.text.value(f"bitcast i{width} {name} to {TYPE[width]}")

    def _intrinsic(self, result, name, *arguments, metadata=STRICT) -> str:
        symbol = f"llvm.experimental.constrained.{name}"
        types = ", ".join(a.split()[0] for a in (*arguments, *metadata.split(", ")))
        self.declarations.add(f"declare {result} @{symbol}({types})")
        return self.text.value(f"call {result} @{symbol}({', '.join(arguments)}, {metadata}) strictfp")

    def _result(self, width, name) -> Symbol:
        """Bits of a result, the canonical NaN for any NaN."""
        raw = self.text.value(f"bitcast {TYPE[width]} {name} to i{width}")
        bits = Symbol(self.text, raw)
        if width == 32:
            bits = self.text.word(f"zext i32 {raw} to i64")
        magnitude = bits & ((1 << width - 1) - 1)
        infinity = CANONICAL_NAN[width] & ~(1 << {32: 22, 64: 51}[width])
        return (magnitude > infinity).select(CANONICAL_NAN[width], bits)

    def _arithmetic(self, name, width, *operands):
        suffix = {32: "f32", 64: "f64"}[width]
        arguments = [f"{TYPE[width]} {self._float(width, a)}" for a in operands]
        return self._result(width, self._intrinsic(TYPE[width], f"{name}.{suffix}", *arguments))

    def add(self, width, a, b): return self._arithmetic("fadd", width, a, b)
    def sub(self, width, a, b): return self._arithmetic("fsub", width, a, b)
    def mul(self, width, a, b): return self._arithmetic("fmul", width, a, b)
    def div(self, width, a, b): return self._arithmetic("fdiv", width, a, b)
    def sqrt(self, width, a): return self._arithmetic("sqrt", width, a)

    def fma(self, width, a, b, c):
        """x86 raises no flag for infinity times zero plus a quiet NaN; RISC-V does: if the result is a NaN, the rule adds it."""
        result = self._arithmetic("fma", width, a, b, c)
        by_rule, done = self.text.new_label("nan"), self.text.new_label("on")
        self.text.branch(result == CANONICAL_NAN[width], by_rule, done, UNLIKELY)
        self.text.label(by_rule)
        self._by_rule("fma", width, a, b, c)
        self.text.line(f"br label %{done}")
        self.text.label(done)
        return result

    def _compare(self, name, intrinsic, condition, width, a, b):
        if width == 16:
            return self._by_rule(name, width, a, b)
        suffix = {32: "f32", 64: "f64"}[width]
        arguments = [f"{TYPE[width]} {self._float(width, x)}" for x in (a, b)]
        bit = self._intrinsic("i1", f"{intrinsic}.{suffix}", *arguments,
                              metadata=f'metadata !"{condition}", {STRICT_EXACT}')
        return self.text.word(f"zext i1 {bit} to i64")

    def eq(self, width, a, b): return self._compare("eq", "fcmp", "oeq", width, a, b)
    def lt(self, width, a, b): return self._compare("lt", "fcmps", "olt", width, a, b)
    def le(self, width, a, b): return self._compare("le", "fcmps", "ole", width, a, b)

    def to_int(self, width, a, bits, signed):
        """cvtsd2si and its kin give the most negative integer for all out of range; a NaN and +large want the other end."""
        if not signed:
            return self._by_rule("to_int", width, a, bits, signed)
        vector = {32: "<4 x float>", 64: "<2 x double>"}[width]
        stem = {32: "sse.cvt{}ss2si", 64: "sse2.cvt{}sd2si"}[width].format("t" if self.rm == RTZ else "")
        symbol = f"llvm.x86.{stem}{'64' if bits == 64 else ''}"
        self.declarations.add(f"declare i{bits} @{symbol}({vector})")
        packed = self.text.value(f"insertelement {vector} zeroinitializer, {TYPE[width]} {self._float(width, a)}, i32 0")
        raw = self.text.value(f"call i{bits} @{symbol}({vector} {packed}) strictfp")
        result = Symbol(self.text, raw) if bits == 64 else self.text.word(f"sext i32 {raw} to i64")
        lowest = -(1 << bits - 1)
        infinity = CANONICAL_NAN[width] & ~(1 << {32: 22, 64: 51}[width])
        is_positive_or_nan = (a < (1 << width - 1)) | ((a & ((1 << width - 1) - 1)) > infinity)
        return ((result == lowest) & is_positive_or_nan).select(~lowest, result)

    def from_int(self, width, value, bits, signed):
        if bits == 64 and not signed:
            return self._by_rule("from_int", width, value, bits, signed)
        source = value.sext(32) if signed and bits == 32 else value.zext(32) if bits == 32 else value
        suffix = {32: "f32", 64: "f64"}[width]
        return self._result(width, self._intrinsic(TYPE[width], f"sitofp.{suffix}.i64", f"i64 {source.name}"))

    def integral(self, width, a, inexact):
        return self._arithmetic("rint" if inexact else "nearbyint", width, a)

    def convert(self, to, width, a):
        argument = f"{TYPE[width]} {self._float(width, a)}"
        if to < width:
            return self._result(to, self._intrinsic("float", "fptrunc.f32.f64", argument))
        return self._result(to, self._intrinsic("double", "fpext.f64.f32", argument, metadata=STRICT_EXACT))
