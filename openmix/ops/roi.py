"""Features under a box of the image."""

from math import ceil

import torch
from torch import Tensor

from openmix.ops.boxes import Box


def roi_mean(features: Tensor, box: Box, height: int, width: int) -> Tensor:
    """Mean ``(N, C)`` of ``features`` ``(N, C, h, w)`` under ``box``, of images of height x width.

    RoIAlign to one cell, aligned, with as many samples as the box has rows and columns of features.
    It is a product of two means, one along each axis. An empty box gives 0.
    """
    rows = _weights(features, -2, box.top, box.bottom, height)
    columns = _weights(features, -1, box.left, box.right, width)
    return (features * (rows[:, None] * columns)).sum((-2, -1))


def _weights(features: Tensor, axis: int, start: int, end: int, length: int) -> Tensor:
    """Weight of each row or column of the features in the mean over ``start:end`` of ``length``."""
    size = features.shape[axis]
    at = torch.arange(size, device=features.device)
    if start == end:
        return torch.zeros_like(at, dtype=features.dtype)
    low, extent = start * size / length, (end - start) * size / length
    samples = torch.arange(ceil(extent), device=features.device)
    where = (samples + 0.5) * (extent / ceil(extent)) + (low - 0.5)
    distance = where.clamp(0, size - 1)[:, None] - at
    return (1 - distance.abs()).clamp(min=0).mean(0).to(features.dtype)
