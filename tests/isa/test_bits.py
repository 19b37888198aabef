"""Bit manipulation and conditional operations: the bodies against definitions of their own, over Python's integers."""
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvhyp.isa.instruction import INSTRUCTIONS
from rvhyp.isa.word import Word, u64

MASK = (1 << 64) - 1
EXTENSIONS = {"Zba", "Zbb", "Zbb, Zbkb", "Zbkb", "Zbc", "Zbc, Zbkc", "Zbkx", "Zbs", "Zicond", "Zimop"}
NAMES = [name for name, record in INSTRUCTIONS.items() if record.extension.name in EXTENSIONS]


def signed(value, width=64):
    value &= (1 << width) - 1
    return value - (value >> width - 1 << width)


def low(value, width=32):
    return value & (1 << width) - 1


def bits(value, width=64):
    """Bits of a value, the lowest first."""
    return [value >> n & 1 for n in range(width)]


def number(ones):
    return sum(bit << n for n, bit in enumerate(ones))


def groups(value, width):
    """The value as numbers of `width` bits, the lowest first."""
    return [low(value >> n, width) for n in range(0, 64, width)]


def joined(parts, width):
    return sum(part << n * width for n, part in enumerate(parts))


def leading(ones):
    """How many zeros come first in a list of bits."""
    return ones.index(1) if 1 in ones else len(ones)


def product(a, b):
    """The carry-less product, term by term."""
    result = 0
    for n in range(64):
        result ^= (a << n) * (b >> n & 1)
    return result


def rotated(value, count, width):
    """To the right."""
    ones = bits(value, width)
    return number(ones[count % width:] + ones[:count % width])


def looked_up(table, indices, width):
    entries = dict(enumerate(groups(table, width)))
    return joined([entries.get(index, 0) for index in groups(indices, width)], width)


MEANING = {
    **{f"sh{n}add": lambda a, b, n=n: b + a * 2**n for n in (1, 2, 3)},
    **{f"sh{n}add.uw": lambda a, b, n=n: b + low(a) * 2**n for n in (1, 2, 3)},
    "add.uw": lambda a, b: low(a) + b,
    "slli.uw": lambda a, n: low(a) << n,
    "clz": lambda a: leading(bits(a)[::-1]), "clzw": lambda a: leading(bits(a, 32)[::-1]),
    "ctz": lambda a: leading(bits(a)), "ctzw": lambda a: leading(bits(a, 32)),
    "cpop": lambda a: sum(bits(a)), "cpopw": lambda a: sum(bits(a, 32)),
    "max": lambda a, b: max(signed(a), signed(b)), "maxu": max, "min": lambda a, b: min(signed(a), signed(b)), "minu": min,
    "sext.b": lambda a: signed(a, 8), "sext.h": lambda a: signed(a, 16), "zext.h": lambda a: low(a, 16),
    "orc.b": lambda a: joined([0xFF if byte else 0 for byte in groups(a, 8)], 8),
    "andn": lambda a, b: a & ~b, "orn": lambda a, b: a | ~b, "xnor": lambda a, b: ~(a ^ b),
    "rol": lambda a, n: rotated(a, -n, 64), "rolw": lambda a, n: signed(rotated(a, -n, 32), 32),
    "ror": lambda a, n: rotated(a, n, 64), "rorw": lambda a, n: signed(rotated(a, n, 32), 32),
    "rori": lambda a, n: rotated(a, n, 64), "roriw": lambda a, n: signed(rotated(a, n, 32), 32),
    "rev8": lambda a: int.from_bytes(a.to_bytes(8, "little"), "big"),
    "brev8": lambda a: joined([number(bits(byte, 8)[::-1]) for byte in groups(a, 8)], 8),
    "pack": lambda a, b: low(a) + (low(b) << 32), "packh": lambda a, b: low(a, 8) + (low(b, 8) << 8),
    "packw": lambda a, b: signed(low(a, 16) + (low(b, 16) << 16), 32),
    "clmul": product, "clmulh": lambda a, b: product(a, b) >> 64, "clmulr": lambda a, b: product(a, b) >> 63,
    "xperm8": lambda a, b: looked_up(a, b, 8), "xperm4": lambda a, b: looked_up(a, b, 4),
    **{f"bclr{i}": lambda a, n: number(bit * (at != n % 64) for at, bit in enumerate(bits(a))) for i in ("", "i")},
    **{f"bext{i}": lambda a, n: bits(a)[n % 64] for i in ("", "i")},
    **{f"binv{i}": lambda a, n: number(bit ^ (at == n % 64) for at, bit in enumerate(bits(a))) for i in ("", "i")},
    **{f"bset{i}": lambda a, n: number(bit | (at == n % 64) for at, bit in enumerate(bits(a))) for i in ("", "i")},
    "czero.eqz": lambda a, b: a if b else 0, "czero.nez": lambda a, b: 0 if b else a,
    **{f"mop.r.{n}": lambda: 0 for n in range(32)}, **{f"mop.rr.{n}": lambda: 0 for n in range(8)},
}

words = st.one_of(st.integers(0, MASK), st.sampled_from((0, 1, MASK, 1 << 63, 1 << 31, 0xFFFF_FFFF)), st.integers(0, 63),
                  st.integers(0, MASK).map(lambda n: n & n >> 7 & n >> 3), st.integers(0, 63).map(lambda n: 1 << n))


def test_every_instruction_has_a_meaning():
    assert set(NAMES) == MEANING.keys() and len(NAMES) > 90


@pytest.mark.parametrize("name", NAMES)
def test_bodies_do_what_they_mean(name):
    record = INSTRUCTIONS[name]
    operands = {parameter: st.integers(0, record.fields["shamt"].bounds[1]) if parameter == "shamt" else words
                for parameter in record.parameters}

    @settings(max_examples=200 if operands else 1, derandomize=True, deadline=None, database=None)
    @given(st.fixed_dictionaries(operands))
    def holds(values):
        arguments = [values[parameter] for parameter in record.parameters]
        result = record.body(*map(u64, arguments))
        assert type(result) is Word and result == MEANING[name](*arguments) & MASK, list(map(hex, arguments))
    holds()
