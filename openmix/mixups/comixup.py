import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Dirichlet

from openmix import internals
from openmix.errors import Unsupported
from openmix.mixups.base import Mixed, Mixer
from openmix.ops.joint import shares
from openmix.types import Count, NonNegative, Positive, Probability


class CoMixup(Mixer):
    """Co-Mixup: blocks show the salient parts of a whole group of images; labels by area.

    The masks of a group are chosen together: much saliency is shown, neighbouring blocks agree, and
    the mixed images differ in what they show. The authors decide each mask by graph cuts on the
    CPU (alpha-beta swap, which is not exact); here the same costs are lowered by belief propagation
    for all groups at once. They stop when a round changes nothing, and their
    threshold acts on the columns of the affinity matrix where the paper has it act on its product;
    as the matrix is nearly diagonal, the two agree. With a binary cross-entropy on CIFAR they weigh
    the images as they are by 2 ``clean`` over the number of classes; here, as on ImageNet, the loss
    is the protocol's and the weight ``clean``.

    Args:
        alpha: shape of the Dirichlet distribution of how welcome each image is.
        blocks: a side; the images' sides must be multiples of it.
        group: images that are mixed among themselves; the last group may be smaller.
        beta, gamma, eta: weight of neighbours that agree, of variety, of ``alpha``'s draw.
        threshold: share of a mixed image's area that an image may fill in the others at no cost.
        omega: weight of the distance of salient spots in how alike two images are.
        rounds: how often each mask is decided.
        clean: weight of the images as they are. If 0, saliency is read in evaluation mode.
    """

    paper = "https://arxiv.org/abs/2102.03065"
    venue = "ICLR 2021"
    family = "saliency"
    weight_is_area = False  # by area, but no row of the mixed images belongs to one image
    rows_sum_to_one = False
    scales_rows = True

    def __init__(
        self,
        alpha: Positive = 2.0,
        blocks: Count = 4,
        group: Count = 20,
        beta: NonNegative = 0.32,
        gamma: NonNegative = 1.0,
        eta: NonNegative = 0.05,
        threshold: NonNegative = 0.83,
        omega: Probability = 0.001,
        rounds: Count = 4,
        clean: NonNegative = 1.0,
    ):
        super().__init__()
        self.alpha, self.blocks, self.group = alpha, blocks, group
        self.beta, self.gamma, self.eta = beta, gamma, eta
        self.threshold, self.omega, self.rounds, self.clean = threshold, omega, rounds, clean

    def forward(self, net: nn.Module, x: Tensor, y: Tensor) -> Mixed:
        height, width = x.shape[-2:]
        if height % self.blocks or width % self.blocks:
            raise Unsupported(
                f"CoMixup cuts images into {self.blocks}x{self.blocks} blocks, which do not divide "
                f"{height}x{width} pixels; set mixup.blocks"
            )
        if not self.clean:
            mixed, target = self.mix_by(x, y, internals.input_saliency(net, x, y))
            return Mixed(net(mixed), target)
        with torch.enable_grad():
            seen = x.detach().requires_grad_()
            logits = net(seen)
            saliency = internals.gradient_saliency(logits, seen, y, keep_graph=True)
        mixed, target = self.mix_by(x, y, saliency)
        # The loss is the mean over twice the rows.
        targets = torch.cat([2 * target, 2 * self.clean * y])
        return Mixed(torch.cat([net(mixed), logits]), targets)

    @torch.no_grad()
    def mix_by(self, x: Tensor, y: Tensor, saliency: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and targets, a group after the other; ``saliency`` is ``(N, H, W)``."""
        whole = len(x) // self.group * self.group
        parts = [
            (t[:whole].unflatten(0, (-1, self.group)), t[whole:][None]) for t in (x, y, saliency)
        ]
        mixed = [self.mix_groups(*part) for part in zip(*parts, strict=True) if part[0].numel()]
        return tuple(torch.cat(pieces) for pieces in zip(*mixed, strict=True))

    def mix_groups(self, x: Tensor, y: Tensor, saliency: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and targets ``(P * n, ...)`` of P groups of n images ``(P, n, ...)``."""
        with torch.autocast(x.device.type, enabled=False):
            share = self.masks(saliency)
            target = share.mean((2, 3)) @ y
        weight, image = share.topk(min(2, share.shape[-1]))
        first = image[..., 0]
        second = torch.where(weight[..., -1] > 0, image[..., -1], first)
        mixed = torch.lerp(_shown(x, first), _shown(x, second), 0.5)
        like = x.flatten(0, 1)
        return torch.empty_like(like).copy_(mixed.flatten(0, 1)), target.flatten(0, 1)

    def masks(self, saliency: Tensor) -> Tensor:
        """Shares ``(P, n, blocks, blocks, n)`` of the images in each block of each mixed image."""
        pooled = F.adaptive_avg_pool2d(saliency, self.blocks)
        pooled = pooled / pooled.sum((2, 3), keepdim=True).clamp(min=1e-20)
        groups, n, rows, columns = pooled.shape
        alpha = torch.full((n,), self.alpha, dtype=pooled.dtype, device=pooled.device)
        welcome = Dirichlet(alpha, validate_args=False).sample((groups,))
        prior = self.eta / (rows * columns) * (welcome + 1e-8).log()
        cost = -(pooled + prior[..., None, None]).permute(0, 2, 3, 1)
        start = torch.randint(n, (groups, n, rows, columns), device=cost.device)
        return shares(
            cost, self.affinity(saliency), start, self.beta, self.gamma, self.threshold, self.rounds
        )

    def affinity(self, saliency: Tensor) -> Tensor:
        """The unit matrix, less ``omega``, and ``omega`` by how far salient spots lie apart.

        ``(P, n, n)``; a spot is where the mean of 8 x 8 pixels is largest. Distances are of city
        blocks, and 1 in the mean over a row.
        """
        height, width = saliency.shape[-2:]
        around = F.avg_pool2d(saliency, (min(8, height), min(8, width)), stride=1)
        at = around.flatten(2).argmax(2)
        spot = torch.stack([at // around.shape[-1], at % around.shape[-1]], -1).to(saliency.dtype)
        apart = (spot[:, :, None] - spot[:, None]).abs().sum(-1)
        n = spot.shape[1]
        apart = apart * n / apart.sum((1, 2), keepdim=True).clamp(min=1)
        unit = torch.eye(n, dtype=apart.dtype, device=apart.device)
        return (1 - self.omega) * unit + self.omega * apart


def _shown(x: Tensor, image: Tensor) -> Tensor:
    """Images of ``x`` ``(P, n, C, H, W)``, block by block those of ``image`` ``(P, n, R, C)``."""
    height, width = x.shape[-2] // image.shape[-2], x.shape[-1] // image.shape[-1]
    pixels = image.repeat_interleave(height, -2).repeat_interleave(width, -1)
    return x.gather(1, pixels[:, :, None].expand_as(x))
