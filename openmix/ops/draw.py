"""Random numbers of a mixup step, all from torch's generators.

Scalars that steer the host (a box, a shift, a blend weight of the whole batch) are drawn on the CPU
generator and read with ``tolist``: no device is waited for.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.distributions import Beta


@lru_cache(maxsize=32)
def _beta(a: float, b: float, device: torch.device) -> Beta:
    ab = torch.tensor([a, b], dtype=torch.float32, device=device)
    return Beta(ab[0], ab[1], validate_args=False)


def beta(a: float, b: float | None = None) -> float:
    """One draw from Beta(a, b or a) for the whole batch; 1 where a is 0 (no mixing)."""
    if a <= 0:
        return 1.0
    return _beta(a, a if b is None else b, torch.device("cpu")).sample().tolist()


def beta_rows(a: float, x: Tensor) -> Tensor:
    """One draw from Beta(a, a) for each row of ``x``: (N,) float32 on its device."""
    if a <= 0:
        return torch.ones(len(x), device=x.device)
    return _beta(a, a, x.device).sample((len(x),))


def uniform(n: int = 1) -> list[float]:
    """``n`` draws from U(0, 1) for the whole batch."""
    return torch.rand(n).tolist()


def integer(low: int, high: int) -> int:
    """One integer from {low, ..., high - 1} for the whole batch."""
    return torch.randint(low, high, ()).tolist()


def shift(n: int) -> int:
    """How far to rotate a batch of ``n`` so that no row meets itself (0 for a single row)."""
    return integer(1, n) if n > 1 else 0
