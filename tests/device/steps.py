"""Training steps from the loader to the average of the weights, on any device."""

from collections.abc import Iterator
from functools import cache, partial

import timm.utils
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from openmix.config import compose
from openmix.data.augment import CropFlip
from openmix.data.loaders import MemoryLoader, Order
from openmix.data.normalise import Normalise
from openmix.losses import SoftCrossEntropy
from openmix.mixups.base import Mixer
from openmix.runner import optimize
from openmix.runner.learner import Learner
from openmix.tasks import Classification

BATCH = 6
SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.9, weight_decay=1e-4)


@cache
def node(group: str, name: str) -> dict:
    """A file of ``configs/`` as a run gets it."""
    return OmegaConf.to_container(compose([f"{group}={name}"]).config[group], resolve=True)


def mixer_of(mixup: str) -> Mixer:
    """A mixer with the weights that a seed gives it."""
    torch.manual_seed(1)
    return instantiate(node("mixup", mixup), _convert_="all")


def pictures(count: int, size: int = 32) -> tuple[Tensor, Tensor]:
    """Images ``(count, 3, size, size)`` of bytes and their labels, on the host."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return images, torch.randint(10, (count,), generator=generator)


def train(
    mixer: Mixer,
    net: nn.Module,
    device: torch.device,
    steps: int,
    optimizer: partial = SGD,
    clip_grad: float | None = 1.0,
) -> Iterator[dict[str, Tensor]]:
    """Set up on ``device`` and yield, then take steps and yield the losses of each."""
    net, mixer = net.to(device), mixer.to(device)
    average = timm.utils.ModelEmaV3(net, decay=0.9)
    normalise = Normalise([0.5] * 3, [0.25] * 3).to(device)
    learner = Learner(net, mixer, Classification(10), SoftCrossEntropy(), normalise).train()
    wrapper = optimize.build(learner, optimizer, True, device=device, clip_grad=clip_grad)
    order = Order(steps * BATCH, BATCH, train=True)
    loader = MemoryLoader(*pictures(steps * BATCH), order, augment=CropFlip(2), device=device)
    batches = loader.batches()
    first = next(batches)  # the order of the epoch goes to the device with it
    yield {}
    for step, batch in enumerate([first, *batches]):
        torch.manual_seed(step)
        losses = learner.train_step(batch, wrapper)
        average.update(net)
        yield losses
