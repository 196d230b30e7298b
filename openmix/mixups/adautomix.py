from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.automix import AutoMix
from openmix.mixups.base import Mixed
from openmix.ops import draw
from openmix.ops.blend import partners
from openmix.types import Count, Decay, Positive, Probability


class AdaptiveMaskBlock(nn.Module):
    """Features ``(N, C, h, w)`` -> how much of each place each of K images a row shows.

    Every place of an image attends to the places of all others of its row, and gathers by that
    attention the values of its own image; a softmax over the images makes weights of them. With
    ``embed``, an image's λ is a further channel of its features.
    """

    def __init__(self, channels: int, reduction: int = 2, embed: bool = True):
        super().__init__()
        self.embed, inner = embed, max(channels // reduction, 1)
        self.query = nn.Conv2d(channels + embed, inner, 1)
        self.key = nn.Conv2d(channels + embed, inner, 1)
        self.value = nn.Conv2d(channels + embed, 1, 1)
        for conv in (self.query, self.key, self.value):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)

    def forward(
        self, features: Tensor, lams: Sequence[float], shifts: Sequence[int], size: tuple[int, int]
    ) -> Tensor:
        """Weights ``(N, K, *size)`` float32, which sum to 1 over the K images.

        Image k of row i is row ``i - shifts[k]`` of the batch; its λ is ``lams[k]``.
        """
        with torch.autocast(features.device.type, enabled=False):
            images = [
                self.place(features.float(), *pair) for pair in zip(lams, shifts, strict=True)
            ]
            keys = [self.key(image).relu().flatten(2) for image in images]
            shown = []
            for i, image in enumerate(images):
                query = self.query(image).relu().flatten(2)
                others = sum(key for k, key in enumerate(keys) if k != i)
                likeness = (query.transpose(1, 2) @ others / query.shape[1] ** 0.5).softmax(-1)
                shown.append(likeness @ self.value(image).flatten(2).transpose(1, 2))
            maps = torch.cat(shown, -1).transpose(1, 2).unflatten(2, features.shape[-2:])
            return F.interpolate(maps, size, mode="bilinear").softmax(1)

    def place(self, features: Tensor, lam: float, shift: int) -> Tensor:
        """The features of one image of each row, with its λ."""
        features = partners(features, shift)
        if not self.embed:
            return features
        return torch.cat([features, torch.full_like(features[:, :1], lam)], 1)


class AdAutoMix(AutoMix):
    """AdAutoMix: AutoMix of two or more images whose masks are to be hard; labels blend by λ.

    The block learns to lower the average network's cross-entropy on its mixture at every second
    step. At the others, the first among them, it learns to raise it, and to lower the cosine of
    the logits for the mixture and those for its images, each weighted by its λ, as in the authors'
    code. The masks have no loss of their own. The network learns from the block's mixture and,
    with equal weight, from the images as they are; where three or more images are mixed, their
    plain mixture takes over a share of the latter. λ is drawn anew for what the network learns
    from; where three or more are mixed, the authors use one λ twice. Maps are enlarged bilinearly,
    as theirs for convolutional networks are; for transformers they take the nearest place.
    Classifier and learning rate differ from the authors' as AutoMix's do.

    Args:
        alpha: shape of the Beta distribution; two images have λ and 1 - λ, more have a draw each,
            divided by their sum.
        counts: numbers of images to mix, one of them drawn at each step.
        layer: stage whose features are compared; -2 is the last but one.
        reduction: channels of the features over those of queries and keys.
        embed: tell the block each image's λ.
        hardness: weight of the cross-entropy against the cosine where the block is adversarial.
        plain: share of the plain mixture of three or more in what is not the block's mixture.
        decay: of the average, for the first tenth of training.
        last_decay: at its end, reached along a cosine.
        lam_margin: with the first λ this close to 0 or 1 the network sees a plain mixture.
    """

    paper = "https://arxiv.org/abs/2312.11954"
    venue = "ICLR 2024"

    def __init__(
        self,
        alpha: Positive = 1.0,
        counts: Sequence[Count] = (3,),
        layer: int = -2,
        reduction: Count = 2,
        embed: bool = True,
        hardness: Probability = 0.3,
        plain: Probability = 0.5,
        decay: Decay = 0.999,
        last_decay: Decay = 0.999999,
        lam_margin: Probability = 0.03,
    ):
        super().__init__(alpha, layer, reduction, embed, decay, last_decay, lam_margin=lam_margin)
        if not counts or min(counts) < 2:
            raise ValueError(f"counts must name numbers from 2 on, got {list(counts)}")
        self.counts, self.hardness, self.plain = tuple(counts), hardness, plain
        self.register_buffer("adversarial", torch.ones((), dtype=torch.bool))

    def make_block(self, channels: int) -> nn.Module:
        return AdaptiveMaskBlock(channels, self.reduction, self.embed)

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        self.teacher.follow(net, self.current_decay())
        with torch.no_grad(), internals.stage_map(self.teacher.net, self.layer) as seen:
            unmixed = self.teacher(x).float()
        count = self.counts[draw.integer(0, len(self.counts))]
        losses = self.generate(x, y, seen[0], unmixed, *self.images(count, len(x)))
        lams, shifts = self.images(count, len(x))
        self.lam = lams[0]
        own, target = net(x), mixture(y, lams, shifts)
        logits, targets = [own], [y]
        if count > 2 and self.plain:
            logits.insert(0, net(mixture(x, lams, shifts)))
            targets = [self.plain * target, (1 - self.plain) * y]
        logits.insert(0, net(self.shown(x, seen[0], lams, shifts)))
        # The loss is the mean over all rows.
        targets = len(logits) * torch.cat([target, *targets])
        return Mixed(torch.cat(logits), targets, losses)

    def images(self, count: int, n: int) -> tuple[list[float], list[int]]:
        """λ of each image of a row, and how far to rotate a batch of ``n`` to meet it."""
        shifts = [0, *(draw.shift(n) for _ in range(count - 1))]
        if count == 2:
            lam = draw.beta(self.alpha)
            return [lam, 1 - lam], shifts
        draws = [draw.beta(self.alpha) for _ in range(count)]
        return [value / sum(draws) for value in draws], shifts

    @torch.no_grad()
    def shown(
        self, x: Tensor, features: Tensor, lams: Sequence[float], shifts: Sequence[int]
    ) -> Tensor:
        """The mixed images that the network learns from."""
        if min(lams[0], 1 - lams[0]) <= self.lam_margin:
            return mixture(x, lams, shifts)
        weights = self.block(features, lams, shifts, x.shape[-2:])
        return mixture(x, weights.to(x.dtype).split(1, 1), shifts)

    def generate(
        self,
        x: Tensor,
        y: Tensor,
        features: Tensor,
        unmixed: Tensor,
        lams: Sequence[float],
        shifts: Sequence[int],
    ) -> dict[str, Tensor]:
        """The loss that the block learns from; ``unmixed`` are the average's logits of ``x``."""
        weights = self.block(features, lams, shifts, x.shape[-2:])
        logits = self.teacher(mixture(x, weights.to(x.dtype).split(1, 1), shifts)).float()
        easy = -(mixture(y, lams, shifts) * logits.log_softmax(1)).sum(1).mean()
        near = sum(
            lam * F.cosine_similarity(logits, partners(unmixed, shift)).mean()
            for lam, shift in zip(lams, shifts, strict=True)
        )
        hard = (1 - self.hardness) * near - self.hardness * easy
        loss = torch.where(self.adversarial, hard, easy)
        self.adversarial = ~self.adversarial
        return {"generator": loss}


def mixture(t: Tensor, weights: Sequence[float | Tensor], shifts: Sequence[int]) -> Tensor:
    """The weighted sum of ``t`` and its rotations along the batch, in the memory format of ``t``.

    The first of ``shifts`` is 0: what is not rotated keeps its format, and the sum its first's.
    """
    return sum(
        (partners(t, shift) if shift else t) * weight
        for weight, shift in zip(weights, shifts, strict=True)
    )
