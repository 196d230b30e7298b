"""The network under training with its mixer, targets and loss, in the shape the Runner drives."""

from collections.abc import Callable

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from openmix.mixups.base import Clock, Mixer
from openmix.tasks import Classification

Batch = tuple[Tensor, Tensor]
"""Raw images ``(N, C, H, W)``, uint8 or float 0..255, and labels ``(N,)``."""


class Learner(nn.Module):
    """Images and labels -> named losses. Everything a step needs on the device.

    Args:
        normalise: raw images -> normalised float32 on the device.
        loss: ``(logits, target) -> (M,)``, one number a row.
    """

    def __init__(
        self,
        net: nn.Module,
        mixer: Mixer,
        task: Classification,
        loss: Callable[[Tensor, Tensor], Tensor],
        normalise: Callable[[Tensor], Tensor],
        memory_format: torch.memory_format = torch.contiguous_format,
    ):
        super().__init__()
        self.net, self.mixer, self.loss, self.normalise = net, mixer, loss, normalise
        self.task, self.memory_format = task, memory_format

    def follow(self, clock: Clock) -> None:
        """Let the mixer and its parts read from ``clock`` how far training is."""
        for part in self.mixer.modules():
            if isinstance(part, Mixer):
                part.clock = clock

    def images(self, raw: Tensor) -> Tensor:
        """What the network sees of raw images."""
        return self.normalise(raw).contiguous(memory_format=self.memory_format)

    def forward(self, raw: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Named scalar losses of a batch; their sum is what is minimised."""
        x = self.images(raw)
        target = self.task.target(labels.to(x.device, non_blocking=True))
        mixed = self.mixer(self.net, x, target)
        return {"loss": self.loss(mixed.logits, mixed.target).mean(), **mixed.losses}

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        return _train_step(self, data, optim_wrapper)

    def val_step(self, data: Batch) -> Tensor:
        """Logits of a batch, unmixed."""
        return self.net(self.images(data[0]))


class DistributedLearner(DistributedDataParallel):
    """A :class:`Learner` whose gradients are averaged over processes; each has its own mixing."""

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        return _train_step(self, data, optim_wrapper)


def _train_step(model: nn.Module, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
    with optim_wrapper.optim_context(model):
        losses = model(*data)
    first, *others = losses.values()
    optim_wrapper.update_params(sum(others, start=first))
    return {name: loss.detach() for name, loss in losses.items()}
