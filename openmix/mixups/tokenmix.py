import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.ops.blocks import blocks
from openmix.types import Fraction


class TokenMix(Mixer):
    """TokenMix: random blocks of patches show the partner; labels by what is left of each content.

    The content of an image's patches is how the class token attends to them in the last block when
    the network, in eval mode, sees the image unmixed; the authors take it from files of a teacher's
    label maps, which exist for ImageNet only. An image's weight is the share of its own content
    that stays visible, so a row's weights need not sum to 1. One mask serves the whole batch. Where
    labels are smoothed, the authors take half of the smoothing from either label, so that a small
    weight turns negative; here, as by every method, each label gives in proportion to its weight.

    Args:
        share: share of the patches that show the partner.
    """

    paper = "https://arxiv.org/abs/2207.08409"
    venue = "ECCV 2022"
    family = "token"
    needs = ("attention",)
    weight_is_area = False
    rows_sum_to_one = False

    def __init__(self, share: Fraction = 0.5714):
        super().__init__()
        self.share = share

    def mask(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """Which patches stay, ``(1, 1, rows, columns)``."""
        mask = torch.ones(rows * columns)
        for patch in blocks(rows, columns, round(self.share * rows * columns)):
            mask[patch] = 0
        return mask.to(x, non_blocking=True).view(1, 1, rows, columns)

    def forward(
        self,
        net: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        partner: Partner | None = None,
        mask: Tensor | None = None,
    ) -> Mixed:
        """``mask`` is ``(1, 1, rows, columns)`` over the patches."""
        if partner is None:
            partner = draw.shift(len(x))
        if mask is None:
            mask = self.mask(x, *internals.patch_grid(net))
        with internals.evaluating(net), internals.class_attention(net) as seen:
            net(x)
        content = seen[0] / seen[0].sum((-2, -1), keepdim=True)
        own = (content * mask[:, 0]).sum((-2, -1))[:, None].to(y.dtype)
        other = partners((content * (1 - mask[:, 0])).sum((-2, -1)), partner)[:, None].to(y.dtype)
        self.lam = own
        shown = F.interpolate(mask, x.shape[-2:], mode="nearest")
        return Mixed(net(blend(x, partner, shown)), own * y + other * partners(y, partner))
