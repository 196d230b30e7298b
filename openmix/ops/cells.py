"""From the cells of a grid to pixels."""

import torch
from torch import Tensor


def enlarged(cells: Tensor, height: int, width: int) -> Tensor:
    """``(N, C, height, width)``: each pixel shows the cell of ``cells`` ``(N, C, R, S)`` it is in.

    Nearest neighbours. Whole rows are copied, which :func:`torch.nn.functional.interpolate` does
    not on the CPU.
    """
    rows, columns = (
        torch.arange(size, device=cells.device) * count // size
        for size, count in ((height, cells.shape[2]), (width, cells.shape[3]))
    )
    return cells.index_select(3, columns).index_select(2, rows)
