"""Statistics against scipy and slow references."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from openmix.leaderboard import statistics
from openmix.leaderboard.cell import tops
from openmix.leaderboard.statistics import Estimate, Spread, estimate, paired

accuracy = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)
probability = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


def draw(blocks, methods, seed=0):
    return np.random.default_rng(seed).normal(78, 0.25, (blocks, methods))


def by_seed(values):
    return dict(enumerate(values))


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
    found = paired(by_seed(values), by_seed(base))
    interval = stats.ttest_rel(values, base).confidence_interval(0.95)
    assert found.mean == pytest.approx((interval.low + interval.high) / 2, abs=1e-9)
    assert found.half == pytest.approx((interval.high - interval.low) / 2)


def test_only_seeds_of_both_are_paired():
    values, baseline = {2: 10.0, 0: 20.0, 5: 40.0}, {0: 1.0, 1: 2.0, 2: 3.0}
    found = paired(values, baseline)
    assert (found.mean, found.n) == ((19.0 + 7.0) / 2, 2)
    assert paired(values, {7: 1.0}) is None
    assert paired(values, {0: 1.0}) == Estimate(19.0, None, 1)


def test_correlation_is_pearsons_where_there_is_one():
    values, other = draw(6, 2).T
    found = statistics.seed_correlation(by_seed(values), by_seed(other))
    assert found == pytest.approx(stats.pearsonr(values, other).statistic)
    assert statistics.seed_correlation(by_seed(values[:2]), by_seed(other)) is None
    assert statistics.seed_correlation(by_seed(values), by_seed([70.0] * 6)) is None


def test_one_column_is_a_plain_t_interval_and_two_are_welchs():
    one, two = draw(4, 3, 1), draw(3, 3, 2)
    alone = statistics.stratified(one, [4])
    assert alone.half == pytest.approx([estimate(column).half for column in one.T])
    # The mean of a and -b is half of Welch's two-sample difference.
    both = statistics.stratified(np.concatenate([one, -two]), [4, 3])
    for method in range(3):
        welch = stats.ttest_ind(one[:, method], two[:, method], equal_var=False)
        interval = welch.confidence_interval(0.95)
        assert both.half[method] == pytest.approx((interval.high - interval.low) / 4)
        assert both.mean[method] == pytest.approx((interval.high + interval.low) / 4)


def test_columns_weigh_the_same_and_a_single_seed_leaves_no_interval():
    blocks = np.array([[1.0], [3.0], [10.0]])
    assert statistics.weights([2, 1]) @ blocks == pytest.approx([6.0])
    assert statistics.stratified(blocks, [2, 1]) is None
    assert statistics.column_means(blocks, [2, 1]).tolist() == [[2.0], [10.0]]
    assert statistics.stratified(np.ones((4, 1)), [2, 2]).half.tolist() == [0.0]


@pytest.mark.parametrize("sizes", [[3], [5], [3, 3, 3], [2, 4]])
def test_the_sign_flip_test_is_scipys(sizes):
    blocks = draw(sum(sizes), 3) + np.array([0.0, 0.2, 0.4])
    p = statistics.sign_flip(blocks, sizes)
    weights = statistics.weights(sizes)
    for one, other in itertools.permutations(range(3), 2):
        parts = (blocks[:, one] - blocks[:, other]) * weights
        oracle = stats.permutation_test(
            (parts,), np.sum, permutation_type="samples", n_resamples=np.inf
        )
        assert p[one, other] == pytest.approx(oracle.pvalue)
    assert np.diag(p).tolist() == [1.0] * 3


def test_the_sign_flip_test_counts_ties_and_has_a_least_value():
    assert statistics.sign_flip(np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]), [3])[0, 1] == 0.25
    assert statistics.sign_flip(np.array([[70.1, 70.1]] * 4), [4])[0, 1] == 1.0


def test_many_pairs_are_tested_by_random_patterns_close_to_the_exact_ones(monkeypatch):
    blocks = draw(14, 3) + np.array([0.0, 0.1, 0.2])
    exact = statistics.sign_flip(blocks, [14])
    monkeypatch.setattr(statistics, "EXACT", 13)
    assert statistics.sign_flip(blocks, [14]) == pytest.approx(exact, abs=0.01)
    monkeypatch.setattr(statistics, "EXACT", 20)
    monkeypatch.setattr(statistics, "WORK", 1)
    sampled = statistics.sign_flip(blocks, [14])
    assert sampled == pytest.approx(exact, abs=0.01)
    clear = draw(25, 2) + np.array([0, 9])  # no random pattern reaches it, the observed one counts
    assert statistics.sign_flip(clear, [25])[0, 1] == 1 / (statistics.PATTERNS + 1)


@settings(max_examples=50)
@given(st.lists(probability, min_size=1, max_size=6))
def test_holm_is_the_closed_bonferroni_test(p):
    members = range(len(p))
    subsets = [s for n in members for s in itertools.combinations(members, n + 1)]
    closed = [
        max(min(1, len(s) * min(p[j] for j in s)) for s in subsets if i in s) for i in members
    ]
    assert statistics.holm(p) == pytest.approx(closed)


def test_two_lists_are_told_apart_as_by_a_paired_t_test_and_more_share_a_variance():
    values = draw(4, 2)
    gaps = values[:, 0] - values[:, 1]
    p = statistics.many_to_one([gaps.tolist()])
    assert p == pytest.approx([stats.ttest_1samp(gaps, 0).pvalue])
    lists = [[0.1, 0.3], [0.5, 0.9, 1.0]]
    squares = sum(((np.array(v) - np.mean(v)) ** 2).sum() for v in lists)
    t = 0.2 / (squares / 3 / 2) ** 0.5
    assert statistics.many_to_one(lists)[0] == pytest.approx(2 * stats.t.sf(t, 3 / 1.25))
    assert statistics.many_to_one([[0.0, 0.0], [0.5, 0.5]]).tolist() == [1.0, 0.0]


def test_ranks_and_interquartile_mean_are_scipys():
    blocks = draw(5, 4).round(1)
    assert statistics.ranks(blocks) == pytest.approx(stats.rankdata(-blocks, axis=1))
    for n in range(1, 12):
        values = draw(n, 1)[:, 0]
        found = statistics.interquartile_mean(values)
        assert found == pytest.approx(stats.trim_mean(values, 0.25))


def test_chances_of_the_top_are_those_of_a_simulation():
    spread = Spread(np.array([1.0, 0.9, 0.5, 0.4]), np.array([0.2, 0.1, 0.3, 0.1]), np.full(4, 4.0))
    found = statistics.chances_of_top(spread, 3)
    random = np.random.default_rng(0)
    draws = spread.mean + spread.error * random.standard_t(4, (50_000, 4))
    places = (-draws).argsort(axis=1).argsort(axis=1)
    for place in range(3):
        assert found[place] == pytest.approx((places <= place).mean(axis=0), abs=0.01)
    assert found.sum(axis=1) == pytest.approx([1, 2, 3], abs=0.01)


def test_the_floor_is_the_binomial_standard_error():
    assert statistics.binomial_error(80.0, 10_000) == pytest.approx(100 * (0.8 * 0.2 / 1e4) ** 0.5)


@pytest.mark.parametrize("seeds", [3, 5])
def test_printed_intervals_cover_what_they_say(seeds):
    samples = [estimate(values) for values in draw(4000, seeds) - 78]
    covered = np.mean([abs(sample.mean) <= sample.half for sample in samples])
    assert 0.94 <= covered <= 0.96
    for columns in (3, 6):
        spread = statistics.stratified(draw(columns * seeds, 4000) - 78, [seeds] * columns)
        assert 0.93 <= np.mean(np.abs(spread.mean) <= spread.half) <= 0.97


@pytest.mark.parametrize("seeds", [3, 5])
def test_equal_cells_seldom_leave_one_alone_in_bold(seeds):
    for methods in (2, 10):
        boards = [tops(list(map(by_seed, draw(seeds, methods, i).T)), 1) for i in range(600)]
        assert np.mean([sum(board) == 1 for board in boards]) <= 0.07
        assert np.mean([board[0] for board in boards]) >= 0.93


def test_the_best_cell_is_in_bold_and_one_seed_never():
    good, bad = {0: 80.0, 1: 80.2, 2: 80.1}, {0: 70.0, 1: 70.1, 2: 70.3}
    assert tops([bad, good, {0: 99.0}, {}], 1) == [False, True, False, False]
    assert tops([bad, good, {0: 60.0, 1: 60.1}], -1) == [False, False, True]
    assert tops([bad, {7: 75.0, 8: 75.1}], 1) == [True, True]  # no seed in common tells nothing
    assert tops([{0: 70.0}], 1) == tops([good], 1) == [False]  # nothing to tell it from
    assert tops([good, {0: 70.0}], 1) == [False, False]
