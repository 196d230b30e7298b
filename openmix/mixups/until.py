from torch import Tensor, nn

from openmix.mixups.base import Mixed, Mixer
from openmix.types import Probability, Whole


class Until(Mixer):
    """Mix by another mixer in the first part of the training, and not at all after it.

    Args:
        mixer: what mixes first.
        share: of the training in which it does.
        epoch: how many epochs it does; takes the place of ``share``.
    """

    paper = "https://arxiv.org/abs/2303.08433"
    venue = "ICML 2023"
    family = "label"

    def __init__(self, mixer: Mixer, share: Probability = 0.75, epoch: Whole | None = None):
        super().__init__()
        self.mixer, self.share, self.epoch = mixer, share, epoch
        self.family = mixer.family
        self.weight_is_area, self.rows_sum_to_one = mixer.weight_is_area, mixer.rows_sum_to_one
        self.own_pixels, self.varies = mixer.own_pixels, mixer.varies

    @property
    def over(self) -> bool:
        """Whether the mixing has ended."""
        if self.epoch is not None:
            return self.clock.epoch >= self.epoch
        return self.clock.progress >= self.share

    def setup(self, net: nn.Module) -> None:
        self.mixer.setup(net)

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if self.over:
            self.lam = 1.0
            return x, y
        mixed = self.mixer.mix(x, y)
        self.lam = self.mixer.lam
        return mixed

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        if self.over:
            return super().forward(net, x, y)
        mixed = self.mixer(net, x, y)
        self.lam = self.mixer.lam
        return mixed
