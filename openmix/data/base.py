"""What a data source returns: images in memory, or the listing of an image folder."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np

from openmix.data.walk import entries, images_below, is_folder, is_image
from openmix.errors import DataError


@dataclass(frozen=True)
class Arrays:
    """Images in memory: images (N, C, H, W) uint8, labels (N,) int64; tensors become arrays."""

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "images", np.asarray(self.images))
        object.__setattr__(self, "labels", np.asarray(self.labels))

    def checksum(self) -> str:
        """SHA-256 over shape, pixels and labels."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images))
        digest.update(np.ascontiguousarray(self.labels))
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Folder:
    """Image files: their paths below `root`, labels (N,) int64 that index `classes`."""

    root: str
    paths: list[str]
    labels: np.ndarray
    classes: list[str]

    def __post_init__(self):
        object.__setattr__(self, "labels", np.asarray(self.labels))

    def checksum(self) -> str:
        """SHA-256 over names relative to `root`, file sizes and labels; pixels are not read.

        Raises DataError for a file that is empty or gone.
        """
        # Many at a time: a task of its own for every file would cost more than the file system.
        shares = [self.paths[start : start + 1024] for start in range(0, len(self), 1024)]
        with ThreadPoolExecutor(16) as pool:
            sizes = chain.from_iterable(pool.map(_sizes, shares))
            digest = hashlib.sha256(repr(self.classes).encode())
            for path, size, label in zip(self.paths, sizes, self.labels.tolist(), strict=True):
                name = path.removeprefix(self.root + os.sep)
                digest.update(os.fsencode(f"{name}\0{size}\0{label}\n"))
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.labels)


def _sizes(paths: list[str]) -> list[int]:
    return [_size(path) for path in paths]


def _size(path: str) -> int:
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if not size:
        raise DataError(f"{path} is empty; delete it or get it again")
    return size


def list_folder(root: Path, hint: str) -> Folder:
    """List root/<class>/**/<image>, classes and files in sorted order, hidden ones left out.

    Raises DataError, ending in `hint` where the layout is another one, and naming the file where
    something that may be an image would be left out, or counted twice.
    """
    if not os.path.isdir(root):
        raise DataError(f"no folder {root}; {hint}")
    found = [(entry, is_folder(entry)) for entry in entries(str(root))]
    classes = [entry.name for entry, folder in found if folder]
    stray = next((entry.path for entry, folder in found if not folder and is_image(entry)), None)
    if stray and classes:
        raise DataError(f"{stray} lies in no class folder; move it into one or delete it")
    if not classes:
        raise DataError(f"{root} holds {'images but ' if stray else ''}no class folders; {hint}")
    above = {os.path.realpath(root), *map(str, Path(os.path.realpath(root)).parents)}
    with ThreadPoolExecutor(16) as pool:
        listed = list(
            pool.map(images_below, (os.path.join(root, name) for name in classes), repeat(above))
        )
    for name, (images, _) in zip(classes, listed, strict=True):
        if not images:
            raise DataError(f"class folder {root / name} holds no images; {hint}")
    _check_shared([folders for _, folders in listed])
    return Folder(
        root=str(root),
        paths=[path for images, _ in listed for path in images],
        labels=np.repeat(np.arange(len(classes)), [len(images) for images, _ in listed]),
        classes=classes,
    )


def _check_shared(folders: list[dict[str, str]]) -> None:
    """Refuse a folder that links make a part of two classes."""
    seen: dict[str, str] = {}
    for places in folders:
        for twice in seen.keys() & places.keys():
            raise DataError(
                f"{seen[twice]} and {places[twice]} are the same folder, in two classes; "
                "remove one of the links"
            )
        seen |= places
