import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix.mixups.automix import AutoMix
from openmix.ops import draw
from openmix.ops.blend import Partner, partners
from openmix.types import Count, Decay, NonNegative, Positive, Probability


class SAMixBlock(nn.Module):
    """AutoMix's block with λ multiplied into the features and queries and keys from both images."""

    def __init__(self, channels: int, reduction: int = 2, curve: float = 0.25):
        super().__init__()
        self.curve, inner = curve, max(channels // reduction, 1)
        self.query = nn.Conv2d(2 * channels, inner, 1)
        self.key = nn.Conv2d(2 * channels, inner, 1)
        self.value = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ELU(),
            nn.Conv2d(inner, 1, 1, bias=False),
        )
        for conv in (self.query, self.key, self.value[0], self.value[3]):
            nn.init.normal_(conv.weight, std=0.01)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def bend(self, lam: float) -> float:
        """λ on a cubic through 0, 1/2 and 1, straight as ``curve`` grows."""
        k = self.curve + 1
        return (4 / 3 * lam**3 - 2 * lam**2 + k * lam) / (k - 2 / 3)

    def forward(
        self, features: Tensor, lam: float, partner: Partner, size: tuple[int, int]
    ) -> Tensor:
        """Weight of the image itself, ``(N, 1, *size)`` float32."""
        with torch.autocast(features.device.type, enabled=False):
            lam, own = self.bend(lam), features.float()
            other = partners(own, partner) * (2 - lam)
            both = torch.cat([own * (1 + lam), other], 1)
            query, key = self.query(both).flatten(2), self.key(both).flatten(2)
            likeness = (query.transpose(1, 2) @ key / query.shape[1] ** 0.5).softmax(-1)
            value = likeness @ self.value(other).flatten(2).transpose(1, 2)
            mask = value.transpose(1, 2).view(-1, 1, *features.shape[-2:])
            return 1 - F.interpolate(mask, size, mode="bilinear").sigmoid()


class SAMix(AutoMix):
    """SAMix: AutoMix with a richer block and masks that are drawn to vary; labels blend by λ.

    The authors halve the block's loss for classes that neither image has; with a cross-entropy
    these weigh nothing anyway. Where their code scales the network's masks it takes the λ that the
    block learns from; here each mask comes to the λ of its label. Classifier and learning rate
    differ from the authors' as AutoMix's do.

    Args:
        curve: how strongly λ is bent before it scales the features; a large one leaves it.
        variance: how much the masks' variance counts against the distance of their mean from λ.
        adjust: share of the steps at which the network's masks are scaled until the mean of each
            is λ.
    """

    paper = "https://arxiv.org/abs/2111.15454"
    venue = "arXiv 2021"

    def __init__(
        self,
        alpha: Positive = 2.0,
        layer: int = -2,
        reduction: Count = 2,
        curve: NonNegative = 0.25,
        variance: NonNegative = 2.0,
        decay: Decay = 0.999,
        last_decay: Decay = 0.999999,
        mask_weight: NonNegative = 0.1,
        mask_margin: NonNegative = 0.1,
        lam_margin: Probability = 0.08,
        adjust: Probability = 0.25,
    ):
        super().__init__(
            alpha, layer, reduction, False, decay, last_decay, mask_weight, mask_margin, lam_margin
        )
        self.curve, self.variance, self.adjust = curve, variance, adjust

    def make_block(self, channels: int) -> nn.Module:
        return SAMixBlock(channels, self.reduction, self.curve)

    def shown_mask(
        self, features: Tensor, lam: float, partner: Partner, size: tuple[int, int]
    ) -> Tensor:
        mask = super().shown_mask(features, lam, partner, size)
        if not self.adjust or draw.uniform()[0] >= self.adjust:
            return mask
        return adjusted(mask, lam)

    def mask_loss(self, mask: Tensor, lam: float) -> Tensor:
        return super().mask_loss(mask, lam) - self.variance * mask.var(correction=0)


def adjusted(mask: Tensor, lam: float) -> Tensor:
    """Masks ``(N, 1, H, W)`` whose mean is ``lam``: the image or its partner is shown less."""
    mean = mask.mean((1, 2, 3), keepdim=True)
    less, more = mask * (lam / mean), 1 - (1 - mask) * ((1 - lam) / (1 - mean))
    return torch.where(mean > lam, less, more)
