"""Random erasing of a box of one image, as timm and DeiT do it."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_TRIES = 10


class RandomErasing:
    """With `probability`, fill a random box with noise of the given mean and std per channel.

    scale: range of the box's share of the area; ratio: range of its height / width. mean and std
    in units of [0, 1]: the network then sees standard normal noise there, cut off at black
    and white. Takes and returns uint8 (C, H, W), drawing from torch's generator.
    """

    paper = "https://arxiv.org/abs/1708.04896"

    def __init__(
        self,
        probability: float,
        mean: Sequence[float],
        std: Sequence[float],
        scale: tuple[float, float] = (0.02, 1 / 3),
        ratio: tuple[float, float] = (0.3, 1 / 0.3),
    ):
        self.probability, self.scale, self.ratio = probability, scale, ratio
        self.mean, self.std = (255 * torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def __call__(self, image: Tensor) -> Tensor:
        if torch.rand(()) >= self.probability:
            return image
        channels, height, width = image.shape
        for area, ratio, down, right in torch.rand(_TRIES, 4).tolist():
            area = height * width * (self.scale[0] + area * (self.scale[1] - self.scale[0]))
            low, high = map(math.log, self.ratio)
            ratio = math.exp(low + ratio * (high - low))
            tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if tall < height and wide < width:
                top, left = int(down * (height - tall + 1)), int(right * (width - wide + 1))
                noise = self.mean + self.std * torch.randn(channels, tall, wide)
                image = image.clone()
                image[:, top : top + tall, left : left + wide] = noise.round().clamp(0, 255)
                break
        return image
