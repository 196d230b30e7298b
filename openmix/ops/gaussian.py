"""Round bumps, the raw material of soft masks."""

import torch
from torch import Tensor


def bump(x: Tensor, variance: float | Tensor) -> Tensor:
    """``exp(-d² / (2 variance))``, d the distance in pixels to a random pixel of the image.

    One bump ``(1, 1, H, W)`` where ``variance`` is a number, one a row ``(N, 1, H, W)`` where it is
    ``(N,)``; float32. No variance leaves nothing, not even the centre.
    """
    rows = variance if isinstance(variance, Tensor) else torch.full((1,), variance, device=x.device)
    sides = []
    for size in x.shape[-2:]:
        centre = torch.randint(size, (len(rows), 1), device=x.device)
        distance = torch.arange(size, device=x.device) - centre
        sides.append((distance.square() / (-2 * rows.clamp(min=1e-9)[:, None])).exp())
    there = (rows > 0).float()[:, None, None, None]
    return sides[0][:, None, :, None] * sides[1][:, None, None, :] * there
