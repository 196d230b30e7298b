"""Pillow's image operations, batched: grey levels 0..255 as float32 ``(N, C, H, W)``.

Each image has a strength of its own, ``(N,)``. Agrees with Pillow on uint8 images but for a level
here and there, by rounding.
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


def move(
    image: Tensor, angle: Tensor, shear_x: Tensor, shear_y: Tensor, x: Tensor, y: Tensor
) -> Tensor:
    """Rotate by ``angle`` (radians) around the centre, shear from the corner, or shift by pixels.

    An image to which several of them apply gets their sum, not one after the other.
    """
    height, width = image.shape[-2:]
    cos, sin, right, down = angle.cos(), angle.sin(), width / 2, height / 2
    rows = [cos, sin + shear_x, right - cos * right - sin * down + x]
    rows += [shear_y - sin, cos, down + sin * right - cos * down + y]
    return affine(image, torch.stack(rows, 1).view(-1, 2, 3))


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


def brightness(image: Tensor, factor: Tensor) -> Tensor:
    """Black at factor 0, the image at 1, brighter beyond."""
    return _enhance(torch.zeros_like(image), image, factor)


def colour(image: Tensor, factor: Tensor) -> Tensor:
    """Grey at factor 0, the image at 1, more saturated beyond; one channel stays as it is."""
    return _enhance(_grey(image).expand_as(image), image, factor)


def contrast(image: Tensor, factor: Tensor) -> Tensor:
    """The mean grey everywhere at factor 0, the image at 1, more contrast beyond."""
    mean = (_grey(image).mean((2, 3), keepdim=True) + 0.5).floor()
    return _enhance(mean.expand_as(image), image, factor)


def sharpness(image: Tensor, factor: Tensor) -> Tensor:
    """A 3x3 blur at factor 0, the image at 1, sharper beyond; the outermost pixels stay."""
    kernel = image.new_ones(3, 3)
    kernel[1, 1] = 5
    kernel = (kernel / 13).expand(image.shape[1], 1, 3, 3)
    blurred = image.clone()
    inner = F.conv2d(image, kernel, groups=image.shape[1])
    blurred[..., 1:-1, 1:-1] = (inner + 0.5).floor()
    return _enhance(blurred, image, factor)


def _grey(image: Tensor) -> Tensor:
    """Luma ``(N, 1, H, W)`` of three channels, the mean of any other number."""
    if image.shape[1] != 3:
        return image.mean(1, keepdim=True)
    red, green, blue = image.split(1, 1)
    return (0.299 * red + 0.587 * green + 0.114 * blue).round()


def _enhance(other: Tensor, image: Tensor, factor: Tensor) -> Tensor:
    """From ``other`` through the image and beyond."""
    factor = factor[:, None, None, None]
    return (other + factor * (image - other)).clamp(0, 255).floor()
