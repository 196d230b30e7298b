import math
from collections.abc import Sequence

import torch
from torch import Tensor

from openmix.mixups.base import Mixer
from openmix.ops import draw, photometric
from openmix.types import Count, NonNegative

MOVES = 5
"""Rotate, shear x and y, shift x and y."""
ODDS = (MOVES, *[1] * 9)
"""Of a move and of each other operation."""


class RandAugment(Mixer):
    """RandAugment: distort each image by operations drawn at random; the labels stay.

    The paper's fourteen operations (none, rotate, shear and shift either way, autocontrast,
    equalize, posterize, solarize, brightness, colour, contrast, sharpness) at the strengths of
    torchvision's RandAugment, which all grow with the magnitude; in the authors' code posterize and
    solarize weaken. Every image draws its own, with replacement. It is distorted as the network
    would get it, after it was cropped; resampling is bilinear, and what moves in is black.

    Args:
        mean, std: of the data per channel in units of [0, 1], to undo its normalisation.
        num_ops: operations on each image, one after the other.
        magnitude: their strength; 10 is torchvision's strongest.
    """

    paper = "https://arxiv.org/abs/1909.13719"
    venue = "NeurIPS 2020"
    family = "augmentation"
    weight_is_area = False
    own_pixels = False

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        num_ops: Count = 2,
        magnitude: NonNegative = 9.0,
    ):
        super().__init__()
        for name, values in {"mean": mean, "std": std}.items():
            values = torch.tensor(list(values), dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.num_ops, self.level = num_ops, magnitude / 10

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        std, mean = self.std.to(x.device), self.mean.to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            image = ((x.float() * std + mean) * 255).round().clamp(0, 255)
            for _ in range(self.num_ops):
                image = self.operate(image)
            return torch.empty_like(x).copy_((image / 255 - mean) / std), y

    def operate(self, image: Tensor) -> Tensor:
        """One random operation on each image, grey levels 0..255."""
        operations = (self._move, None, photometric.autocontrast, photometric.equalize)
        operations += (self._posterize, self._solarize, self._brighten, self._colour)
        operations += (self._contrast, self._sharpen)
        out = image.clone()
        hands = draw.deal(torch.arange(len(image), device=image.device), ODDS)
        for operation, rows in zip(operations, hands, strict=True):
            if operation and len(rows):
                out[rows] = operation(image[rows])
        return out

    def _signed(self, image: Tensor) -> Tensor:
        """The level with a random sign, ``(N,)``."""
        return (torch.rand(len(image), device=image.device).round() * 2 - 1) * self.level

    def _move(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        kind, level = torch.randint(MOVES, (len(image),), device=image.device), self._signed(image)
        full = (math.radians(30), 0.3, 0.3, width * 150 / 331, height * 150 / 331)
        *turn, right, down = ((kind == i) * level * most for i, most in enumerate(full))
        return photometric.move(image, *turn, right.trunc(), down.trunc())

    def _posterize(self, image: Tensor) -> Tensor:
        bits = max(round(8 - 4 * self.level), 0)
        return photometric.posterize(image, image.new_full((len(image),), bits))

    def _solarize(self, image: Tensor) -> Tensor:
        threshold = 255 * (1 - self.level)
        return photometric.solarize(image, image.new_full((len(image),), threshold))

    def _brighten(self, image: Tensor) -> Tensor:
        return photometric.brightness(image, 1 + 0.9 * self._signed(image))

    def _colour(self, image: Tensor) -> Tensor:
        return photometric.colour(image, 1 + 0.9 * self._signed(image))

    def _contrast(self, image: Tensor) -> Tensor:
        return photometric.contrast(image, 1 + 0.9 * self._signed(image))

    def _sharpen(self, image: Tensor) -> Tensor:
        return photometric.sharpness(image, 1 + 0.9 * self._signed(image))
