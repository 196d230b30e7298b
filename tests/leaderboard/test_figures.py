"""The arithmetic of the figures: scales, ticks, fronts, places for labels."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmix.leaderboard.figures import cost, curves, forest, ranks, seeds
from openmix.leaderboard.figures.svg import Scale, apart, element
from openmix.leaderboard.statistics import Estimate

VALUES = st.floats(-1e6, 1e6, allow_nan=False)


def test_text_and_values_are_escaped_and_numbers_short():
    drawn = element("text", "<&>", element("tspan", "x"), x=1.26, y=-0.01, class_='"a"')
    expected = '<text x="1.3" y="0" class="&#34;a&#34;">&lt;&amp;&gt;<tspan>x</tspan></text>'
    assert drawn == expected


@given(st.lists(VALUES, min_size=1, max_size=20))
def test_a_scale_holds_its_values_in_order_and_has_ticks_inside(values):
    scale = Scale.around(values, 0, 300)
    places = [scale(value) for value in sorted(values)]
    assert all(0 <= place <= 300 for place in places) and places == sorted(places)
    assert scale.ticks() and all(scale.low <= tick <= scale.high for tick in scale.ticks())


@given(st.lists(st.floats(0.01, 1e7), min_size=1, max_size=20))
def test_a_logarithmic_scale_does_so_too(values):
    scale = Scale.around(values, 0, 300, logarithmic=True)
    places = [scale(value) for value in sorted(values)]
    assert all(0 <= place <= 300 for place in places) and places == sorted(places)
    assert scale.ticks() and all(scale.low <= tick <= scale.high for tick in scale.ticks())


def test_ticks_are_round_and_a_ratio_is_a_distance():
    assert Scale(0, 1, 0, 100).ticks() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert Scale(91.2, 97.9, 0, 100).ticks() == [92, 94, 96]
    scale = Scale(1, 100, 0, 200, logarithmic=True)
    assert (scale(1), scale(10), scale(100)) == pytest.approx((0, 100, 200))


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_labels_keep_their_distance_within_the_picture(wanted):
    placed = apart(wanted, 13, 0, 300)
    assert all(0 <= place <= 300 for place in placed)
    assert all(b - a >= 13 - 1e-6 for a, b in pairwise(sorted(placed)))
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    assert [placed[i] for i in order] == sorted(placed)


def test_labels_that_have_room_stay_where_they_are():
    assert apart([50, 10, 100], 13, 0, 300) == [50, 10, 100]


def test_the_front_holds_what_nothing_beats_in_both():
    spots = [cost.Spot("a", 10, 70), cost.Spot("b", 20, 69), cost.Spot("c", 30, 75)]
    spots += [cost.Spot("d", 10, 68), cost.Spot("e", 40, 75)]
    assert [spot.label for spot in cost.front(spots, higher=True)] == ["a", "c"]
    assert [spot.label for spot in cost.front(spots, higher=False)] == ["d"]


def test_durations_have_a_fitting_unit():
    told = [cost.clock(seconds) for seconds in (0.4, 59, 60, 5400, 90000)]
    assert told == ["0.4 s", "59 s", "1 min", "1.5 h", "25 h"]


def test_a_better_value_is_drawn_higher_and_a_longer_time_further_right():
    svg = cost.draw([cost.Spot("a", 60, 70.0), cost.Spot("b", 600, 80.0)], "top1", higher=True)
    marks = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>(\w)', svg)
    (xa, ya, _), (xb, yb, _) = sorted(marks, key=lambda mark: mark[2])
    assert float(xa) < float(xb) and float(ya) > float(yb)


def test_curves_leave_out_what_lies_outside_their_scale():
    points = [(epoch, 90 - 80 / epoch) for epoch in range(1, 41)]
    lines = [
        re.search(r'polyline points="([^"]*)"', curves.draw([curves.Curve("a", points)], "top1", s))
        for s in (0.0, 0.5)
    ]
    whole, late = (len(line[1].split()) for line in lines)
    assert whole == 40 and 20 <= late < 40


def test_the_interval_of_a_difference_spans_its_ends():
    delta = Estimate(1.0, 0.5, 6)
    scale = forest.scale([delta], [2.0])
    svg = forest.draw(scale, delta, [2.0], apart=True)
    ends = re.search(r'x1="([\d.]+)" x2="([\d.]+)"[^>]*class="interval"', svg).groups()
    assert [float(end) for end in ends] == pytest.approx([scale(0.5), scale(1.5)], abs=0.1)
    assert 'class="spot on"' in svg
    assert 'class="spot"' in forest.draw(scale, delta, [], apart=False)
    assert "interval" not in forest.draw(scale, Estimate(1.0, None, 1), [], apart=False)


def test_every_seed_has_its_dot():
    rows = [seeds.Seeds("a", [1.0, 2.0, 3.0], Estimate(2.0, 2.5, 3), True)]
    rows.append(seeds.Seeds("b", [2.5], Estimate(2.5, None, 1), False))
    svg = seeds.draw(rows, "top1")
    assert svg.count('class="seed"') == 4 and svg.count("name best") == 1


def test_a_bar_joins_each_group_of_ranks_and_names_stand_on_both_sides():
    found = {"a": 1.2, "b": 1.9, "c": 3.0, "d": 3.9}
    svg = ranks.draw(found, [["a", "b"], ["c", "d"]], 1.0)
    bars = re.findall(r'x1="([\d.]+)" x2="([\d.]+)"[^>]*class="mean"', svg)
    spans = [float(b) - float(a) for a, b in bars]
    unit = Scale(1, 4, ranks.LEFT, ranks.WIDTH - ranks.LEFT)(2) - ranks.LEFT
    assert spans == pytest.approx([unit, 0.7 * unit + 6, 0.9 * unit + 6], abs=0.2)
    assert re.findall(r'text-anchor="end">(\w) ', svg) == ["a", "b"]
    assert math.isclose(unit, (ranks.WIDTH - 2 * ranks.LEFT) / 3)
