import torch
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import BetaMixer, Mixed
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.ops.transport import sinkhorn, squared_distances
from openmix.types import Count, NonNegative, Positive, Probability


class AlignMix(BetaMixer):
    """AlignMix: blend last feature maps after aligning one to the other; labels blend alike.

    The maps are those that the network pools, after its last norm and activation. A transport plan
    between the places of both maps carries the features of one to the geometry of the other, in a
    direction drawn for the batch. Part of the batches get plain input Mixup. The authors stop
    Sinkhorn's iterations once the batch's mean change falls under 0.1; asking would wait for the
    device, so all of them are done.

    Args:
        alpha: shape of λ's Beta distribution.
        prob: probability of aligning; otherwise the images are blended.
        eps: entropic regularisation, in units of squared feature distance.
        iterations: of Sinkhorn's algorithm.
        per_sample: draw λ for each image; otherwise once for the batch.
    """

    paper = "https://arxiv.org/abs/2103.15375"
    venue = "CVPR 2022"
    family = "feature"
    needs = ("cam",)
    weight_is_area = False
    exact_at_one = False

    def __init__(
        self,
        alpha: NonNegative = 2.0,
        prob: Probability = 0.5,
        eps: Positive = 0.1,
        iterations: Count = 100,
        per_sample: bool = False,
    ):
        super().__init__(alpha, per_sample)
        self.prob, self.eps, self.iterations = prob, eps, iterations

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        internals.pooling(net)

    def forward(
        self,
        net: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
    ) -> Mixed:
        lam, partner = self.draw(x, lam, partner)
        target = blend(y, partner, lam)
        align, direction = draw.uniform(2)
        if align >= self.prob:
            return Mixed(net(blend(x, partner, lam)), target)

        def mixed(features: Tensor) -> Tensor:
            return self.align(features, partner, lam, to_partner=direction < 0.5)

        with internals.fed(internals.pooling(net), mixed):
            return Mixed(net(x), target)

    def align(
        self, features: Tensor, partner: Partner, lam: float | Tensor, to_partner: bool
    ) -> Tensor:
        """Features ``(N, C, H, W)`` blended in the geometry of each row, or of its partner."""
        own = features.flatten(2)
        other = partners(own, partner)
        plan = self.plan(own, other).to(own.dtype)
        if to_partner:
            own = own @ plan
        else:
            other = other @ plan.transpose(1, 2)
        weight = lam.view(-1, 1, 1).to(own.dtype) if isinstance(lam, Tensor) else lam
        return other.to(own.dtype).lerp_(own, weight).view_as(features)

    @torch.no_grad()
    def plan(self, own: Tensor, other: Tensor) -> Tensor:
        """How much of each place of ``other`` ``(N, C, P)`` goes to each of ``own``: ``(N, P, P)``.

        Scaled so that every column sums to 1.
        """
        with torch.autocast(own.device.type, enabled=False):
            cost = squared_distances(own.float(), other.float())
            return sinkhorn(cost, self.eps, self.iterations) * own.shape[2]
