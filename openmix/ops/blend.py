"""Pair the rows of a batch and blend each with its partner.

A partner is an ``int`` (rotate the batch by so many rows) or a LongTensor ``(N,)`` of row numbers.
A rotation of a shuffled batch pairs the same images as a random permutation would, never an image
with itself, and needs no gather: a mixed batch is then written in two passes over memory.
"""

import torch
from torch import Tensor

Partner = int | Tensor


def partners(t: Tensor, partner: Partner) -> Tensor:
    """Row i of the result is the partner of row i of ``t``."""
    return t.roll(partner, 0) if isinstance(partner, int) else t[partner]


def blend(t: Tensor, partner: Partner, weight: float | Tensor) -> Tensor:
    """``weight * t + (1 - weight) * partners(t)``.

    ``weight`` is a number, one number a row ``(N,)``, or a tensor that broadcasts against ``t``.
    """
    if isinstance(weight, Tensor):
        weight = weight.to(t.dtype)
        if weight.ndim == 1:
            weight = weight.view(-1, *[1] * (t.ndim - 1))
        elif has_channels_last(t) and weight.shape[1:] == (1, *t.shape[2:]):
            return _blend_channels_last(t, partner, weight)
    learned = t.requires_grad or (isinstance(weight, Tensor) and weight.requires_grad)
    small = t.numel() < 2**16  # calls cost more than memory
    if small or not isinstance(partner, int) or (learned and torch.is_grad_enabled()):
        return torch.lerp(partners(t, partner), t, weight)

    def of(rows: slice) -> float | Tensor:
        return weight[rows] if isinstance(weight, Tensor) and len(weight) > 1 else weight

    k = partner % len(t)
    out = torch.empty_like(t)
    late, early = slice(k, None), slice(0, k)
    torch.lerp(t[: len(t) - k], t[late], of(late), out=out[late])
    if k:
        torch.lerp(t[len(t) - k :], t[early], of(early), out=out[early])
    return out


def has_channels_last(t: Tensor) -> bool:
    """Whether the channels of a pixel, rather than the pixels of a channel, lie together."""
    return (
        t.ndim == 4 and t.is_contiguous(memory_format=torch.channels_last) and not t.is_contiguous()
    )


def _blend_channels_last(t: Tensor, partner: Partner, mask: Tensor) -> Tensor:
    """Spread the mask over channels once: one broadcast along the innermost, short axis is slow."""
    n, channels, height, width = t.shape
    spread = mask.expand(-1, channels, -1, -1).permute(0, 2, 3, 1).flatten(1)
    flat = blend(t.permute(0, 2, 3, 1).flatten(1), partner, spread)
    return flat.view(n, height, width, channels).permute(0, 3, 1, 2)
