"""Random grey images with a 1/f spectrum, the raw material of FMix's masks."""

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from openmix.ops import draw

Variant = Literal["isotropic", "paper", "official"]


@lru_cache(maxsize=16)
def _decay(height: int, width: int, power: float, device: torch.device) -> Tensor:
    """``1 / max(f, 1 / max(H, W)) ** power`` on the half spectrum ``(H, W // 2 + 1)``."""
    fy = torch.fft.fftfreq(height, device=device)[:, None]
    fx = torch.fft.rfftfreq(width, device=device)
    return (fy**2 + fx**2).sqrt().clamp(min=1 / max(height, width)) ** -power


def low_frequency(
    n: int, height: int, width: int, power: float, variant: Variant, device: torch.device
) -> Tensor:
    """``n`` grey images ``(n, H, W)``, float32, their amplitude falling as ``f ** -power``.

    ``isotropic`` filters real white noise: no direction is preferred. ``paper`` draws the complex
    half spectrum, which gives the column of zero horizontal frequency half the power. ``official``
    is the authors' code: it takes rows 0 and 1 of the height axis for real and imaginary part, so
    that only the horizontal frequencies 0 and 1 remain.
    """
    scale = _decay(height, width, power, device)
    if variant == "isotropic":
        noise = torch.fft.rfft2(torch.randn(n, height, width, device=device))
        return torch.fft.irfft2(noise * scale, s=(height, width))
    if variant == "paper":
        noise = torch.randn(n, *scale.shape, 2, device=device)
        return torch.fft.irfft2(torch.view_as_complex(noise) * scale, s=(height, width))
    noise = torch.randn(n, 2, scale.shape[1], 2, device=device) * scale[:2, :, None]
    return torch.fft.irfft2(torch.complex(noise[:, 0], noise[:, 1]), s=(height, width))


def keep_largest(image: Tensor, share: float | Tensor) -> Tensor:
    """Binary masks ``(n, H, W)``, 1 on the ``share`` largest pixels of each image.

    One ``share`` for all images is met to the pixel, the last pixel by a coin whose odds are the
    fraction. One share a row ``(n,)`` is met by bisection of a threshold, which neither sorts nor
    waits for the device; it may be off by a pixel.
    """
    height, width = image.shape[-2:]
    flat = image.flatten(1)
    if isinstance(share, Tensor):
        threshold = _threshold(flat, share * (height * width))
        return torch.gt(flat, threshold, out=torch.empty_like(flat)).view_as(image)
    wanted = share * height * width
    count = int(wanted) + (draw.uniform()[0] < wanted - int(wanted))
    mask = torch.zeros_like(flat)
    return mask.scatter_(1, flat.topk(count, sorted=False).indices, 1).view_as(image)


def _threshold(flat: Tensor, wanted: Tensor) -> Tensor:
    """Per row a value ``(n, 1)`` that ``wanted`` of the row's values exceed."""
    wanted, above = wanted[:, None], torch.empty_like(flat)  # floats compare faster than bools
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    low = 2 * low - high  # far enough below that a share of 1 keeps the smallest value
    for _ in range(26):
        middle = (low + high) / 2
        many = torch.gt(flat, middle, out=above).sum(1, keepdim=True) > wanted
        low, high = torch.where(many, middle, low), torch.where(many, high, middle)
    return high
