"""Every seed as a dot, with the interval of their mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from openmix.leaderboard.figures.svg import Axes, Scale, drawing, element, text
from openmix.leaderboard.statistics import Estimate

WIDTH, LEFT, LINE = 380, 118, 17
LETTERS = 17


@dataclass(frozen=True)
class Seeds:
    """One method: the value of each seed, and their mean."""

    label: str
    values: Sequence[float]
    mean: Estimate
    top: bool


def draw(rows: Sequence[Seeds], metric: str) -> Markup:
    """A line a method, in the order given; the best and what cannot be told from it in bold."""
    height = 26 + LINE * len(rows) + 40
    ends = [end for row in rows for end in (*row.values, *_ends(row.mean))]
    x = Scale.around(ends, LEFT, WIDTH - 10)
    y = Scale(0, 1, height - 40, 14)
    parts = [Axes(x, y).draw(metric, "", x.ticks(), [])]
    for value in x.ticks():
        parts.append(element("line", x1=x(value), x2=x(value), y1=y.start, y2=y.end, class_="grid"))
    for i, row in enumerate(rows):
        at = 26 + LINE * i
        label = row.label if len(row.label) <= LETTERS else row.label[: LETTERS - 1] + "…"
        parts.append(text(LEFT - 10, at + 4, label, "end", "name best" if row.top else "name"))
        low, high = _ends(row.mean)
        parts.append(element("line", x1=x(low), x2=x(high), y1=at, y2=at, class_="interval"))
        parts += [element("circle", cx=x(v), cy=at, r=2.5, class_="seed") for v in row.values]
        middle = x(row.mean.mean)
        parts.append(element("line", x1=middle, x2=middle, y1=at - 5, y2=at + 5, class_="mean"))
    return drawing(WIDTH, height, f"{metric} of every seed, {len(rows)} methods", *parts)


def _ends(mean: Estimate) -> tuple[float, float]:
    half = mean.half or 0.0
    return mean.mean - half, mean.mean + half
