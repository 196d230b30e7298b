from torch import Tensor, nn

from openmix import internals
from openmix.errors import Unsupported
from openmix.mixups.base import BetaMixer, Mixed
from openmix.ops import draw
from openmix.ops.blend import Partner, blend
from openmix.types import NonNegative, Whole


class ManifoldMix(BetaMixer):
    """Manifold Mixup: blend the features after a random stage; the labels blend alike.

    The authors train with a binary cross-entropy on the softmax; here the loss is the protocol's.

    Args:
        alpha: shape of λ's Beta distribution.
        layers: stages to choose from, each equally likely; 0 is the input, k the output of stage k.
        per_sample: draw λ for each image; otherwise once for the batch.
    """

    paper = "https://arxiv.org/abs/1806.05236"
    venue = "ICML 2019"
    family = "feature"
    needs = ("stages",)
    weight_is_area = False

    def __init__(
        self,
        alpha: NonNegative = 2.0,
        layers: tuple[Whole, ...] = (0, 1, 2),
        per_sample: bool = False,
    ):
        super().__init__(alpha, per_sample)
        self.layers = tuple(layers)
        if not self.layers or min(self.layers) < 0:
            raise ValueError(f"layers must name stages from 0 on, got {list(self.layers)}")

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        count = len(internals.stages(net))
        if max(self.layers) > count:
            raise Unsupported(
                f"{type(self).__name__} is to mix after stage {max(self.layers)}, but "
                f"{type(net).__name__} has {count} stages; set mixup.layers"
            )

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
        lam, partner = self.draw(x, lam, partner)
        if layer is None:
            layer = self.layers[draw.integer(0, len(self.layers))]
        target = blend(y, partner, lam)
        if layer == 0:
            return Mixed(net(self.combine(x, partner, lam)), target)
        stage = internals.stages(net)[layer - 1]
        with internals.hooked(stage, lambda features: self.combine(features, partner, lam)):
            return Mixed(net(x), target)

    def combine(self, features: Tensor, partner: Partner, lam: float | Tensor) -> Tensor:
        """What the rest of the network gets in place of ``features``, the input or a stage's."""
        return blend(features, partner, lam)
