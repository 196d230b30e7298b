"""Seeds and shuffles as pure functions of integers, equal on every machine and library version."""

import numpy as np

_MASK = 0xFFFFFFFFFFFFFFFF
_GAMMA = 0x9E3779B97F4A7C15
_MIX1 = 0xBF58476D1CE4E5B9
_MIX2 = 0x94D049BB133111EB


def derive(*parts: int) -> int:
    """A 63-bit seed from integers; order and number of the parts matter.

    Each part is added to the state, which then takes one SplitMix64 step
    (Steele, Lea, Flood 2014). Negative parts count as their two's complement in 64 bits.
    """
    z = len(parts)
    for part in parts:
        z = (z + part + _GAMMA) & _MASK
        z = ((z ^ (z >> 30)) * _MIX1) & _MASK
        z = ((z ^ (z >> 27)) * _MIX2) & _MASK
        z ^= z >> 31
    return z >> 1


def hashes(n: int, *parts: int) -> np.ndarray:
    """The first n numbers of the SplitMix64 stream that starts at `derive(*parts)`: (n,) uint64."""
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_GAMMA) + np.uint64(derive(*parts))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX2)
    return z ^ (z >> np.uint64(31))


def uniform(n: int, *parts: int) -> np.ndarray:
    """n numbers in [0, 1) from the stream of `parts`: (n,) float64."""
    return (hashes(n, *parts) >> np.uint64(11)) * 2.0**-53


def permutation(n: int, *parts: int) -> np.ndarray:
    """A random order of 0..n-1 from the stream of `parts`: (n,) int64."""
    return np.argsort(hashes(n, *parts), kind="stable")
