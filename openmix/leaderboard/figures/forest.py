"""Differences to the baseline with their intervals: a small picture for each line of a table."""

from collections.abc import Sequence

from markupsafe import Markup

from openmix.leaderboard.figures.svg import Scale, drawing, element, text
from openmix.leaderboard.statistics import Estimate

WIDTH, HEIGHT = 200, 20


def scale(deltas: Sequence[Estimate], single: Sequence[float]) -> Scale:
    """One scale for all lines; zero is always on it."""
    ends = [end for d in deltas for end in (d.mean - (d.half or 0), d.mean + (d.half or 0))]
    return Scale.around([0.0, *ends, *single], 6, WIDTH - 6)


def draw(x: Scale, delta: Estimate, single: Sequence[float], apart: bool) -> Markup:
    """The mean and its interval; filled where it is told ``apart`` from zero.

    ``single`` are the differences of the columns, as faint ticks.
    """
    middle = HEIGHT / 2
    parts = [element("line", x1=x(0), x2=x(0), y1=0, y2=HEIGHT, class_="zero")]
    for value in single:
        tick = {"x1": x(value), "x2": x(value), "y1": middle - 5, "y2": middle + 5}
        parts.append(element("line", class_="tick", **tick))
    if delta.half is not None:
        low, high = x(delta.mean - delta.half), x(delta.mean + delta.half)
        parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_="interval"))
    kind = "spot on" if apart else "spot"
    parts.append(element("circle", cx=x(delta.mean), cy=middle, r=4, class_=kind))
    return drawing(WIDTH, HEIGHT, "", *parts)


def axis(x: Scale) -> Markup:
    """The numbers under the lines, to stand in the head of the table."""
    parts = [text(x(v), 11, f"{v:+g}" if v else "0", "middle") for v in x.ticks(5)]
    return drawing(WIDTH, 16, "", *parts)
