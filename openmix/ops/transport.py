"""Entropic optimal transport between the places of two feature maps."""

import torch
from torch import Tensor


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """``(N, P, Q)``: from each of P columns of ``a`` ``(N, C, P)`` to each of Q of ``b``."""
    squares = a.square().sum(1)[:, :, None] + b.square().sum(1)[:, None, :]
    return torch.baddbmm(squares, a.transpose(1, 2), b, alpha=-2).clamp_(min=0)


def sinkhorn(cost: Tensor, eps: float, iterations: int) -> Tensor:
    """Transport plan ``(N, P, Q)`` for ``cost`` ``(N, P, Q)`` between two uniform distributions.

    Sums over P are 1/Q after any number of iterations; sums over Q tend to 1/P.
    """
    log_plan = cost / -eps
    for _ in range(iterations):
        log_plan = log_plan.log_softmax(2).log_softmax(1)
    return log_plan.exp() / cost.shape[2]
