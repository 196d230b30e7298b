"""CIFAR-10 and CIFAR-100 from the standard Python batches, verified before they are unpickled."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from openmix.data.base import Arrays
from openmix.data.download import download as fetch
from openmix.errors import DataError

CIFAR10_TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
CIFAR10_TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
CIFAR100_TRAIN = {"train": "16019d7e3df5f24257cddd939b257f8d"}
CIFAR100_TEST = {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"}


def cifar10(root: str, download: bool = False) -> tuple[Arrays, Arrays]:
    """50,000 training and 10,000 test images (3, 32, 32) from root/cifar-10-batches-py."""
    folder = _folder(root, "cifar-10-batches-py", "CIFAR10", download)
    return read(folder, CIFAR10_TRAIN, "labels"), read(folder, CIFAR10_TEST, "labels")


def cifar100(root: str, download: bool = False) -> tuple[Arrays, Arrays]:
    """50,000 training and 10,000 test images (3, 32, 32) from root/cifar-100-python."""
    folder = _folder(root, "cifar-100-python", "CIFAR100", download)
    return read(folder, CIFAR100_TRAIN, "fine_labels"), read(folder, CIFAR100_TEST, "fine_labels")


def _folder(root: str, name: str, torchvision_name: str, download: bool) -> Path:
    folder = Path(root).expanduser() / name
    if not folder.is_dir() and download:
        fetch(torchvision_name, str(folder.parent))
    if not folder.is_dir():
        raise DataError(
            f"{torchvision_name} is missing: no folder {folder}; set dataset.source.download=true"
        )
    return folder


def read(folder: Path, md5: Mapping[str, str], key: str) -> Arrays:
    """Join the batches named in `md5` (file name -> digest); labels are under `key`.

    Every file is verified before any is unpickled, because unpickling runs what a file says.
    Raises DataError for a missing, damaged or changed file.
    """
    contents = [_verified(folder / name, digest) for name, digest in md5.items()]
    parts = [parse(raw, key, folder / name) for raw, name in zip(contents, md5, strict=True)]
    return Arrays(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _verified(path: Path, digest: str) -> bytes:
    remedy = f"delete {path.parent} and set dataset.source.download=true"
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {remedy}") from error
    if hashlib.md5(raw, usedforsecurity=False).hexdigest() != digest:
        raise DataError(f"{path} is damaged or not the official file (md5 differs); {remedy}")
    return raw


def parse(raw: bytes, key: str, path: Path) -> Arrays:
    """Unpickle one batch of N rows of 3 * 32 * 32 bytes; only for bytes that were verified."""
    try:
        batch = pickle.loads(raw, encoding="latin1")
        pixels = np.ascontiguousarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.array(batch[key], dtype=np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} is not a CIFAR batch with {key!r} ({error}); delete {path.parent} "
            "and set dataset.source.download=true"
        ) from error
    if len(pixels) != len(labels):
        raise DataError(
            f"{path} holds {len(pixels)} images and {len(labels)} labels; delete {path.parent} "
            "and set dataset.source.download=true"
        )
    return Arrays(pixels, labels)
