import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer, area
from openmix.mixups.cutmix import CutMix
from openmix.ops.blend import Partner, blend


class TLAlign(CutMix):
    """TL-Align: CutMix of whole patches; the label is carried through every block's attention.

    Each patch starts with the label of the image it shows, the class token with the label by area.
    In each block a token takes the mean of its label and of those it attends to (averaged over
    heads, not differentiated); the class token's last label is the target. As a label is a blend of
    two, one number a token tells it.
    """

    paper = "https://arxiv.org/abs/2210.06455"
    venue = "ICCV 2023"
    family = "token"
    needs = ("attention",)
    weight_is_area = False

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        internals.all_attention(net)

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
        """``mask`` is ``(1 or N, 1, rows, columns)`` over the patches."""
        lam, partner = self.draw(x, lam, partner)
        if mask is None:
            mask = self.mask(x.new_empty(len(x), 1, *internals.patch_grid(net)), lam)
        patches = mask.float().flatten(1).expand(len(x), -1)
        own = None

        def carry(weights: Tensor) -> None:
            nonlocal own
            if own is None:
                prefix = weights.shape[-1] - patches.shape[1]
                first = area(mask).expand(len(x), prefix)
                own = torch.cat([first, patches], 1)[..., None]
            own = (weights.mean(1) @ own + own) / 2

        shown = F.interpolate(mask, x.shape[-2:], mode="nearest")
        with internals.reading_attention(internals.all_attention(net), carry):
            logits = net(blend(x, partner, shown))
        self.lam = own[:, 0]
        return Mixed(logits, blend(y, partner, self.lam))
