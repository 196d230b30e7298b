"""Estimates from few seeds: means, t-intervals and paired differences."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean, the half width of its interval (None for a single value) and the count behind it."""

    mean: float
    half: float | None
    n: int


def estimate(values: ArrayLike) -> Estimate:
    """Mean and t-interval of independent values, at least one.

    The interval is that of the mean with n - 1 degrees of freedom; one value has none.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    if n == 1:
        return Estimate(float(values[0]), None, 1)
    quantile = stdtrit(n - 1, (1 + CONFIDENCE) / 2)
    return Estimate(float(values.mean()), float(quantile * values.std(ddof=1) / n**0.5), n)


def paired(values: pd.Series, baseline: pd.Series) -> Estimate | None:
    """Estimate of ``values - baseline`` over the seeds (the index) that both have, if any.

    The same seed gives both the same initialisation and order of data, so that much of the noise
    cancels in the difference.
    """
    differences = (values - baseline).dropna().sort_index()
    return estimate(differences) if len(differences) else None
