"""From the dataset and augment nodes of a config to loaders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from openmix.data.base import Arrays, Folder
from openmix.data.digest import Digest, load, make
from openmix.data.fit import check_part, check_shape
from openmix.data.image import reason
from openmix.data.loaders import FolderLoader, MemoryLoader, Order
from openmix.data.normalise import Normalise
from openmix.data.splits import noisy, split
from openmix.errors import ConfigError

Loader = MemoryLoader | FolderLoader
Part = Arrays | Folder


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
        check_part(part, dataset)
    for name, part in (("test", test), ("train", source)):
        shape = _one_image(part, name == "train", dataset, augment)
        check_shape(name, shape, dataset, augment)
    chosen, held_out = split(source.labels, dataset["val_fraction"], dataset["train_limit"])
    wrong = noisy(source.labels, dataset["label_noise"], dataset["num_classes"])
    train = _take(replace(source, labels=wrong), chosen)
    val = _take(source, held_out)

    loader = _loader_of(source, dataset, augment, torch.device(device), workers)
    run = {"seed": seed, "rank": rank, "world": world}

    def evaluation(part: Part) -> Loader:
        return loader(part, Order(len(part), eval_batch_size, train=False, **run))

    return Data(
        train=loader(train, Order(len(train), batch_size, train=True, **run)),
        val=evaluation(val) if len(val) else None,
        test=evaluation(test),
        normalise=Normalise(dataset["mean"], dataset["std"]).to(device),
        digest=digest,
        sizes={"train": len(train), "val": len(val), "test": len(test)},
    )


def _one_image(part: Part, train: bool, dataset: Mapping, augment: Mapping) -> tuple[int, int, int]:
    """The shape (C, H, W) that the network would see of the first image of a part."""
    load = _loader_of(part, dataset, augment, torch.device("cpu"), workers=0)
    [(images, _)] = load(_take(part, np.arange(1)), Order(1, 1, train)).batches()
    return tuple(images.shape[1:])


def _take(part: Part, numbers: np.ndarray) -> Part:
    if len(numbers) == len(part):  # ascending numbers, so all of them are the part itself
        return part
    labels = part.labels[numbers]
    if isinstance(part, Arrays):
        return Arrays(part.images[numbers], labels)
    return replace(part, paths=[part.paths[n] for n in numbers.tolist()], labels=labels)


def _loader_of(
    source: Part,
    dataset: Mapping,
    augment: Mapping,
    device: torch.device,
    workers: int,
) -> Callable[[Part, Order], Loader]:
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
    train, test = (_compose(augment[name], f"augment.{name}") for name in ("train", "test"))
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


def _compose(nodes: list | None, path: str) -> Callable | None:
    if not nodes:
        return None
    transforms = []
    for number, node in enumerate(nodes):
        try:
            transforms.append(make(node))
        except Exception as error:
            raise ConfigError(
                f"{path}.{number} cannot be built ({reason(error.__cause__ or error)})"
            ) from error
    return _Compose(transforms)
