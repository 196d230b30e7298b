import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.errors import Unsupported
from openmix.mixups.base import MaskMixer
from openmix.ops.blend import Partner
from openmix.ops.cells import enlarged
from openmix.types import Count, NonNegative


class AttentiveMix(MaskMixer):
    """Attentive CutMix: keep the cells that a frozen network responds to most; labels by area.

    The image is cut into a grid of cells; outside of its strongest it shows its partner. A cell's
    strength is the mean over channels of the teacher's last feature map, as the paper says (public
    code reads the last channel alone), or how a transformer's class token attends to it.

    Args:
        top_k: cells that an image keeps.
        alpha: draw the number of cells instead, as λ ~ Beta(alpha, alpha) of the grid
            (AttentiveMix+), at least one; None keeps ``top_k``.
        grid: cells a side.
        teacher: name of a network in timm, pretrained; None for a copy of the network itself as it
            is when training begins, so a network that begins from weights already trained.
        size: side to which the teacher's images are resized; None leaves them as they are. They
            are normalised as the network's are.
    """

    paper = "https://arxiv.org/abs/2003.13048"
    venue = "ICASSP 2020"
    family = "saliency"

    def __init__(
        self,
        top_k: Count = 6,
        alpha: NonNegative | None = None,
        grid: Count = 7,
        teacher: str | None = None,
        size: Count | None = None,
    ):
        super().__init__(1.0 if alpha is None else alpha)
        if top_k > grid**2:
            raise ValueError(f"top_k must be at most {grid**2}, the cells of the grid, got {top_k}")
        self.share = top_k / grid**2 if alpha is None else None
        self.grid, self.source, self.size = grid, teacher, size

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        if self.source is not None:
            net = _pretrained(self.source)
        if not internals.provides(net) & {"cam", "attention"}:
            raise Unsupported(
                f"AttentiveMix finds neither feature maps nor a class token in its teacher, a "
                f"{type(net).__name__}; set mixup.teacher=resnet50"
            )
        self.teacher = internals.Frozen(net)

    def draw(
        self, x: Tensor, lam: float | Tensor | None, partner: Partner | None
    ) -> tuple[float | Tensor, Partner]:
        return super().draw(x, self.share if lam is None else lam, partner)

    def mix(
        self,
        x: Tensor,
        y: Tensor,
        *,
        lam: float | Tensor | None = None,
        partner: Partner | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        if not hasattr(self, "teacher"):
            raise NotImplementedError("AttentiveMix needs a teacher: call mixer.setup(net) first")
        return super().mix(x, y, lam=lam, partner=partner, mask=mask)

    def mask(self, x: Tensor, lam: float | Tensor) -> Tensor:
        strength = F.interpolate(
            self.response(x)[:, None], (self.grid, self.grid), mode="bilinear", antialias=True
        )
        order = strength.flatten(1).argsort(1, descending=True)
        kept = self.grid**2 * lam + 1e-3  # of 49 cells, 6/49 are 6
        kept = kept.long()[:, None] if isinstance(kept, Tensor) else int(kept)
        at = torch.arange(self.grid**2, device=x.device)
        first = (at < kept) | (at == 0)
        cells = torch.empty_like(order, dtype=x.dtype)
        cells.scatter_(1, order, first.to(x.dtype).expand_as(order))
        return enlarged(cells.view_as(strength), *x.shape[-2:])

    @torch.no_grad()
    def response(self, x: Tensor) -> Tensor:
        """How strongly the teacher responds to each place of its last map, ``(N, h, w)``."""
        net = self.teacher.net
        x = x.to(next(net.parameters()).dtype)
        if self.source is not None and x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        if self.size is not None:
            x = F.interpolate(x, (self.size, self.size), mode="bilinear")
        if internals.linear_head(net):
            return net.forward_features(x).float().mean(1)
        with internals.class_attention(net) as attention:
            net.forward_features(x)
        return attention[0]


def _pretrained(name: str) -> nn.Module:
    import timm  # slow to import

    if not timm.is_model(name):
        raise Unsupported(f"timm has no network {name!r}; try mixup.teacher=resnet50")
    return timm.create_model(name, pretrained=True)
