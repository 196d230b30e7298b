"""What the network is trained for: how labels become dense targets."""

import torch
from torch import Tensor


class Classification:
    """One class of ``num_classes`` an image."""

    def __init__(self, num_classes: int):
        self.num_classes = num_classes

    def target(self, labels: Tensor) -> Tensor:
        """``(N,)`` class numbers -> ``(N, num_classes)`` float32 one-hot rows."""
        # F.one_hot reads the largest label back, a host wait; labels were checked on loading.
        target = torch.zeros(len(labels), self.num_classes, device=labels.device)
        return target.scatter_(1, labels[:, None], 1)
