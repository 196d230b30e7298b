"""What one row of a board comes to over all columns."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from openmix.leaderboard import statistics
from openmix.leaderboard.statistics import Estimate

LEVEL = 1 - statistics.CONFIDENCE


class Standing(NamedTuple):
    """The place of a row among the complete ones.

    ``rank`` is by the mean over columns, 1 is best, and its ends are what the methods that can be
    told from this one leave open. ``mean_rank`` is the mean over (column, seed) blocks. ``p_top1``
    and ``p_top3`` are the chances of the best and the three best mean with seeds without end.
    ``top`` marks the rows that no other is better than.
    """

    rank: float
    rank_low: int
    rank_high: int
    mean_rank: float
    p_top1: float
    p_top3: float
    top: bool


@dataclass(frozen=True)
class Aggregate:
    """A row over all columns of its board; incomplete rows have none.

    ``delta`` is the mean over columns of the paired difference to the baseline, in the units of the
    metric, ``n`` the pairs behind it. ``p`` is its two-sided sign-flip probability, ``p_holm`` the
    same adjusted for all methods. ``verdict`` is better, worse, not separable, too few runs (no
    values could make a difference) or baseline, empty without a baseline. ``iqm`` is the
    interquartile mean of the differences, a description without an interval. ``optimism`` is what
    choosing the best epoch on the test set would add, in points of top-1. ``standing`` is None
    where the runs bear none, see :func:`aggregate`.
    """

    delta: Estimate | None
    p: float | None
    p_holm: float | None
    verdict: str
    iqm: Estimate | None
    optimism: float | None
    standing: Standing | None

    @property
    def top(self) -> bool:
        return self.standing is not None and self.standing.top


@dataclass(frozen=True)
class Comparison:
    """Every method against every other, ``(methods, methods)``; ``mean`` is row minus column.

    ``half`` is None where a column has a single seed.
    """

    mean: np.ndarray
    half: np.ndarray | None
    p: np.ndarray

    @classmethod
    def of(cls, blocks: np.ndarray, sizes: Sequence[int]) -> "Comparison":
        """Compare the methods of ``(blocks, methods)``, paired by block."""
        means = statistics.weights(sizes) @ blocks
        half = None
        if min(sizes) > 1:
            pairs = [statistics.stratified(one[:, None] - blocks, sizes) for one in blocks.T]
            half = np.array([pair.half for pair in pairs])
        return cls(means[:, None] - means, half, statistics.sign_flip(blocks, sizes))

    def adjusted(self, method: int) -> np.ndarray:
        """Holm's p of one method against the others, ``(methods,)``; 1 against itself."""
        others = np.arange(len(self.p)) != method
        adjusted = np.ones(len(self.p))
        adjusted[others] = statistics.holm(self.p[method, others])
        return adjusted

    def separated(self, method: int) -> np.ndarray:
        """Which methods can be told from one: its interval leaves out 0 and Holm's p is below 5 %.

        A test of a few pairs alone would never say so, an interval alone too often.
        """
        if self.half is None:
            return np.zeros(len(self.p), dtype=bool)
        return (np.abs(self.mean[method]) > self.half[method]) & (self.adjusted(method) < LEVEL)


def aggregate(
    blocks: np.ndarray,
    sizes: Sequence[int],
    baseline: int | None,
    optimism: Sequence[float | None],
    sign: int = 1,
) -> list[Aggregate]:
    """Aggregate complete rows; ``blocks`` is ``(blocks, rows)``, see ``statistics`` for ``sizes``.

    ``sign`` is 1 where higher is better, else -1. A single row has no standing, and neither has any
    where a column has a single seed.
    """
    gains = sign * blocks
    pairs = Comparison.of(gains, sizes)
    standings = _standings(gains, sizes, pairs) or [None] * blocks.shape[1]
    compared = {} if baseline is None else _compared(blocks, sizes, baseline, sign, pairs)
    rows = []
    for row in range(blocks.shape[1]):
        delta, p, p_holm, verdict, iqm = compared.get(row, (None, None, None, "", None))
        rows.append(
            Aggregate(
                delta=delta,
                p=p,
                p_holm=p_holm,
                verdict="baseline" if row == baseline else verdict,
                iqm=iqm,
                optimism=optimism[row],
                standing=standings[row],
            )
        )
    return rows


def _standings(gains: np.ndarray, sizes: Sequence[int], pairs: Comparison) -> list[Standing]:
    """The place of each row; none where there is but one, or a column with a single seed."""
    spread = statistics.stratified(gains, sizes)
    if spread is None or gains.shape[1] < 2:
        return []
    chances = statistics.chances_of_top(spread, 3)
    places = statistics.ranks((statistics.weights(sizes) @ gains).round(9)[None])[0]
    mean_ranks = statistics.weights(sizes) @ statistics.ranks(gains)
    found = []
    for row in range(gains.shape[1]):
        apart = pairs.separated(row)
        low = 1 + int((apart & (pairs.mean[row] < 0)).sum())
        high = len(apart) - int((apart & (pairs.mean[row] > 0)).sum())
        rank, mean_rank = float(places[row]), float(mean_ranks[row])
        best, among = float(chances[0, row]), float(chances[2, row])
        found.append(Standing(rank, low, high, mean_rank, best, among, low == 1))
    return found


def _compared(
    blocks: np.ndarray, sizes: Sequence[int], baseline: int, sign: int, pairs: Comparison
) -> dict[int, tuple[Estimate, float, float, str, Estimate]]:
    """Difference to the baseline, p, Holm's p, verdict and interquartile mean of the other rows."""
    differences = blocks - blocks[:, [baseline]]
    adjusted, apart = pairs.adjusted(baseline), pairs.separated(baseline)
    enough = len(blocks) >= pairs_needed(blocks.shape[1] - 1)
    undecided = "not separable" if enough else "too few runs"
    found = {}
    for row in set(range(blocks.shape[1])) - {baseline}:
        mean = float(sign * pairs.mean[row, baseline])
        half = None if pairs.half is None else float(pairs.half[row, baseline])
        delta = Estimate(mean, half, len(blocks))
        verdict = ("better" if sign * mean > 0 else "worse") if apart[row] else undecided
        iqm = Estimate(statistics.interquartile_mean(differences[:, row]), None, len(blocks))
        p, p_holm = float(pairs.p[row, baseline]), float(adjusted[row])
        found[row] = (delta, p, p_holm, verdict, iqm)
    return found


def pairs_needed(comparisons: int) -> int:
    """Pairs without which the sign-flip test, adjusted for so many comparisons, cannot pass."""
    return next(n for n in itertools.count(1) if 2 ** (1 - n) * comparisons < LEVEL)


def profiles(
    blocks: np.ndarray, baseline: int, sign: int = 1, points: int = 60
) -> list[list[tuple[float, float]]]:
    """For each row (tau, share of blocks whose difference to the baseline is as good as tau).

    The run-score distribution of Agarwal et al. (2021), of differences, since values of different
    columns have no common scale. A description, not a test.
    """
    differences = blocks - blocks[:, [baseline]]
    taus = np.linspace(differences.min(), differences.max(), points)
    shares = (sign * (differences - taus[:, None, None]) >= -1e-9).mean(axis=1)
    return [list(zip(taus.tolist(), share.tolist(), strict=True)) for share in shares.T]
