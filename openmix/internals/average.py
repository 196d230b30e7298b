"""A copy of a network that follows it slowly."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from openmix.internals.teacher import Frozen


class Average(Frozen):
    """The exponential moving average of a network's weights, in evaluation mode.

    Batch norms use the statistics of the batch at hand: averages of the network's own would lag
    behind, and belong to other weights.
    """

    def __init__(self, net: nn.Module):
        super().__init__(net)
        for module in self.net.modules():
            if isinstance(module, _BatchNorm):
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.to(next(self.net.parameters()).dtype))

    @torch.no_grad()
    def follow(self, net: nn.Module, decay: float) -> None:
        """Move the share ``1 - decay`` of the way to the weights of ``net``."""
        own = list(self.net.parameters())
        pairs = zip(net.parameters(), own, strict=True)
        torch._foreach_lerp_(own, [p.to(mine.dtype) for p, mine in pairs], 1 - decay)
