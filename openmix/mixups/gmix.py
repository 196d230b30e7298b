import math

import torch
from torch import Tensor

from openmix.mixups.base import MaskMixer
from openmix.ops.gaussian import bump


class GMix(MaskMixer):
    """GMix: mix through a Gaussian bump around a random pixel; the labels follow its mean.

    The bump holds the image with the smaller of the weights λ and 1 - λ, and on an endless plane
    that share of the image's area; what the edges cut off, the label loses too. The authors' bump
    is sized for square images, this one by height times width.
    """

    paper = "https://arxiv.org/abs/2208.09913"
    venue = "NeurIPS 2022"
    family = "blend"

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        height, width = x.shape[-2:]
        per_share = height * width / (2 * math.pi)
        if isinstance(lam, Tensor):
            held = bump(x, torch.minimum(lam, 1 - lam) * per_share)
            return torch.where((lam < 0.5)[:, None, None, None], held, 1 - held)
        held = bump(x, min(lam, 1 - lam) * per_share)
        return held if lam < 0.5 else 1 - held
