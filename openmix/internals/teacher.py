"""Networks that stand beside the one in training."""

import copy
from typing import Self

from torch import nn


class Frozen(nn.Module):
    """A copy of ``net`` that is never trained: in evaluation mode for good, without gradients."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        return super().train(False)
