"""Images per second of the in-memory loader and of a torch DataLoader over PIL images.

python benchmarks/loader.py [--require 12]

Both do what CIFAR training needs: reflect-pad by 4, crop, mirror, normalise, batches of 128, on
random images. Rounds are interleaved, so that a busy machine slows both alike.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix.data.augment import CropFlip
from openmix.data.loaders import MemoryLoader, Order
from openmix.data.normalise import Normalise

COUNT, BATCH, WORKERS, ROUNDS = 20_000, 128, 2, 5
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Pictures(Dataset):
    """CIFAR as torchvision serves it: one PIL image at a time."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor):
        self.images, self.labels = images.permute(0, 2, 3, 1).numpy(), labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int):
        return self.transform(Image.fromarray(self.images[number])), self.labels[number]


def dataloader(images: torch.Tensor, labels: torch.Tensor) -> Callable[[], int]:
    """A function that reads one epoch and counts its images."""
    loader = DataLoader(
        Pictures(images, labels),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    return lambda: sum(len(batch) for batch, _ in loader)


def memory(images: torch.Tensor, labels: torch.Tensor) -> Callable[[], int]:
    """The same for the in-memory loader."""
    order = Order(len(images), BATCH, train=True)
    loader = MemoryLoader(images, labels, order, augment=CropFlip(4))
    normalise = Normalise(MEAN, STD)
    return lambda: sum(len(normalise(batch)) for batch, _ in loader.batches())


def rate(epoch: Callable[[], int]) -> float:
    """Images per second."""
    started = time.perf_counter()
    return epoch() / (time.perf_counter() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--require", type=float, help="exit with 1 where the ratio is below this")
    required = parser.parse_args().require
    torch.set_num_threads(1)
    images = torch.randint(0, 256, (COUNT, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (COUNT,))
    epochs = {"DataLoader": dataloader(images, labels), "MemoryLoader": memory(images, labels)}
    for epoch in epochs.values():
        epoch()
    rounds = [{name: rate(epoch) for name, epoch in epochs.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in epochs}
    for name, value in medians.items():
        print(f"{name:<13} {value:>9,.0f} images/s")
    ratio = statistics.median(each["MemoryLoader"] / each["DataLoader"] for each in rounds)
    print(f"{'ratio':<13} {ratio:>9.1f}")
    return int(required is not None and ratio < required)


if __name__ == "__main__":
    sys.exit(main())
