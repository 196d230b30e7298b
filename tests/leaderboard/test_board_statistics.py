"""Estimates against scipy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from openmix.leaderboard.statistics import Estimate, estimate, paired

accuracy = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)


@given(st.lists(accuracy, min_size=2, max_size=12))
def test_the_interval_is_scipys(values):
    assume(len(set(values)) > 1)
    found = estimate(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert found.mean == pytest.approx((low + high) / 2)
    assert found.half == pytest.approx((high - low) / 2)
    assert found.n == len(values)


def test_one_value_has_no_interval_and_equal_ones_an_empty_one():
    assert estimate([71.5]) == Estimate(71.5, None, 1)
    assert estimate([71.5, 71.5]) == Estimate(71.5, 0.0, 2)


@given(st.lists(st.tuples(accuracy, accuracy), min_size=2, max_size=12))
def test_the_paired_interval_is_scipys(pairs):
    values, base = zip(*pairs, strict=True)
    assume(np.ptp(np.subtract(values, base)) > 0.005)
    found = paired(pd.Series(values), pd.Series(base))
    interval = stats.ttest_rel(values, base).confidence_interval(0.95)
    assert found.mean == pytest.approx((interval.low + interval.high) / 2, abs=1e-9)
    assert found.half == pytest.approx((interval.high - interval.low) / 2)


def test_only_seeds_of_both_are_paired():
    values = pd.Series([10.0, 20.0, 40.0], [2, 0, 5])
    baseline = pd.Series([1.0, 2.0, 3.0], [0, 1, 2])
    found = paired(values, baseline)
    assert (found.mean, found.n) == ((19.0 + 7.0) / 2, 2)
    assert paired(values, pd.Series([1.0], [7])) is None
    assert paired(values, pd.Series([1.0], [0])) == Estimate(19.0, None, 1)


def test_printed_intervals_cover_what_they_say():
    rng = np.random.default_rng(0)
    samples = [estimate(rng.normal(size=3)) for _ in range(4000)]
    covered = np.mean([abs(sample.mean) <= sample.half for sample in samples])
    assert 0.94 <= covered <= 0.96
