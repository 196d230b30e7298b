import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer, area
from openmix.mixups.cutmix import CutMix
from openmix.ops.blend import Partner, blend


class TransMix(CutMix):
    """TransMix: CutMix images; labels by area and by the attention each part receives, halved.

    The attention is that of the class token to the patches in the last block, averaged over heads,
    in the very forward pass that is trained. It is not differentiated.
    """

    paper = "https://arxiv.org/abs/2111.09833"
    venue = "CVPR 2022"
    family = "token"
    needs = ("attention",)
    weight_is_area = False

    mix = Mixer.mix  # not CutMix's: the labels need the network

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
        lam, partner = self.draw(x, lam, partner)
        if mask is None:
            mask = self.mask(x, lam)
        with internals.class_attention(net) as attention:
            logits = net(blend(x, partner, mask))
        return Mixed(logits, blend(y, partner, self.weight(mask, attention[0])))

    def weight(self, mask: Tensor, attention: Tensor) -> Tensor:
        """Own label weight ``(N, 1)``: mean of the mask's area and the attention inside it.

        ``attention`` is ``(N, rows, columns)`` over the patches; ``mask`` as :meth:`mask` gives it.
        """
        with torch.no_grad():
            grid = F.interpolate(mask.float(), attention.shape[-2:], mode="nearest")[:, 0]
            attended = (attention * grid).sum((-2, -1)) / attention.sum((-2, -1))
            self.lam = ((area(mask)[:, 0] + attended) / 2)[:, None]
            return self.lam
