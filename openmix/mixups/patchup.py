from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed
from openmix.mixups.cutmix import CutMix
from openmix.mixups.manifoldmix import ManifoldMix
from openmix.ops import draw
from openmix.ops.blend import Partner, blend
from openmix.types import Count, NonNegative, Probability, Whole


class PatchUp(ManifoldMix):
    """PatchUp: blend or swap blocks of feature maps; labels follow the share of what is changed.

    The blocks, drawn for each channel, are the same for all images. Mixing the input instead is
    CutMix. The authors' three loss terms, which weigh the label of the changed part once more, add
    up to twice the loss of these labels wherever the loss is linear in them; the factor is left
    out. Their code sizes blocks for the first map it meets; here each map gets its own odds.

    Args:
        alpha: shape of λ's Beta distribution, by which ``soft`` blends inside the blocks.
        mode: ``soft`` blends the blocks, ``hard`` swaps them.
        gamma: about the share of the features that is changed.
        block: side of a block, an odd number; at most that of the map.
        layers: stages to choose from, each equally likely; 0 is the input, k the output of stage k.
        prob: probability of mixing a batch at all.
    """

    paper = "https://arxiv.org/abs/2006.07794"
    venue = "AAAI 2022"
    needs = ("stages", "cam")

    def __init__(
        self,
        alpha: NonNegative = 2.0,
        mode: Literal["soft", "hard"] = "soft",
        gamma: Probability = 0.75,
        block: Count = 7,
        layers: tuple[Whole, ...] = (0, 1, 2),
        prob: Probability = 1.0,
    ):
        super().__init__(alpha, layers)
        if block % 2 == 0:
            raise ValueError(f"block must be odd, got {block}")
        self.mode, self.gamma, self.block, self.prob = mode, gamma, block, prob
        self.exact_at_one = mode == "soft"
        self.cutmix = CutMix()

    def forward(
        self,
        net: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
        layer: int | None = None,
    ) -> Mixed:
        if draw.uniform()[0] >= self.prob:
            self.lam = 1.0
            return Mixed(net(x), y)
        if layer is None:
            layer = self.layers[draw.integer(0, len(self.layers))]
        if layer == 0:
            images, target = self.cutmix.mix(x, y, lam=lam, partner=partner)
            self.lam = self.cutmix.lam
            return Mixed(net(images), target)
        lam, partner = self.draw(x, lam, partner)
        inside = lam if self.mode == "soft" else 0.0
        if isinstance(inside, Tensor):
            inside = inside[:, None, None, None]

        def patched(features: Tensor) -> Tensor:
            kept = self.keep(features)
            weight = kept + (1 - kept) * inside
            self.lam = weight.mean((1, 2, 3))[:, None]
            return blend(features, partner, weight)

        with internals.hooked(internals.stages(net)[layer - 1], patched):
            logits = net(x)
        return Mixed(logits, blend(y, partner, self.lam))

    def keep(self, features: Tensor) -> Tensor:
        """``(1, C, H, W)`` float32: 0 inside the blocks, 1 outside."""
        height, width = features.shape[-2:]
        block = min(self.block, height, width)
        block -= 1 - block % 2
        fits = (height - block + 1) * (width - block + 1)
        odds = min(self.gamma * height * width / (block**2 * fits), 1.0)
        seeds = torch.rand(1, *features.shape[1:], device=features.device) < odds
        return 1 - F.max_pool2d(seeds.float(), block, 1, block // 2)
