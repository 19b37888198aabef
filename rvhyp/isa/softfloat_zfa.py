"""What Zfa adds to `rvhyp.isa.softfloat` (Unprivileged ISA, chapter "Zfa"), as rules over bit patterns."""
from rvhyp.isa.ieee754 import (
    ORIGIN,
    f_exponent,
    f_fraction_bits,
    f_infinity,
    f_is_nan,
    f_is_signaling,
    f_magnitude,
    f_sign,
    f_sign_bit,
    f_significand,
)
from rvhyp.isa.rule import rule
from rvhyp.isa.softfloat import (
    NX,
    RTZ,
    f_away,
    f_less,
    f_max,
    f_min,
    f_nan,
    f_negate_if,
    f_round,
    f_shift_high,
    f_shift_low,
    f_to_int,
)
from rvhyp.isa.word import sext32


@rule
def f_minm(h, width, a, b):
    """The minimum of IEEE 754-2019: a NaN if one of the two is."""
    smaller = f_min(h, width, a, b)
    return f_nan(h, width, 0) if (f_is_nan(width, a) | f_is_nan(width, b)) == 1 else smaller


@rule
def f_maxm(h, width, a, b):
    """The maximum of IEEE 754-2019: a NaN if one of the two is."""
    larger = f_max(h, width, a, b)
    return f_nan(h, width, 0) if (f_is_nan(width, a) | f_is_nan(width, b)) == 1 else larger


@rule
def f_ltq(h, width, a, b):
    """a < b, a quiet comparison."""
    return f_less(h, width, a, b, 0, 0)


@rule
def f_leq(h, width, a, b):
    """a <= b, a quiet comparison."""
    return f_less(h, width, a, b, 1, 0)


@rule
def f_integral(h, width, a, inexact, rm):
    """a rounded to an integer, in its format; with `inexact` 1 that accrues NX where it changes a."""
    x = f_magnitude(width, a)
    if x > f_infinity(width):
        return f_nan(h, width, f_is_signaling(width, a))
    if x == 0 or x == f_infinity(width) or f_exponent(width, a) >= ORIGIN + f_fraction_bits(width):
        return a
    sign = f_sign(width, a)
    distance = ORIGIN + 63 - f_exponent(width, a)
    whole = f_shift_high(f_significand(width, a) << 1, distance)
    rest = f_shift_low(f_significand(width, a) << 1, 0, distance)
    whole = whole + f_away(rm, sign, whole & 1, rest)
    h.fflags = h.fflags | (NX if rest != 0 and inexact == 1 else 0)
    return f_sign_bit(width, a) | f_round(h, width, 0, ORIGIN + 62, whole, 0, rm)


@rule
def f_to_int_modular(h, width, a):
    """a truncated to an integer, of that the low 32 bits, sign-extended; 0 for infinity and NaN.  Flags are those of fcvt.w."""
    f_to_int(h, width, a, 32, 1, RTZ)
    if f_magnitude(width, a) >= f_infinity(width) or f_exponent(width, a) < ORIGIN:
        return 0
    place = f_exponent(width, a) - ORIGIN
    whole = f_significand(width, a) >> (62 - place) if place < 63 else 0
    if place > 62 and place < 126:
        whole = f_significand(width, a) << (place - 62)
    return sext32(f_negate_if(f_sign(width, a), whole))
