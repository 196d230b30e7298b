"""What accuracy costs: the mean of a metric against the time of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from openmix.leaderboard.figures.svg import (
    Axes,
    Scale,
    apart,
    drawing,
    element,
    polyline,
    text,
)

WIDTH, HEIGHT = 380, 300
NAMED = 6
UNITS = {"h": 3600, "min": 60, "s": 1}


@dataclass(frozen=True)
class Spot:
    """A method: its mean ``value`` and the ``seconds`` a run of it trains."""

    label: str
    seconds: float
    value: float
    baseline: bool = False


def front(spots: Sequence[Spot], higher: bool) -> list[Spot]:
    """The spots that no other beats in both value and time, the fastest first."""
    kept: list[Spot] = []
    for spot in sorted(spots, key=lambda s: (s.seconds, -s.value if higher else s.value, s.label)):
        if not kept or (spot.value > kept[-1].value if higher else spot.value < kept[-1].value):
            kept.append(spot)
    return kept


def draw(spots: Sequence[Spot], metric: str, higher: bool) -> Markup:
    """All methods of a protocol; those on the Pareto front are named and joined by a line."""
    unit, size = _unit(max(s.seconds for s in spots))
    x = Scale.around((s.seconds / size for s in spots), 48, WIDTH - 14, logarithmic=True)
    y = Scale.around((s.value for s in spots), HEIGHT - 42, 26)
    best = front(spots, higher)
    parts = [Axes(x, y).draw(f"training time, {unit}", metric, x.ticks(), y.ticks())]
    steps = []
    for before, after in pairwise(best):
        steps += [(x(s.seconds / size), y(before.value)) for s in (before, after)]
    steps += [(x(best[-1].seconds / size), y(best[-1].value)), (x.end, y(best[-1].value))]
    parts.append(polyline(steps, class_="front"))
    for spot in sorted(spots, key=lambda s: (s in best, s.label)):
        kind = "spot base" if spot.baseline else "spot on" if spot in best else "spot"
        words = f"{spot.label}: {spot.value:.4g} in {clock(spot.seconds)}"
        mark = {"cx": x(spot.seconds / size), "cy": y(spot.value), "r": 3.5, "class_": kind}
        parts.append(element("circle", element("title", words), **mark))
    named = best[-NAMED:] + [s for s in spots if s.baseline and s not in best[-NAMED:]]
    heights = apart([y(s.value) + 4 for s in named], 13, y.end + 4, y.start - 3)
    for spot, height in zip(named, heights, strict=True):
        at = x(spot.seconds / size)
        where, anchor = (at - 7, "end") if at > 0.62 * WIDTH else (at + 7, "start")
        parts.append(text(where, height, spot.label, anchor, "name"))
    return drawing(WIDTH, HEIGHT, f"{metric} against training time, {len(spots)} methods", *parts)


def clock(seconds: float) -> str:
    """A duration with its largest fitting unit: 40 s, 12 min, 3.5 h."""
    unit, size = _unit(seconds)
    return f"{seconds / size:.3g} {unit}"


def _unit(seconds: float) -> tuple[str, int]:
    """The largest unit that fits, and its seconds."""
    return next((unit, size) for unit, size in UNITS.items() if seconds >= size or size == 1)
