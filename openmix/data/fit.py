"""Whether data, transforms and the numbers of a config belong together; if not, one line."""

from collections.abc import Mapping

import numpy as np

from openmix.data.base import Arrays, Folder
from openmix.errors import ConfigError, DataError


def check_part(part: Arrays | Folder, dataset: Mapping) -> None:
    """Refuse images or labels that are not what `dataset` says, before any is transformed."""
    classes, channels = dataset["num_classes"], dataset["channels"]
    for name in ("mean", "std"):
        if len(dataset[name]) != channels:
            raise ConfigError(
                f"dataset.{name} has {len(dataset[name])} values, channels={channels}"
            )
    if not len(part):
        raise DataError("the data set has a part without images; check dataset.source")
    if isinstance(part, Arrays):
        _check_arrays(part, (channels, dataset["size"], dataset["size"]))
    elif len(part.classes) != classes:
        raise DataError(
            f"{part.root} holds {len(part.classes)} class folders, but dataset.num_classes is "
            f"{classes}; set dataset.num_classes={len(part.classes)}"
        )
    low, high = int(part.labels.min()), int(part.labels.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"labels run from {low} to {high}, outside dataset.num_classes={classes}; "
            f"set dataset.num_classes={high + 1} or correct the labels"
        )


def _check_arrays(part: Arrays, wanted: tuple[int, int, int]) -> None:
    images, labels = part.images, part.labels
    if images.dtype != np.uint8 or images.ndim != 4:
        raise DataError(
            f"dataset.source gives images as {images.dtype} {images.shape}; they must be uint8 "
            "(N, C, H, W), from 0 to 255"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise DataError(
            f"dataset.source gives labels as {labels.dtype} {labels.shape}; they must be whole "
            f"numbers, one for each of the {len(images)} images"
        )
    if images.shape[1:] != wanted:
        found = images.shape[1:]
        raise DataError(
            f"images are {found}, but the config says {wanted}; "
            f"set dataset.channels={found[0]} dataset.size={found[-1]}"
        )


def check_shape(name: str, shape: tuple[int, int, int], dataset: Mapping, augment: Mapping) -> None:
    """Compare (C, H, W) of a transformed image of the part `name`, train or test, with `dataset`.

    Images to train on may be smaller than those to test on, as some recipes have it.
    """
    channels, size = dataset["channels"], dataset["size"]
    depth, height, width = shape
    fits = height <= size if name == "train" else height == size
    if depth != channels or height != width or not fits:
        raise ConfigError(
            f"{name} images come out of augment as {shape}, but the config says "
            f"{(channels, size, size)}; {_remedy(shape, dataset, augment)}"
        )


def _remedy(shape: tuple[int, int, int], dataset: Mapping, augment: Mapping) -> str:
    depth, height, width = shape
    if augment["batch"]:
        return "augment.batch must keep channels and size"
    if depth != dataset["channels"]:
        return f"set dataset.channels={depth} or leave out what changes the channels"
    if height != width:
        return "augment=imagenet makes them square"
    resized = " ".join(
        f"augment.{part}.{number}.size={round(node['size'] * dataset['size'] / height)}"
        for part in ("train", "test")
        for number, node in enumerate(augment[part] or ())
        if isinstance(node.get("size"), int)
    )
    return f"set dataset.size={height}" + (f" or {resized}" if resized else "")
