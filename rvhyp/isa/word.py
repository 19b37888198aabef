"""The 64-bit word: what instruction bodies and hart rules compute with.

A `Word` is the plain meaning of the vocabulary: an int that stays within 0 .. 2**64-1, so that
`+ - * << ~` wrap as registers do and `<` compares unsigned.  Signed meaning exists only through the
named functions below (`lt_s`, `sra`, `sext` ...).  The same bodies run on symbolic words
(`rvhyp.engine.trace`), which turn each operation into LLVM IR; the functions below therefore only ask
their operand to do the work.

Errors: a shift by 64 or more raises `ValueError`: its result is undefined in LLVM, so no body may do it.
"""
from __future__ import annotations

MASK64 = (1 << 64) - 1


def u64(value) -> Word:
    """`value` modulo 2**64, as a word."""
    return _new(Word, value & MASK64)


class Word(int):
    """An unsigned 64-bit value whose arithmetic wraps."""

    __slots__ = ()

    def __add__(self, other): return _new(Word, int(self) + int(other) & MASK64)
    __radd__ = __add__
    def __sub__(self, other): return _new(Word, int(self) - int(other) & MASK64)
    def __rsub__(self, other): return _new(Word, int(other) - int(self) & MASK64)
    def __mul__(self, other): return _new(Word, int(self) * int(other) & MASK64)
    __rmul__ = __mul__
    def __and__(self, other): return _new(Word, int(self) & int(other) & MASK64)
    __rand__ = __and__
    def __or__(self, other): return _new(Word, (int(self) | int(other)) & MASK64)
    __ror__ = __or__
    def __xor__(self, other): return _new(Word, (int(self) ^ int(other)) & MASK64)
    __rxor__ = __xor__
    def __floordiv__(self, other): return _new(Word, int(self) // int(other))
    def __mod__(self, other): return _new(Word, int(self) % int(other))
    def __invert__(self): return _new(Word, ~int(self) & MASK64)
    def __neg__(self): return _new(Word, -int(self) & MASK64)

    def __lshift__(self, count):
        return _new(Word, int(self) << _shift_count(count) & MASK64)

    def __rlshift__(self, value):
        return _new(Word, int(value) << _shift_count(self) & MASK64)

    def __rshift__(self, count):
        return _new(Word, int(self) >> _shift_count(count))

    def __rrshift__(self, value):
        return _new(Word, (int(value) & MASK64) >> _shift_count(self))

    @property
    def signed(self) -> int:
        """The two's-complement value, -2**63 .. 2**63-1 (for people and tests, not for bodies)."""
        return int(self) - ((int(self) >> 63) << 64)

    # What the vocabulary functions below ask of a word.
    def sext(self, width):
        width = int(width)
        return u64((int(self) & (1 << width) - 1) - ((int(self) >> width - 1 & 1) << width))

    def zext(self, width): return _new(Word, int(self) & (1 << int(width)) - 1)
    def sra(self, count): return u64(self.signed >> _shift_count(count))
    def lt_s(self, other): return self.signed < u64(other).signed
    def mulhu(self, other): return _new(Word, int(self) * int(other) >> 64)
    def mulhs(self, other): return u64(self.signed * u64(other).signed >> 64)
    def div_u(self, other): return _new(Word, int(self) // int(other))
    def rem_u(self, other): return _new(Word, int(self) % int(other))
    def clz(self): return _new(Word, 64 - int(self).bit_length())
    def cpop(self): return _new(Word, int(self).bit_count())

    def div_s(self, other):
        quotient = abs(self.signed) // abs(u64(other).signed)
        return u64(quotient if (self.signed < 0) == (u64(other).signed < 0) else -quotient)

    def rem_s(self, other):
        remainder = abs(self.signed) % abs(u64(other).signed)
        return u64(-remainder if self.signed < 0 else remainder)


_new = int.__new__


def _shift_count(count) -> int:
    if not 0 <= count < 64:
        raise ValueError(f"shift of a word by {int(count)}")
    return int(count)


# The vocabulary.  Bodies use these and the operators + - * & | ^ ~ << >> == != < <= > >=, nothing else.

def sext(a, width):
    """The low `width` bits of a, sign-extended."""
    return a.sext(width)


def zext(a, width):
    """The low `width` bits of a, zero-extended."""
    return a.zext(width)


def sext32(a):
    """The low 32 bits of a, sign-extended: the result of every *W instruction."""
    return a.sext(32)


def zext32(a):
    """The low 32 bits of a, zero-extended."""
    return a.zext(32)


def lt_s(a, b):
    """a < b as signed numbers (a condition)."""
    return a.lt_s(b)


def ge_s(a, b):
    """a >= b as signed numbers (a condition)."""
    return b.lt_s(a) | (a == b)


def sra(a, count):
    """a shifted right arithmetically by count < 64."""
    return a.sra(count)


def mulhu(a, b):
    """High 64 bits of the unsigned 128-bit product."""
    return a.mulhu(b)


def mulhs(a, b):
    """High 64 bits of the signed 128-bit product."""
    return a.mulhs(b)


def div_u(a, b):
    """Unsigned quotient; b is not 0."""
    return a.div_u(b)


def rem_u(a, b):
    """Unsigned remainder; b is not 0."""
    return a.rem_u(b)


def div_s(a, b):
    """Signed quotient, rounded to zero; b is not 0, and not -1 where a is -2**63."""
    return a.div_s(b)


def rem_s(a, b):
    """Signed remainder, of the sign of a; b is not 0, and not -1 where a is -2**63."""
    return a.rem_s(b)


def clz(a):
    """How many zeros stand before the leading one; 64 for 0."""
    return a.clz()


def cpop(a):
    """How many bits are ones."""
    return a.cpop()


def select(condition, if_true, if_false):
    """One of two words; both are computed."""
    if isinstance(condition, (bool, int)):
        return if_true if condition else if_false
    return condition.select(if_true, if_false)


def word(condition):
    """A condition as a word: 1 or 0."""
    return select(condition, u64(1), u64(0))
