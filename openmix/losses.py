"""Losses for dense targets: ``loss(logits (M, C), target (M, C)) -> (M,)``, one number a row.

A loss never averages over rows: a weight that belongs to one image must meet that image's own loss.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix.types import Fraction, NonNegative


def smooth(target: Tensor, smoothing: float) -> Tensor:
    """Move the share ``smoothing`` of each row's weight to all classes evenly."""
    if not smoothing:
        return target
    return target * (1 - smoothing) + target.sum(1, keepdim=True) * (smoothing / target.shape[1])


class SoftCrossEntropy(nn.Module):
    """``-sum(target * log_softmax(logits))`` of each row; rows of ``target`` need not sum to 1."""

    def __init__(self, smoothing: Fraction = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        target = smooth(target, self.smoothing)
        return F.cross_entropy(logits.float(), target, reduction="none")


class BinaryCrossEntropy(nn.Module):
    """Mean over classes of the binary cross-entropy of each, for each row."""

    linear_in_target = False
    """Twice the target is not twice the loss."""

    def __init__(self, smoothing: Fraction = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        target = smooth(target, self.smoothing)
        losses = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
        return losses.mean(1)


class DecoupledCrossEntropy(nn.Module):
    """Cross-entropy, and for each of a row's two classes one that leaves the other class out.

    Decoupled Mixup (https://arxiv.org/abs/2203.10761): with shares λ_a and λ_b of the two largest
    weights of a row, the row's loss grows by ``eta λ_i**power (-log p_i)``, p_i being the softmax
    over all classes but the other one. Rows of one class get plain cross-entropy. The authors' code
    sets the terms by the first row's classes for the whole batch, and none at λ = 1/2; here every
    row has its own.

    Args:
        eta: weight of the added terms.
        mode: add the term of the ``less`` weighty class, the ``more`` weighty one, or ``both``;
            where they weigh the same, less and more add half of each.
        power: how steeply a term follows its class's share; 0 does not.
        smoothing: of the labels in the plain cross-entropy.
    """

    def __init__(
        self,
        eta: NonNegative = 0.1,
        mode: Literal["both", "less", "more"] = "both",
        power: NonNegative = 1.0,
        smoothing: Fraction = 0.0,
    ):
        super().__init__()
        self.eta, self.mode, self.power, self.smoothing = eta, mode, power, smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        logits, total = logits.float(), target.sum(1, keepdim=True)
        plain = F.cross_entropy(logits, smooth(target, self.smoothing), reduction="none")
        weights, classes = target.topk(2)
        terms = torch.stack([_without(logits, classes, 0), _without(logits, classes, 1)], 1)
        scale = self.chosen(weights) * (weights / total.clamp(min=1e-12)) ** self.power
        scale = torch.where(weights[:, 1:] > 0, scale, 0) * total
        return plain + self.eta * (scale * terms).sum(1)

    def chosen(self, weights: Tensor) -> Tensor:
        """Share of each of a row's two terms that is added; ``weights`` ``(M, 2)`` are sorted."""
        if self.mode == "both":
            return torch.ones_like(weights)
        more = torch.where(weights[:, :1] > weights[:, 1:], 1.0, 0.5)
        return torch.cat([more, 1 - more] if self.mode == "more" else [1 - more, more], 1)


def _without(logits: Tensor, classes: Tensor, i: int) -> Tensor:
    """``-log p`` of class i of ``classes`` ``(M, 2)`` where its other class does not exist."""
    others = logits.scatter(1, classes[:, 1 - i, None], -torch.inf)
    return others.logsumexp(1) - logits.gather(1, classes[:, i, None])[:, 0]
