"""Elements, scales and axes of inline SVG. Colours are classes, so that a page may change them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Point = tuple[float, float]


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """``element("line", x1=0, stroke_width=2)``; text and values are escaped, numbers shortened."""
    named = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    words = "".join(f' {name}="{escape(_short(value))}"' for name, value in named)
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{words}>{inner}</{tag}>")


def drawing(width: float, height: float, label: str, *children: object) -> Markup:
    """A whole picture; ``label`` is what a screen reader says of it, nothing if empty."""
    size = {"width": width, "height": height, "viewBox": f"0 0 {width:g} {height:g}"}
    spoken = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    return element("svg", *children, **spoken, **size)


def polyline(points: Iterable[Point], **attributes: object) -> Markup:
    """A line through ``points``."""
    path = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
    return element("polyline", points=path, **attributes)


def text(x: float, y: float, words: str, anchor: str = "start", class_: str = "") -> Markup:
    """One line of text; ``anchor`` is start, middle or end."""
    more = {"class_": class_} if class_ else {}
    more |= {} if anchor == "start" else {"text_anchor": anchor}
    return element("text", words, x=x, y=y, **more)


@dataclass(frozen=True)
class Scale:
    """From values ``low..high`` to pixels ``start..end``."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def around(
        cls, values: Iterable[float], start: float, end: float, *, logarithmic: bool = False
    ) -> "Scale":
        """A scale with a little room around finite ``values``; of no values it is 0 to 1."""
        found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(found), max(found)
        if logarithmic:
            room = (high / low) ** 0.06 if high > low else 1.5
            return cls(low / room, high * room, start, end, True)
        room = 0.06 * (high - low) or abs(high) * 0.01 or 1.0
        return cls(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        """The pixel of ``value``."""
        low, high, value = (
            (math.log(v) for v in (self.low, self.high, value))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 4) -> list[float]:
        """About ``count`` round values inside the scale, at least one."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
                found = [step * 10.0**d for d in decades for step in steps]
                inside = [value for value in found if self.low <= value <= self.high]
                if len(inside) >= 3:
                    return inside
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [n * step for n in range(first, last + 1)]


@dataclass(frozen=True)
class Axes:
    """A plotting area in a picture: its scales, with grid, ticks and names of the axes."""

    x: Scale
    y: Scale

    def draw(
        self,
        x_name: str,
        y_name: str,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        x_text: Callable[[float], str] = "{:g}".format,
        y_text: Callable[[float], str] = "{:g}".format,
    ) -> Markup:
        """Grid lines across, marks below; the name of y stands above its axis, not on its side."""
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        parts = []
        for value in y_ticks:
            y = self.y(value)
            parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
            parts.append(text(left - 6, y + 4, y_text(value), "end"))
        for value in x_ticks:
            x = self.x(value)
            parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis"))
            parts.append(text(x, bottom + 16, x_text(value), "middle"))
        parts.append(element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
        parts.append(text((left + right) / 2, bottom + 31, x_name, "middle"))
        parts.append(text(left - 6, top - 9, y_name))
        return Markup("").join(parts)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the ``wanted`` ones, at least ``gap`` apart and within ``low..high``."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    placed = [0.0] * len(wanted)
    floor = low
    for i in order:
        placed[i] = floor = max(wanted[i], floor)
        floor += gap
    ceiling = high
    for i in reversed(order):
        placed[i] = ceiling = min(placed[i], ceiling)
        ceiling -= gap
    return placed


def _short(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, float | int):
        return value
    return f"{value + 0.0:.1f}".removesuffix(".0").replace("-0", "0", value > -0.05 and value < 0)
