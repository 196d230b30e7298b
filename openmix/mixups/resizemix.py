from typing import Literal

import torch
from torch import Tensor

from openmix.mixups.base import Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, has_channels_last, partners
from openmix.ops.boxes import put
from openmix.types import Probability


class ResizeMix(Mixer):
    """ResizeMix: paste the whole partner, shrunk; the labels follow the pasted area.

    The side ratio is uniform and shared by the batch; the box is drawn for each image and lies
    inside it. The partner is shrunk to the box's size by nearest neighbours; the authors
    interpolate by the ratio instead, which may pick the next pixel.

    Args:
        low, high: range of the box's side over the image's.
        place: ``shifted`` draws the box's centre from the whole image and shifts the box inside, as
            the authors' code does, so that it often touches an edge; ``uniform`` draws it from all
            places inside.
    """

    paper = "https://arxiv.org/abs/2012.11101"
    venue = "arXiv 2020"
    family = "cut"

    def __init__(
        self,
        low: Probability = 0.1,
        high: Probability = 0.8,
        place: Literal["shifted", "uniform"] = "shifted",
    ):
        super().__init__()
        if not 0 < low <= high <= 1:
            raise ValueError(f"need 0 < low <= high <= 1, got low={low} high={high}")
        self.low, self.high, self.place = low, high, place

    def mix(
        self,
        x: Tensor,
        y: Tensor,
        *,
        ratio: float | None = None,
        partner: Partner | None = None,
    ) -> tuple[Tensor, Tensor]:
        if ratio is None:
            ratio = self.low + (self.high - self.low) * draw.uniform()[0]
        if partner is None:
            partner = draw.shift(len(x))
        height, width = x.shape[-2:]
        h, w = int(height * ratio), int(width * ratio)
        self.lam = 1 - h * w / (height * width)
        return self._paste(x, partner, h, w), blend(y, partner, self.lam)

    def _paste(self, x: Tensor, partner: Partner, h: int, w: int) -> Tensor:
        at, (height, width) = x.device, x.shape[-2:]
        rows = torch.arange(h, device=at) * height // max(h, 1)
        columns = torch.arange(w, device=at) * width // max(w, 1)
        shrunk = x.index_select(2, rows).index_select(3, columns)
        top, left = self._first(x, height, h), self._first(x, width, w)
        layout = torch.channels_last if has_channels_last(x) else torch.contiguous_format
        out = x.clone(memory_format=layout)
        if h and w:
            put(out, partners(shrunk, partner), top, left)
        return out

    def _first(self, x: Tensor, size: int, side: int) -> Tensor:
        """Where the box of each row begins along an axis of ``size`` pixels, ``(N,)``."""
        last = size - side
        if self.place == "uniform":
            return torch.randint(last + 1, (len(x),), device=x.device)
        centre = torch.randint(size, (len(x),), device=x.device)
        return (centre - side // 2).clamp(0, last)
