from torch import Tensor

from openmix.mixups.base import AreaMixer
from openmix.ops import draw
from openmix.ops.gaussian import bump
from openmix.types import Positive


class SmoothMix(AreaMixer):
    """SmoothMix: show the partner through a soft round mask; the labels follow the mask's mean.

    The mask is a Gaussian of height 1 around a random pixel, shared by the batch. There is no code
    of the authors; OpenMixup's gives the mask's mean to the wrong one of the two labels.

    Args:
        low, high: range of the Gaussian's standard deviation, over the side of the image (the
            square root of its area).
    """

    paper = (
        "https://openaccess.thecvf.com/content_CVPRW_2020/papers/w45/Lee_SmoothMix_A_Simple_Yet_"
        "Effective_Data_Augmentation_to_Train_Robust_CVPRW_2020_paper.pdf"
    )
    venue = "CVPRW 2020"
    family = "blend"

    def __init__(self, low: Positive = 0.25, high: Positive = 0.5):
        super().__init__()
        if not 0 < low <= high:
            raise ValueError(f"need 0 < low <= high, got low={low} high={high}")
        self.low, self.high = low, high

    def mask(self, x: Tensor) -> Tensor:
        """Weight of the image itself, ``(1, 1, H, W)``."""
        height, width = x.shape[-2:]
        sigma = self.low + (self.high - self.low) * draw.uniform()[0]
        return 1 - bump(x, sigma**2 * height * width)
