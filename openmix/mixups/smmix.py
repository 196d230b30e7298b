import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.blend import Partner, blend, partners
from openmix.types import Fraction


class SMMix(Mixer):
    """SMMix: the square an image attends to least shows the one its partner attends to most; labels
    by area.

    Attention is that among the patches in the last block, averaged over heads and queries, when the
    network, in eval mode, sees the images unmixed. Two further losses: a linear head of its own
    classifies the mean token of either part as the image it shows (half weight each; they are
    rows of the batch, so the rows' weights do not sum to 1), and the prediction is drawn towards
    the blended logits of the unmixed images.

    Args:
        low: smallest side of the square over the image's, in whole patches, rounded down.
        high: largest.
    """

    paper = "https://arxiv.org/abs/2212.12977"
    venue = "ICCV 2023"
    family = "token"
    needs = ("attention",)
    weight_is_area = False
    rows_sum_to_one = False
    scales_rows = True

    def __init__(self, low: Fraction = 0.25, high: Fraction = 0.75):
        super().__init__()
        if low > high:
            raise ValueError(f"low must not exceed high, got {low} and {high}")
        self.low, self.high = low, high

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        self.part_head = nn.Linear(net.num_features, net.num_classes)
        nn.init.trunc_normal_(self.part_head.weight, std=0.02)
        nn.init.zeros_(self.part_head.bias)

    def side(self, rows: int, columns: int) -> int:
        """Side of this step's square, in patches."""
        low, high = (max(1, int(min(rows, columns) * ratio)) for ratio in (self.low, self.high))
        return draw.integer(low, high + 1)

    def forward(
        self,
        net: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        partner: Partner | None = None,
        side: int | None = None,
    ) -> Mixed:
        """``side`` is that of the square, in patches."""
        rows, columns = internals.patch_grid(net)
        partner = draw.shift(len(x)) if partner is None else partner
        side = self.side(rows, columns) if side is None else side
        with internals.evaluating(net), internals.patch_attention(net) as seen:
            unmixed = net(x).float()
        mixed, mask = squares(x, seen[0], partner, side)
        with internals.patch_tokens(net) as tokens:
            logits = net(mixed)
        self.lam = 1 - side * side / (rows * columns)
        parts = [
            self.part_head(token.to(self.part_head.weight.dtype)).to(logits.dtype)
            for token in part_means(tokens[0], mask.flatten(1)[..., None].to(x.dtype))
        ]
        agreement = F.kl_div(
            logits.float().log_softmax(1),
            blend(unmixed, partner, self.lam).softmax(1),
            reduction="batchmean",
        )
        # The loss is the mean over three times the rows.
        targets = 3 * blend(y, partner, self.lam), 1.5 * y, 1.5 * partners(y, partner)
        return Mixed(torch.cat([logits, *parts]), torch.cat(targets), {"agreement": agreement})


def squares(x: Tensor, attention: Tensor, partner: Partner, side: int) -> tuple[Tensor, Tensor]:
    """Mixed images and which of their patches are their own, ``(N, rows, columns)`` bool.

    ``attention`` is ``(N, rows, columns)``; of equal squares the first, row by row, is taken.
    """
    rows, columns = attention.shape[1:]
    height, width = x.shape[-2] // rows, x.shape[-1] // columns
    window = F.avg_pool2d(attention[:, None], side, stride=1).flatten(1)
    across = columns - side + 1
    to, source = window.argmin(1), partners(window.argmax(1), partner)
    top, left = to // across, to % across

    def along(size: int, patch: int, start: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
        """Which patches of an axis lie in the square, and where each pixel's value comes from."""
        at = torch.arange(size // patch, device=x.device)
        inside = (at >= start[:, None]) & (at < start[:, None] + side)
        pixels = torch.arange(size, device=x.device) + ((origin - start) * patch)[:, None]
        return inside, pixels.clamp(0, size - 1)

    in_rows, y_from = along(x.shape[-2], height, top, source // across)
    in_columns, x_from = along(x.shape[-1], width, left, source % across)
    own = ~(in_rows[:, :, None] & in_columns[:, None, :])
    moved = partners(x, partner)
    moved = moved.gather(2, y_from[:, None, :, None].expand_as(x))
    moved = moved.gather(3, x_from[:, None, None, :].expand_as(x))
    keep = F.interpolate(own[:, None].to(x.dtype), x.shape[-2:], mode="nearest")
    return torch.lerp(moved, x, keep), own


def part_means(tokens: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Mean token of the own patches and of the others; ``own`` ``(N, patches, 1)`` is 0 or 1."""
    return tuple((tokens * part).sum(1) / part.sum(1).clamp(min=1) for part in (own, 1 - own))
