"""Rectangles: where they lie and how a partner's pixels get into them."""

from typing import NamedTuple

import torch
from torch import Tensor

from openmix.ops import draw
from openmix.ops.blend import Partner, has_channels_last


class Box(NamedTuple):
    """Rows ``top:bottom`` and columns ``left:right`` of an image."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


def clipped_box(height: int, width: int, lam: float) -> Box:
    """CutMix's box: sides ``sqrt(1 - lam)`` of the image's, centre anywhere, clipped at the edges.

    Half sides are floored, as in the authors' code: an odd side loses one pixel.
    """
    ratio = (1 - lam) ** 0.5
    half_h, half_w = int(height * ratio) // 2, int(width * ratio) // 2
    u, v = draw.uniform(2)
    cy, cx = int(u * height), int(v * width)
    return Box(
        max(cy - half_h, 0),
        min(cy + half_h, height),
        max(cx - half_w, 0),
        min(cx + half_w, width),
    )


def clipped_box_masks(x: Tensor, lam: Tensor) -> Tensor:
    """One box of :func:`clipped_box` a row: ``(N, 1, H, W)``, 0 inside the box, 1 outside."""
    height, width = x.shape[-2:]
    ratio = (1 - lam).sqrt()
    inside = []
    for size in (height, width):
        half = (size * ratio).long() // 2
        centre = (torch.rand(len(x), device=x.device) * size).long()
        at = torch.arange(size, device=x.device)
        inside.append((at >= (centre - half)[:, None]) & (at < (centre + half)[:, None]))
    box = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return (~box).to(x.dtype)


def box_mask(x: Tensor, box: Box) -> Tensor:
    """``(1, 1, H, W)``: 0 inside ``box``, 1 outside."""
    mask = x.new_ones(1, 1, *x.shape[-2:])
    mask[..., box.top : box.bottom, box.left : box.right] = 0
    return mask


def paste(x: Tensor, partner: Partner, box: Box) -> Tensor:
    """A copy of ``x`` that shows each row's partner inside ``box``. Only the box is gathered."""
    out = x.clone(memory_format=torch.preserve_format)
    if not box.area:
        return out
    inside = (..., slice(box.top, box.bottom), slice(box.left, box.right))
    source, target = x[inside], out[inside]
    if isinstance(partner, int):
        k = partner % len(x)
        target[k:] = source[: len(x) - k]
        target[:k] = source[len(x) - k :]
    else:
        target.copy_(source[partner])
    return out


def put(image: Tensor, patch: Tensor, top: Tensor, left: Tensor) -> None:
    """Write ``patch`` ``(N, C, h, w)`` into ``image`` ``(N, C, H, W)``, each row at its own place.

    ``top`` and ``left`` ``(N,)`` are where it begins; it must lie inside. ``image`` is contiguous,
    in either layout.
    """
    n, channels, height, width = image.shape
    if has_channels_last(image):
        one_plane = (t.permute(0, 2, 3, 1).flatten(2)[:, None] for t in (image, patch))
        put(*one_plane, top, left * channels)
        return
    h, w = patch.shape[-2:]
    plane = torch.arange(n * channels, device=image.device).view(n, channels, 1)
    row = top.view(n, 1, 1) + torch.arange(h, device=image.device)
    first = (plane * height + row) * width + left.view(n, 1, 1)
    # A row of the patch is what lies together: view the image as all runs of w pixels.
    runs = image.view(-1).as_strided((image.numel() - w + 1, w), (1, 1))
    runs.index_copy_(0, first.flatten(), patch.reshape(-1, w))
