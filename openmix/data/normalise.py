"""From bytes to the floats that a network sees."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """Images in 0..255, (B, C, H, W) of any type and device -> float32 (x / 255 - mean) / std.

    mean, std: one value a channel, in units of [0, 1]. The result is on the module's device.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        mean, std = (torch.tensor(list(v), dtype=torch.float64).view(-1, 1, 1) for v in (mean, std))
        self.register_buffer("scale", (1 / (255 * std)).float(), persistent=False)
        self.register_buffer("shift", (-mean / std).float(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.scale.device, non_blocking=True)
        return images.to(torch.float32, copy=True).mul_(self.scale).add_(self.shift)
