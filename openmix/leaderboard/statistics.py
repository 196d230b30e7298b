"""What few seeds allow to say: intervals, paired differences, tests and ranks.

Blocks are (column, seed) pairs. Arrays over blocks have shape ``(blocks, methods)`` with the blocks
of a column side by side; ``sizes`` has the number of blocks of each column.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from statistics import StatisticsError, correlation
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

CONFIDENCE = 0.95
EXACT, WORK = 20, 2**30
"""Sign-flip tests of up to this many pairs go through all patterns of signs, if that is not more
comparisons of two methods than ``WORK`` (45 methods at 20 pairs)."""

PATTERNS = 20_480
"""Random patterns of signs beyond that; the standard error of p = 0.05 is 0.0015."""


class Estimate(NamedTuple):
    """A mean, the half width of its interval (None for a single value) and the count behind it."""

    mean: float
    half: float | None
    n: int


class Spread(NamedTuple):
    """Means of several methods, ``(methods,)``, with standard errors and degrees of freedom."""

    mean: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    @property
    def half(self) -> np.ndarray:
        return stdtrit(self.freedom, (1 + CONFIDENCE) / 2) * self.error


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and t-interval of independent values, at least one.

    The interval is that of the mean with n - 1 degrees of freedom; one value has none.
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Estimate(mean, _quantile(n - 1) * (variance / n) ** 0.5, n)


@cache
def _quantile(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> Estimate | None:
    """Estimate of ``values - baseline`` over the seeds (the keys) that both have, if any.

    The same seed gives both the same initialisation and order of data, so that much of the noise
    cancels in the difference.
    """
    seeds = sorted(values.keys() & baseline.keys())
    return estimate([values[seed] - baseline[seed] for seed in seeds]) if seeds else None


def many_to_one(differences: Sequence[Sequence[float]]) -> np.ndarray:
    """Two-sided p that each list of paired differences to one and the same method has mean 0.

    t-tests with one variance for all lists, as Dunnett (1955) has it: two or three seeds tell too
    little of the variance of each. The lists share the noise of that one method, hence correlate by
    one half, which leaves the pooled variance fewer degrees of freedom (Satterthwaite 1946).
    """
    counts = np.array([len(values) for values in differences])
    means = np.array([np.mean(values) for values in differences])
    squares = sum(len(values) * np.var(values) for values in differences)
    freedom = (counts - 1).sum()
    if not freedom:
        return np.ones(len(means))
    errors = np.sqrt(squares / freedom / counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num(np.abs(means) / errors)  # no difference and no spread: 0 / 0
    return 2 * stdtr(freedom / (1 + (len(counts) - 1) / 4), -t)


def seed_correlation(values: Mapping[int, float], baseline: Mapping[int, float]) -> float | None:
    """Pearson's correlation over the seeds of both; None for fewer than three or constant ones."""
    seeds = sorted(values.keys() & baseline.keys())
    if len(seeds) < 3:
        return None
    try:
        return correlation([values[seed] for seed in seeds], [baseline[seed] for seed in seeds])
    except StatisticsError:  # one of them is constant
        return None


def stratified(blocks: np.ndarray, sizes: Sequence[int]) -> Spread | None:
    """Mean over columns of the means over seeds; None where a column has a single seed.

    The columns are those of the board, not a sample of others: only seeds vary. The degrees of
    freedom are those of Welch (1947) and Satterthwaite (1946).
    """
    if min(sizes) < 2:
        return None
    means = column_means(blocks, sizes)
    residuals = blocks - np.repeat(means, sizes, axis=0)
    less = np.array(sizes)[:, None] - 1
    variances = column_means(residuals**2, sizes) / less
    total = variances.sum(axis=0)
    with np.errstate(invalid="ignore"):
        freedom = total**2 / (variances**2 / less).sum(axis=0)
    error = np.sqrt(total) / len(sizes)
    return Spread(means.mean(axis=0), error, np.where(total > 0, freedom, np.inf))


def column_means(blocks: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Mean over the seeds of each column, ``(columns, methods)``."""
    return np.add.reduceat(blocks, _starts(sizes)) / np.array(sizes)[:, None]


def weights(sizes: Sequence[int]) -> np.ndarray:
    """Weight of each block in the mean over columns: every column weighs the same."""
    return np.repeat(1 / (len(sizes) * np.array(sizes)), sizes)


def sign_flip(blocks: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Two-sided p of no difference between each two methods, ``(methods, methods)``.

    Fisher's randomisation test: the mean difference over columns among those with signs flipped
    block by block. It asks only that a difference is as likely as its opposite. Exact up to
    ``EXACT`` blocks and ``WORK``; beyond that by ``PATTERNS`` fixed random patterns, with the
    observed one counted in (Phipson & Smyth 2010).
    """
    parts = ((blocks - blocks.mean(axis=1, keepdims=True)) * weights(sizes)[:, None]).T
    # Sums of the same numbers in another order may differ in the last bits.
    totals = parts.sum(axis=1)
    observed = np.abs(totals[:, None] - totals) - 1e-10 * np.abs(parts).sum()
    methods, count = parts.shape
    exact = count <= EXACT and 2 ** (count - 1) * methods**2 <= WORK
    hits, patterns = np.zeros_like(observed), 0
    for signs in _all_signs(count) if exact else _some_signs(count):
        sums = parts @ signs
        patterns += signs.shape[1]
        for one in range(len(sums) - 1):
            gaps = np.abs(sums[one + 1 :] - sums[one])
            hits[one, one + 1 :] += np.count_nonzero(gaps >= observed[one, one + 1 :, None], axis=1)
    hits += hits.T
    np.fill_diagonal(hits, patterns)
    return hits / patterns if exact else (hits + 1) / (patterns + 1)


def _all_signs(blocks: int, chunk: int = 4096) -> Iterator[np.ndarray]:
    """Patterns of signs, ``(blocks, at most chunk)``; the last sign stays: opposites are equal."""
    for start in range(0, 2 ** (blocks - 1), chunk):
        numbers = np.arange(start, min(start + chunk, 2 ** (blocks - 1)))
        yield 1.0 - 2 * (numbers >> np.arange(blocks)[:, None] & 1)


def _some_signs(blocks: int, chunk: int = 4096) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for _ in range(0, PATTERNS, chunk):
        yield 1.0 - 2 * random.integers(0, 2, (blocks, chunk))


def holm(p: ArrayLike) -> np.ndarray:
    """Adjust probabilities for their number, step by step (Holm 1979)."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def ranks(blocks: np.ndarray) -> np.ndarray:
    """Rank of each method in its block, ``(blocks, methods)``: 1 is the highest, ties share."""
    return pd.DataFrame(-blocks).rank(axis=1).to_numpy()


def interquartile_mean(values: np.ndarray) -> float:
    """Mean of the middle half: a quarter of the values, rounded down, is cut at either end."""
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def chances_of_top(spread: Spread, places: int, points: int = 200) -> np.ndarray:
    """Chance that the true mean of each method is the highest, among the two highest and so on.

    Returns ``(places, methods)``. True means are taken as t-distributed around the found ones,
    independently of each other, and integrated over ``points`` quantiles. Methods without
    spread and of one mean share the places.
    """
    quantiles = (np.arange(points) + 0.5) / points
    tiny = 1e-9 * (1 + np.abs(spread.mean).max())
    error = np.maximum(spread.error, tiny)[:, None]
    freedom = np.minimum(spread.freedom, 1e9)[:, None]
    values = spread.mean[:, None] + error * stdtrit(freedom, quantiles)
    # better[k]: chance that k others are higher, for each method and each of its quantiles.
    better = np.zeros((places, *values.shape))
    better[0] = 1
    for other in range(len(values)):
        higher = stdtr(freedom[other], (spread.mean[other] - values) / error[other])
        higher[other] = 0
        better[1:] = better[1:] * (1 - higher) + better[:-1] * higher
        better[0] *= 1 - higher
    return better.mean(axis=2).cumsum(axis=0)


def binomial_error(accuracy: float, images: float) -> float:
    """Standard error, in points, of an accuracy in percent on a test set of that many images."""
    return float(np.sqrt(accuracy * (100 - accuracy) / images))


def _starts(sizes: Sequence[int]) -> np.ndarray:
    return np.cumsum([0, *sizes[:-1]])
