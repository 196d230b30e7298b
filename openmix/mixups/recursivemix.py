import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmix import internals
from openmix.losses import SoftCrossEntropy
from openmix.mixups.base import Mixed, Mixer
from openmix.ops import draw
from openmix.ops.boxes import Box, clipped_box
from openmix.ops.roi import roi_mean
from openmix.types import NonNegative, Probability


class RecursiveMix(Mixer):
    """RecursiveMix: paste the last step's mixed image, shrunk; labels follow the area, recursively.

    A further classifier reads the features under the box and is to predict what the network said
    of the pasted image one step ago. Images meet those of the same place in the last batch. The
    authors begin each epoch without history; here it passes from epoch to epoch.

    Args:
        area: the box covers U(0, area) of the image before it is clipped.
        omega: weight of the loss under the box, times the box's share of the image.
        share_fc: predict under the box by the network's own classifier.
    """

    paper = "https://arxiv.org/abs/2203.06844"
    venue = "NeurIPS 2022"
    family = "cut"
    needs = ("cam",)
    own_pixels = False
    varies = False  # a batch that follows itself keeps its labels

    def __init__(self, area: Probability = 0.5, omega: NonNegative = 0.1, share_fc: bool = False):
        super().__init__()
        self.area, self.omega, self.share_fc = area, omega, share_fc
        self.head: nn.Linear | None = None
        for name in ("images", "labels", "predictions"):
            self.register_buffer(name, torch.empty(0))

    def setup(self, net: nn.Module) -> None:
        super().setup(net)
        internals.pooling(net)
        if not self.share_fc:
            own = internals.classifier(net)
            self.head = nn.Linear(
                own.in_features, own.out_features, device=own.weight.device, dtype=own.weight.dtype
            )

    def forward(self, net: nn.Module, x: Tensor, y: Tensor, *, box: Box | None = None) -> Mixed:
        height, width = x.shape[-2:]
        if box is None:
            box = clipped_box(height, width, 1 - self.area * draw.uniform()[0])
        if not len(self.images):
            box = Box(0, 0, 0, 0)
        self.lam = 1 - box.area / (height * width)
        images, target, past = x, y, None
        if box.area:
            rows = torch.arange(len(x), device=x.device) % len(self.images)
            images, past = self.paste(x, box, rows), self.predictions[rows]
            target = torch.lerp(self.labels[rows].to(y.dtype), y, self.lam)
        with internals.inputs_of(internals.pooling(net)) as seen:
            logits = net(images)
        losses = {}
        if past is not None:
            head = internals.classifier(net) if self.head is None else self.head
            inside = self.predict(head, seen[0], box, height, width)
            loss = SoftCrossEntropy()(inside, past).mean()
            losses = {"consistency": self.omega * (1 - self.lam) * loss}
        self.images, self.labels = images.detach(), target.detach()
        self.predictions = logits.detach().float().softmax(1)
        return Mixed(logits, target, losses)

    def paste(self, x: Tensor, box: Box, rows: Tensor) -> Tensor:
        """A copy of ``x`` that shows these rows of the history in ``box``."""
        size = box.bottom - box.top, box.right - box.left
        out = x.clone(memory_format=torch.preserve_format)
        shrunk = F.interpolate(self.images[rows].to(x.dtype), size=size, mode="nearest")
        out[..., box.top : box.bottom, box.left : box.right] = shrunk
        return out

    @staticmethod
    def predict(head: nn.Linear, features: Tensor, box: Box, height: int, width: int) -> Tensor:
        """Logits of the features under ``box``."""
        with torch.autocast(features.device.type, enabled=False):
            wide = features.to(torch.promote_types(features.dtype, torch.float32))
            pooled = roi_mean(wide, box, height, width)
        return head(pooled.to(head.weight.dtype))

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        # The history has the shape of the batch, which only a step or a checkpoint knows.
        for name in ("images", "labels", "predictions"):
            if prefix + name in state_dict:
                saved = state_dict[prefix + name]
                setattr(self, name, torch.empty_like(saved, device=getattr(self, name).device))
        super()._load_from_state_dict(state_dict, prefix, *args)
