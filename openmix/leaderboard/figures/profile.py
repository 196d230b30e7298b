"""Performance profile: the share of runs that gain at least so much, for every gain."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from openmix.leaderboard.figures.curves import LINES
from openmix.leaderboard.figures.svg import Axes, Point, Scale, drawing, polyline, text

WIDTH, HEIGHT, RIGHT = 640, 300, 130


def draw(profile: Mapping[str, Sequence[Point]], chosen: Sequence[str], gain: str) -> Markup:
    """All methods; up to ``LINES`` of them, ``chosen``, in colour and named where they fall."""
    taus = [tau for points in profile.values() for tau, _ in points]
    x = Scale(min(taus), max(taus) + 1e-9, 44, WIDTH - RIGHT)
    y = Scale(0, 1, HEIGHT - 42, 26)
    parts = [Axes(x, y).draw(gain, "share", x.ticks(6), y.ticks())]
    for name in sorted(profile.keys() - set(chosen)):
        parts.append(polyline(_stairs(x, y, profile[name]), class_="curve"))
    for i, name in enumerate(chosen[:LINES], 1):
        height = 16 + 16 * i
        parts.append(polyline(_stairs(x, y, profile[name]), class_=f"curve line{i}"))
        sample = [(x.end + 8, height - 4), (x.end + 34, height - 4)]
        parts.append(polyline(sample, class_=f"curve line{i}"))
        parts.append(text(x.end + 40, height, name[:14], class_=f"name ink{i}"))
    return drawing(WIDTH, HEIGHT, f"share of runs by {gain}, {len(profile)} methods", *parts)


def _stairs(x: Scale, y: Scale, points: Sequence[Point]) -> list[Point]:
    return [(x(tau), y(share)) for tau, share in points]
