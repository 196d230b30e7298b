from torch import Tensor

from openmix.losses import smooth
from openmix.mixups.base import Mixer
from openmix.types import Fraction


class LabelSmoothing(Mixer):
    """Label smoothing: a share of each label goes to all classes evenly; the images stay.

    A baseline that stands on a board beside the mixups. Smoothing that all methods of a board share
    is an option of the loss.

    Args:
        smoothing: the share.
    """

    paper = "https://arxiv.org/abs/1512.00567"
    venue = "CVPR 2016"
    family = "label"
    weight_is_area = False
    varies = False

    def __init__(self, smoothing: Fraction = 0.1):
        super().__init__()
        self.smoothing = smoothing

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, smooth(y, self.smoothing)
