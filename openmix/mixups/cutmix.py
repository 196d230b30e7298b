from torch import Tensor

from openmix.mixups.base import MaskMixer
from openmix.ops.blend import Partner, blend
from openmix.ops.boxes import box_mask, clipped_box, clipped_box_masks, paste


class CutMix(MaskMixer):
    """CutMix: paste a random box of the partner; the labels follow the box's area.

    The box has sides ``sqrt(1 - λ)`` of the image's and may hang over an edge, where it is clipped;
    the label weight is that of the clipped box, so it averages 0.68 at alpha 1, not 0.5.
    """

    paper = "https://arxiv.org/abs/1905.04899"
    venue = "ICCV 2019"
    family = "cut"

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        if isinstance(lam, Tensor):
            return clipped_box_masks(x, lam)
        return box_mask(x, clipped_box(*x.shape[-2:], lam))

    def mix(
        self,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        lam, partner = self.draw(x, lam, partner)
        if mask is not None or isinstance(lam, Tensor):
            return super().mix(x, y, lam=lam, partner=partner, mask=mask)
        height, width = x.shape[-2:]
        box = clipped_box(height, width, lam)
        self.lam = 1 - box.area / (height * width)
        return paste(x, partner, box), blend(y, partner, self.lam)
