"""One rectangle for each image, without a loop over them."""

import torch
from torch import Tensor


def inside(x: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """``(N, 1, H, W)`` bool: where rows ``top:bottom`` and columns ``left:right`` meet.

    The edges are integers ``(N,)`` and may lie outside the image, which clips the rectangle.
    """

    def between(low: Tensor, high: Tensor, size: int) -> Tensor:
        at = torch.arange(size, device=x.device)
        return (at >= low[:, None]) & (at < high[:, None])

    height, width = x.shape[-2:]
    rows, columns = between(top, bottom, height), between(left, right, width)
    return rows[:, None, :, None] & columns[:, None, None, :]
