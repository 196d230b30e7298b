"""The contract every mixup method meets."""

from typing import NamedTuple

from torch import Tensor, nn

from openmix import internals
from openmix.ops import draw
from openmix.ops.blend import Partner, blend
from openmix.types import NonNegative


class Mixed(NamedTuple):
    """What a mixer hands to the loss.

    ``logits`` ``(M, C)``; ``target`` ``(M, C)`` dense weights, M may differ from the batch size;
    ``losses`` are further named terms, added to the classification loss as they are.
    """

    logits: Tensor
    target: Tensor
    losses: dict[str, Tensor] = {}  # noqa: RUF012  a NamedTuple's default, never written to


class Clock:
    """How far training is: epochs finished, and the share of all steps done, in [0, 1)."""

    epoch = 0
    progress = 0.0


class Mixer(nn.Module):
    """Train on the images as they are; every mixup method is a subclass.

    A mixer maps a network, images ``(N, C, H, W)`` and dense targets ``(N, K)`` to logits and
    targets. A method that only touches its input overrides :meth:`mix`; one that looks inside the
    network overrides :meth:`forward`. Neither writes into its arguments.
    """

    paper = ""
    venue = ""
    family = "none"
    """none, blend, cut, saliency, feature, learned, token, label or augmentation."""

    needs: tuple[str, ...] = ()
    """What :meth:`setup` looks for in the network, out of ``internals.FINDERS``."""

    weight_is_area = True
    """Whether the weight of an image's own label is the share of its own pixels."""

    rows_sum_to_one = True
    """Whether the weights of a row of the target sum to 1."""

    scales_rows = False
    """Whether rows are scaled to weigh terms of the loss, which must be linear in the target."""

    exact_at_one = True
    """Whether λ = 1 leaves images and features exactly as they are."""

    own_pixels = True
    """Whether what the network sees holds nothing but pixels of the batch: no noise, no history."""

    varies = True
    """Whether the same batch comes out in ever new ways, rather than in a few."""

    lam: float | Tensor | None = None
    """The blend weight of the last step, for reports."""

    clock = Clock()
    """How far training is; a training loop takes this place."""

    def setup(self, net: nn.Module) -> None:
        """Look at the network once, before the optimizer is built.

        Raises:
            Unsupported: the network lacks what this method needs; the message says what.
        """
        internals.require(net, self.needs, type(self).__name__)

    def mix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and targets.

        Raises NotImplementedError where the method needs the network, as one does that overrides
        :meth:`forward` and not this: call the mixer instead.
        """
        if type(self).forward is not Mixer.forward:
            name = type(self).__name__
            raise NotImplementedError(f"{name} needs the network: call mixer(net, x, y)")
        return x, y

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        """Logits of the mixed batch, and the targets they answer to."""
        x, y = self.mix(x, y)
        return Mixed(net(x), y)


class BetaMixer(Mixer):
    """A mixer whose blend weight λ, the share an image keeps, is drawn from Beta(alpha, alpha).

    Args:
        alpha: shape of the Beta distribution; 0 never mixes.
        per_sample: draw λ for each image; otherwise once for the batch.
    """

    def __init__(self, alpha: NonNegative = 1.0, per_sample: bool = False):
        super().__init__()
        if alpha < 0:
            raise ValueError(f"alpha must be 0 or more, got {alpha}")
        self.alpha, self.per_sample = alpha, per_sample

    def draw(
        self, x: Tensor, lam: float | Tensor | None, partner: Partner | None
    ) -> tuple[float | Tensor, Partner]:
        """λ (a number, or ``(N,)``) and partner of this step; what is given is kept."""
        if lam is None:
            lam = draw.beta_rows(self.alpha, x) if self.per_sample else draw.beta(self.alpha)
        self.lam = lam
        return lam, draw.shift(len(x)) if partner is None else partner


class MaskMixer(BetaMixer):
    """Show the partner's pixels through a mask; the label follows the mask's area."""

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        """Weight of the image itself, ``(1 or N, 1, H, W)``: 1 keeps it, 0 takes its partner."""
        raise NotImplementedError

    def mix(
        self,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        lam, partner = self.draw(x, lam, partner)
        if mask is None:
            mask = self.mask(x, lam)
        self.lam = area(mask)
        return blend(x, partner, mask), blend(y, partner, self.lam)


class AreaMixer(Mixer):
    """A mask drawn without a λ of its own; the label follows the mask's area."""

    def mask(self, x: Tensor) -> Tensor:
        """Weight of the image itself, ``(1 or N, 1, H, W)``: 1 keeps it, 0 takes its partner."""
        raise NotImplementedError

    def mix(
        self,
        x: Tensor,
        y: Tensor,
        *,
        partner: Partner | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        if partner is None:
            partner = draw.shift(len(x))
        if mask is None:
            mask = self.mask(x)
        self.lam = area(mask)
        return blend(x, partner, mask), blend(y, partner, self.lam)


def area(mask: Tensor) -> Tensor:
    """Share of each mask that is 1: ``(1 or N, 1)`` float32, whatever precision the mask has."""
    return mask.float().mean((-2, -1))
