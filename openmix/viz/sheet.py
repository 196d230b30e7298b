"""A white sheet to lay pictures and captions on, in pixels."""

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from openmix.errors import ConfigError

INK, GREY, PAPER = "#1a1a1a", "#6b7280", "#ffffff"
SUFFIXES = (".png", ".jpg", ".jpeg")


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


class Sheet:
    """What is drawn is placed by its left upper corner."""

    def __init__(self, width: int, height: int):
        self.image = Image.new("RGB", (width, height), PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def picture(self, at: tuple[int, int], pixels: Tensor, side: int) -> None:
        """``pixels`` ``(3, H, W)`` or ``(H, W)`` in [0, 1], shown ``side`` pixels wide and high."""
        array = (pixels.clamp(0, 1) * 255).round().byte()
        array = array if array.ndim == 2 else array.permute(1, 2, 0)
        picture = Image.fromarray(array.cpu().numpy()).convert("RGB")
        if picture.size != (side, side):
            picture = picture.resize((side, side), Image.Resampling.LANCZOS)
        self.image.paste(picture, at)
        self.frame(at, side)

    def frame(self, at: tuple[int, int], side: int) -> None:
        """A hair line, so that white pictures have an edge."""
        self.pen.rectangle((*at, at[0] + side - 1, at[1] + side - 1), outline="#d1d5db")

    def text(
        self,
        at: tuple[int, int],
        words: str,
        size: int,
        *,
        bold: bool = False,
        colour: str = INK,
        anchor: str = "la",
    ) -> None:
        """One line; ``anchor`` as Pillow has it: ``la`` from the left, ``ma`` centred."""
        self.pen.text(at, words, colour, font(size, bold), anchor)

    def paragraph(self, at: tuple[int, int], words: str, size: int, width: int) -> int:
        """Grey lines no wider than ``width`` pixels; returns where the next line would begin."""
        x, y = at
        letter = font(size).getlength("a mean word") / len("a mean word")
        for line in textwrap.wrap(words, max(1, int(width / letter))):
            self.text((x, y), line, size, colour=GREY)
            y += round(size * 1.4)
        return y

    def bar(
        self, at: tuple[int, int], size: tuple[int, int], parts: Sequence[tuple[float, str]]
    ) -> None:
        """Shares of ``size``, each with its colour, from left to right; to scale if beyond 1."""
        (x, y), (width, height) = at, size
        width = width / max(1.0, sum(share for share, _ in parts))
        start = 0.0
        for share, colour in parts:
            left, right = round(start * width), round((start + share) * width)
            if right > left:
                self.pen.rectangle((x + left, y, x + right - 1, y + height - 1), fill=colour)
            start += share

    def save(self, path: Path) -> Path:
        """Write a PNG or a JPEG, by the suffix. Raises ConfigError for another one."""
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"out={path} must end in {' or '.join(SUFFIXES)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.image.save(path, quality=80)  # of a JPEG
        return path
