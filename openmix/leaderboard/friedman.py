"""The critical-difference diagram, and why there is none where it could tell nothing apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openmix.leaderboard.statistics import ranks as rank

LEAST = 5
"""Data sets below which the Friedman test is not made."""


@dataclass(frozen=True)
class Friedman:
    """Friedman test over data sets with Nemenyi's critical difference (Demšar 2006).

    ``ranks`` are mean ranks by row label, best first; ``groups`` the sets of two rows or more, best
    first, that no critical difference parts.
    """

    p: float
    critical_difference: float
    ranks: dict[str, float]
    groups: list[list[str]]


def friedman(means: np.ndarray, datasets: Sequence[str], labels: Sequence[str]) -> Friedman | str:
    """Rank rows over data sets, or say in one line why that is withheld.

    ``means`` is ``(columns, rows)``, higher is better; columns of one data set are one block, as
    they are not independent of each other.
    """
    names = sorted(set(datasets))
    k, n = len(labels), len(names)
    if k < 3:
        return "withheld: it compares three or more complete methods"
    if n < LEAST:
        plural = "s" * (n != 1)
        return f"withheld: {n} data set{plural}, and below {LEAST} it can separate hardly anything"
    difference = critical_difference(k, n)
    if difference >= (k - 1) / 2:
        widest = f"half of the widest gap of ranks, {k - 1}"
        return f"withheld: the critical difference {difference:.1f} is not below {widest}"
    by_column, names_of = rank(means), np.array(datasets)
    blocks = np.array([by_column[names_of == name].mean(axis=0) for name in names])
    from scipy.stats import friedmanchisquare  # half a second to import, and seldom needed

    p = float(friedmanchisquare(*blocks.T).pvalue)
    if not p < 0.05:
        return f"withheld: the Friedman test finds no difference (p = {p:.2f})"
    ranks = dict(
        sorted(
            zip(labels, rank(-blocks).mean(axis=0).tolist(), strict=True),
            key=lambda item: (item[1], item[0]),
        )
    )
    return Friedman(p, difference, ranks, _groups(ranks, difference))


def critical_difference(rows: int, datasets: int) -> float:
    """Nemenyi's difference of mean ranks at 5 %."""
    from scipy.stats import studentized_range

    quantile = studentized_range.ppf(0.95, rows, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(rows * (rows + 1) / (6 * datasets)))


def _groups(ranks: dict[str, float], difference: float) -> list[list[str]]:
    groups: list[list[str]] = []
    for start in ranks.values():
        group = [name for name, rank in ranks.items() if start <= rank <= start + difference]
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups
