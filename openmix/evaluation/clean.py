"""Top-1, top-5, negative log-likelihood and calibration error in one pass over a data set.

Counts stay on the device and are read once, after the last batch.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor


class Tally:
    """Running counts of a classification test; ``add`` batches, then ``result``.

    Args:
        bins: confidence bins of the expected calibration error, of equal width.
    """

    def __init__(self, bins: int = 15, device: torch.device | str = "cpu"):
        self.sums = torch.zeros(4, dtype=torch.float64, device=device)
        self.bins = torch.zeros(bins, 2, dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Count ``logits`` ``(N, C)`` against ``labels`` ``(N,)``."""
        logits = logits.float()
        top = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
        nll = F.cross_entropy(logits, labels, reduction="sum")
        correct = top[:, 0].double()
        self.sums += torch.stack(
            [
                correct.sum(),
                top.sum().double(),
                nll.double(),
                correct.new_full((), len(labels)),
            ]
        )
        confidence = logits.softmax(1).amax(1).double()
        which = (confidence * len(self.bins)).long().clamp(max=len(self.bins) - 1)
        self.bins.index_add_(0, which, torch.stack([confidence, correct], dim=1))

    def result(self) -> dict[str, float]:
        """top1, top5 and ece in percent, nll in nats; over all processes of a distributed run."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(self.sums)
            torch.distributed.all_reduce(self.bins)
        top1, top5, nll, count = self.sums.tolist()
        gaps = (self.bins[:, 0] - self.bins[:, 1]).abs().sum().item()
        return {
            "top1": 100 * top1 / count,
            "top5": 100 * top5 / count,
            "nll": nll / count,
            "ece": 100 * gaps / count,
        }


@torch.no_grad()
def evaluate(
    net, batches: Iterable[tuple[Tensor, Tensor]], bins: int, device: torch.device
) -> dict[str, float]:
    """Test ``net(images) -> logits`` on every batch of (images, labels)."""
    tally = Tally(bins, device)
    for images, labels in batches:
        tally.add(net(images), labels.to(device, non_blocking=True))
    return tally.result()
