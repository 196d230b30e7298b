from collections.abc import Sequence
from math import gcd, log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.errors import Unsupported
from openmix.mixups.base import Mixed, Mixer, area
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.ops.cells import enlarged
from openmix.ops.labelling import cheapest_labels
from openmix.ops.puzzle import moves, rearranged
from openmix.types import Count, NonNegative, Positive


class PuzzleMix(Mixer):
    """Puzzle Mix: show the salient blocks of both images, moved so that more fit; labels by area.

    Each block of a grid is the image's, its partner's, or half of each, so that little saliency is
    hidden, neighbouring blocks agree, images join smoothly and about λ is the image's own. The
    authors solve this by graph cuts on the CPU, one image after another; here the same energy is
    lowered by belief propagation for the whole batch. A place that the transport leaves empty keeps
    its own block; the authors leave it black. They train with a binary cross-entropy on CIFAR and
    cross-entropy on ImageNet; here the loss is the protocol's.

    Args:
        alpha: shape of λ's Beta distribution.
        blocks: numbers of blocks a side to choose from, those that divide the images' sides.
        beta, gamma, eta: weight of neighbours that agree, of joins that are smooth, of λ.
        neighbourhood: side, in pixels, of what is compared at a join.
        transport: move salient blocks to where they are shown.
        price: of a block's way, in units of saliency.
        moved: side, in pixels, of the blocks that move; None moves the mask's own blocks.
        std: standard deviation that the images were divided by, in units of [0, 1].
    """

    paper = "https://arxiv.org/abs/2009.06962"
    venue = "ICML 2020"
    family = "saliency"

    def __init__(
        self,
        alpha: Positive = 1.0,
        blocks: Sequence[Count] = (2, 4, 8, 16),
        beta: NonNegative = 1.2,
        gamma: NonNegative = 0.5,
        eta: NonNegative = 0.2,
        neighbourhood: Count = 4,
        transport: bool = True,
        price: NonNegative = 0.8,
        moved: Count | None = None,
        std: Positive = 0.25,
    ):
        super().__init__()
        if not blocks or min(blocks) < 2:
            raise ValueError(f"blocks must name numbers from 2 on, got {list(blocks)}")
        self.alpha, self.blocks = alpha, tuple(blocks)
        self.beta, self.gamma, self.eta = beta, gamma, eta
        self.neighbourhood, self.transport = neighbourhood, transport
        self.price, self.moved, self.std = price, moved, std

    def forward(
        self, net: nn.Module, x: Tensor, y: Tensor, *, partner: Partner | None = None
    ) -> Mixed:
        fitting = [n for n in self.blocks if x.shape[-2] % n == 0 and x.shape[-1] % n == 0]
        if not fitting:
            size = f"{x.shape[-2]}x{x.shape[-1]}"
            raise Unsupported(f"no number of mixup.blocks divides the sides of {size} images")
        side = fitting[draw.integer(0, len(fitting))]
        prior = draw.beta(self.alpha)
        if partner is None:
            partner = draw.shift(len(x))
        saliency = internals.input_saliency(net, x, y)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            z = self.solve(x, saliency, partner, side, prior)
            mixed = self.assemble(x, saliency, partner, z)
        self.lam = area(z[:, None])
        return Mixed(net(mixed), blend(y, partner, self.lam))

    def solve(
        self, x: Tensor, saliency: Tensor, partner: Partner, side: int, prior: float
    ) -> Tensor:
        """Own weight of each block, 0, a half or 1: ``(N, side, side)``, as ``saliency`` in type.

        ``prior`` is the λ that is wished for.
        """
        unary, down, right = self.costs(x, saliency, partner, side, prior)
        return 1 - cheapest_labels(unary, down, right).to(saliency.dtype) / 2

    def costs(
        self, x: Tensor, saliency: Tensor, partner: Partner, side: int, prior: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What :func:`cheapest_labels` takes; label 0 shows the image, 2 its partner, 1 both."""
        beta = self.beta / side / 16
        own = _shares(saliency, side)
        other = partners(own, partner)
        show_own, show_other = other.clone(), own.clone()  # showing one hides the other's saliency
        weights = []
        pooled = self.pooled(x, side)
        for axis, joins in (
            (1, self.joins(pooled, partner, side)),
            (2, self.joins(pooled.mT, partner, side)),
        ):
            aa, ab, ba, bb = (j if axis == 1 else j.mT for j in joins)
            last, first = slice(0, side - 1), slice(1, side)
            here = (slice(None), last) if axis == 1 else (..., last)
            there = (slice(None), first) if axis == 1 else (..., first)
            scale = beta * self.gamma / 2
            show_own[here] += scale * (aa + ab)
            show_other[here] += scale * (ba + bb)
            show_own[there] += scale * (aa + ba)
            show_other[there] += scale * (ab + bb)
            weights.append(beta + scale * (ab + ba - aa - bb))
        odds = (prior**2, 2 * prior * (1 - prior), (1 - prior) ** 2)
        unary = [
            (1 - share) * show_own + share * show_other - self.eta / side**2 * log(p + 1e-8)
            for share, p in zip((0, 0.5, 1), odds, strict=True)
        ]
        return torch.stack(unary, -1), *weights

    def pooled(self, x: Tensor, side: int) -> Tensor:
        """``x`` in the cells, at most ``neighbourhood`` pixels a side, that joins compare."""
        rows, columns = x.shape[-2] // side, x.shape[-1] // side
        near = next(
            d for d in range(self.neighbourhood, 0, -1) if rows % d == 0 and columns % d == 0
        )
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        return F.avg_pool2d(wide, near) * self.std

    def joins(self, a: Tensor, partner: Partner, side: int) -> tuple[Tensor, ...]:
        """Mean difference of cells across the border of each block and the one below it.

        ``(N, side - 1, side)``, for the image above and below, the image above its partner, the
        partner above the image, and the partner above and below.
        """
        b = partners(a, partner)
        step = a.shape[-2] // side

        def across(above: Tensor, below: Tensor) -> Tensor:
            gap = above[:, :, step - 1 : -1 : step] - below[:, :, step::step]
            return gap.abs().mean(1).unflatten(-1, (side, -1)).mean(-1)

        return across(a, a), across(a, b), across(b, a), across(b, b)

    def assemble(self, x: Tensor, saliency: Tensor, partner: Partner, z: Tensor) -> Tensor:
        """The mixed images for the own weights ``z`` of their blocks."""
        height, width = x.shape[-2:]
        other = partners(x, partner)
        if self.transport:
            side = self._moving(height, width, z.shape[-1])
            z = enlarged(z[:, None], side, side)[:, 0]
            own = _shares(saliency, side)
            x = rearranged(x, moves(own, z, self.price), side)
            hidden = moves(partners(own, partner), 1 - z, self.price)
            other = rearranged(other, hidden, side)
        return torch.lerp(other, x, enlarged(z[:, None], height, width).to(x.dtype))

    def _moving(self, height: int, width: int, side: int) -> int:
        """Blocks a side that move: those of ``moved`` pixels if they part the mask's evenly."""
        common = gcd(height // side, width // side)
        return side if self.moved is None or common % self.moved else side * common // self.moved


def _shares(saliency: Tensor, side: int) -> Tensor:
    """Each block's share of its image's saliency, ``(N, side, side)``."""
    pooled = F.adaptive_avg_pool2d(saliency[:, None], side)[:, 0]
    return pooled / pooled.sum((1, 2), keepdim=True).clamp(min=1e-20)
