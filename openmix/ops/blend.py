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
    learned = t.requires_grad or (isinstance(weight, Tensor) and weight.requires_grad)
    if not isinstance(partner, int) or (learned and torch.is_grad_enabled()):
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
