"""Symbolic words: running an instruction body on them writes LLVM IR instead of computing.

A `Symbol` is an SSA value of type i64 (a word) or i1 (a condition) that knows the `Text` it is written to.  It answers the
vocabulary of `rvhyp.isa.word`, so the same body serves the plain-Python reference and, traced once, every compiled engine.
Shifts by 64 or more and divisions that trap are excluded by the vocabulary, so nothing here can be poison.
"""
from __future__ import annotations

from rvhyp.isa.word import MASK64

LIKELY, UNLIKELY = "!4", "!5"           # branch weights, metadata of the module
DECLARATIONS = "declare i64 @llvm.ctlz.i64(i64, i1)", "declare i64 @llvm.ctpop.i64(i64)"        # what Symbol calls


class Text:
    """Lines of one LLVM function under construction."""

    def __init__(self):
        self.lines: list[str] = []
        self._values = 0
        self._labels = 0

    def value(self, instruction: str) -> str:
        """Append `%n = instruction`; gives %n."""
        self._values += 1
        self.lines.append(f"  %v{self._values} = {instruction}")
        return f"%v{self._values}"

    def word(self, instruction: str) -> Symbol:
        """The same, as a 64-bit symbol."""
        return Symbol(self, self.value(instruction))

    def bit(self, instruction: str) -> Symbol:
        """The same, as a condition."""
        return Symbol(self, self.value(instruction), "i1")

    def line(self, text: str) -> None:
        """Append an instruction without a value."""
        self.lines.append("  " + text)

    def new_label(self, stem: str) -> str:
        """A label name not used yet in this function."""
        self._labels += 1
        return f"{stem}{self._labels}"

    def label(self, name: str) -> None:
        """Start a basic block."""
        self.lines.append(f"{name}:")


def operand(value) -> str:
    """A symbol's name, or a literal."""
    return value.name if isinstance(value, Symbol) else str(int(value) & MASK64)


class Symbol:
    """One SSA value."""

    __slots__ = ("name", "text", "type")
    __hash__ = None

    def __init__(self, text: Text, name: str, type: str = "i64"):
        self.text, self.name, self.type = text, name, type

    def _binary(self, operation, other, reverse=False):
        a, b = (other, self) if reverse else (self, other)
        return Symbol(self.text, self.text.value(f"{operation} {self.type} {operand(a)}, {operand(b)}"), self.type)

    def _compare(self, condition, other):
        return self.text.bit(f"icmp {condition} {self.type} {self.name}, {operand(other)}")

    def __add__(self, other): return self._binary("add", other)
    __radd__ = __add__
    def __sub__(self, other): return self._binary("sub", other)
    def __rsub__(self, other): return self._binary("sub", other, reverse=True)
    def __mul__(self, other): return self._binary("mul", other)
    __rmul__ = __mul__
    def __and__(self, other): return self._binary("and", other)
    __rand__ = __and__
    def __or__(self, other): return self._binary("or", other)
    __ror__ = __or__
    def __xor__(self, other): return self._binary("xor", other)
    __rxor__ = __xor__
    def __lshift__(self, count): return self._binary("shl", count)
    def __rlshift__(self, value): return self._binary("shl", value, reverse=True)
    def __rshift__(self, count): return self._binary("lshr", count)
    def __rrshift__(self, value): return self._binary("lshr", value, reverse=True)
    def __invert__(self): return self._binary("xor", MASK64)
    def __neg__(self): return self._binary("sub", 0, reverse=True)
    def __eq__(self, other): return self._compare("eq", other)
    def __ne__(self, other): return self._compare("ne", other)
    def __lt__(self, other): return self._compare("ult", other)
    def __le__(self, other): return self._compare("ule", other)
    def __gt__(self, other): return self._compare("ugt", other)
    def __ge__(self, other): return self._compare("uge", other)

    def __bool__(self):
        raise TypeError("a symbolic value has no truth: use select()")

    # What the vocabulary functions ask of a word (see rvhyp.isa.word).
    def sext(self, width):
        return self.text.word(f"sext i{width} {self.truncated(width)} to i64")

    def zext(self, width):
        return self & ((1 << width) - 1)

    def sra(self, count): return self._binary("ashr", count)
    def lt_s(self, other): return self._compare("slt", other)
    def div_u(self, other): return self._binary("udiv", other)
    def rem_u(self, other): return self._binary("urem", other)
    def div_s(self, other): return self._binary("sdiv", other)
    def rem_s(self, other): return self._binary("srem", other)
    def clz(self): return self.text.word(f"call i64 @llvm.ctlz.i64(i64 {self.name}, i1 false)")
    def cpop(self): return self.text.word(f"call i64 @llvm.ctpop.i64(i64 {self.name})")
    def mulhu(self, other): return self._high("zext", other)
    def mulhs(self, other): return self._high("sext", other)

    def _high(self, extend, other):
        a = self.text.value(f"{extend} i64 {self.name} to i128")
        b = self.text.value(f"{extend} i64 {operand(other)} to i128")
        product = self.text.value(f"mul i128 {a}, {b}")
        high = self.text.value(f"lshr i128 {product}, 64")
        return self.text.word(f"trunc i128 {high} to i64")

    def select(self, if_true, if_false):
        """This condition chooses between two words."""
        return self.text.word(f"select i1 {self.name}, i64 {operand(if_true)}, i64 {operand(if_false)}")

    def truncated(self, width) -> str:
        """The name of the low bits as an integer of that width."""
        return self.text.value(f"trunc i64 {self.name} to i{width}")
