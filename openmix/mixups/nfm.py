import torch
from torch import Tensor

from openmix.mixups.manifoldmix import ManifoldMix
from openmix.ops import draw
from openmix.ops.blend import Partner, blend
from openmix.types import NonNegative, Whole


class NFM(ManifoldMix):
    """Noisy Feature Mixup: blend the features after a random stage, add noise; labels blend alike.

    The blend is multiplied by ``1 + mult * b * U(-1, 1)``, drawn for each number, and normal noise
    of deviation ``add * b'`` is added; ``b`` and ``b'`` are Beta(2, 5), drawn for the batch.

    Args:
        alpha: shape of λ's Beta distribution.
        add: level of the additive noise. mult: level of the multiplicative noise.
        layers: stages to choose from, each equally likely; 0 is the input, k the output of stage k.
        per_sample: draw λ for each image; otherwise once for the batch.
    """

    paper = "https://arxiv.org/abs/2110.02180"
    venue = "ICLR 2022"
    exact_at_one = False
    own_pixels = False

    def __init__(
        self,
        alpha: NonNegative = 1.0,
        add: NonNegative = 0.4,
        mult: NonNegative = 0.2,
        layers: tuple[Whole, ...] = (0, 1, 2),
        per_sample: bool = False,
    ):
        super().__init__(alpha, layers, per_sample)
        self.add, self.mult = add, mult

    def combine(self, features: Tensor, partner: Partner, lam: float | Tensor) -> Tensor:
        mixed = blend(features, partner, lam)
        # float32, so that every precision draws the same numbers.
        scale = torch.rand_like(mixed, dtype=torch.float32) * 2 - 1
        scale = scale * (self.mult * draw.beta(2, 5)) + 1
        noise = torch.randn_like(mixed, dtype=torch.float32) * (self.add * draw.beta(2, 5))
        return torch.addcmul(noise.to(mixed.dtype), mixed, scale.to(mixed.dtype))
