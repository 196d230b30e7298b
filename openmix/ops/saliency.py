"""Where an image catches the eye: classical detectors, batched, without a network.

Both detectors are computed in float32 at least, and neither minds the scale of the values, so
normalised images do as well as bytes.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)


def luma(x: Tensor) -> Tensor:
    """Grey images ``(N, H, W)`` of RGB images; the mean over channels where there are not three."""
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if x.shape[1] != len(_LUMA):
        return wide.mean(1)
    red, green, blue = wide.unbind(1)
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


@lru_cache(maxsize=16)
def _bell(size: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    at = torch.arange(size, dtype=dtype, device=device) - (size - 1) / 2
    bell = (-0.5 * (at / sigma) ** 2).exp()
    return bell / bell.sum()


def _smooth(maps: Tensor, kernel: Tensor) -> Tensor:
    """Convolve ``(N, H, W)`` along both axes; the border is mirrored, or repeated on tiny maps."""
    half = len(kernel) // 2
    mode = "reflect" if min(maps.shape[-2:]) > half else "replicate"
    padded = F.pad(maps[:, None], (half,) * 4, mode=mode)
    for axis in (-2, -1):
        padded = (padded.unfold(axis, len(kernel), 1) * kernel).sum(-1)
    return padded[:, 0]


def gaussian_blur(maps: Tensor, size: int, sigma: float) -> Tensor:
    """Blur maps ``(N, H, W)`` by a Gaussian cut off at ``size`` pixels."""
    return _smooth(maps, _bell(size, sigma, maps.dtype, maps.device))


def spectral_residual(x: Tensor, limit: int = 128) -> Tensor:
    """Spectral residual of Hou and Zhang (CVPR 2007): maps ``(N, H, W)`` of images, 0 or more.

    What the log amplitude spectrum has above its local mean, carried back to the image with the
    phases as they were. Images higher or wider than ``limit`` are analysed at ``limit`` squared.
    """
    size, grey = x.shape[-2:], luma(x)
    large = max(size) > limit
    if large:
        grey = _resize(grey, (limit, limit))
    spectrum = torch.fft.fft2(grey)
    power = spectrum.real.square() + spectrum.imag.square() + 1e-10
    amplitude, log = power.sqrt(), power.log() / 2
    around = F.avg_pool2d(F.pad(log[:, None], (1,) * 4, mode="replicate"), 3, 1)[:, 0]
    maps = torch.fft.ifft2(spectrum * ((log - around).exp() / amplitude)).abs()
    return _resize(maps, size) if large else maps


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps[:, None], size, mode="bilinear", antialias=True)[:, 0]


_REACH = (12, 24, 48, 28, 56, 112)


def fine_grained(x: Tensor) -> Tensor:
    """Fine-grained saliency of Montabone and Soto (2010): maps ``(N, H, W)`` of images, 0 or more.

    How much a pixel is brighter, and how much darker, than the mean of windows around it, summed
    over six sizes; either sum is divided by its maximum over the image before they are added. The
    windows are OpenCV's, which differs in rounding every step to a byte.
    """
    kernel = torch.tensor([0.25, 0.5, 0.25], device=x.device)
    grey = luma(x)
    kernel = kernel.to(grey.dtype)
    grey = _smooth(_smooth(grey, kernel), kernel)
    grey = grey - grey.mean((1, 2), keepdim=True)  # keeps the sums below small, thus exact
    sums = F.pad(grey.cumsum(1).cumsum(2), (1, 0, 1, 0))
    brighter, darker = torch.zeros_like(grey), torch.zeros_like(grey)
    for reach in _REACH:
        low_y, high_y = _window(grey.shape[1], reach, x.device)
        low_x, high_x = _window(grey.shape[2], reach, x.device)
        rows = sums[:, high_y] - sums[:, low_y]
        total = rows[:, :, high_x] - rows[:, :, low_x]
        others = ((high_y - low_y)[:, None] * (high_x - low_x) - 1).clamp(min=1)
        contrast = grey - (total - grey) / others
        brighter += contrast.clamp(min=0)
        darker -= contrast.clamp(max=0)
    return _by_maximum(brighter) + _by_maximum(darker)


def _window(size: int, reach: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """First and one past the last pixel of each pixel's window of ``2 * reach``, cut to size."""
    at = torch.arange(size, device=device)
    return (at - reach + 1).clamp(min=0), (at + reach + 1).clamp(max=size)


def _by_maximum(maps: Tensor) -> Tensor:
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-20)
