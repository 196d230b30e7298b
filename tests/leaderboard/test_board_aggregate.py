"""Rows over all columns: verdicts, ranks, what is complete, and what is claimed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from openmix.leaderboard.aggregate import Comparison, aggregate, profiles
from openmix.leaderboard.board import build
from openmix.leaderboard.friedman import Friedman, critical_difference, friedman
from openmix.leaderboard.load import load


def draw(columns, seeds, means, random):
    return np.array(means) + random.normal(0, 0.25, (columns * seeds, len(means)))


@pytest.fixture(scope="module")
def grid(make_run):
    """``grid({"none": [[70, 71], [60]], ...})``: top-1 by method, protocol and seed."""

    def make(values, **options):
        runs = [
            make_run(name, seed, top1, config={"epochs": 100 + c}, dataset=f"data{c}")
            for name, columns in values.items()
            for c, seeds in enumerate(columns)
            for seed, top1 in enumerate(seeds)
            if top1 is not None
        ]
        return build(load(runs), **options)

    return make


def ranked(board):
    named = zip(board.rows, board.aggregates, strict=True)
    return {row.mixup: total for row, total in named if total}


def far(start, gap=1.0, columns=3):
    """Three seeds a column, with a little noise that pairing does not remove."""
    random = np.random.default_rng(int(start))
    return [(start + gap * c + random.normal(0, 0.05, 3)).tolist() for c in range(columns)]


def test_a_clear_difference_is_better_and_its_opposite_worse(grid):
    board = grid({"none": far(70), "good": far(75), "bad": far(65)})
    rows = ranked(board)
    assert [row.mixup for row in board.rows] == ["good", "none", "bad"]
    assert {name: row.verdict for name, row in rows.items()} == {
        "good": "better",
        "none": "baseline",
        "bad": "worse",
    }
    assert [row.top for row in rows.values()] == [True, False, False]
    places = [row.standing for row in rows.values()]
    assert [(it.rank, it.rank_low, it.rank_high) for it in places] == [
        (1, 1, 1),
        (2, 2, 2),
        (3, 3, 3),
    ]
    assert rows["good"].p == pytest.approx(2 / 2**9) and rows["good"].p_holm == 2 * rows["good"].p
    assert rows["good"].delta.mean == pytest.approx(5, abs=0.2) and rows["good"].delta.n == 9
    assert rows["none"].delta is rows["none"].p is rows["none"].iqm is None


def test_lower_is_better_where_the_metric_says_so(grid):
    values = {"none": far(70), "good": far(75), "bad": far(65)}
    rows = ranked(grid(values, metric="nll"))  # falls with top-1
    assert list(rows) == ["good", "none", "bad"]
    assert rows["good"].delta.mean < 0 and rows["good"].verdict == "better"
    assert (
        rows["bad"].verdict == "worse"
        and rows["good"].standing.rank == rows["good"].standing.mean_rank == 1
    )


def test_three_seeds_of_one_protocol_never_make_a_winner(grid):
    board = grid({"none": far(70, columns=1), "good": far(99, columns=1)})
    rows = ranked(board)
    assert rows["good"].delta.half < rows["good"].delta.mean and rows["good"].p == 0.25
    assert rows["good"].verdict == "too few runs" and rows["none"].top
    assert (rows["good"].standing.rank_low, rows["good"].standing.rank_high) == (1, 2)
    assert "a sign-flip test then needs 6" in board.statement[-1]
    assert "1 of 1 have the 95 % interval of Δ on the better side of 0" in board.statement[-1]


def test_an_interval_around_zero_is_no_difference_however_small_p_is():
    random = np.random.default_rng(0)
    blocks = np.zeros((18, 2))
    blocks[:, 1] = np.abs(random.normal(size=18)) * 10 ** random.uniform(-6, 0, 18)
    pairs = Comparison.of(blocks, [2] * 9)
    assert pairs.p[0, 1] < 0.001 and not pairs.separated(0).any()


def test_a_small_p_among_many_methods_is_no_difference():
    blocks = np.random.default_rng(0).normal(70, 0.1, (6, 6))
    blocks[:, 1] += 5
    rows = aggregate(blocks, [6], 0, [None] * 6)
    assert rows[1].p == pytest.approx(2 / 2**6) and rows[1].p_holm == 5 * rows[1].p
    assert rows[1].verdict == "too few runs"
    few = aggregate(blocks[:, :2], [6], 0, [None] * 2)
    assert few[1].p == few[1].p_holm and few[1].verdict == "better"


SINGLE = "With one seed in a protocol no method is ranked, and none is called best."


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_a_single_seed_a_column_has_no_interval_and_no_claim(grid, columns):
    board = grid({"none": [[70.0]] * columns, "good": [[80.0]] * columns})
    rows = ranked(board)
    assert list(rows) == ["good", "none"], "sorted all the same"
    assert rows["good"].delta == (pytest.approx(10), None, columns)
    assert rows["good"].verdict in ("too few runs", "not separable") and not rows["good"].top
    assert rows["good"].standing is rows["none"].standing is None and not board.ranked
    assert board.statement[1] == SINGLE and board.compared == (columns > 1)
    assert board.friedman.startswith("withheld") and bool(board.profile) == (columns > 1)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("name", ["none", "cutmix"])
def test_a_method_alone_has_no_rank_and_no_chance(grid, name, seeds):
    board = grid({name: [[70.0, 71.0, 72.0][:seeds]]})
    (total,) = board.aggregates
    assert total.standing is None and not total.top and not board.compared and not board.profile
    count = "1 run" if seeds == 1 else "3 runs"
    (said,) = board.statement
    assert said.startswith(f"{name} alone, {count} over 1 protocol: there is no other to compare")
    assert ("says nothing of how far others lie" in said) == (seeds == 1)


def test_a_rank_never_stands_beside_a_difference_to_a_baseline_that_is_not_ranked(grid):
    """A fourth seed makes methods complete that the baseline, which lacks it, beats."""
    values = {"a": [[70.0, 70.1, 70.2, 70.1]], "none": [[75.0, 75.1, 75.2, None]]}
    one = grid(values)
    assert one.complete == [True, False] and one.cells[0][0].delta.mean < -4 and not one.ranked
    assert one.statement == [
        "Of 2 methods only a has all 4 runs over 1 protocol, and none is ranked; all 2 that have a "
        "value share 3 runs of these."
    ]
    two = grid(values | {"b": [[60.0, 60.1, 60.2, 60.1]]})
    assert two.complete == [True, True, False] and not two.ranked and two.common.ranked
    assert any(s.endswith("compared to it, and none is ranked.") for s in two.statement)
    assert grid(values | {"b": [[60.0, 60.1, 60.2, 60.1]]}, baseline="b").ranked


def test_without_a_complete_baseline_nothing_is_compared(grid):
    values = {name: [seeds[:2] for seeds in far(71, columns=2)] for name in "ab"}
    values["none"] = [[70.0, None], [60.0, 61.0]]
    board = grid(values)
    assert [row.verdict for row in ranked(board).values()] == ["", ""]
    assert all(row.delta is None for row in ranked(board).values()) and board.profile == {}
    assert any("none is not complete" in sentence for sentence in board.statement)
    assert any("gone has no runs" in s for s in grid(values, baseline="gone").statement)


def test_a_row_that_lacks_a_seed_is_not_ranked_and_the_common_board_says_what_all_share(grid):
    lacking = [[76.0, 76.1, None], *far(76)[1:]]
    board = grid({"none": far(70), "a": far(75), "b": lacking, "c": [[99.0], [], []]})
    assert board.complete == [True, True, False, False]
    assert board.progress == [(9, 9), (9, 9), (8, 9), (1, 9)]
    assert [row.mixup for row in board.rows] == ["a", "none", "b", "c"]
    common = board.common
    assert common.complete == [True] * 4 and len(common.columns) == 1
    assert common.progress == [(1, 1)] * 4 and common.common is None
    assert common.rows[0].mixup == "c"
    assert [cell.value.mean for cell in common.cells[0]] == [99.0]


def test_rows_without_any_value_do_not_empty_the_common_board(grid, make_run):
    runs = [make_run(name, seed, 70.0) for name in ("none", "a") for seed in (0, 1)]
    failed = make_run("b", 0, status="failed", reason="killed")
    board = build(load([*runs[:-1], failed]))
    assert board.complete == [True, False, False]
    assert [row.mixup for row in board.common.rows] == ["a", "none"]
    assert board.common.progress == [(1, 1), (1, 1)]
    only = build(load([failed]))
    assert only.complete == [False] and only.common is None and only.friedman.startswith("withheld")
    assert only.statement == ["No run has a value."]
    assert only.cells[0][0].note == "killed" and not only.valueless


def test_a_complete_board_has_no_common_one(grid):
    assert grid({"none": far(70), "a": far(71)}).common is None


@st.composite
def presence(draw):
    """Which (method, column, seed) there is; the values are fixed by the place."""
    methods, columns, seeds = draw(st.tuples(*[st.integers(2, 4), *[st.integers(1, 3)] * 2]))
    places = [(m, c, s) for m in range(methods) for c in range(columns) for s in range(seeds)]
    gone = draw(st.sets(st.sampled_from(places), max_size=min(3, len(places) - 1)))
    return [place for place in places if place not in gone], draw(st.integers(0, 99))


@settings(max_examples=25, deadline=None)
@given(presence(), st.data())
def test_deleting_a_record_never_improves_its_method(make_run, found, data):
    """A method that loses a run leaves the ranking; the others stand as if it had never run.

    The one exception: a run that no other method has, which therefore is asked of no one any more.
    """
    places, number = found
    value = np.random.default_rng(number).integers(60, 70, (4, 3, 3)).astype(float)
    runs = {
        place: make_run(f"m{place[0]}", place[2], value[place], config={"epochs": 100 + place[1]})
        for place in places
    }
    lost = data.draw(st.sampled_from(places))
    if not any(place[1:] == lost[1:] and place[0] != lost[0] for place in places):
        return
    options = {"baseline": "m0"}
    before = ranked(build(load(runs.values()), **options))
    after = ranked(build(load(run for place, run in runs.items() if place != lost), **options))
    loser = f"m{lost[0]}"
    assert after.keys() == before.keys() - {loser}
    for name, row in after.items():
        if row.standing and before[name].standing:
            earlier = before[name].standing.rank
            assert earlier - 1 <= row.standing.rank <= earlier
    without = [run for place, run in runs.items() if place[0] != lost[0]]
    wanted = {place[1:] for place in places if place[0] != lost[0]}
    if wanted == {place[1:] for place in places} and loser in before and lost[0] > 0:
        assert after == ranked(build(load(without), **options))


def test_false_verdicts_are_as_rare_as_they_should_be():
    random, claims, alone = np.random.default_rng(0), [], []
    for _ in range(300):
        rows = aggregate(draw(3, 3, [70.0] * 5, random), [3] * 3, 0, [None] * 5)
        claims.append(any(row.verdict in ("better", "worse") for row in rows))
        alone.append(sum(row.top for row in rows) == 1)
    assert np.mean(claims) <= 0.08 and np.mean(alone) <= 0.08


def test_rank_intervals_hold_the_true_rank_and_are_not_all_wide():
    random, covered, widths = np.random.default_rng(0), [], []
    for _ in range(60):
        rows = aggregate(draw(4, 3, [71.2, 70.8, 70.4, 70.0], random), [3] * 4, 3, [None] * 4)
        places = [row.standing for row in rows]
        covered += [it.rank_low <= place <= it.rank_high for place, it in enumerate(places, 1)]
        widths += [it.rank_high - it.rank_low for it in places]
        assert all(it.rank_low <= it.rank <= it.rank_high for it in places)
    assert np.mean(covered) >= 0.93 and np.mean(widths) < 1.5


def test_optimism_is_the_gain_of_the_best_epoch_in_points(make_run):
    def run(name, seed, top1, gain):
        it = make_run(name, seed, top1)
        return it | {"metrics": it["metrics"] | {"best": {"top1": top1 + gain}}}

    board = build(load([run("none", 0, 70.0, 0.5), run("none", 1, 70.0, 1.5)]))
    assert board.cells[0][0].optimism == board.aggregates[0].optimism == pytest.approx(1.0)


def test_the_profile_is_the_share_of_pairs_as_good_as_a_threshold():
    blocks = np.array([[70.0, 71.0, 69.0], [70.0, 72.0, 73.0]])
    shares = [dict(points) for points in profiles(blocks, 0, points=5)]
    assert shares[1] == {-1.0: 1.0, 0.0: 1.0, 1.0: 1.0, 2.0: 0.5, 3.0: 0.0}
    assert shares[2] == {-1.0: 1.0, 0.0: 0.5, 1.0: 0.5, 2.0: 0.5, 3.0: 0.5}
    lower = [dict(points) for points in profiles(blocks, 0, -1, points=5)]
    assert lower[2] == {-1.0: 0.5, 0.0: 0.5, 1.0: 0.5, 2.0: 0.5, 3.0: 1.0}


def test_the_critical_difference_is_demsars():
    # Table 5(a) of Demšar (2006): q = 2.569 for 4 classifiers; 14 data sets give CD = 1.25.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_friedman_is_scipys_over_data_sets_and_joins_what_it_cannot_part():
    random = np.random.default_rng(0)
    means = np.array([73.0, 71.0, 70.0, 70.0]) + random.normal(0, 0.3, (24, 4))
    found = friedman(means, [f"d{i // 2}" for i in range(24)], list("abcd"))
    assert isinstance(found, Friedman)
    ranks = stats.rankdata(-means, axis=1).reshape(12, 2, 4).mean(axis=1)
    assert found.p == pytest.approx(stats.friedmanchisquare(*ranks.T).pvalue)
    assert found.ranks["a"] == 1 and list(found.ranks)[:2] == ["a", "b"]
    assert any({"c", "d"} <= set(group) for group in found.groups)
    assert not any({"a", "d"} <= set(group) for group in found.groups)


@pytest.mark.parametrize(
    ("shape", "datasets", "reason"),
    [
        ((9, 2), 9, "three or more"),
        ((8, 4), 4, "4 data sets"),
        ((5, 10), 5, "critical difference 6.1 is not below half"),
        ((20, 4), 20, "finds no difference"),
    ],
)
def test_a_diagram_that_could_not_tell_apart_is_withheld(shape, datasets, reason):
    means = np.random.default_rng(1).normal(size=shape)
    found = friedman(
        means, [f"d{i % datasets}" for i in range(shape[0])], list("abcdefghij")[: shape[1]]
    )
    assert found.startswith("withheld: ") and reason in found


def test_the_floor_needs_the_size_of_the_test_set_and_an_accuracy(grid, make_run):
    board = grid({"none": [[80.0, 80.0]]})
    assert board.floor == [pytest.approx(0.4)]
    assert grid({"none": [[80.0, 80.0]]}, metric="nll").floor == [None]
    assert build(load([make_run("none", 0, 80.0, data={})])).floor == [None]


def test_the_statement_names_winners_losers_and_the_undecided(grid):
    random = np.random.default_rng(3)
    same = [[v + d for v, d in zip(s, random.normal(0, 0.2, 3), strict=True)] for s in far(70)]
    board = grid({"none": far(70), "good": far(75), "bad": far(65), "same": same})
    assert board.statement[0] == "All 4 methods are complete with 9 runs over 3 protocols each."
    assert board.statement[1] == "good is best, and every other method can be told from it."
    assert board.statement[2].startswith("Better than none: good (+5")
    assert "; worse than none: bad (-5" in board.statement[2]
    assert board.statement[2].endswith("not separable from none: 1 method.")
