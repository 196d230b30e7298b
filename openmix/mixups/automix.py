import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.errors import Unsupported
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.types import Count, Decay, NonNegative, Positive, Probability


class MixBlock(nn.Module):
    """Features ``(N, C, h, w)``, λ and partner -> how much of each place the image keeps.

    A place shows the partner by the values of the partner's places it resembles; one 1x1
    convolution makes queries and keys. With ``embed``, λ is a further channel.
    """

    def __init__(self, channels: int, reduction: int = 2, embed: bool = True):
        super().__init__()
        self.embed = embed
        self.query = nn.Conv2d(channels + embed, max(channels // reduction, 1), 1)
        self.value = nn.Conv2d(channels + embed, 1, 1)
        for conv in (self.query, self.value):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)

    def forward(
        self, features: Tensor, lam: float, partner: Partner, size: tuple[int, int]
    ) -> Tensor:
        """Weight of the image itself, ``(N, 1, *size)`` float32."""
        with torch.autocast(features.device.type, enabled=False):
            own, other = features.float(), partners(features.float(), partner)
            if self.embed:
                own = torch.cat([own, torch.full_like(own[:, :1], lam)], 1)
                other = torch.cat([other, torch.full_like(other[:, :1], 1 - lam)], 1)
            query, key = self.query(own).flatten(2), self.query(other).flatten(2)
            likeness = (query.transpose(1, 2) @ key / query.shape[1] ** 0.5).softmax(-1)
            value = likeness @ self.value(other).flatten(2).transpose(1, 2)
            mask = value.transpose(1, 2).view(-1, 1, *features.shape[-2:])
            return 1 - F.interpolate(mask, size, mode="nearest").sigmoid()


class AutoMix(Mixer):
    """AutoMix: pixels blend by a mask that a small block learns to draw; labels blend by λ.

    The block compares the features that a slow average of the network has of the two images. It
    learns from the cross-entropy which that average has on its mixture, and its masks are to keep
    the share λ. The network learns from the images as they are and from masks of another λ and
    partner, through which no gradient passes: two batches of the same weight, whose targets are
    doubled.

    The authors give images and mixtures a classifier each, with an average each, and report the
    best of the four on the test set. Here the network has one: it learns from images and mixtures
    alike, its average judges the block's mixtures, and it is what is tested, so nothing is chosen.
    On CIFAR they let the learning rate of ResNets fall to half of its start only, for the average
    to follow; here the protocol's schedule says where it ends (``schedule.min_lr``).

    Args:
        alpha: shape of λ's Beta distribution.
        layer: stage whose features are compared; -2 is the last but one.
        reduction: channels of the features over those of queries and keys.
        embed: tell the block λ, as in the paper; the authors' CIFAR setting does not.
        decay: of the average, for the first tenth of training.
        last_decay: at its end, reached along a cosine.
        mask_weight: weight of the loss that draws the mean mask to λ.
        mask_margin: difference of the two that costs nothing.
        lam_margin: with λ this close to 0 or 1 the network sees a plain Mixup.
    """

    paper = "https://arxiv.org/abs/2103.13027"
    venue = "ECCV 2022"
    family = "learned"
    needs = ("stages",)
    weight_is_area = False
    rows_sum_to_one = False
    scales_rows = True

    def __init__(
        self,
        alpha: Positive = 2.0,
        layer: int = -2,
        reduction: Count = 2,
        embed: bool = True,
        decay: Decay = 0.999,
        last_decay: Decay = 0.999999,
        mask_weight: NonNegative = 0.1,
        mask_margin: NonNegative = 0.1,
        lam_margin: Probability = 0.08,
    ):
        super().__init__()
        self.alpha, self.layer, self.reduction, self.embed = alpha, layer, reduction, embed
        self.decay, self.last_decay = decay, last_decay
        self.mask_weight, self.mask_margin, self.lam_margin = mask_weight, mask_margin, lam_margin

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        count = len(internals.stages(net))
        if not -count <= self.layer < count:
            raise Unsupported(
                f"{type(self).__name__} is to look at stage {self.layer}, but "
                f"{type(net).__name__} has {count} stages, counted from 0; set mixup.layer"
            )
        self.teacher = internals.Average(net)
        self.block = self.make_block(internals.stage_width(net, self.layer))

    def make_block(self, channels: int) -> nn.Module:
        return MixBlock(channels, self.reduction, self.embed)

    def current_decay(self) -> float:
        """The average's decay at this step."""
        if self.clock.progress < 0.1:
            return self.decay
        left = (math.cos(math.pi * self.clock.progress) + 1) / 2
        return self.last_decay - (self.last_decay - self.decay) * left

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        self.teacher.follow(net, self.current_decay())
        with torch.no_grad(), internals.stage_map(self.teacher.net, self.layer) as seen:
            self.teacher(x)
        losses = self.generate(x, y, seen[0], draw.beta(self.alpha), draw.shift(len(x)))
        lam, partner = draw.beta(self.alpha), draw.shift(len(x))
        self.lam = lam
        mixed = self.shown(x, seen[0], lam, partner)
        logits = torch.cat([net(x), net(mixed)])
        return Mixed(logits, torch.cat([2 * y, 2 * blend(y, partner, lam)]), losses)

    @torch.no_grad()
    def shown(self, x: Tensor, features: Tensor, lam: float, partner: Partner) -> Tensor:
        """The mixed images that the network learns from."""
        if min(lam, 1 - lam) <= self.lam_margin:
            return blend(x, partner, lam)
        return blend(x, partner, self.shown_mask(features, lam, partner, x.shape[-2:]))

    def shown_mask(
        self, features: Tensor, lam: float, partner: Partner, size: tuple[int, int]
    ) -> Tensor:
        """The mask of the images that the network learns from, ``(N, 1, *size)``."""
        return self.block(features, lam, partner, size)

    def generate(
        self, x: Tensor, y: Tensor, features: Tensor, lam: float, partner: Partner
    ) -> dict[str, Tensor]:
        """The losses that the block learns from."""
        mask = self.block(features, lam, partner, x.shape[-2:])
        log_p = self.teacher(blend(x, partner, mask)).float().log_softmax(1)
        return {
            "generator": -(blend(y, partner, lam) * log_p).sum(1).mean(),
            "mask": self.mask_weight * self.mask_loss(mask, lam),
        }

    def mask_loss(self, mask: Tensor, lam: float) -> Tensor:
        """How far beyond the margin the mean of all masks is from λ."""
        return F.relu((mask.mean() - lam).abs() - self.mask_margin)
