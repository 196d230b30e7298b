"""One label for each cell of a grid, so that cells like their own label and their neighbours'."""

import torch
import torch.nn.functional as F
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
    labels = _beliefs(unary, down, right, rounds).argmin(-1)
    labels = _improve(labels, unary, down, right)
    constant = [torch.full_like(labels, label) for label in range(unary.shape[-1])]
    choices = torch.stack([labels, *constant])
    costs = torch.stack([energy(choice, unary, down, right) for choice in choices])
    return choices[costs.argmin(0), torch.arange(len(labels), device=labels.device)]


def _beliefs(unary: Tensor, down: Tensor, right: Tensor, rounds: int) -> Tensor:
    level = torch.linspace(0, 1, unary.shape[-1], dtype=unary.dtype, device=unary.device)
    distance = (level[:, None] - level).square()
    vertical, horizontal = (w[..., None, None] * distance for w in (down, right))

    def sent(belief: Tensor, cost: Tensor) -> Tensor:
        message = (belief[..., None] + cost).amin(-2)
        return message - message.amin(-1, keepdim=True)

    above, below, before, behind = (torch.zeros_like(unary) for _ in range(4))
    for _ in range(rounds):
        belief = unary + above + below + before + behind
        news = (
            F.pad(sent((belief - below)[:, :-1], vertical), (0, 0, 0, 0, 1, 0)),
            F.pad(sent((belief - above)[:, 1:], vertical), (0, 0, 0, 0, 0, 1)),
            F.pad(sent((belief - behind)[:, :, :-1], horizontal), (0, 0, 1, 0)),
            F.pad(sent((belief - before)[:, :, 1:], horizontal), (0, 0, 0, 1)),
        )
        old = (above, below, before, behind)
        above, below, before, behind = (
            torch.lerp(*pair, 0.5) for pair in zip(old, news, strict=True)
        )
    return unary + above + below + before + behind


def _improve(labels: Tensor, unary: Tensor, down: Tensor, right: Tensor, sweeps: int = 4) -> Tensor:
    """Give each cell the label that is best beside its neighbours, every other cell in turn."""
    rows, columns, count = unary.shape[1:]
    level = torch.linspace(0, 1, count, dtype=unary.dtype, device=unary.device)
    field = torch.arange(rows, device=unary.device)[:, None] + torch.arange(
        columns, device=unary.device
    )
    for turn in range(2 * sweeps):
        distance = (level[labels][..., None] - level).square()
        vertical, horizontal = down[..., None], right[..., None]
        cost = (
            unary
            + F.pad(vertical * distance[:, :-1], (0, 0, 0, 0, 1, 0))
            + F.pad(vertical * distance[:, 1:], (0, 0, 0, 0, 0, 1))
            + F.pad(horizontal * distance[:, :, :-1], (0, 0, 1, 0))
            + F.pad(horizontal * distance[:, :, 1:], (0, 0, 0, 1))
        )
        labels = torch.where(field % 2 == turn % 2, cost.argmin(-1), labels)
    return labels
