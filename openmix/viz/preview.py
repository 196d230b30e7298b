"""Pictures of one mixup in detail, and of several side by side."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from openmix.config import Composed
from openmix.identity import Identity
from openmix.viz.draws import Draw, Previewed, caption, parts
from openmix.viz.photos import PHOTOS, SIZE, photographs
from openmix.viz.sheet import GREY, Sheet, font

MARGIN, GAP = 28, 16


def preview(composed: Composed) -> Sheet:
    """A row for each photograph: itself, its partner, its share, what is shown, the label.

    Each row is another step of the mixer, by the seeds from ``seed=`` on.
    """
    mixup, draws = _draws(composed)
    label = 250
    top = MARGIN + 128
    width = 2 * MARGIN + 4 * (SIZE + GAP) + label
    sheet = Sheet(width, top + len(draws) * (SIZE + GAP) - GAP + MARGIN)
    sheet.text((MARGIN, MARGIN - 6), _title(composed), 26, bold=True)
    sheet.paragraph((MARGIN, MARGIN + 32), mixup.describe(), 16, width - 2 * MARGIN)
    heads = ("image", "partner", "share of the image", "what the network sees", "label")
    columns = [MARGIN + i * (SIZE + GAP) for i in range(len(heads))]
    for x, head in zip(columns, heads, strict=True):
        sheet.text((x, top - 26), head, 16, bold=True)
    for i, draw in enumerate(draws):
        _row(sheet, draw, columns, top + i * (SIZE + GAP), label)
    return sheet


def gallery(grid: Sequence[Composed]) -> Sheet:
    """A row for each mixup, a column for each photograph; what mixes nothing comes first."""
    rows = [(composed, *_draws(composed)) for composed in grid]
    rows.sort(key=lambda row: any(draw.partners for draw in row[2]))
    cell, name, line = 200, 232, 64
    head = MARGIN
    sheet = Sheet(
        MARGIN + name + len(PHOTOS) * (cell + GAP) - GAP + MARGIN,
        head + len(rows) * (cell + line) - 14 + MARGIN // 2,
    )
    for i, (composed, mixup, draws) in enumerate(rows):
        top = head + i * (cell + line)
        _name(sheet, (MARGIN, top), _title(composed), mixup.describe(), name - 24)
        for j, draw in enumerate(draws):
            at = (MARGIN + name + j * (cell + GAP), top)
            sheet.picture(at, draw.shown, cell)
            _inside(sheet, draw, at, cell)
            sheet.bar((at[0], top + cell + 6), (cell, 8), _bar(draw))
            words = caption(draw.weights)
            sheet.text((at[0], top + cell + 19), words, _fitting(words, 15, cell))
    return sheet


def _draws(composed: Composed) -> tuple[Previewed, list[Draw]]:
    """A step for each photograph, normalised as for training and back in [0, 1] in the pictures."""
    mixup, (x, y) = Previewed(composed), photographs()
    data = mixup.config["dataset"]
    mean, std = (torch.tensor(data[name]).view(-1, 1, 1) for name in ("mean", "std"))
    x, seed = (x - mean) / std, mixup.config["seed"]
    with torch.no_grad():
        draws = [mixup.draw(x, y, row, seed + row) for row in range(len(x))]
    return mixup, [
        draw._replace(
            source=draw.source * std + mean,
            partners=[partner * std + mean for partner in draw.partners],
            shown=draw.shown * std + mean,
        )
        for draw in draws
    ]


def _bar(draw: Draw) -> list[tuple[float, str]]:
    return [(weight, PHOTOS[name].colour) for weight, name in parts(draw.weights)]


def _title(composed: Composed) -> str:
    return Identity.of(composed).title


def _row(sheet: Sheet, draw: Draw, columns: list[int], y: int, label: int) -> None:
    image, partner, share, shown, words = ((x, y) for x in columns)
    sheet.picture(image, draw.source, SIZE)
    if draw.partners:
        sheet.picture(partner, _strips(draw.partners), SIZE)
    else:
        _instead(sheet, partner, "none")
    if draw.share is None:
        _instead(sheet, share, "the input is not mixed")
    else:
        sheet.picture(share, draw.share, SIZE)
    sheet.picture(shown, draw.shown, SIZE)
    _inside(sheet, draw, shown, SIZE)
    middle = y + SIZE // 2
    text = caption(draw.weights)
    sheet.text((words[0], middle - 26), text, _fitting(text, 17, label))
    sheet.bar((words[0], middle + 4), (label, 14), _bar(draw))


def _strips(pictures: Sequence[Tensor]) -> Tensor:
    """The middle of each picture, side by side in one."""
    edges = [round(SIZE * i / len(pictures)) for i in range(len(pictures) + 1)]
    widths = [right - left for left, right in pairwise(edges)]
    cut = [p.narrow(2, (SIZE - w) // 2, w) for p, w in zip(pictures, widths, strict=True)]
    return torch.cat(cut, 2)


def _instead(sheet: Sheet, at: tuple[int, int], words: str) -> None:
    sheet.frame(at, SIZE)
    centre = (at[0] + SIZE // 2, at[1] + SIZE // 2)
    sheet.text(centre, words, 14, colour=GREY, anchor="mm")


def _inside(sheet: Sheet, draw: Draw, at: tuple[int, int], side: int) -> None:
    """Say where it is so that features are mixed, not what is seen here."""
    if draw.inside:
        box = (at[0], at[1] + side - 26, at[0] + side - 1, at[1] + side - 1)
        sheet.pen.rectangle(box, fill="#1a1a1a")
        centre = (at[0] + side // 2, at[1] + side - 13)
        sheet.text(centre, "mixed inside the network", 12, colour="#ffffff", anchor="mm")


def _name(sheet: Sheet, at: tuple[int, int], title: str, description: str, width: int) -> None:
    x, y = at
    for word in title.split():
        sheet.text((x, y), word, _fitting(word, 21, width, bold=True), bold=True)
        y += 28
    sheet.paragraph((x, y + 4), description, 15, width)


def _fitting(words: str, size: int, width: int, bold: bool = False) -> int:
    """The largest font up to ``size`` in which ``words`` are no wider than ``width`` pixels."""
    while size > 8 and font(size, bold).getlength(words) > width:
        size -= 1
    return size
