import torch
from torch import Tensor

from openmix.mixups.base import Mixer
from openmix.ops.rectangles import inside
from openmix.types import Probability


class Cutout(Mixer):
    """Cutout: hide a square around a random pixel of each image; the labels stay.

    The square may hang over an edge, where it is clipped. It is filled with 0, which is the mean
    colour of the data after normalisation.

    Args:
        side: side of the square over the image's; half of it is floored to pixels.
    """

    paper = "https://arxiv.org/abs/1708.04552"
    venue = "arXiv 2017"
    family = "augmentation"
    weight_is_area = False

    def __init__(self, side: Probability = 0.25):
        super().__init__()
        self.side = side

    def hidden(self, x: Tensor) -> Tensor:
        """``(N, 1, H, W)`` bool: one square for each image."""
        edges = []
        for size in x.shape[-2:]:
            half = int(size * self.side) // 2
            centre = torch.randint(size, (len(x),), device=x.device)
            edges += [centre - half, centre + half]
        return inside(x, *edges)

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x.clone().masked_fill_(self.hidden(x), 0), y
