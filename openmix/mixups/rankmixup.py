from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import blend
from openmix.types import Count, NonNegative, Positive


class RankMixup(Mixer):
    """RankMixup: train on the images; be less confident on blends of them; labels are not mixed.

    ``mrl``: the largest logit of a blend stays a margin below that of its image; blends of one
    class do not count. ``mndcg``: the confidences in an image and its blends follow their largest
    label weights, by a ranking score (NDCG). Blends and images are two passes of the network, in
    this order: running statistics end with the images, which go first in the authors' code. That
    averages the hinge of ``mrl`` and the blends that count apart; here a blend that does not count
    takes its own hinge with it.

    Args:
        mode: which of the two terms.
        weight: of the term.
        alpha: shape of λ's Beta distribution, drawn for each blend of the batch.
        count: blends of each image, each with its own λ and partner.
        margin: of ``mrl``, in logits.
    """

    paper = "https://arxiv.org/abs/2308.11990"
    venue = "ICCV 2023"
    family = "label"
    varies = False

    def __init__(
        self,
        mode: Literal["mndcg", "mrl"] = "mndcg",
        weight: NonNegative = 0.1,
        alpha: Positive = 2.0,
        count: Count = 3,
        margin: NonNegative = 2.0,
    ):
        super().__init__()
        self.mode, self.weight, self.alpha = mode, weight, alpha
        self.count, self.margin = count, margin

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        draws = [(draw.beta(self.alpha), draw.shift(len(x))) for _ in range(self.count)]
        blends = torch.cat([blend(x, partner, lam) for lam, partner in draws])
        relevance = torch.stack([blend(y, partner, lam).amax(1) for lam, partner in draws], 1)
        mixed = net(blends).float().unflatten(0, (self.count, len(x))).transpose(0, 1)
        logits = net(x)
        term = self.margins if self.mode == "mrl" else self.ranking
        return Mixed(logits, y, {"rank": self.weight * term(logits.float(), mixed, relevance)})

    def margins(self, logits: Tensor, mixed: Tensor, relevance: Tensor) -> Tensor:
        """Mean hinge; ``mixed`` is ``(N, count, C)``, ``relevance`` ``(N, count)``."""
        gap = mixed.amax(2) - logits.amax(1, keepdim=True)
        return (F.relu(gap + self.margin) * (relevance < 1)).mean()

    def ranking(self, logits: Tensor, mixed: Tensor, relevance: Tensor) -> Tensor:
        """Mean of 1 - NDCG, arguments as in :meth:`margins`; above 1, NDCG counts inverted."""
        relevance, order = relevance.sort(1, descending=True)
        confidence = mixed.softmax(2).amax(2).gather(1, order)
        own = logits.softmax(1).amax(1, keepdim=True)
        discount = torch.arange(2, relevance.shape[1] + 3, device=logits.device).log2()
        gain = (torch.cat([own, confidence], 1) / discount).sum(1)
        ideal = (torch.cat([torch.ones_like(own), relevance], 1) / discount).sum(1)
        return (1 - torch.minimum(gain / ideal, ideal / gain)).mean()
