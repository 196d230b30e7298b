"""Choosing each image's partner by how far apart two maps lie."""

import torch
from torch import Tensor


def farthest_cycle(maps: Tensor) -> Tensor:
    """Partners ``(N,)`` along one cycle through the batch, each the farthest image still free.

    ``maps`` is ``(N, H, W)``; distances are Euclidean. The cycle begins at the most distant pair.
    Greedy by nature: N short steps, all on the device.
    """
    n = len(maps)
    if n == 1:
        return torch.zeros(1, dtype=torch.long, device=maps.device)
    flat = maps.flatten(1)
    with torch.autocast(maps.device.type, enabled=False):
        distance = torch.cdist(flat, flat)
    distance.fill_diagonal_(-1)
    start = distance.flatten().argmax().view(1)
    order = [start // n, start % n]
    taken = torch.zeros(n, dtype=distance.dtype, device=maps.device)
    taken.index_fill_(0, order[0], torch.inf)
    for _ in range(n - 2):
        taken.index_fill_(0, order[-1], torch.inf)
        order.append((distance[order[-1]] - taken).argmax(1))
    cycle = torch.cat(order)
    return torch.empty_like(cycle).scatter_(0, cycle, cycle.roll(-1))
