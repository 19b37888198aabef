"""The reference for floating point: IEEE 754 as it is defined, over exact fractions, and RISC-V's choices."""
import math
import operator
from fractions import Fraction

from rvhyp.isa.softfloat import DZ, NV, NX, OF, RDN, RMM, RNE, RTZ, RUP, UF
from rvhyp.isa.word import MASK64

PRECISION = {16: 11, 32: 24, 64: 53}
CANONICAL_NAN = {16: 0x7E00, 32: 0x7FC0_0000, 64: 0x7FF8_0000_0000_0000}


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def floor_log2(x: Fraction) -> int:
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if power(guess) <= x else guess - 1


def square_root(x: Fraction) -> Fraction:
    """The root of x, or a fraction between the same two neighbours in every format."""
    scale = 200 - floor_log2(x) // 2
    scaled = x * power(2 * scale)
    root = math.isqrt(math.floor(scaled))
    return (root if root * root == scaled else root + Fraction(1, 2)) * power(-scale)


class Exact:
    """One operation: takes and gives bit patterns as `Fpu` does, and leaves its exceptions in `flags`."""

    def __init__(self, width, rm):
        self.width, self.rm, self.flags = width, rm, 0
        self.precision = PRECISION[width]
        self.emax = (1 << (width - self.precision - 1)) - 1
        self.emin = 1 - self.emax

    # Patterns and values: a value is a sign and a magnitude, which is a fraction, infinity or NaN.

    def value(self, bits):
        sign = bits >> (self.width - 1)
        field, fraction = divmod(bits & ((1 << (self.width - 1)) - 1), 1 << (self.precision - 1))
        if field == 2 * self.emax + 1:
            return sign, math.nan if fraction else math.inf
        if field:
            fraction += 1 << (self.precision - 1)
        return sign, fraction * power(max(field, 1) - self.emax - self.precision + 1)

    def signed(self, bits):
        sign, magnitude = self.value(bits)
        return -magnitude if sign else magnitude

    def is_signaling(self, bits):
        return math.isnan(self.value(bits)[1]) and not bits >> (self.precision - 2) & 1

    def pack(self, sign, rest):
        return sign << (self.width - 1) | rest

    def infinity(self, sign):
        return self.pack(sign, (2 * self.emax + 1) << (self.precision - 1))

    def nan(self, *operands, invalid=False):
        if invalid or any(map(self.is_signaling, operands)):
            self.flags |= NV
        return CANONICAL_NAN[self.width]

    # Rounding.

    def whole(self, sign, x):
        """The magnitude x rounded to an integer."""
        below = math.floor(x)
        rest = x - below
        return below + {
            RNE: rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1),
            RTZ: False,
            RDN: rest > 0 and sign == 1,
            RUP: rest > 0 and sign == 0,
            RMM: rest >= Fraction(1, 2),
        }[self.rm]

    def round(self, sign, x):
        if x == 0:
            return self.pack(sign, 0)
        unit = floor_log2(x) - self.precision + 1
        is_tiny = self.whole(sign, x / power(unit)) * power(unit) < power(self.emin)
        lowest = self.emin - self.precision + 1
        unit = max(unit, lowest)
        kept = self.whole(sign, x / power(unit))
        if kept * power(unit) >= power(self.emax + 1):
            self.flags |= OF | NX
            reaches_infinity = self.rm in (RNE, RMM, RDN if sign else RUP)
            return self.infinity(sign) - (not reaches_infinity)
        if kept * power(unit) != x:
            self.flags |= NX | (UF if is_tiny else 0)
        return self.pack(sign, ((unit - lowest) << (self.precision - 1)) + kept)

    def round_signed(self, x, sign_of_zero):
        return self.round(int(x < 0) if x else sign_of_zero, abs(x))

    # Operations.

    def add(self, a, b):
        (sign, x), (sign_b, y) = self.value(a), self.value(b)
        if math.isnan(x) or math.isnan(y):
            return self.nan(a, b)
        if x == y == math.inf and sign != sign_b:
            return self.nan(invalid=True)
        if math.inf in (x, y):
            return a if x == math.inf else b
        return self.round_signed(self.signed(a) + self.signed(b), sign if sign == sign_b else int(self.rm == RDN))

    def sub(self, a, b):
        return self.add(a, b ^ self.pack(1, 0))

    def mul(self, a, b):
        (sign_a, x), (sign_b, y) = self.value(a), self.value(b)
        if math.isnan(x) or math.isnan(y):
            return self.nan(a, b)
        if math.inf in (x, y):
            return self.nan(invalid=True) if 0 in (x, y) else self.infinity(sign_a ^ sign_b)
        return self.round(sign_a ^ sign_b, x * y)

    def div(self, a, b):
        (sign_a, x), (sign_b, y) = self.value(a), self.value(b)
        sign = sign_a ^ sign_b
        if math.isnan(x) or math.isnan(y):
            return self.nan(a, b)
        if x == y == 0 or x == y == math.inf:
            return self.nan(invalid=True)
        if x == math.inf:
            return self.infinity(sign)
        if y == math.inf:
            return self.pack(sign, 0)
        if y == 0:
            self.flags |= DZ
            return self.infinity(sign)
        return self.round(sign, x / y)

    def sqrt(self, a):
        sign, x = self.value(a)
        if math.isnan(x):
            return self.nan(a)
        if x == 0:
            return a
        if sign:
            return self.nan(invalid=True)
        return a if x == math.inf else self.round(0, square_root(x))

    def fma(self, a, b, c):
        (sign_a, x), (sign_b, y), (sign_c, z) = map(self.value, (a, b, c))
        sign = sign_a ^ sign_b
        if {x, y} == {0, math.inf}:
            return self.nan(invalid=True)
        if any(map(math.isnan, (x, y, z))):
            return self.nan(a, b, c)
        if math.inf in (x, y):
            return self.add(self.infinity(sign), c)
        if z == math.inf:
            return c
        exact = self.signed(a) * self.signed(b) + self.signed(c)
        return self.round_signed(exact, sign if sign == sign_c else int(self.rm == RDN))

    def extreme(self, a, b, prefers):
        """min or max; in the order of `total` zeros differ."""
        result = self.nan(a, b)
        numbers = [bits for bits in (a, b) if not math.isnan(self.signed(bits))]
        return prefers(numbers, key=self.total) if numbers else result

    def total(self, bits):
        return self.signed(bits), -(bits >> (self.width - 1))

    def min(self, a, b):
        return self.extreme(a, b, min)

    def max(self, a, b):
        return self.extreme(a, b, max)

    def compare(self, a, b, holds, signaling=True):
        x, y = self.signed(a), self.signed(b)
        if math.isnan(x) or math.isnan(y):
            self.nan(a, b, invalid=signaling)
        return int(holds(x, y))

    def eq(self, a, b):
        return self.compare(a, b, operator.eq, signaling=False)

    def lt(self, a, b):
        return self.compare(a, b, operator.lt)

    def le(self, a, b):
        return self.compare(a, b, operator.le)

    def extreme_or_nan(self, a, b, prefers):
        result = self.extreme(a, b, prefers)
        return CANONICAL_NAN[self.width] if any(math.isnan(self.value(bits)[1]) for bits in (a, b)) else result

    def minm(self, a, b):
        return self.extreme_or_nan(a, b, min)

    def maxm(self, a, b):
        return self.extreme_or_nan(a, b, max)

    def ltq(self, a, b):
        return self.compare(a, b, operator.lt, signaling=False)

    def leq(self, a, b):
        return self.compare(a, b, operator.le, signaling=False)

    def integral(self, a, inexact):
        sign, x = self.value(a)
        if math.isnan(x):
            return self.nan(a)
        if x == math.inf:
            return a
        whole = self.whole(sign, x)
        self.flags |= NX if inexact and whole != x else 0
        return self.round(sign, Fraction(whole))

    def classify(self, a):
        sign, x = self.value(a)
        if math.isnan(x):
            return 1 << (8 if self.is_signaling(a) else 9)
        place = [x == 0, 0 < x < power(self.emin), power(self.emin) <= x < math.inf, x == math.inf].index(True)
        return 1 << (3 - place if sign else 4 + place)

    def to_int(self, a, bits, signed):
        sign, x = self.value(a)
        low, high = (-1 << (bits - 1), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        if math.isinf(x) or math.isnan(x):
            self.flags |= NV
            return self.register(low if sign and math.isinf(x) else high, bits)
        rounded = -self.whole(sign, x) if sign else self.whole(sign, x)
        if low <= rounded <= high:
            self.flags |= NX if rounded != self.signed(a) else 0
            return self.register(rounded, bits)
        self.flags |= NV
        return self.register(low if sign else high, bits)

    def to_int_modular(self, a):
        sign, x = self.value(a)
        self.to_int(a, 32, 1)
        return 0 if math.isnan(x) or x == math.inf else self.register((-1) ** sign * math.floor(x), 32)

    @staticmethod
    def register(integer, bits):
        integer &= (1 << bits) - 1
        return (integer - (integer >> (bits - 1) << bits)) & MASK64

    def from_int(self, a, bits, signed):
        a &= (1 << bits) - 1
        return self.round_signed(Fraction(a - (a >> (bits - 1) << bits) if signed else a), 0)

    def convert(self, width, a):
        source = Exact(width, self.rm)
        sign, x = source.value(a)
        if math.isnan(x):
            return self.nan(invalid=source.is_signaling(a))
        return self.infinity(sign) if x == math.inf else self.round(sign, x)
