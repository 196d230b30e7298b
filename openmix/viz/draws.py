"""What one step of a mixer shows the network, and which label goes with it."""

import copy
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

NUDGE = 1 / 2048
"""What an image is brightened by, in standard deviations, to see where it shows;
so little that what is salient stays so."""


class Draw(NamedTuple):
    """One image that the network learns from in a step.

    ``source``, ``shown`` ``(3, H, W)``: the image as it was and as the network gets it;
    ``partners``: the images of the other classes in its label, the heaviest first; ``share``
    ``(H, W)``: how much of each pixel is the source's, None where nothing else is there;
    ``weights`` ``(K,)``: the label, None for an image that has none and is only compared.
    """

    source: Tensor
    partners: list[Tensor]
    share: Tensor | None
    shown: Tensor
    weights: Tensor | None

    @property
    def inside(self) -> bool:
        """Whether the labels are mixed but the input is not: the mixing is in the network."""
        return bool(self.partners) and torch.equal(self.shown, self.source)


class Step(NamedTuple):
    """``images`` ``(M, 3, H, W)`` pass the network; ``label`` the row of ``target`` that each has.

    -1 is no row: of a pass that serves a further loss, or only to look.
    """

    images: Tensor
    label: list[int]
    target: Tensor


class Previewed:
    """A mixer with the network it may look into, which is built untrained and only when needed."""

    def __init__(self, composed: Composed):
        self.config = OmegaConf.to_container(composed.config, resolve=True)
        self.backbone = composed.choices["backbone"]
        self.mixer: Mixer = instantiate(self.config["mixup"], _convert_="all")
        parts = [part for part in self.mixer.modules() if isinstance(part, Mixer)]
        self.remembers = not all(part.own_pixels for part in parts)
        self.scales_rows = any(part.scales_rows for part in parts)
        self.looked_inside = False
        self.views = 1
        """Of an image that have a label of their own."""

    @cached_property
    def net(self) -> nn.Module:
        self.looked_inside = True
        torch.manual_seed(0)
        node = {k: v for k, v in self.config["backbone"].items() if k != "provides"}
        net = instantiate(node, _convert_="all").eval()
        self.mixer.setup(net)
        return net

    def step(self, x: Tensor, y: Tensor, seed: int) -> Step:
        """What the network gets for the batch ``x``; what remembers has seen its neighbours."""
        torch.manual_seed(seed)
        try:
            images, target = self.mixer.mix(x, y)
            return Step(images, list(range(len(images))), target)
        except NotImplementedError:
            return self._through_network(x, y, seed)

    def _through_network(self, x: Tensor, y: Tensor, seed: int) -> Step:
        net, mixer = self.net, self.mixer
        if self.remembers:
            mixer = copy.deepcopy(mixer)
            mixer(net, x.roll(1, 0), y.roll(1, 0))
        images, logits = [], []

        def watch(_module: nn.Module, args: tuple[Tensor], out: Tensor) -> None:
            images.append(args[0].detach())
            logits.append(out.detach())

        handle = net.register_forward_hook(watch)
        torch.manual_seed(seed)
        try:
            mixed = mixer(net, x, y)
        finally:
            handle.remove()
        same = (torch.cat(logits)[:, None] == mixed.logits).all(2)
        return Step(torch.cat(images), _pair(same), mixed.target)

    def describe(self) -> str:
        """What the mixer does, and on what network it was shown if it needed one."""
        words = [describe(self.mixer)]
        if self.looked_inside:
            learned = " and an untrained mixup" if self.mixer.family == "learned" else ""
            words.append(f"Shown with an untrained {self.backbone}{learned}.")
        if self.views > 1:
            words.append("The image as it is counts as well.")
        return " ".join(words)

    def draw(self, x: Tensor, y: Tensor, i: int, seed: int) -> Draw:
        """What becomes of image ``i`` in the step that ``seed`` makes of ``x`` and one-hot ``y``.

        Of several rows an image, the first is taken that is changed and has a label, or at least is
        changed. The share of the image is by how much pixels brighten when all of it does.
        """
        step = self.step(x, y, seed)
        rows = range(i, len(step.images), len(x))
        self.views = max(self.views, len({step.label[row] for row in rows} - {-1}))
        labels = [step.target[step.label[row]] if step.label[row] >= 0 else None for row in rows]

        def use(k: int) -> tuple[bool, bool]:
            changed = not torch.equal(step.images[rows[k]], x[i])
            mixed = labels[k] is not None and (changed or not torch.equal(labels[k], y[i]))
            return mixed, changed

        k = max(range(len(rows)), key=use)
        shown, weights = step.images[rows[k]], labels[k]
        if weights is not None and self.scales_rows:
            weights = weights / weights.sum()
        partners = [] if weights is None else [x[other] for other in _others(weights, y, i)]
        share = None
        if partners and not torch.equal(shown, x[i]):
            brighter = x.clone()
            brighter[i] += NUDGE
            share = (self.step(brighter, y, seed).images[rows[k]] - shown).mean(0) / NUDGE
        return Draw(x[i], partners, share, shown, weights)


def _pair(same: Tensor) -> list[int]:
    """For each row of ``same`` ``(M, L)`` a column of its own that is true there, or -1.

    The last rows go first: a network is asked before it is taught.
    """
    label = [-1] * len(same)
    for column in reversed(range(same.shape[1])):
        rows = [row for row in range(len(same)) if same[row, column] and label[row] < 0]
        if rows:
            label[rows[-1]] = column
    return label


def _others(weights: Tensor, y: Tensor, i: int) -> list[int]:
    """Images but ``i`` that the label names; a weight that all other classes have names none."""
    others = [j for j in range(len(y)) if j != i]
    weight = {j: float(weights @ y[j]) for j in others}
    least = min(weight.values())
    return sorted((j for j in others if weight[j] > least), key=weight.get, reverse=True)


def parts(weights: Tensor | None) -> list[tuple[float, str]]:
    """The classes in a target ``(K,)`` with their weights, the largest first."""
    if weights is None:
        return []
    named = zip(weights.tolist(), PHOTOS, strict=True)
    return sorted(((weight, name) for weight, name in named if weight > 0), reverse=True)


def caption(weights: Tensor | None) -> str:
    """A target in words: ``"0.62 cat / 0.38 coffee"``; of more than three classes, the first."""
    if weights is None:
        return "no label, only compared"
    named = parts(weights)
    if len(named) > 3:
        named = [named[0], (sum(weight for weight, _ in named[1:]), "others")]
    return " / ".join(f"{weight:.2f} {name}" for weight, name in named)


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
