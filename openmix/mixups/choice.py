from collections.abc import Sequence

from torch import Tensor, nn

from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.types import NonNegative, Probability


class Choice(Mixer):
    """Choose one mixer at each step, for the whole batch.

    Args:
        mixers: what to choose from.
        weights: their odds; equal if not given.
        prob: probability of mixing at all.
    """

    def __init__(
        self,
        mixers: Sequence[Mixer],
        weights: Sequence[NonNegative] | None = None,
        prob: Probability = 1.0,
    ):
        super().__init__()
        self.mixers = nn.ModuleList(mixers)
        weights = list(weights) if weights is not None else [1.0] * len(self.mixers)
        if len(weights) != len(self.mixers) or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"{len(self.mixers)} mixers need as many odds >= 0, got {weights}")
        if not 0 <= prob <= 1:
            raise ValueError(f"prob must lie in [0, 1], got {prob}")
        self.bounds = [prob * sum(weights[: i + 1]) / sum(weights) for i in range(len(weights))]
        self.weight_is_area = all(mixer.weight_is_area for mixer in self.mixers)
        self.rows_sum_to_one = all(mixer.rows_sum_to_one for mixer in self.mixers)
        self.varies = any(mixer.varies for mixer in self.mixers)

    def setup(self, net: nn.Module) -> None:
        for mixer in self.mixers:
            mixer.setup(net)

    def choose(self) -> Mixer:
        """The mixer of this step; the identity where the batch is to stay as it is."""
        u = draw.uniform()[0]
        for mixer, bound in zip(self.mixers, self.bounds, strict=True):
            if u < bound:
                return mixer
        return Mixer()

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        chosen = self.choose()
        mixed = chosen.mix(x, y)
        self.lam = chosen.lam
        return mixed

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        chosen = self.choose()
        mixed = chosen(net, x, y)
        self.lam = chosen.lam
        return mixed
