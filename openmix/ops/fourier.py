"""Random grey images with a 1/f spectrum, the raw material of FMix's masks."""

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from openmix.ops import draw

Variant = Literal["isotropic", "paper", "official"]

ROUNDS = 13
"""Of the search for a threshold, which is then two pixels off at most at 32 px, five at 224 px."""


@lru_cache(maxsize=16)
def _decay(height: int, width: int, power: float, variant: Variant, device: torch.device) -> Tensor:
    """``1 / max(f, 1 / max(H, W)) ** power`` on the half spectrum ``(H, W // 2 + 1)``."""
    fy = torch.fft.fftfreq(height, device=device)[:, None]
    fx = torch.fft.rfftfreq(width, device=device)
    scale = (fy**2 + fx**2).sqrt().clamp(min=1 / max(height, width)) ** -power
    if variant == "isotropic":  # these columns lose half their power when the image is made real
        scale = torch.where((fx == 0) | (fx == 0.5), scale * 2**0.5, scale)
    return scale


def low_frequency(
    n: int, height: int, width: int, power: float, variant: Variant, device: torch.device
) -> Tensor:
    """``n`` grey images ``(n, H, W)``, float32, their amplitude falling as ``f ** -power``.

    ``isotropic`` draws the spectrum of real white noise: no direction is preferred. ``paper`` draws
    all of the half spectrum alike, which gives the column of zero horizontal frequency half the
    power. ``official`` is the authors' code: it takes rows 0 and 1 of the height axis for real and
    imaginary part, so that only the horizontal frequencies 0 and 1 remain.
    """
    scale = _decay(height, width, power, variant, device)
    if variant != "official":
        noise = torch.randn(n, *scale.shape, 2, device=device).mul_(scale[..., None])
        return torch.fft.irfft2(torch.view_as_complex(noise), s=(height, width))
    noise = torch.randn(n, 2, scale.shape[1], 2, device=device) * scale[:2, :, None]
    return torch.fft.irfft2(torch.complex(noise[:, 0], noise[:, 1]), s=(height, width))


def keep_largest(image: Tensor, share: float | Tensor) -> Tensor:
    """Binary masks ``(n, H, W)``, 1 on the ``share`` largest pixels of each image.

    One ``share`` for all images is met to the pixel, the last pixel by a coin whose odds are the
    fraction. One share a row ``(n,)`` is met by a search for a threshold, which neither sorts nor
    waits for the device; the count may be a few pixels off.
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

    def surplus(level: Tensor) -> Tensor:
        return torch.gt(flat, level, out=above).sum(1, keepdim=True) - wanted

    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    low = low - (high - low) / 1000  # a share of 1 keeps the smallest value
    over, under = flat.shape[1] - wanted, -wanted
    for turn in range(ROUNDS):
        at = _guess(over, under) if turn % 3 else 0.5  # whatever the values, the ends close in
        level = torch.lerp(low, high, at)
        found = surplus(level)
        more = found > 0
        low, over = torch.where(more, level, low), torch.where(more, found, over)
        high, under = torch.where(more, high, level), torch.where(more, under, found)
    return torch.where(over < -under, low, high)


def _guess(over: Tensor, under: Tensor) -> Tensor:
    """Where between two ends 0 lies, as a share of the way, with ``over`` >= 0 and ``under`` <= 0.

    On the line between them, but nearer to the middle by what chance may add: or else the same end
    would move again and again, and hardly.
    """
    span = (over - under).clamp(min=1)
    at, chance = over / span, 1.5 * span.rsqrt()
    return torch.where(at < 0.5, (at + chance).clamp(max=0.5), (at - chance).clamp(min=0.5))
