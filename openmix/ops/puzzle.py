"""Moving the salient blocks of an image to where a mask shows them."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=16)
def _squared_distances(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """``(side², side²)``: between blocks of a square grid, in units of its side."""
    at = torch.arange(side, dtype=dtype, device=device) / (side - 1)
    one = (at[:, None] - at).square()
    return (one[:, None, :, None] + one[None, :, None, :]).reshape(side**2, side**2)


def moves(saliency: Tensor, shown: Tensor, price: float) -> Tensor:
    """Which block each place receives, ``(N, P)``; the arguments are ``(N, side, side)``.

    Every block bids for one place: its saliency if the place is shown, less ``price`` times the
    squared way. The highest positive bid for a place wins; losers raise the place's cost by 1 and
    bid anew, ``side`` times in all. A place that nobody wins keeps its own block.
    """
    n, side = shown.shape[:2]
    places = side * side
    gain = saliency.reshape(n, places, 1) * (shown > 0).to(saliency.dtype).reshape(n, 1, places)
    cost = price * _squared_distances(side, saliency.dtype, saliency.device) - gain
    block = torch.arange(places, device=shown.device).expand(n, places)
    for _ in range(side):
        bid, place = cost.min(2)
        lowest = torch.zeros_like(bid).scatter_reduce_(1, place, bid, "amin")
        among = (bid < 0) & (bid == lowest.gather(1, place))
        winner = torch.full_like(block, places).scatter_reduce_(
            1, place, torch.where(among, block, places), "amin"
        )
        lost = winner.gather(1, place) != block
        cost = cost.scatter(2, place[..., None], (bid + lost)[..., None])
    return torch.where(winner < places, winner, block)


def rearranged(x: Tensor, blocks: Tensor, side: int) -> Tensor:
    """``x`` ``(N, C, H, W)`` with its ``side`` x ``side`` blocks taken in the order ``blocks``."""
    n, channels, height, width = x.shape
    cut = x.reshape(n, channels, side, height // side, side, width // side)
    cut = cut.permute(0, 2, 4, 1, 3, 5).reshape(n, side * side, -1)
    cut = cut.gather(1, blocks[..., None].expand_as(cut))
    cut = cut.view(n, side, side, channels, height // side, width // side)
    return torch.empty_like(x).copy_(cut.permute(0, 3, 1, 4, 2, 5).reshape(x.shape))
