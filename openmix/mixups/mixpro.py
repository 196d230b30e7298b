import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.losses import smooth
from openmix.mixups.base import BetaMixer, Mixed, area
from openmix.ops.blend import Partner, blend, partners
from openmix.types import Count, Fraction, NonNegative


class MixPro(BetaMixer):
    """MixPro: random cells of an image keep it, the others show its partner; labels by area and,
    the better the network predicts them, by the attention each part receives.

    A label's weight is ``(1 - trust) * area + trust * attention``, where trust is the cosine of
    the smoothed label by area and the predicted probabilities. As in the authors' code the
    gradient passes through trust; a loss term that is always 0 carries it. Unlike there, the area
    counts cells that the border of the image cuts by what is left of them.

    Args:
        alpha: shape of λ's Beta distribution; at least the share λ of the cells is kept.
        cells: cells along a side, each made of whole patches.
        smoothing: label smoothing inside the cosine.
        per_sample: draw λ for each image; where the cells lie is drawn for each image anyway.
    """

    paper = "https://arxiv.org/abs/2304.12043"
    venue = "ICLR 2023"
    family = "token"
    needs = ("attention",)
    weight_is_area = False

    def __init__(
        self,
        alpha: NonNegative = 1.0,
        cells: Count = 4,
        smoothing: Fraction = 0.1,
        per_sample: bool = False,
    ):
        super().__init__(alpha, per_sample)
        self.cells, self.smoothing = cells, smoothing

    def mask(self, x: Tensor, lam: float | Tensor, rows: int, columns: int) -> Tensor:
        """Which patches stay, ``(N, 1, rows, columns)``."""
        height, width = math.ceil(rows / self.cells), math.ceil(columns / self.cells)
        down, across = math.ceil(rows / height), math.ceil(columns / width)
        wanted = lam * (down * across)
        count = wanted.ceil()[:, None] if isinstance(wanted, Tensor) else math.ceil(wanted)
        rank = torch.rand(len(x), down * across, device=x.device).argsort(1).argsort(1)
        kept = (rank < count).to(x.dtype).view(-1, 1, down, across)
        patches = F.interpolate(kept, (down * height, across * width), mode="nearest")
        return patches[..., :rows, :columns]

    def forward(
        self,
        net: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
        mask: Tensor | None = None,
    ) -> Mixed:
        """``mask`` is ``(1 or N, 1, rows, columns)`` over the patches."""
        lam, partner = self.draw(x, lam, partner)
        if mask is None:
            mask = self.mask(x, lam, *internals.patch_grid(net))
        shown = F.interpolate(mask, x.shape[-2:], mode="nearest")
        with internals.class_attention(net) as seen:
            logits = net(blend(x, partner, shown))
        log_p = logits.float().log_softmax(1)
        by_area, attention = area(mask), seen[0]
        within = (attention * mask[:, 0]).sum((-2, -1)) / attention.sum((-2, -1))
        expected = smooth(blend(y, partner, by_area), self.smoothing)
        trust = F.cosine_similarity(expected, log_p.exp(), dim=1)
        own = by_area + trust[:, None] * (within[:, None] - by_area)
        self.lam = own.detach()
        slope = ((partners(y, partner) - y) * log_p).sum(1).detach()  # loss per own label weight
        carrier = ((own - self.lam)[:, 0] * slope).mean()
        return Mixed(logits, blend(y, partner, self.lam), {"trust": carrier})
