"""Which images of a group each block of each mixed image shows, decided for the group as a whole.

P groups of n images give M mixed images each, of R x C blocks. A block shows one image or half each
of two: its share is a row of n numbers that sum to 1.
"""

from functools import lru_cache
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

_HALVES_SAVE = 5e-4
"""What a half of each costs less than the mean of both, as in Co-Mixup's code."""


def shares(
    cost: Tensor,
    affinity: Tensor,
    start: Tensor,
    beta: float,
    gamma: float,
    threshold: float,
    rounds: int,
) -> Tensor:
    """The share of each image in each block, ``(P, M, R, C, n)``.

    Mixed images are decided in turn, ``rounds`` times, each by the least it can cost beside the
    others as they are. ``beta``, ``gamma`` and ``threshold`` are for a grid of one block: the first
    two are divided by the number of blocks, the last is multiplied by it. Halves are open to the up
    to three images that show most of the last round; in the last round those mixed images that
    show the same images pay ``gamma`` for one of them.

    Args:
        cost: of showing an image in a block, ``(P, R, C, n)``.
        affinity: ``(P, n, n)``. Its product with how many blocks of the other mixed images show
            each image is what showing the image costs, times two ``gamma``, above ``threshold``.
        start: number of the image that each block shows at first, ``(P, M, R, C)``.
        beta: cost of two neighbouring blocks with different images.
    """
    blocks, outputs = start.shape[2] * start.shape[3], start.shape[1]
    beta, gamma, threshold = beta / blocks, gamma / blocks, threshold * blocks
    one_hot = torch.eye(cost.shape[-1], dtype=cost.dtype, device=cost.device)
    shown = list(one_hot[start].unbind(1))
    counts = [share.sum((1, 2)) for share in shown]
    total, extra = sum(counts), [0.0] * outputs
    for turn in range(rounds):
        for j in range(outputs):
            others = total - counts[j]
            crowd = (affinity @ others[..., None])[..., 0]
            price = 2 * gamma * torch.where(crowd > threshold, crowd, 0) + gamma * extra[j]
            last = counts[j] if turn else None
            shown[j] = cheapest_shares(cost + price[:, None, None], last, beta)
            counts[j] = shown[j].sum((1, 2))
            total = others + counts[j]
        if turn == rounds - 2:
            extra = repeats(torch.stack(counts, 1)).unbind(1)
    return torch.stack(shown, 1)


def repeats(counts: Tensor) -> Tensor:
    """1 at an image that one of two equal mixed images should do without, ``(P, M, n)``.

    Mixed images with the same two or more images in ``counts`` ``(P, M, n)`` are equal. All but the
    last of them should lose the first of these images, all but the first the second.
    """
    seen = counts > 0
    rank = seen.cumsum(-1)
    equal = (seen[:, :, None] == seen[:, None]).all(-1) & (rank[..., -1:] > 1)
    before = equal.triu(1)
    first = seen & (rank == 1) & before.any(2)[..., None]
    second = seen & (rank == 2) & before.any(1)[..., None]
    return (first | second).to(counts.dtype)


def cheapest_shares(cost: Tensor, counts: Tensor | None, beta: float) -> Tensor:
    """Shares ``(P, R, C, n)`` of one mixed image of low cost.

    ``cost`` is ``(P, R, C, n)``. Halves are open to the images that have most of ``counts``
    ``(P, n)``, if given. Two neighbours cost ``beta`` if they differ, and a quarter of it if one of
    them is half of the other.
    """
    n = cost.shape[-1]
    one_hot = torch.eye(n, dtype=cost.dtype, device=cost.device)
    levels = one_hot.expand(len(cost), n, n)
    if counts is not None and n > 1:
        most, which = counts.topk(min(3, n))
        pairs = list(combinations(range(most.shape[1]), 2))
        halves = torch.stack(
            [(one_hot[which[:, a]] + one_hot[which[:, b]]) / 2 for a, b in pairs], 1
        )
        never = torch.stack([most[:, b] == 0 for _, b in pairs], 1)[:, None, None]
        mean = torch.einsum("prcn,pkn->prck", cost, halves) - _HALVES_SAVE
        cost = torch.cat([cost, mean.masked_fill(never, torch.inf)], -1)
        levels = torch.cat([levels, halves], 1)
    overlap = levels @ levels.mT
    near = torch.where(overlap == 0.5, 0.25, 1.0).to(cost.dtype)
    between = beta * near * (1 - torch.eye(levels.shape[1], dtype=cost.dtype, device=cost.device))
    group = torch.arange(len(cost), device=cost.device)[:, None, None]
    return levels[group, cheapest_labels(cost, between)]


def cheapest_labels(unary: Tensor, between: Tensor) -> Tensor:
    """Labels ``(P, S, S)`` of low :func:`energy`: never above that of a constant labelling.

    By min-sum belief propagation, damped; nothing waits for the device.
    """
    labels = _beliefs(unary, between).argmin(-1)
    same = unary.sum((1, 2)).argmin(-1)[:, None, None].expand_as(labels)
    better = energy(labels, unary, between) <= energy(same, unary, between)
    return torch.where(better[:, None, None], labels, same)


def energy(labels: Tensor, unary: Tensor, between: Tensor) -> Tensor:
    """What ``labels`` ``(P, R, C)`` cost: ``(P,)``.

    ``unary`` ``(P, R, C, L)`` is the cost of each label in each cell, ``between`` ``(P, L, L)``
    that of two labels side by side.
    """
    group = torch.arange(len(labels), device=labels.device)[:, None, None]
    own = unary.gather(-1, labels[..., None]).sum((1, 2, 3))
    vertical = between[group, labels[:, 1:], labels[:, :-1]].sum((1, 2))
    horizontal = between[group, labels[:, :, 1:], labels[:, :, :-1]].sum((1, 2))
    return own + vertical + horizontal


@lru_cache(maxsize=16)
def _turns(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each cell of a grid turned by 0 to 3 quarters comes from, and goes to, ``(4, S²)``."""
    grid = torch.arange(side * side).view(side, side)
    turned = torch.stack([grid.rot90(quarter).flatten() for quarter in range(4)])
    turns = turned, turned.argsort(1)
    return tuple(turn.to(device, non_blocking=True) for turn in turns)


def _beliefs(unary: Tensor, between: Tensor, rounds: int = 10, news: float = 0.75) -> Tensor:
    """What each label costs a cell as far as it has heard after ``rounds``, ``(P, S, S, L)``.

    Messages go to the row below, in the grid and in the three it turns into, all at once.
    """
    groups, side, _, count = unary.shape
    turned, back = _turns(side, unary.device)
    direction = torch.arange(4, device=unary.device)[:, None]
    flat = unary.flatten(1, 2).transpose(0, 1)  # cells first, to be turned by an index
    heard = torch.zeros(4, side * side, groups, count, dtype=unary.dtype, device=unary.device)
    for turn in range(rounds + 1):
        belief = flat + heard[direction, back].sum(0)
        if turn == rounds:
            return belief.transpose(0, 1).unflatten(1, (side, side))
        from_below = heard.roll(2, 0).flip(1)
        told = (belief[turned] - from_below)[:, :-side]
        message = (told[..., None] + between).amin(-2)
        message = F.pad(message - message.amin(-1, keepdim=True), (0, 0, 0, 0, side, 0))
        heard = torch.lerp(heard, message, news)
