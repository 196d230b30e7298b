"""Pillow's image operations of AugMix, batched: grey levels 0..255 as float32 ``(N, C, H, W)``.

Each image has a strength of its own. Agrees with Pillow on uint8 images but for the rounding of
:func:`affine`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def affine(image: Tensor, matrix: Tensor) -> Tensor:
    """Pixel ``(x, y)`` shows what lies at ``matrix @ (x, y, 1)``, bilinearly; black beyond.

    ``matrix`` is ``(N, 2, 3)``, in pixels, the centre of the first pixel being (0.5, 0.5).
    """
    height, width = image.shape[-2:]
    y = torch.arange(height, device=image.device) + 0.5
    x = torch.arange(width, device=image.device) + 0.5
    here = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)
    there = torch.einsum("nij,hwj->nhwi", matrix[..., :2], here) + matrix[:, None, None, :, 2]
    share = torch.stack([there[..., 0] / width, there[..., 1] / height], -1)
    shown = F.grid_sample(image, 2 * share - 1, padding_mode="border", align_corners=False)
    return shown.round() * ((share >= 0) & (share < 1)).all(-1)[:, None]


def autocontrast(image: Tensor) -> Tensor:
    """Stretch each channel to the full range; one of a single level stays."""
    low, high = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
    stretched = ((image - low) * 255 / (high - low).clamp(min=1)).floor()
    return torch.where(high > low, stretched, image)


def equalize(image: Tensor) -> Tensor:
    """Flatten the histogram of each channel, in Pillow's integer arithmetic."""
    level = image.long().flatten(2)
    count = torch.zeros(*level.shape[:2], 256, dtype=torch.long, device=image.device)
    count.scatter_add_(2, level, torch.ones_like(level))
    brightest = count.gather(2, level.amax(2, keepdim=True))
    step = (level.shape[2] - brightest) // 255
    below = count.cumsum(2) - count
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step > 0, table.gather(2, level), level).view_as(image).float()


def posterize(image: Tensor, bits: Tensor) -> Tensor:
    """Keep the ``bits (N,)`` highest of 8 bits."""
    step = 2 ** (8 - bits)[:, None, None, None]
    return (image / step).floor() * step


def solarize(image: Tensor, threshold: Tensor) -> Tensor:
    """Invert what is not below ``threshold (N,)``."""
    return torch.where(image < threshold[:, None, None, None], image, 255 - image)
