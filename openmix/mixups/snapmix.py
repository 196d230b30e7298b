import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, partners
from openmix.ops.boxes import Box, clipped_box
from openmix.types import Positive


class SnapMix(Mixer):
    """SnapMix: paste one box of the partner into another box; each label by its activation there.

    An image keeps the share of its class activation map outside the box that is pasted over; the
    partner brings the share of its own map inside the box that is cut out. The two need not sum to
    1. A map without any contrast gives way to the pasted area. As in the authors' code, the weight
    of a row counts twice where both images are of one class, unless one of their maps is without
    contrast: then both weights follow the area. The maps come from a pass in eval mode; the
    authors' pass, in training mode, normalises by the batch and moves the running statistics.

    Args:
        alpha: shape of the Beta distribution of both boxes' λ.
    """

    paper = "https://arxiv.org/abs/2012.04846"
    venue = "AAAI 2021"
    family = "saliency"
    needs = ("cam",)
    weight_is_area = False
    rows_sum_to_one = False

    def __init__(self, alpha: Positive = 5.0):
        super().__init__()
        self.alpha = alpha

    def forward(
        self,
        net: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        partner: Partner | None = None,
        boxes: tuple[Box, Box] | None = None,
    ) -> Mixed:
        """``boxes``: where to paste, and where to cut out."""
        size = tuple(x.shape[-2:])
        if partner is None:
            partner = draw.shift(len(x))
        if boxes is None:
            boxes = tuple(clipped_box(*size, draw.beta(self.alpha)) for _ in range(2))
        into, source = boxes
        if not (into.area and source.area):
            self.lam = 1.0
            return Mixed(net(x), y)
        maps = self.maps(net, x, y)
        area = into.area / (size[0] * size[1])
        live = maps.sum((1, 2)) > 0
        both, other = live & partners(live, partner), partners(y, partner)
        same = y.argmax(1) == other.argmax(1)
        by_map = both | ~same
        self.lam = torch.where(by_map, 1 - _share(maps, into, area), 1 - area)
        brought = torch.where(by_map, partners(_share(maps, source, area), partner), area)
        target = self.lam[:, None] * y + brought[:, None] * other
        twice = 1 + (both & same).to(y.dtype)
        return Mixed(net(_transplant(x, partner, into, source)), target * twice[:, None])

    def maps(self, net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Activation of each image's own class at each pixel, ``(N, H, W)``, its minimum at 0."""
        with internals.evaluating(net):
            features = net.forward_features(x)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            weight = y @ net.get_classifier().weight.to(y.dtype)
            maps = torch.einsum("nchw,nc->nhw", features.to(y.dtype).relu(), weight)
            maps = F.interpolate(maps[:, None], x.shape[-2:], mode="bilinear")[:, 0]
            return maps - maps.amin((1, 2), keepdim=True)


def _share(maps: Tensor, box: Box, area: float) -> Tensor:
    """What part of each map lies inside ``box``, ``(N,)``; ``area`` where the map is 0."""
    total = maps.sum((1, 2))
    inside = maps[:, box.top : box.bottom, box.left : box.right].sum((1, 2))
    return torch.where(total > 0, inside / total.clamp(min=1e-20), area)


def _transplant(x: Tensor, partner: Partner, into: Box, source: Box) -> Tensor:
    """A copy of ``x`` that shows the partner's box ``source``, resized, in its box ``into``."""
    cut = partners(x[..., source.top : source.bottom, source.left : source.right], partner)
    size = (into.bottom - into.top, into.right - into.left)
    out = x.clone(memory_format=torch.preserve_format)
    resized = F.interpolate(cut, size, mode="bilinear", align_corners=True)
    out[..., into.top : into.bottom, into.left : into.right] = resized
    return out
