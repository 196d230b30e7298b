"""Random numbers of a mixup step, all from torch's generators.

Scalars that steer the host (a box, a shift, a blend weight of the whole batch) are drawn on the CPU
generator and read with ``tolist``: no device is waited for.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

import torch
from torch import Tensor


@lru_cache(maxsize=32)
def _shape(a: float, b: float, device: torch.device) -> Tensor:
    return torch.tensor([a, b], dtype=torch.float32, device=device)


def beta(a: float, b: float | None = None) -> float:
    """One draw from Beta(a, b or a) for the whole batch; 1 where a is 0 (no mixing)."""
    if a <= 0:
        return 1.0
    shape = _shape(a, a if b is None else b, torch.device("cpu"))
    return torch._sample_dirichlet(shape).tolist()[0]  # a third of the time of Beta.sample


def beta_rows(a: float, x: Tensor) -> Tensor:
    """One draw from Beta(a, a) for each row of ``x``: (N,) float32 on its device."""
    if a <= 0:
        return torch.ones(len(x), device=x.device)
    return torch._sample_dirichlet(_shape(a, a, x.device).expand(len(x), 2))[:, 0]


def uniform(n: int = 1) -> list[float]:
    """``n`` draws from U(0, 1) for the whole batch."""
    return torch.rand(n).tolist()


def integer(low: int, high: int) -> int:
    """One integer from {low, ..., high - 1} for the whole batch."""
    return torch.randint(low, high, ()).tolist()


def shift(n: int) -> int:
    """How far to rotate a batch of ``n`` so that no row meets itself (0 for a single row)."""
    return integer(1, n) if n > 1 else 0


def deal(rows: Tensor, odds: Sequence[int]) -> tuple[Tensor, ...]:
    """Deal ``rows`` (n,) out to as many hands as there are ``odds``, which give their chances.

    How many a hand gets is drawn on the CPU, which ones on the device: nothing is waited for.
    """
    counts = iter(torch.randint(sum(odds), (len(rows),)).bincount(minlength=sum(odds)).tolist())
    shuffled = rows[torch.rand(len(rows), device=rows.device).argsort()]
    return shuffled.split([sum(islice(counts, chance)) for chance in odds])
