from torch import Tensor

from openmix.mixups.base import MaskMixer, area
from openmix.ops.boxes import box_mask, clipped_box, clipped_box_masks
from openmix.types import NonNegative, Probability


class HMix(MaskMixer):
    """HMix: paste a box of the partner and blend the rest; the labels blend by λ itself.

    The box takes the share ``ratio`` of the partner's weight, as CutMix would, and the blend
    outside what is missing, whatever of the box the edges clip: 1 is CutMix with the blend making
    up for the clipping, 0 is Mixup.

    Args:
        alpha: shape of λ's Beta distribution.
        ratio: share of the partner's weight that the box is to carry.
        per_sample: one λ and box for each image; otherwise one for the batch.
    """

    paper = "https://arxiv.org/abs/2208.09913"
    venue = "NeurIPS 2022"
    family = "blend"

    def __init__(
        self, alpha: NonNegative = 1.0, ratio: Probability = 0.5, per_sample: bool = False
    ):
        super().__init__(alpha, per_sample)
        if not 0 <= ratio <= 1:
            raise ValueError(f"ratio must lie in [0, 1], got {ratio}")
        self.ratio = ratio

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        within = 1 - (1 - lam) * self.ratio
        if isinstance(lam, Tensor):
            outside, lam = clipped_box_masks(x, within).float(), lam[:, None]
        else:
            outside = box_mask(x, clipped_box(*x.shape[-2:], within)).float()
        return outside * (lam / area(outside).clamp(min=1e-9))[..., None, None]
