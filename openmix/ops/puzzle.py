"""Moving the salient blocks of an image to where a mask shows them."""

from functools import lru_cache

import torch
from torch import Tensor

from openmix.ops.blend import has_channels_last


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
    at, elsewhere = block[0].to(cost.dtype), torch.empty_like(cost)  # quicker than whole numbers
    for _ in range(side):
        bid = cost.amin(2)
        torch.ne(cost, bid[..., None], out=elsewhere)
        place = torch.add(at, elsewhere, alpha=places).amin(2).long()  # the first of equal ones
        lowest = torch.zeros_like(bid).scatter_reduce_(1, place, bid, "amin")
        among = (bid < 0) & (bid == lowest.gather(1, place))
        winner = torch.full_like(block, places).scatter_reduce_(
            1, place, torch.where(among, block, places), "amin"
        )
        lost = winner.gather(1, place) != block
        cost.scatter_(2, place[..., None], (bid + lost)[..., None])
    return torch.where(winner < places, winner, block)


def rearranged(x: Tensor, blocks: Tensor, side: int) -> Tensor:
    """``x`` ``(N, C, H, W)`` with its ``side`` x ``side`` blocks taken in the order ``blocks``."""
    n, channels, height, width = x.shape
    if has_channels_last(x):
        one_plane = x.permute(0, 2, 3, 1).reshape(n, 1, height, width * channels)
        taken = rearranged(one_plane, blocks, side).view(n, height, width, channels)
        return taken.permute(0, 3, 1, 2)
    tall, wide = height // side, width // side
    # A row of pixels of a block is what lies together: number them all, take them as they come.
    top, left = (
        (blocks // side).view(n, 1, side, 1, side),
        (blocks % side).view(n, 1, side, 1, side),
    )
    plane = torch.arange(n * channels, device=x.device).view(n, channels, 1, 1, 1)
    within = torch.arange(tall, device=x.device)[:, None]
    row = ((plane * side + top) * tall + within) * side + left
    return x.reshape(-1, wide).index_select(0, row.flatten()).view(x.shape)
