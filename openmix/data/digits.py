"""Handwritten digits, 8x8 grey, that come with scikit-learn: nothing to download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from openmix.data.base import Arrays
from openmix.errors import DataError
from openmix.seeding import permutation

_SPLIT = 0x0D16175


def digits(root: str | None = None) -> tuple[Arrays, Arrays]:
    """1,000 training and 797 test images (1, 8, 8), a fixed random split; `root` is not used."""
    rows = np.loadtxt(_file(), delimiter=",", dtype=np.int64)
    images = np.round(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = rows[:, 64]
    order = permutation(len(labels), _SPLIT)
    train, test = order[:1000], order[1000:]
    return Arrays(images[train], labels[train]), Arrays(images[test], labels[test])


def _file() -> Path:
    # Importing scikit-learn for its load_digits takes a second or two, reading its file 30 ms.
    package = find_spec("sklearn")
    for folder in package.submodule_search_locations if package else ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return file
    raise DataError("the digits come with scikit-learn, which is missing; pip install scikit-learn")
