from typing import Literal

from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer, area
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.ops.pairing import farthest_cycle
from openmix.ops.saliency import gaussian_blur, spectral_residual

_BLUR = 7, 3.0  # size and sigma, in pixels


class GuidedMixup(Mixer):
    """GuidedMixup: blend each pixel by the two images' saliency; labels by the mean weight.

    A pixel's weight is its image's share of the saliency there, each map blurred and summing to 1.
    Where both maps are 0 the weight is a half; the authors' code divides by 0. Their CIFAR code
    pairs at random under the name of greedy. Guided-AP's first pass is in eval mode; theirs, in
    training mode, normalises by the batch and moves the running statistics. Their grey weighs red
    by 0.2989, here by 0.299.

    Args:
        saliency: ``spectral`` residual of the image (Guided-SR), or ``gradient`` of the loss by the
            input (Guided-AP), which costs one more forward and backward pass.
        pairing: ``greedy`` pairs images whose maps lie far apart, along one cycle; ``random``
            rotates the batch.
    """

    paper = "https://arxiv.org/abs/2306.16612"
    venue = "AAAI 2023"
    family = "saliency"

    def __init__(
        self,
        saliency: Literal["spectral", "gradient"] = "spectral",
        pairing: Literal["greedy", "random"] = "greedy",
    ):
        super().__init__()
        self.saliency, self.pairing = saliency, pairing
        self.varies = pairing == "random"

    def mix(
        self, x: Tensor, y: Tensor, *, partner: Partner | None = None, maps: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``maps``: saliency of the images, ``(N, H, W)``, 0 or more."""
        if maps is None:
            if self.saliency == "gradient":
                raise NotImplementedError(
                    "Guided-AP looks inside the network: call mixer(net, x, y)"
                )
            maps = spectral_residual(x, blur=_BLUR)
        maps = gaussian_blur(maps, *_BLUR)
        maps = maps / maps.sum((1, 2), keepdim=True).clamp(min=1e-20)
        if partner is None:
            partner = draw.shift(len(x)) if self.pairing == "random" else farthest_cycle(maps)
        floor = 1e-6 / maps[0].numel()
        weight = ((maps + floor) / (maps + partners(maps, partner) + 2 * floor))[:, None]
        weight = weight.to(x.dtype)
        self.lam = area(weight)
        return blend(x, partner, weight), blend(y, partner, self.lam)

    def forward(
        self, net: nn.Module, x: Tensor, y: Tensor, *, partner: Partner | None = None
    ) -> Mixed:
        maps = internals.input_saliency(net, x, y) if self.saliency == "gradient" else None
        x, y = self.mix(x, y, partner=partner, maps=maps)
        return Mixed(net(x), y)
