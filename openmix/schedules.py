"""Learning rates as pure functions of the step: nothing to save, nothing to restore."""

import math
from typing import Literal

from openmix.types import NonNegative


class Constant:
    """The optimizer's own learning rate."""

    def __call__(self, base_lr: float, step: int, steps_per_epoch: int, epochs: int) -> float:
        return base_lr


class Cosine:
    """Half a cosine from the base rate to ``min_lr``, its beginning replaced by a linear warm-up.

    As in timm's DeiT recipe, the cosine counts from the first epoch, not from the warm-up's end.

    Args:
        min_lr: rate at the end.
        warmup_epochs: length of the warm-up, whole or not.
        warmup_lr: rate at its start.
        per: change at every ``step``, or once an ``epoch``.
    """

    def __init__(
        self,
        min_lr: NonNegative = 0.0,
        warmup_epochs: NonNegative = 0.0,
        warmup_lr: NonNegative = 0.0,
        per: Literal["step", "epoch"] = "step",
    ):
        self.min_lr, self.warmup_epochs, self.warmup_lr = min_lr, warmup_epochs, warmup_lr
        self.per = per

    def __call__(self, base_lr: float, step: int, steps_per_epoch: int, epochs: int) -> float:
        """The rate of step ``step``, counted from 0."""
        epoch = step // steps_per_epoch if self.per == "epoch" else step / steps_per_epoch
        if epoch < self.warmup_epochs:
            return self.warmup_lr + (base_lr - self.warmup_lr) * epoch / self.warmup_epochs
        done = min(epoch / epochs, 1)
        return self.min_lr + (base_lr - self.min_lr) * (1 + math.cos(math.pi * done)) / 2
