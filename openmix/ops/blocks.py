"""Random blocks of patches, as masked image modelling draws them."""

import math

from openmix.ops import draw


def blocks(rows: int, columns: int, count: int) -> list[int]:
    """Numbers of patches, row by row, that random rectangles cover: ``count`` or a few less.

    Rectangles have an area of 1 up to what is missing and a ratio of sides of 0.3 to 1 / 0.3, even
    on a logarithmic scale; one that covers nothing new, or too much, is drawn again. Ten failures
    in a row end the search.
    """
    covered: set[int] = set()
    failures = 0
    while len(covered) < count and failures < 10:
        missing = count - len(covered)
        u, v, y, x = draw.uniform(4)
        size, ratio = 1 + u * (missing - 1), math.exp((2 * v - 1) * math.log(0.3))
        height, width = round(math.sqrt(size * ratio)), round(math.sqrt(size / ratio))
        failures += 1
        if height >= rows or width >= columns:
            continue
        top, left = int(y * (rows - height + 1)), int(x * (columns - width + 1))
        new = {
            row * columns + column
            for row in range(top, top + height)
            for column in range(left, left + width)
        } - covered
        if 0 < len(new) <= missing:
            covered |= new
            failures = 0
    return sorted(covered)
