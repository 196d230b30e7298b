"""Tiny-ImageNet: 200 classes at 64 x 64, decoded once and kept in memory."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from openmix import atomic
from openmix.data.base import Arrays, Folder, list_folder
from openmix.data.image import read_image
from openmix.errors import DataError

_HINT = (
    "get tiny-imagenet-200.zip from cs231n.stanford.edu, unzip it there and set dataset.source.root"
)
_SIZE = 64
PARTS = ("train", "test")


def tiny_imagenet(root: str) -> tuple[Arrays, Arrays]:
    """100,000 training and 10,000 test images (3, 64, 64) from root/tiny-imagenet-200.

    The labelled validation images serve as the test set, in the original layout
    (val/images and val_annotations.txt) or sorted into val/<wnid>. Decoded images are cached
    in tiny-imagenet-200/openmix.npz, which is made anew when the files changed or it is damaged.
    """
    folder = Path(root).expanduser() / "tiny-imagenet-200"
    train = list_folder(folder / "train", _HINT)
    test = _list_val(folder / "val", train.classes)
    listing = train.checksum() + test.checksum()
    cache = folder / "openmix.npz"
    found = _load(cache, listing)
    if found is None:
        found = decode(train), decode(test)
        _save(cache, listing, found)
    return found


def _list_val(folder: Path, classes: list[str]) -> Folder:
    annotations = folder / "val_annotations.txt"
    if not annotations.is_file():
        val = list_folder(folder, _HINT)
        if val.classes != classes:
            raise DataError(f"{folder}: its classes are not those of train; {_HINT}")
        return val
    number = {name: label for label, name in enumerate(classes)}
    rows = [line.split("\t")[:2] for line in annotations.read_text().splitlines()]
    try:
        labels = np.array([number[wnid] for _, wnid in rows])
    except (KeyError, ValueError) as error:
        raise DataError(f"{annotations} names an unknown class ({error}); {_HINT}") from error
    paths = [str(folder / "images" / name) for name, _ in rows]
    for path in paths:
        if not os.path.isfile(path):
            raise DataError(f"{path} is missing; {_HINT}")
    return Folder(str(folder), paths, labels, classes)


def decode(folder: Folder) -> Arrays:
    """Decode all images to RGB, (N, 3, 64, 64); DataError names the file that cannot be decoded."""
    images = np.empty((len(folder), 3, _SIZE, _SIZE), dtype=np.uint8)

    def read(position: int) -> None:
        path = folder.paths[position]
        pixels = np.asarray(read_image(path, "RGB"))
        if pixels.shape != (_SIZE, _SIZE, 3):
            raise DataError(f"{path} is {pixels.shape[1]} x {pixels.shape[0]}, not 64 x 64")
        images[position] = pixels.transpose(2, 0, 1)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(read, range(len(folder))):
            pass
    return Arrays(images, folder.labels)


def _load(cache: Path, listing: str) -> tuple[Arrays, Arrays] | None:
    if not cache.is_file():
        return None
    try:
        with np.load(cache, allow_pickle=False) as kept:
            train, test = (Arrays(kept[f"{part}_images"], kept[f"{part}_labels"]) for part in PARTS)
            sound = kept["listing"] == listing
            sound = sound and kept["checksum"] == train.checksum() + test.checksum()
    except Exception:  # a damaged file fails in many ways, all with the same cure
        return None
    return (train, test) if sound else None


def _save(cache: Path, listing: str, pair: tuple[Arrays, Arrays]) -> None:
    train, test = pair
    arrays = {
        f"{name}_{what}": getattr(part, what)
        for name, part in zip(PARTS, pair, strict=True)
        for what in ("images", "labels")
    }
    try:
        with atomic.replacing(cache) as file:
            np.savez(file, listing=listing, checksum=train.checksum() + test.checksum(), **arrays)
    except OSError as error:
        warnings.warn(f"decoded images are not cached: {error}", stacklevel=2)
