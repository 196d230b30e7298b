import torch
from torch import Tensor

from openmix.mixups.base import AreaMixer
from openmix.ops import draw
from openmix.types import Count, Positive, Probability


class GridMixup(AreaMixer):
    """GridMixup: show the partner through a grid of square holes; labels follow their area.

    The holes fill a random crop of the image. The authors' crop may be larger than the image, so
    that its far rows wrap around or vanish; here it is cut to the image's size.

    Args:
        low, high: range of the share that the image keeps within the crop.
        holes: fewest and most holes in a row of the crop.
        area: range of the crop's area over the image's.
        aspect: range of the crop's height over its width.
    """

    paper = "https://github.com/IlyaDobrynin/GridMixup"
    venue = "code only"
    family = "cut"

    def __init__(
        self,
        low: Probability = 0.4,
        high: Probability = 0.7,
        holes: tuple[Count, Count] = (2, 6),
        area: tuple[Positive, Positive] = (0.5, 1.0),
        aspect: tuple[Positive, Positive] = (0.5, 2.0),
    ):
        super().__init__()
        for name, (least, most) in {
            "low, high": (low, high),
            "holes": holes,
            "area": area,
            "aspect": aspect,
        }.items():
            if not 0 < least <= most:
                raise ValueError(f"{name} must be a range above 0, got {least}, {most}")
        self.low, self.high, self.holes = low, high, tuple(holes)
        self.area, self.aspect = tuple(area), tuple(aspect)

    def mask(self, x: Tensor) -> Tensor:
        """``(1, 1, H, W)``: 0 in the holes, 1 elsewhere."""
        height, width = x.shape[-2:]
        *shares, down, right = draw.uniform(5)
        ranges = (self.area, self.aspect, (self.low, self.high))
        crop, aspect, kept = (a + (b - a) * u for (a, b), u in zip(ranges, shares, strict=True))
        wide = min(max(int((crop * height * width / aspect) ** 0.5), 1), width)
        tall = min(max(int((crop * height * width * aspect) ** 0.5), 1), height)
        cell = -(-wide // min(draw.integer(self.holes[0], self.holes[1] + 1), max(wide // 2, 1)))
        hole = min(max(int(cell * (1 - kept) ** 0.5), 1), cell - 1)

        def open_along(size: int, length: int, where: float) -> Tensor:
            at = torch.arange(size, device=x.device) - int((size - length) * where)
            return (at >= 0) & (at < length) & (at % cell < hole)

        rows, columns = open_along(height, tall, down), open_along(width, wide, right)
        return (~(rows[:, None] & columns)).to(x.dtype)[None, None]
