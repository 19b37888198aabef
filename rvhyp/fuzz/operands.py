"""Values that matter as operands: corners of integers and of the floating-point formats, addresses near borders."""
from __future__ import annotations

import struct

_EDGES = (0, 1, 2, 3, 7, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
          0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x5555_5555_5555_5555)
INTEGERS = tuple(sorted({sign * edge % (1 << 64) for edge in _EDGES for sign in (1, -1)} | {1 << 63, (1 << 63) - 1}))


def _bits(layout: str, unsigned: str, numbers) -> list[int]:
    return [struct.unpack(unsigned, struct.pack(layout, number))[0] for number in numbers]


def _boxed(width: int, bits: list[int], unboxed: tuple[int, ...]) -> tuple[int, ...]:
    """Both signs of each, NaN-boxed; and some that are not boxed properly."""
    ones = (1 << 64) - (1 << width)
    return (*(ones | b for b in (*bits, *(b | 1 << width - 1 for b in bits))), *unboxed)


_DOUBLES = [*_bits("<d", "<Q", (
    0.0, 1.0, 1.5, 3.0, 0.1, 2.0**-1022, 2.0**-1074, 2.0**-1023, 1.7976931348623157e308, float("inf"), 2.0**31, 2.0**32, 2.0**63,
    2.0**64, 2.0**63 - 1024, 2.0**31 - 1, 2.0**31 - 0.5, 0.5, 0.75, 2.5, 2.0**53 + 2, 2.0**-149, 2.0**-150, 2.0**-126,
    3.4028234663852886e38, 3.4028235677973366e38, 1 + 2.0**-52, 1 + 2.0**-24, 1e300, 1e-300, 65504.0, 65520.0, 2.0**-24)),
    0x7FF8 << 48, 0x7FF0_0000_0000_0001, 0x7FFF_FFFF_FFFF_FFFF]
_SINGLES = [0, 1, 0x7F_FFFF, 0x80_0000, 0x80_0001, 0x3F80_0000, 0x3FC0_0000, 0x3DCC_CCCD, 0x4B00_0000, 0x4B7F_FFFF, 0x4EFF_FFFF,
            0x4F00_0000, 0x4F80_0000, 0x5F00_0000, 0x5EFF_FFFF, 0x5F80_0000, 0x7F7F_FFFF, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001,
            0x3F00_0000, 0x3F7F_FFFF, 0x3F80_0001, 0x477F_E000, 0x477F_F000, 0x3380_0000]
_HALVES = [0, 1, 0x3FF, 0x400, 0x401, 0x3C00, 0x3E00, 0x2E66, 0x6400, 0x67FF, 0x7800, 0x7BFF, 0x7C00, 0x7E00, 0x7C01, 0x3800,
           0x3BFF, 0x3C01, 0x4100, 0x5BFF]
FLOATS = {64: _boxed(64, _DOUBLES, ()),
          32: _boxed(32, _SINGLES, (0x3F80_0000, 0xFFFF_FFFE_3F80_0000)),
          16: _boxed(16, _HALVES, (0x3C00, 0xFFFF_FFFF_FFFE_3C00))}


def corner_values(low: int, high: int, step: int) -> list[int]:
    """Values of an immediate that matter: the ends, zero and its neighbours, single bits."""
    near = {low, low + step, high - step, high, 0, step, -step, *(1 << n for n in range(12)), *(-(1 << n) for n in range(12))}
    return sorted(value for value in near if low <= value <= high and value % step == 0)
