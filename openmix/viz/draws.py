"""What one step of a mixer shows the network, and which label goes with it."""

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from openmix.config import Composed
from openmix.mixups.base import Mixer
from openmix.mixups.choice import Choice
from openmix.viz.photos import PHOTOS


class Draw(NamedTuple):
    """One row of a mixed batch.

    ``source``, ``shown`` ``(3, H, W)``: the image as it was and as the network gets it; ``partner``
    likewise, None where the target names no second class; ``share`` ``(H, W)``: how much of each
    pixel is the source's; ``weights`` ``(K,)``: the target.
    """

    source: Tensor
    partner: Tensor | None
    share: Tensor
    shown: Tensor
    weights: Tensor

    @property
    def inside(self) -> bool:
        """Whether the labels are mixed but the input is not: the mixing is in the network."""
        return self.partner is not None and torch.equal(self.shown, self.source)


class Previewed:
    """A mixer with the network it may look into, which is built untrained and only when needed."""

    def __init__(self, composed: Composed):
        self.config = OmegaConf.to_container(composed.config, resolve=True)
        self.backbone = composed.choices["backbone"]
        self.mixer: Mixer = instantiate(self.config["mixup"], _convert_="all")
        self.looked_inside = False
        self.longer = False
        """Whether targets have more rows than the batch: the first of them are shown."""

    @cached_property
    def net(self) -> nn.Module:
        self.looked_inside = True
        torch.manual_seed(0)
        node = {k: v for k, v in self.config["backbone"].items() if k != "provides"}
        net = instantiate(node, _convert_="all").eval()
        self.mixer.setup(net)
        return net

    def step(self, x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """What the network gets for the batch ``x``, and the targets."""
        torch.manual_seed(seed)
        try:
            return self.mixer.mix(x, y)
        except NotImplementedError:
            return self._through_network(x, y, seed)

    def _through_network(self, x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        seen = []
        handle = self.net.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
        torch.manual_seed(seed)
        try:
            target = self.mixer(self.net, x, y).target
        finally:
            handle.remove()
        return seen[-1].detach(), target

    def describe(self) -> str:
        """What the mixer does, and on what network it was shown if it needed one."""
        network = f" Shown with an untrained {self.backbone}." if self.looked_inside else ""
        rows = " It trains on several rows an image; the label is that of the first."
        return describe(self.mixer) + network + (rows if self.longer else "")

    def draw(self, x: Tensor, y: Tensor, row: int, seed: int) -> Draw:
        """Row ``row`` of the step that ``seed`` makes of images ``x`` and one-hot targets ``y``.

        The share of the source is what comes out at its row when it is white and all others black.
        """
        shown, target = self.step(x, y, seed)
        self.longer |= len(target) != len(x)
        white = torch.zeros_like(x)
        white[row] = 1
        share = self.step(white, y, seed)[0][row].mean(0)
        others = target[row] * (1 - y[row])
        partner = x[y[:, others.argmax()].argmax()] if others.max() > 0 else None
        return Draw(x[row], partner, share, shown[row], target[row])


def parts(weights: Tensor) -> list[tuple[float, str]]:
    """The classes in a target ``(K,)`` with their weights, the largest first."""
    named = zip(weights.tolist(), PHOTOS, strict=True)
    return sorted(((weight, name) for weight, name in named if weight > 0), reverse=True)


def caption(weights: Tensor) -> str:
    """A target in words: ``"0.62 cat / 0.38 coffee"``."""
    return " / ".join(f"{weight:.2f} {name}" for weight, name in parts(weights))


def describe(mixer: Mixer) -> str:
    """What a mixer does, in the words of its class; for a choice, what it chooses how often."""
    if isinstance(mixer, Choice):
        odds = [upper - lower for lower, upper in pairwise([0.0, *mixer.bounds])]
        shares = [
            f"{type(part).__name__} on {share:.0%}"
            for part, share in zip(mixer.mixers, odds, strict=True)
        ]
        return f"{', '.join(shares)} of the batches."
    sentence = (type(mixer).__doc__ or "").partition("\n")[0]
    if mixer.paper:
        sentence = sentence.partition(": ")[2] or sentence
    else:
        sentence = sentence.partition(";")[0].rstrip(".") + "."
    return sentence[:1].upper() + sentence[1:]
