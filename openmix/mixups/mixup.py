from torch import Tensor

from openmix.mixups.base import BetaMixer
from openmix.ops.blend import Partner, blend


class Mixup(BetaMixer):
    """Mixup: blend two images; the labels blend by the same weight.

    The authors pair by a random permutation; a random rotation of the shuffled batch pairs alike.
    """

    paper = "https://arxiv.org/abs/1710.09412"
    venue = "ICLR 2018"
    family = "blend"

    def mix(
        self,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
    ) -> tuple[Tensor, Tensor]:
        lam, partner = self.draw(x, lam, partner)
        return blend(x, partner, lam), blend(y, partner, lam)
