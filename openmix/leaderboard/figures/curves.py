"""Learning curves of a few methods."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from openmix.leaderboard.figures.svg import Axes, Point, Scale, apart, drawing, polyline, text

WIDTH, HEIGHT, RIGHT = 380, 300, 96
LINES = 5
"""How many lines the style sheet tells apart, by colour and by dashes."""


@dataclass(frozen=True)
class Curve:
    """A line: (epoch, value)."""

    label: str
    points: Sequence[Point]


def draw(curves: Sequence[Curve], metric: str, settled: float = 0.0) -> Markup:
    """At most ``LINES`` curves, each named at its end.

    The values after a share ``settled`` of the epochs decide the scale, since those of early epochs
    would flatten what follows; what lies outside is not drawn.
    """
    x = Scale(1, max(p[0] for c in curves for p in c.points) + 1e-9, 48, WIDTH - RIGHT)
    late = [v for c in curves for _, v in c.points[int(settled * len(c.points)) :]]
    y = Scale.around(late, HEIGHT - 42, 26)
    parts = [Axes(x, y).draw("epoch", metric, x.ticks(), y.ticks())]
    heights = apart([y(c.points[-1][1]) + 4 for c in curves], 13, y.end + 4, y.start)
    for i, (curve, height) in enumerate(zip(curves, heights, strict=True), 1):
        line = [(x(e), y(v)) for e, v in curve.points if y.low <= v <= y.high]
        parts.append(polyline(line, class_=f"curve line{i}"))
        parts.append(text(x.end + 6, height, curve.label[:14], class_=f"name ink{i}"))
    names = ", ".join(curve.label for curve in curves)
    return drawing(WIDTH, HEIGHT, f"{metric} by epoch of {names}", *parts)
