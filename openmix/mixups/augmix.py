from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw, photometric
from openmix.types import Count, NonNegative, Positive

MOVES = 5
"""Rotate, shear x and y, shift x and y."""
ODDS = (MOVES, 1, 1, 1, 1)
"""Of a move, autocontrast, equalize, posterize, solarize."""


class AugMix(Mixer):
    """AugMix: blend an image with random distortions of itself; the predictions are to agree.

    Three views pass the network at once, the images and two distortions of each. The labels go
    with the images as they are; the Jensen-Shannon divergence of the three predictions is a loss
    beside theirs. Every image has its own chains of operations, as in the authors' code, which runs
    them one image at a time in the loader; bilinear resampling may differ from it by a grey level.

    Args:
        mean, std: of the data per channel in units of [0, 1], to undo its normalisation.
        severity: greatest strength of an operation, out of 10.
        width: chains that are blended into a distortion.
        depth: most operations in a chain; 1 at least.
        jsd: weight of the divergence.
    """

    paper = "https://arxiv.org/abs/1912.02781"
    venue = "ICLR 2020"
    family = "augmentation"
    weight_is_area = False
    own_pixels = False

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        severity: Positive = 3.0,
        width: Count = 3,
        depth: Count = 3,
        jsd: NonNegative = 12.0,
    ):
        super().__init__()
        for name, values in {"mean": mean, "std": std}.items():
            values = torch.tensor(list(values), dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.severity, self.width, self.depth, self.jsd = severity, width, depth, jsd

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        with torch.autocast(x.device.type, enabled=False):
            views = [x, *(torch.empty_like(x).copy_(self.distort(x.float())) for _ in range(2))]
        logits = net(torch.cat(views))
        return Mixed(logits[: len(x)], y, {"jsd": self.jsd * divergence(logits.float(), 3)})

    def distort(self, x: Tensor) -> Tensor:
        """``(1 - m) x + m (w_1 chain_1(x) + ...)``; m uniform, w from a flat Dirichlet."""
        n, std, mean = len(x), self.std.to(x.device), self.mean.to(x.device)
        image = ((x * std + mean) * 255).round().clamp(0, 255)
        chains = self.chains(image.repeat(self.width, 1, 1, 1)).view(self.width, *x.shape)
        weight = torch.empty(self.width, n, device=x.device).exponential_()
        weight = (weight / weight.sum(0)).view(self.width, n, 1, 1, 1)
        mixed = ((chains * weight).sum(0) / 255 - mean) / std
        return torch.lerp(x, mixed, torch.rand(n, 1, 1, 1, device=x.device))

    def chains(self, image: Tensor) -> Tensor:
        """One to ``depth`` random operations on each image, grey levels 0..255."""
        image = image.clone()
        operations = (self._move, photometric.autocontrast, photometric.equalize)
        operations += (self._posterize, self._solarize)
        ends = draw.deal(torch.arange(len(image), device=image.device), [1] * self.depth)
        for position in range(self.depth):
            active = torch.cat(ends[position:])
            for operation, rows in zip(operations, draw.deal(active, ODDS), strict=True):
                if len(rows):
                    image[rows] = operation(image[rows])
        return image

    def _level(self, image: Tensor) -> Tensor:
        """Strengths out of 1, one an image."""
        u = torch.rand(len(image), device=image.device)
        return (0.1 + (self.severity - 0.1) * u) / 10

    def _posterize(self, image: Tensor) -> Tensor:
        return photometric.posterize(image, 4 - (4 * self._level(image)).floor())

    def _solarize(self, image: Tensor) -> Tensor:
        return photometric.solarize(image, 256 - (256 * self._level(image)).floor())

    def _move(self, image: Tensor) -> Tensor:
        """Rotate, shear or shift each image, either way."""
        height, width = image.shape[-2:]
        kind = torch.randint(MOVES, (len(image),), device=image.device)
        level = self._level(image)
        sign = torch.rand(len(image), device=image.device).round() * 2 - 1
        strengths = [(30 * level).floor().deg2rad(), 0.3 * level, 0.3 * level]
        strengths += [(width / 3 * level).floor(), (height / 3 * level).floor()]
        of = [(kind == i) * sign * strength for i, strength in enumerate(strengths)]
        return photometric.move(image, *of)


def divergence(logits: Tensor, views: int) -> Tensor:
    """Jensen-Shannon divergence of the predictions for the ``views`` views, mean over images."""
    p = logits.softmax(1).view(views, -1, logits.shape[1])
    mixture = p.mean(0).clamp(1e-7, 1).log().expand_as(p)
    return F.kl_div(mixture, p, reduction="sum") / (views * p.shape[1])
