"""From the dataset and augment nodes of a config to loaders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from openmix.data.base import Arrays, Folder
from openmix.data.digest import Digest, load, make
from openmix.data.loaders import FolderLoader, MemoryLoader, Order
from openmix.data.normalise import Normalise
from openmix.data.splits import noisy, split
from openmix.errors import ConfigError, DataError

Loader = MemoryLoader | FolderLoader


@dataclass(frozen=True)
class Data:
    """All that a run needs to know of its data.

    digest: the source as it is on disk, before splits, limits and label noise.
    sizes: number of images in "train", "val" and "test", over all ranks.
    """

    train: Loader
    val: Loader | None
    test: Loader
    normalise: Normalise
    digest: Digest
    sizes: dict[str, int]

    @property
    def checksum(self) -> str:
        """SHA-256 of the source."""
        return self.digest.checksum


def build(
    dataset: Mapping,
    augment: Mapping,
    *,
    batch_size: int,
    eval_batch_size: int,
    device: torch.device | str,
    seed: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Data:
    """Load, check, split and wrap a data set for one process of a run.

    batch_size: images per forward pass on this process. `seed` orders and augments the training
    images; what is held out, left out or mislabelled is the same for every seed.
    Raises DataError for missing, damaged or unfitting data, ConfigError for an unfitting augment.
    """
    source, test, digest = load(dataset["source"])
    for part in (source, test):
        _check(part, dataset)
    chosen, held_out = split(source.labels, dataset["val_fraction"], dataset["train_limit"])
    wrong = noisy(source.labels, dataset["label_noise"], dataset["num_classes"])
    train = _take(replace(source, labels=wrong), chosen)
    val = _take(source, held_out)

    loader = _loader_of(source, dataset, augment, torch.device(device), workers)
    run = {"seed": seed, "rank": rank, "world": world}

    def evaluation(part: Arrays | Folder) -> Loader:
        return loader(part, Order(len(part), eval_batch_size, train=False, **run))

    return Data(
        train=loader(train, Order(len(train), batch_size, train=True, **run)),
        val=evaluation(val) if len(val) else None,
        test=evaluation(test),
        normalise=Normalise(dataset["mean"], dataset["std"]).to(device),
        digest=digest,
        sizes={"train": len(train), "val": len(val), "test": len(test)},
    )


def _check(part: Arrays | Folder, dataset: Mapping) -> None:
    classes, channels, size = (dataset[name] for name in ("num_classes", "channels", "size"))
    for name in ("mean", "std"):
        if len(dataset[name]) != channels:
            raise ConfigError(
                f"dataset.{name} has {len(dataset[name])} values, channels={channels}"
            )
    if not len(part):
        raise DataError("the data set has a part without images; check dataset.source")
    if isinstance(part, Folder) and len(part.classes) != classes:
        raise DataError(
            f"{part.root} holds {len(part.classes)} class folders, but dataset.num_classes is "
            f"{classes}; set dataset.num_classes={len(part.classes)}"
        )
    if isinstance(part, Arrays) and part.images.shape[1:] != (channels, size, size):
        found = part.images.shape[1:]
        raise DataError(
            f"images are {found}, but the config says {(channels, size, size)}; "
            f"set dataset.channels={found[0]} dataset.size={found[-1]}"
        )
    low, high = int(part.labels.min()), int(part.labels.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"labels run from {low} to {high}, outside dataset.num_classes={classes}; "
            f"set dataset.num_classes={high + 1} or correct the labels"
        )


def _take(part: Arrays | Folder, numbers: np.ndarray) -> Arrays | Folder:
    if len(numbers) == len(part):  # ascending numbers, so all of them are the part itself
        return part
    labels = part.labels[numbers]
    if isinstance(part, Arrays):
        return Arrays(part.images[numbers], labels)
    return replace(part, paths=[part.paths[n] for n in numbers.tolist()], labels=labels)


def _loader_of(
    source: Arrays | Folder,
    dataset: Mapping,
    augment: Mapping,
    device: torch.device,
    workers: int,
) -> Callable[[Arrays | Folder, Order], Loader]:
    """How to load a part of this kind of source; the training part is the augmented one."""
    if isinstance(source, Arrays):
        if augment["train"] or augment["test"]:
            raise ConfigError(
                "augment.train and augment.test are for image folders, this data set is in memory; "
                "choose augment=none, flip, crop_flip or rrc"
            )
        batch = make(augment["batch"]) if augment["batch"] else None
        return lambda part, order: MemoryLoader(
            *map(_tensor, (part.images, part.labels.astype(np.int64, copy=False))),
            order,
            augment=batch if order.train else None,
            device=device,
        )
    if augment["batch"]:
        raise ConfigError(
            "augment.batch is for data in memory, this data set is an image folder; "
            "choose augment=imagenet or deit"
        )
    train, test = (_compose(augment[name]) for name in ("train", "test"))
    return lambda part, order: FolderLoader(
        part,
        order,
        transform=train if order.train else test,
        channels=dataset["channels"],
        device=device,
        workers=workers,
    )


def _tensor(array: np.ndarray) -> torch.Tensor:
    # torch takes no negative strides and warns of memory that it must not write.
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


class _Compose:
    """Transforms one after the other; torchvision is imported only where a config names it."""

    def __init__(self, transforms: list[Callable]):
        self.transforms = transforms

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image


def _compose(nodes: list | None) -> Callable | None:
    if not nodes:
        return None
    return _Compose([make(node) for node in nodes])
