import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.types import Count, NonNegative


class PolicyRegion(nn.Module):
    """A copy of ``net`` that reads pairs of images and bounds the λ of each.

    Its input is half the sum of both after every value was multiplied by a number from a standard
    normal distribution, cut off at 2. In place of the classifier are ``hidden`` units and three.
    """

    def __init__(self, net: nn.Module, hidden: int):
        super().__init__()
        self.net = copy.deepcopy(net)
        head = internals.classifier(self.net)
        [name] = [name for name, module in self.net.named_modules() if module is head]
        self.net.set_submodule(name, _linear(head, hidden, 3))

    def forward(self, x: Tensor, partner: Partner) -> tuple[Tensor, Tensor]:
        """Lowest λ and the width of its interval, ``(N,)`` float32; their sum is less than 1."""
        noise = truncated_normal((2, *x.shape), x.device)
        both = (x * noise[0] + partners(x, partner) * noise[1]) / 2
        shares = self.net(both.to(next(self.net.parameters()).dtype)).float().softmax(1)
        return shares[:, 0], shares[:, 1]


class AdaMixUp(Mixer):
    """AdaMixUp: blend two images by a λ from a learned interval of their own; labels blend alike.

    A second network of the same architecture says which interval. Beside the classification of
    blends and images, a discriminator on the features before the classifier tells blends from
    images; both networks minimise both losses, so that no blend is to look like an image of another
    class. The second network begins with the first one's weights; the authors draw others. They
    blend one half of a batch and show the other half to the discriminator alone, as images; here
    all images are blended, and the discriminator weighs images and blends 2 to 1, as theirs did.
    Blends of three images, which the paper reports as well, are not in their code, nor here.

    Args:
        hidden: units before the three that share out [0, 1].
        intrusion: weight of the discriminator's loss.
    """

    paper = "https://arxiv.org/abs/1809.02499"
    venue = "AAAI 2019"
    family = "learned"

    def __init__(self, hidden: Count = 100, intrusion: NonNegative = 1.0):
        super().__init__()
        self.hidden, self.intrusion = hidden, intrusion

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        head = internals.classifier(net)
        self.policy = PolicyRegion(net, self.hidden)
        self.discriminator = _linear(head, head.out_features, 2)

    def forward(
        self, net: nn.Module, x: Tensor, y: Tensor, *, partner: Partner | None = None
    ) -> Mixed:
        if partner is None:
            partner = draw.shift(len(x))
        low, width = self.policy(x, partner)
        lam = low + torch.rand_like(low) * width
        self.lam = lam.detach()
        with internals.inputs_of(internals.classifier(net)) as features:
            logits = net(torch.cat([blend(x, partner, lam), x]))
        target = torch.cat([blend(y, partner, self.lam), y])
        losses = {"intrusion": self.intrusion * self.discriminate(features[0])}
        return Mixed(logits, target, losses)

    def discriminate(self, features: Tensor) -> Tensor:
        """Loss of telling blends, the first half of the rows, from images, the second."""
        features = features.to(self.discriminator[0].weight.dtype)
        log_p = self.discriminator(features).float().log_softmax(1)
        blends, images = log_p.chunk(2)
        return -(blends[:, 0].mean() + 2 * images[:, 1].mean()) / 3


def _linear(head: nn.Linear, hidden: int, outputs: int) -> nn.Sequential:
    """Two layers in place of ``head``, with nothing in between as the authors have them, near 0."""
    like = {"device": head.weight.device, "dtype": head.weight.dtype}
    layers = nn.Sequential(
        nn.Linear(head.in_features, hidden, **like), nn.Linear(hidden, outputs, **like)
    )
    for layer in layers:
        nn.init.normal_(layer.weight, std=1e-3)
        nn.init.zeros_(layer.bias)
    return layers


def truncated_normal(shape: Sequence[int], device: torch.device) -> Tensor:
    """Standard normal numbers in [-2, 2], float32; torch's own function waits for the device."""
    within = math.erf(2 / 2**0.5)
    noise = torch.empty(*shape, device=device).uniform_(-within, within)
    return noise.erfinv_().mul_(2**0.5).clamp_(-2, 2)
