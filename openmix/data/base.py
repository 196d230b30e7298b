"""What a data source returns: images in memory, or the listing of an image folder."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openmix.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff")


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
        """SHA-256 over names relative to `root`, file sizes and labels; pixels are not read."""
        with ThreadPoolExecutor(16) as pool:
            sizes = pool.map(os.path.getsize, self.paths, chunksize=1024)
            digest = hashlib.sha256(repr(self.classes).encode())
            for path, size, label in zip(self.paths, sizes, self.labels.tolist(), strict=True):
                name = path.removeprefix(self.root + os.sep)
                digest.update(os.fsencode(f"{name}\0{size}\0{label}\n"))
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.labels)


def list_folder(root: Path, hint: str) -> Folder:
    """List root/<class>/**/<image>, classes and files in sorted order.

    Raises DataError, ending in `hint`, where there is no such folder or a class has no image.
    """
    if not root.is_dir():
        raise DataError(f"no folder {root}; {hint}")
    classes = sorted(
        entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != "."
    )
    with ThreadPoolExecutor(16) as pool:
        listed = list(pool.map(_images_below, [root / name for name in classes]))
    if not classes:
        raise DataError(f"{root} holds no class folders; {hint}")
    for name, found in zip(classes, listed, strict=True):
        if not found:
            raise DataError(f"class folder {root / name} holds no images; {hint}")
    return Folder(
        root=str(root),
        paths=[path for found in listed for path in found],
        labels=np.repeat(np.arange(len(classes)), [len(found) for found in listed]),
        classes=classes,
    )


def _images_below(folder: Path) -> list[str]:
    return sorted(
        os.path.join(parent, name)
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(EXTENSIONS)
    )
