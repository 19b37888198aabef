"""Random words from a seed, a program's number and a place in it: the same wherever, and in whatever order, they are made.

SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), over arrays.
"""
from __future__ import annotations

import numpy as np

GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_A, _B = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)
MASK64 = (1 << 64) - 1


def mixed(words: np.ndarray) -> np.ndarray:
    """SplitMix64's output function."""
    z = words.astype(np.uint64)
    z ^= z >> np.uint64(30)
    z *= _A
    z ^= z >> np.uint64(27)
    z *= _B
    z ^= z >> np.uint64(31)
    return z


def streams(seed: int, numbers: np.ndarray) -> np.ndarray:
    """A start for each program of a campaign."""
    start = mixed(np.array([seed & MASK64], np.uint64) + GOLDEN)
    return mixed(mixed(numbers.astype(np.uint64) + GOLDEN) ^ start)


def words(starts: np.ndarray, first: int, count: int) -> np.ndarray:
    """Words `first` to `first + count - 1` of each stream: a row for each."""
    places = np.arange(first + 1, first + count + 1, dtype=np.uint64) * GOLDEN
    return mixed(starts[:, None] + places[None, :])
