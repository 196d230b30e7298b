import torch
from torch import Tensor

from openmix.mixups.base import MaskMixer
from openmix.ops.cells import enlarged
from openmix.types import Count, NonNegative


class MaskMix(MaskMixer):
    """MaskMix: show the partner in random cells of a grid; the labels follow the cells' area.

    The masking half of MixPro, without its labels from attention. The image keeps λ of the cells,
    rounded up; their places are drawn for each image. Sides that the grid does not divide have
    cells that differ by a pixel; the authors' do not occur.

    Args:
        alpha: shape of λ's Beta distribution.
        grid: cells along each side of the image.
        per_sample: draw λ for each image; otherwise once for the batch.
    """

    paper = "https://arxiv.org/abs/2304.12043"
    venue = "ICLR 2023"
    family = "cut"

    def __init__(self, alpha: NonNegative = 1.0, grid: Count = 4, per_sample: bool = False):
        super().__init__(alpha, per_sample)
        if grid < 1:
            raise ValueError(f"grid must be 1 or more, got {grid}")
        self.grid = grid

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        cells = self.grid**2
        kept = (lam[:, None] if isinstance(lam, Tensor) else lam) * cells
        place = torch.rand(len(x), cells, device=x.device).argsort(1)
        own = (place < kept).to(x.dtype).view(len(x), 1, self.grid, self.grid)
        return enlarged(own, *x.shape[-2:])
