import torch
from torch import Tensor

from openmix.mixups.base import Mixer
from openmix.ops.rectangles import inside
from openmix.types import Positive, Probability

TRIES = 16


class RandomErasing(Mixer):
    """Random Erasing: hide a random rectangle of some of the images; the labels stay.

    Sizes are drawn until one fits, 16 times at most (the authors: 100), and the rectangle is filled
    with 0, the mean colour of the data after normalisation; the paper prefers random values, the
    authors' code means.

    Args:
        prob: probability that an image is erased in.
        low, high: range of the rectangle's area over the image's.
        aspect: its height over its width lies between this and 1 / this.
    """

    paper = "https://arxiv.org/abs/1708.04896"
    venue = "AAAI 2020"
    family = "augmentation"
    weight_is_area = False

    def __init__(
        self,
        prob: Probability = 0.5,
        low: Probability = 0.02,
        high: Probability = 0.4,
        aspect: Positive = 0.3,
    ):
        super().__init__()
        if not 0 < low <= high <= 1:
            raise ValueError(f"need 0 < low <= high <= 1, got low={low} high={high}")
        if not 0 < aspect <= 1:
            raise ValueError(f"aspect must lie in (0, 1], got {aspect}")
        self.prob, self.low, self.high, self.aspect = prob, low, high, aspect

    def hidden(self, x: Tensor) -> Tensor:
        """``(N, 1, H, W)`` bool: one rectangle for each image that is erased in."""
        n, _, height, width = x.shape
        area, aspect = torch.rand(2, n, TRIES, device=x.device)
        area = (self.low + (self.high - self.low) * area) * height * width
        aspect = self.aspect + (1 / self.aspect - self.aspect) * aspect
        tall, wide = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
        fits = (tall < height) & (wide < width)
        first = fits.int().argmax(1, keepdim=True)
        tall, wide = (side.gather(1, first)[:, 0].long() for side in (tall, wide))
        down, right, coin = torch.rand(3, n, device=x.device)
        erased = (coin < self.prob) & fits.any(1)
        top, left = (down * (height - tall + 1)).long(), (right * (width - wide + 1)).long()
        return inside(x, top, top + tall * erased, left, left + wide)

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x.clone().masked_fill_(self.hidden(x), 0), y
