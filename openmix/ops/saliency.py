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
    """Grey images ``(N, H, W)`` of RGB images; the mean over channels where there are not three.

    Weights are OpenCV's; torchvision has 0.2989 for red.
    """
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
    padded = F.pad(maps[:, None], (half,) * 4, mode=mode)[:, 0]
    for axis, size in ((1, maps.shape[1]), (2, maps.shape[2])):
        taps = [weight * padded.narrow(axis, i, size) for i, weight in enumerate(kernel)]
        padded = sum(taps[1:], taps[0])
    return padded


def gaussian_blur(maps: Tensor, size: int, sigma: float) -> Tensor:
    """Blur maps ``(N, H, W)`` by a Gaussian cut off at ``size`` pixels."""
    return _smooth(maps, _bell(size, sigma, maps.dtype, maps.device))


def spectral_residual(x: Tensor, limit: int = 128, blur: tuple[int, float] | None = None) -> Tensor:
    """Spectral residual of Hou and Zhang (CVPR 2007): maps ``(N, H, W)`` of images, 0 or more.

    What the log amplitude spectrum has above its local mean, carried back to the image with the
    phases as they were, and blurred by a Gaussian of ``blur``'s size and sigma in pixels. Images
    higher or wider than ``limit`` are analysed, and blurred, at ``limit`` squared.
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
    if blur is not None:
        maps = gaussian_blur(maps, *blur)
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
    grey = luma(x)
    kernel = grey.new_full((3,), 0.25)
    kernel[1] = 0.5
    grey = _smooth(_smooth(grey, kernel), kernel)
    grey = grey - grey.mean((1, 2), keepdim=True)  # keeps the sums below small, thus exact
    sums = grey.cumsum(1).cumsum(2)
    brighter, darker = torch.zeros_like(grey), torch.zeros_like(grey)
    for reach in _REACH:
        total = _window_sums(_window_sums(sums, reach, 1), reach, 2)
        rows, columns = (
            _window_sums(torch.arange(1, size + 1, device=x.device), reach, 0)
            for size in grey.shape[1:]
        )
        others = (rows[:, None] * columns - 1).clamp(min=1)
        contrast = grey - (total - grey) / others
        brighter += contrast.clamp(min=0)
        darker -= contrast.clamp(max=0)
    return _by_maximum(brighter) + _by_maximum(darker)


def _window_sums(sums: Tensor, reach: int, axis: int) -> Tensor:
    """Sums over each place's window, ``reach - 1`` before to ``reach`` after it, cut to size.

    ``sums`` are cumulative along ``axis``.
    """
    size = sums.shape[axis]
    reach = min(reach, size)
    inner = size - reach
    sizes = [-1] * sums.ndim
    sizes[axis] = reach
    last = sums.narrow(axis, size - 1, 1).expand(sizes)
    window = torch.cat([sums.narrow(axis, reach, inner), last], axis)
    window.narrow(axis, reach, inner).sub_(sums.narrow(axis, 0, inner))
    return window


def _by_maximum(maps: Tensor) -> Tensor:
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-20)
