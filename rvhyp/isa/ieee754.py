"""Formats of floating-point numbers and the parts of an operand, as rules over bit patterns (IEEE 754-2019, 3.4).

A format is named by its `width`: 16, 32 or 64 bits.  A finite operand is taken apart into its sign, its exponent and
its significand, as `rvhyp.isa.softfloat` computes with them:

    significand   bit 62 is the leading one; 0 for a zero
    exponent      of bit 62, plus ORIGIN, so that none is negative
"""
from rvhyp.isa.rule import rule
from rvhyp.isa.word import clz, word

ORIGIN = 1 << 16


# Formats.

@rule
def f_fraction_bits(width):
    """Bits of the fraction field of a format."""
    if width == 16:
        return 10
    return 23 if width == 32 else 52


@rule
def f_bias(width):
    """What the exponent field adds to the exponent."""
    return (1 << (width - 2 - f_fraction_bits(width))) - 1


@rule
def f_infinity(width):
    """Positive infinity: the exponent field all ones."""
    return (1 << (width - 1)) - (1 << f_fraction_bits(width))


@rule
def f_canonical_nan(width):
    """The quiet NaN that every operation gives (21.3)."""
    return f_infinity(width) | (1 << (f_fraction_bits(width) - 1))


@rule
def f_one(width):
    """The number 1."""
    return f_bias(width) << f_fraction_bits(width)


# Parts of an operand.

@rule
def f_sign_bit(width, a):
    """The sign of a, in its place."""
    return a & (1 << (width - 1))


@rule
def f_sign(width, a):
    """The sign of a: 1 or 0."""
    return (a >> (width - 1)) & 1


@rule
def f_magnitude(width, a):
    """a without its sign.  As integers: finite ones < infinity < signaling NaNs < canonical NaN <= quiet NaNs."""
    return a & ((1 << (width - 1)) - 1)


@rule
def f_is_nan(width, a):
    """1 for a NaN."""
    return word(f_magnitude(width, a) > f_infinity(width))


@rule
def f_is_signaling(width, a):
    """1 for a signaling NaN."""
    return f_is_nan(width, a) & word(f_magnitude(width, a) < f_canonical_nan(width))


@rule
def f_rank(width, a):
    """An integer that orders numbers, -0 before +0."""
    sign_bit = 1 << (width - 1)
    return a ^ (2 * sign_bit - 1) if f_sign(width, a) == 1 else a ^ sign_bit


@rule
def f_digits(width, a):
    """The fraction of a finite a, with the leading one that normal numbers do not store."""
    hidden = 1 << f_fraction_bits(width)
    fraction = a & (hidden - 1)
    return fraction if f_magnitude(width, a) < hidden else fraction | hidden


@rule
def f_leading_zeros(value):
    """How many zeros stand before the leading one; 63 for 0."""
    return clz(value | 1)


@rule
def f_significand(width, a):
    """The significand of a finite a."""
    digits = f_digits(width, a)
    return digits << f_leading_zeros(digits) >> 1


@rule
def f_exponent(width, a):
    """The exponent of a finite a, from ORIGIN; of no meaning for a zero."""
    field = f_magnitude(width, a) >> f_fraction_bits(width)
    place = 63 - f_fraction_bits(width) - f_leading_zeros(f_digits(width, a))
    return ORIGIN - f_bias(width) + (1 if field == 0 else field) + place


@rule
def f_classify(h, width, a):
    """The mask of fclass: bits 0 to 7 from -infinity up to +infinity, 8 a signaling NaN, 9 a quiet one."""
    x = f_magnitude(width, a)
    if x > f_infinity(width):
        return 1 << (9 - f_is_signaling(width, a))
    kind = word(x != 0) + word(x >= 1 << f_fraction_bits(width)) + word(x == f_infinity(width))
    return 1 << (3 - kind if f_sign(width, a) == 1 else 4 + kind)


# Conversion (21.7).
