from torch import Tensor

from openmix.mixups.base import MaskMixer
from openmix.ops.fourier import Variant, keep_largest, low_frequency
from openmix.types import NonNegative


class FMix(MaskMixer):
    """FMix: mix through a binary mask cut from low-frequency noise; labels follow its area.

    The authors' code transforms the wrong axis of its spectrum, so that its masks hold only the
    horizontal frequencies 0 and 1; the paper's formula gives one column of frequencies half the
    power. The default prefers no direction; both others are there to compare with.

    Args:
        alpha: shape of λ's Beta distribution.
        decay: power by which the noise falls with frequency.
        variant: how the noise is made, see :func:`openmix.ops.fourier.low_frequency`.
        per_sample: one mask and one λ for each image; otherwise one for the batch.
    """

    paper = "https://arxiv.org/abs/2002.12047"
    venue = "arXiv 2020"
    family = "cut"

    def __init__(
        self,
        alpha: NonNegative = 1.0,
        decay: NonNegative = 3.0,
        variant: Variant = "isotropic",
        per_sample: bool = False,
    ):
        super().__init__(alpha, per_sample)
        self.decay, self.variant = decay, variant

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        n = len(lam) if isinstance(lam, Tensor) else 1
        noise = low_frequency(n, *x.shape[-2:], self.decay, self.variant, x.device)
        return keep_largest(noise, lam)[:, None].to(x.dtype)
