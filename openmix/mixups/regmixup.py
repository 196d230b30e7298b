import torch
from torch import Tensor

from openmix.mixups.base import Mixer
from openmix.mixups.mixup import Mixup
from openmix.types import NonNegative


class RegMixup(Mixer):
    """RegMixup: train on the images and on their Mixup side by side; both keep their labels.

    The loss is the paper's, that of the images plus eta times that of the mixed ones. The authors'
    code averages over both halves instead, which is half as much at eta 1. The weights of a row
    sum to 2 and to 2 eta for that, since a loss is averaged over all rows: this asks for a loss
    that is linear in the target, as the cross-entropy is.

    Args:
        alpha: shape of λ's Beta distribution; large, so that λ is near 1/2.
        eta: weight of the loss of the mixed images.
    """

    paper = "https://arxiv.org/abs/2206.14502"
    venue = "NeurIPS 2022"
    family = "blend"
    weight_is_area = False
    rows_sum_to_one = False
    scales_rows = True

    def __init__(self, alpha: NonNegative = 20.0, eta: NonNegative = 1.0):
        super().__init__()
        if eta < 0:
            raise ValueError(f"eta must be 0 or more, got {eta}")
        self.mixup, self.eta = Mixup(alpha), eta

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        mixed, target = self.mixup.mix(x, y)
        self.lam = self.mixup.lam
        return torch.cat([x, mixed]), torch.cat([2 * y, 2 * self.eta * target])
