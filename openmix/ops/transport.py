"""Entropic optimal transport between the places of two feature maps."""

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """``(N, P, Q)``: from each of P columns of ``a`` ``(N, C, P)`` to each of Q of ``b``."""
    squares = a.square().sum(1)[:, :, None] + b.square().sum(1)[:, None, :]
    return torch.baddbmm(squares, a.transpose(1, 2), b, alpha=-2).clamp_(min=0)


def sinkhorn(cost: Tensor, eps: float, iterations: int) -> Tensor:
    """Transport plan ``(N, P, Q)`` for ``cost`` ``(N, P, Q)`` between two uniform distributions.

    Sums over P are 1/Q after any number of iterations; sums over Q tend to 1/P. An iteration in
    logarithms holds whatever the costs. It is two launches on an accelerator but slow on the CPU,
    which does one that way and the rest by multiplication, ten at a time: too few for the sums to
    leave the range of floats.
    """
    log_plan = cost / -eps
    in_logs = 1 if cost.device.type == "cpu" else iterations
    for _ in range(in_logs):
        log_plan = log_plan.log_softmax(2).log_softmax(1)
    for done in range(in_logs, iterations, 10):
        log_plan += _log_scales(log_plan, min(10, iterations - done))
    return _exp(log_plan) / cost.shape[2]


def _log_scales(log_plan: Tensor, iterations: int) -> Tensor:
    """What as many iterations of matrix scaling add to ``log_plan``."""
    plan = _exp(log_plan)
    v = torch.ones_like(plan[:, :1])
    small = plan.shape[1] < 32  # a batch of small products along columns is slow
    for _ in range(iterations):
        u = (plan @ v.transpose(1, 2)).add_(1e-30).reciprocal_()
        over_p = (plan * u).sum(1, keepdim=True) if small else u.transpose(1, 2) @ plan
        v = over_p.add_(1e-30).reciprocal_()
    return u.log_() + v.log_()


def _exp(t: Tensor) -> Tensor:
    """0 in the place of denormal numbers, which are slow on the CPU, here and wherever they go."""
    return F.threshold(t.clamp(min=-87).exp(), 1e-37, 0)
