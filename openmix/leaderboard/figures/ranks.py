"""Critical-difference diagram: mean ranks, joined where they cannot be told apart."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from openmix.leaderboard.figures.svg import Scale, drawing, element, polyline, text

WIDTH, LEFT, LINE = 640, 170, 17


def draw(ranks: Mapping[str, float], groups: Sequence[Sequence[str]], critical: float) -> Markup:
    """``ranks`` best first, the better half named left; ``groups`` are joined by bars.

    Ranks that differ by more than ``critical`` are told apart.
    """
    labels = list(ranks)
    left = labels[: -(-len(labels) // 2)]
    x = Scale(1, max(len(labels), 2), LEFT, WIDTH - LEFT)
    top = 44
    bars = [group for group in groups if len(group) > 1]
    below = top + 14 + 7 * len(bars)
    height = below + LINE * len(left) + 6
    parts = [element("line", x1=x.start, x2=x.end, y1=top, y2=top, class_="axis")]
    for value in x.ticks(8):
        parts.append(element("line", x1=x(value), x2=x(value), y1=top - 4, y2=top, class_="axis"))
        parts.append(text(x(value), top - 9, f"{value:g}", "middle"))
    parts.append(element("line", x1=x(1), x2=x(1 + critical), y1=14, y2=14, class_="mean"))
    parts.append(text(x(1 + critical) + 6, 18, f"critical difference {critical:.2f}"))
    for i, group in enumerate(bars):
        y = top + 10 + 7 * i
        ends = [x(ranks[name]) for name in group]
        parts.append(element("line", x1=min(ends) - 3, x2=max(ends) + 3, y1=y, y2=y, class_="mean"))
    for i, name in enumerate(labels):
        first = i < len(left)
        y = below + LINE * (i if first else len(labels) - 1 - i)
        end = LEFT - 12 if first else WIDTH - LEFT + 12
        parts.append(
            polyline([(x(ranks[name]), top), (x(ranks[name]), y), (end, y)], class_="front")
        )
        words = f"{name} {ranks[name]:.1f}"
        parts.append(
            text(end - 4 if first else end + 4, y + 4, words, "end" if first else "start", "name")
        )
    return drawing(WIDTH, height, f"mean ranks of {len(labels)} methods", *parts)
