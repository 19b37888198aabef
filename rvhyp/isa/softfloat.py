"""Exact IEEE 754 arithmetic with RISC-V's choices (Unprivileged ISA, chapter 21), as rules over bit patterns.

One implementation serves every format: `width` is 16, 32 or 64.  An operation takes its finite operands apart
(`rvhyp.isa.ieee754`), computes the significand of its result exactly or with a sticky lowest bit, as 128 bits
high:low, and `f_round` alone normalises, rounds and packs it, and accrues the flags that rounding raises.

Sums and products are fused multiply-adds with a factor of 1 or an addend of 0.  `rm` is a rounding mode that has been
resolved: never DYN.
"""
from rvhyp.isa.ieee754 import (
    ORIGIN,
    f_bias,
    f_canonical_nan,
    f_exponent,
    f_fraction_bits,
    f_infinity,
    f_is_nan,
    f_is_signaling,
    f_leading_zeros,
    f_magnitude,
    f_one,
    f_rank,
    f_sign,
    f_sign_bit,
    f_significand,
)
from rvhyp.isa.rule import rule
from rvhyp.isa.word import lt_s, mulhu, sext32, word, zext32

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16         # accrued exceptions, bits of fflags (21.2)
RNE, RTZ, RDN, RUP, RMM = 0, 1, 2, 3, 4     # rounding modes, values of frm (21.2)

LEADING = 1 << 62                           # the leading one of a significand
HALF = 1 << 63                              # of a unit, as the top bit of what rounding discards
ALMOST = (1 << 64) - 1                      # of a unit, likewise


# Wide numbers: high:low has 128 bits.

@rule
def f_shift_high(high, count):
    """The high half of high:low >> count."""
    return high >> count if count < 64 else 0


@rule
def f_shift_low(high, low, count):
    """The low half of high:low >> count, for any count; its lowest bit also stands for all that was shifted out."""
    if count > 127:
        return word((high | low) != 0)
    if count > 63:
        low = high | word(low != 0)
        high = 0
        count = count - 64
    if count == 0:
        return low
    return (high << (64 - count)) | (low >> count) | word(low << (64 - count) != 0)


@rule
def f_negate_if(sign, value):
    """-value where sign is 1."""
    return (value ^ (0 - sign)) + sign


# Rounding (21.2) and its exceptions.

@rule
def f_away(rm, sign, odd, rest):
    """1 if rounding goes to the next larger magnitude; `rest` is what it discards, as a fraction of 64 bits."""
    if rm == RNE:
        return word(rest > HALF - odd)
    if rm == RMM:
        return word(rest >= HALF)
    if rm == RDN:
        return word(rest != 0) & sign
    if rm == RUP:
        return word(rest != 0) & (sign ^ 1)
    return 0


@rule
def f_nearest(rm, sign, significand, drop):
    """The significand without its `drop` low bits, rounded."""
    kept = significand >> drop
    return kept + f_away(rm, sign, kept & 1, significand << (64 - drop))


@rule
def f_overflow(h, width, sign, rm):
    """Infinity or the largest finite number, whichever the rounding mode wants of what lies above both."""
    h.fflags = h.fflags | OF | NX
    return (sign << (width - 1)) | (f_infinity(width) - 1 + f_away(rm, sign, 1, ALMOST))


@rule
def f_pack(h, width, sign, field, significand, rm):
    """A significand whose leading one is bit 63 rounded into a format; `field` is the exponent field it asks for.

    Where that lies above the format it is below 2**12, so nothing of it is shifted out before it is found to overflow.
    "Tininess is detected after rounding" (21.4): as if the exponent had no lower bound.
    """
    fraction_bits = f_fraction_bits(width)
    drop = 63 - fraction_bits
    tiny = 0
    if lt_s(field, 1):
        tiny = word(field != 0 or f_nearest(rm, sign, significand, drop) >> (fraction_bits + 1) == 0)
        significand = f_shift_low(0, significand, 1 - field)
        field = 1
    magnitude = ((field - 1) << fraction_bits) + f_nearest(rm, sign, significand, drop)
    if magnitude >= f_infinity(width):
        return f_overflow(h, width, sign, rm)
    if significand << (64 - drop) != 0:
        h.fflags = h.fflags | NX | (UF if tiny == 1 else 0)
    return (sign << (width - 1)) | magnitude


@rule
def f_round(h, width, sign, exponent, high, low, rm):
    """A result of 128 bits rounded to a format."""
    if high == 0:
        high = low
        low = 0
        exponent = exponent - 64
    if high == 0:
        return sign << (width - 1)
    shift = f_leading_zeros(high)
    significand = (high << shift) | (low >> 1 >> (63 - shift)) | word(low << shift != 0)
    return f_pack(h, width, sign, exponent + 1 - shift + f_bias(width) - ORIGIN, significand, rm)


@rule
def f_nan(h, width, invalid):
    """The canonical NaN, as the result of an operation that is invalid (1) or was given a quiet NaN (0)."""
    h.fflags = h.fflags | (NV if invalid == 1 else 0)
    return f_canonical_nan(width)


# Arithmetic (21.6).

@rule
def f_fma_special(h, width, a, b, c):
    """a * b + c of which one is infinite or NaN; infinity times zero is invalid even if c is a quiet NaN (21.6)."""
    infinity = f_infinity(width)
    x = f_magnitude(width, a)
    y = f_magnitude(width, b)
    z = f_magnitude(width, c)
    invalid = word((x == 0 and y == infinity) or (x == infinity and y == 0))
    invalid = invalid | f_is_signaling(width, a) | f_is_signaling(width, b) | f_is_signaling(width, c)
    if invalid == 1 or x > infinity or y > infinity or z > infinity:
        return f_nan(h, width, invalid)
    if x < infinity and y < infinity:
        return c
    product = f_sign_bit(width, a ^ b) | infinity
    if z == infinity and c != product:
        return f_nan(h, width, 1)
    return product


@rule
def f_sum(h, width, rm, sign, exponent, high, low, sign_c, exponent_c, high_c):
    """The product high:low plus the addend high_c:0, each with its sign and exponent, rounded."""
    top = exponent_c if exponent < exponent_c else exponent
    low = f_shift_low(high, low, top - exponent)
    high = f_shift_high(high, top - exponent)
    low_c = f_shift_low(high_c, 0, top - exponent_c)
    high_c = f_shift_high(high_c, top - exponent_c)
    if sign != sign_c:          # two's complement, with a bit to spare
        high_c = ~high_c + word(low_c == 0)
        low_c = 0 - low_c
    low = low + low_c
    high = high + high_c + word(low < low_c)
    if sign != sign_c:
        if high >> 63 == 1:
            high = ~high + word(low == 0)
            low = 0 - low
            sign = sign_c
        elif (high | low) == 0:
            sign = word(rm == RDN)
    return f_round(h, width, sign, top, high, low, rm)


@rule
def f_fma(h, width, a, b, c, rm):
    """a * b + c, rounded once."""
    infinity = f_infinity(width)
    if f_magnitude(width, a) >= infinity or f_magnitude(width, b) >= infinity or f_magnitude(width, c) >= infinity:
        return f_fma_special(h, width, a, b, c)
    x = f_significand(width, a)
    y = f_significand(width, b)
    high = mulhu(x, y)
    exponent = 0 if high == 0 else f_exponent(width, a) + f_exponent(width, b) + 2 - ORIGIN
    return f_sum(h, width, rm, f_sign(width, a ^ b), exponent, high, x * y,
                 f_sign(width, c), f_exponent(width, c), f_significand(width, c))


@rule
def f_add(h, width, a, b, rm):
    """a + b."""
    return f_fma(h, width, a, f_one(width), b, rm)


@rule
def f_sub(h, width, a, b, rm):
    """a - b."""
    return f_fma(h, width, a, f_one(width), b ^ (1 << (width - 1)), rm)


@rule
def f_mul(h, width, a, b, rm):
    """a * b: the zero added has the sign of the product, and so keeps it."""
    return f_fma(h, width, a, b, f_sign_bit(width, a ^ b), rm)


@rule
def f_quotient(h, width, a, b, rm):
    """a / b of finite numbers other than zero, by long division."""
    exponent = ORIGIN + f_exponent(width, a) - f_exponent(width, b)
    remainder = f_significand(width, a)
    divisor = f_significand(width, b)
    if remainder < divisor:
        remainder = remainder << 1
        exponent = exponent - 1
    quotient = 0
    while quotient < LEADING:
        digit = word(remainder >= divisor)
        remainder = (remainder - divisor * digit) << 1
        quotient = (quotient << 1) | digit
    return f_round(h, width, f_sign(width, a ^ b), exponent, quotient, word(remainder != 0), rm)


@rule
def f_div(h, width, a, b, rm):
    """a / b; a finite number divided by zero accrues DZ."""
    infinity = f_infinity(width)
    x = f_magnitude(width, a)
    y = f_magnitude(width, b)
    if x > infinity or y > infinity:
        return f_nan(h, width, f_is_signaling(width, a) | f_is_signaling(width, b))
    if x == y and (x == 0 or x == infinity):
        return f_nan(h, width, 1)
    if x == 0 or y == infinity:
        return f_sign_bit(width, a ^ b)
    if x == infinity or y == 0:
        h.fflags = h.fflags | (DZ if x < infinity else 0)
        return f_sign_bit(width, a ^ b) | infinity
    return f_quotient(h, width, a, b, rm)


@rule
def f_root(h, width, a, rm):
    """The square root of a finite a > 0, digit by digit: 60 of them."""
    exponent = f_exponent(width, a)
    digits = f_significand(width, a) << (exponent & 1)
    remainder = 0
    root = 0
    while root < LEADING >> 3:
        remainder = (remainder << 2) | (digits >> 62)
        digits = digits << 2
        trial = (root << 2) | 1
        digit = word(remainder >= trial)
        remainder = remainder - trial * digit
        root = (root << 1) | digit
    return f_round(h, width, 0, (exponent + ORIGIN) >> 1, root << 3, word(remainder != 0), rm)


@rule
def f_sqrt(h, width, a, rm):
    """The square root of a; that of -0 is -0."""
    if f_magnitude(width, a) == 0 or a == f_infinity(width):
        return a
    if f_is_nan(width, a) == 1:
        return f_nan(h, width, f_is_signaling(width, a))
    if f_sign(width, a) == 1:
        return f_nan(h, width, 1)
    return f_root(h, width, a, rm)


# Minimum and maximum (21.6), comparison (21.8) and classification (21.9).

@rule
def f_extreme(h, width, a, b, largest):
    """The smaller or larger of two: "if only one operand is a NaN, the result is the non-NaN operand" (21.6)."""
    nan = f_nan(h, width, f_is_signaling(width, a) | f_is_signaling(width, b))
    if f_is_nan(width, a) == 1:
        return nan if f_is_nan(width, b) == 1 else b
    if f_is_nan(width, b) == 1:
        return a
    return b if word(f_rank(width, a) < f_rank(width, b)) == largest else a


@rule
def f_min(h, width, a, b):
    """minimumNumber of IEEE 754-2019, where -0 < +0."""
    return f_extreme(h, width, a, b, 0)


@rule
def f_max(h, width, a, b):
    """maximumNumber of IEEE 754-2019, where -0 < +0."""
    return f_extreme(h, width, a, b, 1)


@rule
def f_unordered(h, width, a, b, signaling):
    """1 if a or b is a NaN, which is invalid if the NaN or the comparison is signaling."""
    nan = f_is_nan(width, a) | f_is_nan(width, b)
    invalid = (nan & signaling) | f_is_signaling(width, a) | f_is_signaling(width, b)
    h.fflags = h.fflags | (NV if invalid == 1 else 0)
    return nan


@rule
def f_equal(width, a, b):
    """1 if two that are no NaNs are equal, as zeros of either sign are."""
    return word(a == b or f_magnitude(width, a | b) == 0)


@rule
def f_eq(h, width, a, b):
    """a == b, a quiet comparison."""
    return 0 if f_unordered(h, width, a, b, 0) == 1 else f_equal(width, a, b)


@rule
def f_less(h, width, a, b, or_equal, signaling):
    """a < b, or with `or_equal` 1 a <= b; a quiet NaN accrues NV where the comparison is signaling."""
    if f_unordered(h, width, a, b, signaling) == 1:
        return 0
    return or_equal if f_equal(width, a, b) == 1 else word(f_rank(width, a) < f_rank(width, b))


@rule
def f_lt(h, width, a, b):
    """a < b, a signaling comparison."""
    return f_less(h, width, a, b, 0, 1)


@rule
def f_le(h, width, a, b):
    """a <= b, a signaling comparison."""
    return f_less(h, width, a, b, 1, 1)


@rule
def f_integer_limit(bits, signed, sign):
    """The largest magnitude among the integers of a format and a sign."""
    top = 1 << (bits - 1)
    if signed == 1:
        return top - 1 + sign
    return 0 if sign == 1 else (top << 1) - 1


@rule
def f_to_int(h, width, a, bits, signed, rm):
    """a as an integer: what lies outside its range is invalid and gives its end, a NaN the upper end."""
    x = f_magnitude(width, a)
    sign = f_sign(width, a) & (f_is_nan(width, a) ^ 1)
    distance = ORIGIN + 63 - f_exponent(width, a)
    whole = f_shift_high(f_significand(width, a) << 1, distance)
    rest = f_shift_low(f_significand(width, a) << 1, 0, distance)
    whole = whole + f_away(rm, sign, whole & 1, rest)
    flags = NX if rest != 0 else 0
    if x >= f_infinity(width) or lt_s(distance, 0) or whole > f_integer_limit(bits, signed, sign):
        whole = f_integer_limit(bits, signed, sign)
        flags = NV
    h.fflags = h.fflags | flags
    value = f_negate_if(sign, whole)
    return sext32(value) if bits == 32 else value


@rule
def f_from_int(h, width, a, bits, signed, rm):
    """The low `bits` of a, an integer, as a number."""
    if bits == 32:
        a = sext32(a) if signed == 1 else zext32(a)
    sign = (a >> 63) & signed
    return f_round(h, width, sign, ORIGIN + 62, f_negate_if(sign, a), 0, rm)


@rule
def f_convert(h, to, width, a, rm):
    """The number a of a format `width`, in the format `to`."""
    x = f_magnitude(width, a)
    if x > f_infinity(width):
        return f_nan(h, to, f_is_signaling(width, a))
    sign = f_sign(width, a)
    if x == f_infinity(width):
        return (sign << (to - 1)) | f_infinity(to)
    return f_round(h, to, sign, f_exponent(width, a), f_significand(width, a), 0, rm)
