from typing import Literal

import torch
from torch import Tensor

from openmix.mixups.base import MaskMixer
from openmix.ops.blend import Partner, partners
from openmix.ops.saliency import fine_grained
from openmix.types import NonNegative


class SaliencyMix(MaskMixer):
    """SaliencyMix: paste a box around the partner's salient spot; labels follow the box's area.

    The box lies at the same place in both images and is clipped at the edges. The detector is the
    authors' (fine-grained static saliency), computed in floats: OpenCV's, which they call on
    normalised floats, rounds these to bytes first and finds next to nothing. It reads channels as
    blue, green, red; they hand it red, green, blue, so that red and blue change their weights in
    the grey that is looked at. Here red counts as red.

    Args:
        alpha: shape of λ's Beta distribution, before the box is clipped.
        mode: ``per_sample`` centres each image's box on its own partner's spot, as the paper says;
            ``official`` puts one box, that of the first row's partner, into the whole batch, as the
            authors' code does.
    """

    paper = "https://arxiv.org/abs/2006.01791"
    venue = "ICLR 2021"
    family = "saliency"

    def __init__(
        self, alpha: NonNegative = 1.0, mode: Literal["per_sample", "official"] = "per_sample"
    ):
        super().__init__(alpha)
        self.mode = mode

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
            source = partners(x, partner)
            mask = self.mask(source[:1] if self.mode == "official" else source, lam)
        return super().mix(x, y, lam=lam, partner=partner, mask=mask)

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        """0 inside a box around the salient spot of each of ``x``, 1 outside."""
        height, width = x.shape[-2:]
        spot = fine_grained(x).flatten(1).argmax(1)
        ratio = (1 - lam) ** 0.5
        inside = []
        for size, centre in ((height, spot // width), (width, spot % width)):
            side = (size * ratio).long() if isinstance(lam, Tensor) else int(size * ratio)
            half, at = side // 2, torch.arange(size, device=x.device)
            low, high = (centre - half)[:, None], (centre + half)[:, None]
            inside.append((at >= low) & (at < high))
        box = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return (~box).to(x.dtype)
