"""One label for each cell of a grid, so that cells like their own label and their neighbours'."""

import torch
from torch import Tensor


def energy(labels: Tensor, unary: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """What ``labels`` ``(N, R, C)`` cost: ``(N,)``.

    ``unary`` ``(N, R, C, L)`` is the cost of each label in each cell. Two neighbours cost their
    weight, ``down`` ``(N, R - 1, C)`` or ``right`` ``(N, R, C - 1)``, times the squared distance of
    their labels in units of the number line from 0 to 1.
    """
    level = labels / (unary.shape[-1] - 1)
    own = unary.gather(-1, labels[..., None]).sum((1, 2, 3))
    vertical = down * (level[:, 1:] - level[:, :-1]).square()
    horizontal = right * (level[:, :, 1:] - level[:, :, :-1]).square()
    return own + vertical.sum((1, 2)) + horizontal.sum((1, 2))


def cheapest_labels(unary: Tensor, down: Tensor, right: Tensor, rounds: int = 24) -> Tensor:
    """Labels ``(N, R, C)`` of low :func:`energy`: never above that of a constant labelling.

    Min-sum belief propagation, damped, then single cells are changed while that helps. Exact where
    the grid has no cycle, otherwise close to it; nothing waits for the device.
    """
    # Short axes first: whole batches stand side by side in memory.
    turned = unary.permute(3, 1, 2, 0), down.permute(1, 2, 0), right.permute(1, 2, 0)
    turned = tuple(cost.contiguous() for cost in turned)
    labels = _beliefs(*turned, rounds).min(0).indices
    labels = _improve(labels, *turned).permute(2, 0, 1)
    constant = [torch.full_like(labels, label) for label in range(unary.shape[-1])]
    choices = torch.stack([labels, *constant])
    costs = torch.stack([energy(choice, unary, down, right) for choice in choices])
    return choices[costs.argmin(0), torch.arange(len(unary), device=unary.device)]


def _beliefs(unary: Tensor, down: Tensor, right: Tensor, rounds: int) -> Tensor:
    """What each label costs each cell, as its neighbours see it: ``(L, R, C, N)``, as ``unary``."""
    level = _levels(unary)
    distance = (level[:, None] - level).square()[..., None, None, None]
    vertical, horizontal = distance * down, distance * right

    def sent(belief: Tensor, cost: Tensor) -> Tensor:
        message = (belief + cost).amin(1)
        return message - message.amin(0)

    above, below = unary.new_zeros(2, len(unary), *down.shape)
    before, behind = unary.new_zeros(2, len(unary), *right.shape)

    def believed() -> Tensor:
        belief = unary.clone()
        belief[:, 1:] += above
        belief[:, :-1] += below
        belief[:, :, 1:] += before
        belief[:, :, :-1] += behind
        return belief

    for _ in range(rounds):
        belief = believed()
        news = (
            sent(belief[:, :-1] - below, vertical),
            sent(belief[:, 1:] - above, vertical),
            sent(belief[:, :, :-1] - behind, horizontal),
            sent(belief[:, :, 1:] - before, horizontal),
        )
        for old, new in zip((above, below, before, behind), news, strict=True):
            old.lerp_(new, 0.5)
    return believed()


def _improve(labels: Tensor, unary: Tensor, down: Tensor, right: Tensor, sweeps: int = 4) -> Tensor:
    """Give each cell the label that is best beside its neighbours, every other cell in turn."""
    rows, columns = (torch.arange(size, device=unary.device) for size in labels.shape[:2])
    odd = (rows[:, None] + columns)[..., None] % 2
    level = _levels(unary)
    for turn in range(2 * sweeps):
        distance = (level[labels] - level[:, None, None, None]).square()
        cost = unary.clone()
        cost[:, 1:] += down * distance[:, :-1]
        cost[:, :-1] += down * distance[:, 1:]
        cost[:, :, 1:] += right * distance[:, :, :-1]
        cost[:, :, :-1] += right * distance[:, :, 1:]
        labels = torch.where(odd == turn % 2, cost.min(0).indices, labels)
    return labels


def _levels(unary: Tensor) -> Tensor:
    return torch.linspace(0, 1, len(unary), dtype=unary.dtype, device=unary.device)
