import inspect

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, partners
from openmix.types import NonNegative


class SUMix(Mixer):
    """SUMix: mix by another mixer; labels by how near the prediction stays to that of each image.

    With α the distance between the predictions for the mixed image and for one of its two images,
    read at that image's class, a label's weight λ becomes λ exp(-α), and both are scaled to sum
    to 1. As in the authors' code α grows with the size of the batch. They average the loss over the
    batch before the labels' weights meet it; here each image keeps its own.

    Args:
        mixer: makes the images; its ``mix`` takes a partner and leaves its λ in ``lam``.
        gamma: weight of the loss that reads a learned uncertainty; 0 learns none.
    """

    paper = "https://arxiv.org/abs/2407.07805"
    venue = "ECCV 2024"
    family = "label"
    weight_is_area = False

    def __init__(self, mixer: Mixer, gamma: NonNegative = 0.5):
        super().__init__()
        if "partner" not in inspect.signature(mixer.mix).parameters:
            raise ValueError(
                f"SUMix needs a mixer that takes a partner, not {type(mixer).__name__}"
            )
        self.mixer, self.gamma = mixer, gamma
        self.uncertainty: nn.Linear | None = None

    def setup(self, net: nn.Module) -> None:
        self.mixer.setup(net)
        if self.gamma:
            head = internals.classifier(net)
            self.uncertainty = nn.Linear(
                head.in_features,
                head.out_features,
                device=head.weight.device,
                dtype=head.weight.dtype,
            )
            nn.init.normal_(self.uncertainty.weight, std=0.01)  # as in the authors' code
            nn.init.zeros_(self.uncertainty.bias)

    def forward(
        self, net: nn.Module, x: Tensor, y: Tensor, *, partner: Partner | None = None
    ) -> Mixed:
        if partner is None:
            partner = draw.shift(len(x))
        images, _ = self.mixer.mix(x, y, partner=partner)
        lam = self.mixer.lam
        lam = lam.view(-1).to(y.dtype) if isinstance(lam, Tensor) else y.new_full((1,), lam)
        raw, own = self.read(net, x, learned=bool(self.gamma))
        logits, mixed = self.read(net, images, learned=True)
        other = partners(y, partner)
        p, q = raw.detach().float().softmax(1), logits.detach().float().softmax(1)
        near = _distance(q, p * (1 - other))
        far = _distance(q, partners(p, partner) * (1 - y))
        odds = lam.logit() - (near * y).sum(1) + (far * other).sum(1)
        self.lam = odds.sigmoid()[:, None].to(y.dtype)
        losses = {}
        if self.uncertainty is not None:
            with torch.autocast(x.device.type, enabled=False):
                first = F.cross_entropy((-(own + mixed + near)).exp(), y, reduction="none")
                second = (-(partners(own, partner) + mixed + far)).exp()
                second = F.cross_entropy(second, other, reduction="none")
                losses = {"uncertainty": self.gamma * torch.lerp(second, first, lam).mean()}
        return Mixed(logits, torch.lerp(other, y, self.lam), losses)

    def read(self, net: nn.Module, x: Tensor, learned: bool) -> tuple[Tensor, Tensor | None]:
        """Logits and uncertainty ``(N, C)`` of images; without gradient unless ``learned``."""
        if self.uncertainty is None:
            with torch.set_grad_enabled(learned and torch.is_grad_enabled()):
                logits = net(x)
            if not learned:
                torch.clear_autocast_cache()  # it holds weights cast without gradient
            return logits, None
        with internals.inputs_of(internals.classifier(net)) as seen:
            logits = net(x)
        scores = self.uncertainty(seen[0].to(self.uncertainty.weight.dtype))
        return logits, F.normalize(scores.float().softmax(1), dim=1)


def _distance(q: Tensor, p: Tensor) -> Tensor:
    """The authors' distance of predictions ``(N, C)``, class by class: N times a unit vector."""
    return F.normalize((q - p).softmax(1), dim=1) * len(q)
