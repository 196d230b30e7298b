"""Losses for dense targets: ``loss(logits (M, C), target (M, C)) -> (M,)``, one number a row.

A loss never averages over rows: a weight that belongs to one image must meet that image's own loss.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from openmix.types import Fraction


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

    def __init__(self, smoothing: Fraction = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        target = smooth(target, self.smoothing)
        losses = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
        return losses.mean(1)
