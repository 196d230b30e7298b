"""Loaders whose every batch is a pure function of (seed, epoch, batch): resuming needs no state."""

import copy
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from openmix.data.augment import to_device
from openmix.data.base import Folder
from openmix.data.image import read_image, reason
from openmix.errors import ConfigError, DataError
from openmix.seeding import derive, permutation

_ORDER, _AUGMENT = 1, 2


@dataclass(frozen=True)
class Order:
    """Which image stands in which batch on process `rank` of `world`.

    Training: shuffled by (seed, epoch), equally many full batches on every rank, the rest dropped;
    a share smaller than one batch is one batch. Evaluation: the given order, every image once,
    the last batch may be partial and ranks may differ by one image.
    Batch b of all ranks together is the same set of images for every `world` with the same
    batch_size * world.
    """

    size: int
    batch_size: int
    train: bool
    seed: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self):
        if self.batch_size < 1 or not 0 <= self.rank < self.world:
            raise ConfigError(f"batch_size must be at least 1 and 0 <= rank < world: {self}")
        if self.train and self.size < self.world:
            raise ConfigError(
                f"{self.size} training images do not reach {self.world} processes; use fewer"
            )

    @property
    def images(self) -> int:
        """Images in an epoch on this rank."""
        if not self.train:
            return len(range(self.rank, self.size, self.world))
        share = self.size // self.world
        return share if share < self.batch_size else share - share % self.batch_size

    def __len__(self) -> int:
        """Batches in an epoch on this rank."""
        return -(-self.images // self.batch_size)

    def epoch(self, epoch: int) -> Tensor:
        """Image numbers of this rank in order: (images,) int64."""
        if self.train:
            order = torch.from_numpy(permutation(self.size, _ORDER, self.seed, epoch))
        else:
            order = torch.arange(self.size)
        return order[self.rank :: self.world][: self.images].contiguous()

    def batch(self, epoch_order: Tensor, number: int) -> Tensor:
        """Image numbers of one batch."""
        return epoch_order[number * self.batch_size : (number + 1) * self.batch_size]


class MemoryLoader:
    """Whole batches out of uint8 images that stay on one device.

    images (N, C, H, W), labels (N,). Augmentation draws from (seed, epoch, batch, rank).
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        order: Order,
        *,
        augment: Callable | None = None,
        device: torch.device | str = "cpu",
    ):
        images = images.to(device)
        self.store = images if augment is None else augment.prepare(images)
        self.labels = labels.to(device)
        self.order, self.augment = order, augment

    def __len__(self) -> int:
        """Batches in an epoch on this rank."""
        return len(self.order)

    @property
    def images_per_epoch(self) -> int:
        """Images in an epoch on this rank."""
        return self.order.images

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images (B, C, H, W), labels (B,)) on the device, from batch `start` on."""
        order, generator = self.order, torch.Generator()
        host = order.epoch(epoch)
        device = to_device(host, self.labels.device)
        for number in range(start, len(order)):
            on_device = order.batch(device, number)
            if self.augment is None:
                images = self.store[on_device]
            else:
                generator.manual_seed(derive(_AUGMENT, order.seed, epoch, number, order.rank))
                images = self.augment(self.store, order.batch(host, number), generator)
            yield images, self.labels[on_device]

    def few(self, count: int) -> tuple[Tensor, Tensor]:
        """The first `count` images of epoch 0 and their labels, as a batch."""
        alike = copy.copy(self)
        alike.order = replace(self.order, batch_size=count)
        return next(alike.batches())


class FolderLoader:
    """Batches of image files, read and transformed one by one in `workers` processes.

    `transform` takes a PIL image and returns one, or a uint8 tensor (C, H, W); it may draw from
    torch, random and numpy, which are seeded from (seed, epoch, image) and restored afterwards.
    With workers, one epoch can be iterated at a time: a new one ends the one before.
    """

    def __init__(
        self,
        folder: Folder,
        order: Order,
        *,
        transform: Callable | None = None,
        channels: int = 3,
        device: torch.device | str = "cpu",
        workers: int = 0,
    ):
        self.order, self.device = order, torch.device(device)
        self._batches = _Batches(order)
        self._loader = DataLoader(
            _Images(folder, transform, channels, order.seed),
            batch_sampler=self._batches,
            collate_fn=_unchanged,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else every epoch would draw from the global one
        )

    def __len__(self) -> int:
        """Batches in an epoch on this rank."""
        return len(self.order)

    @property
    def images_per_epoch(self) -> int:
        """Images in an epoch on this rank."""
        return self.order.images

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images uint8 (B, C, H, W), labels (B,)) on the device, from batch `start` on."""
        self._batches.epoch, self._batches.start = epoch, start
        for batch in self._loader:
            if isinstance(batch, ConfigError):
                # A new one: an exception in a local variable holds its own frame, and with it
                # the workers, until the garbage collector comes by.
                raise type(batch)(str(batch))
            images, labels = batch
            yield (
                images.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )

    def few(self, count: int) -> tuple[Tensor, Tensor]:
        """The first `count` images of epoch 0 and their labels, as a batch; no worker starts."""
        items = [(0, image) for image in self.order.epoch(0)[:count].tolist()]
        batch = self._loader.dataset.__getitems__(items)
        if isinstance(batch, ConfigError):
            raise batch
        return batch[0].to(self.device), batch[1].to(self.device)


class _Batches:
    """Lists of (epoch, image), so that workers that outlive an epoch know which one it is.

    DataLoader calls iter() more than once, so iterating must not use up `start`.
    """

    def __init__(self, order: Order):
        self.order, self.epoch, self.start = order, 0, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order, epoch, numbers = self.order, self.epoch, self.order.epoch(self.epoch)
        return (
            [(epoch, image) for image in order.batch(numbers, number).tolist()]
            for number in range(self.start, len(order))
        )

    def __len__(self) -> int:
        return len(self.order)


class _Images:
    """The map-style dataset that DataLoader asks for whole batches."""

    def __init__(self, folder: Folder, transform: Callable | None, channels: int, seed: int):
        # One block of bytes stays shared with forked workers; a list of str would be copied page
        # by page as reference counts change.
        self.paths = np.array([os.fsencode(path) for path in folder.paths])
        self.labels = folder.labels.astype(np.int64, copy=False)
        self.transform, self.seed = transform, seed
        self.mode = {1: "L", 3: "RGB"}[channels]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitems__(self, items: list[tuple[int, int]]) -> tuple[Tensor, Tensor] | ConfigError:
        """One batch; an error is returned, since a worker that raises buries it in a traceback."""
        kept = torch.get_rng_state(), random.getstate(), np.random.get_state()
        try:
            images = [self._image(epoch, image) for epoch, image in items]
            labels = self.labels[[image for _, image in items]]
            return self._stack(images, items), torch.from_numpy(labels)
        except ConfigError as error:
            return error
        finally:
            torch.set_rng_state(kept[0])
            random.setstate(kept[1])
            np.random.set_state(kept[2])

    def _image(self, epoch: int, image: int) -> Tensor:
        path = os.fsdecode(self.paths[image])
        seed = derive(_AUGMENT, self.seed, epoch, image)
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        picture = read_image(path, self.mode)
        try:
            result = picture if self.transform is None else self.transform(picture)
        except (ConfigError, MemoryError):
            raise
        except Exception as error:  # a crop that is larger than the image, a transform with a fault
            raise ConfigError(
                f"the transforms of augment cannot take {path} of {picture.width} x "
                f"{picture.height} pixels ({type(error).__name__}: {reason(error)})"
            ) from error
        if isinstance(result, Image.Image):
            pixels = torch.from_numpy(np.array(result))
            result = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        if result.dtype != torch.uint8 or result.ndim != 3:
            raise ConfigError(
                f"the transforms of augment.train and augment.test must end in a uint8 image, not "
                f"{result.dtype} {tuple(result.shape)}; leave out ToDtype and Normalize"
            )
        return result

    def _stack(self, images: list[Tensor], items: list[tuple[int, int]]) -> Tensor:
        for (_, image), tensor in zip(items, images, strict=True):
            if tensor.shape != images[0].shape:
                raise DataError(
                    f"{os.fsdecode(self.paths[image])} is {tuple(tensor.shape)} where others of "
                    f"its batch are {tuple(images[0].shape)}; augment=imagenet resizes them"
                )
        return torch.stack(images)


def _unchanged(batch):
    return batch
