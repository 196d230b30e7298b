"""Handwritten digits, 8x8 grey, that come with scikit-learn: nothing to download."""

import torch

from openmix.data.base import Arrays
from openmix.errors import DataError
from openmix.seeding import permutation

_SPLIT = 0x0D16175


def digits(root: str | None = None) -> tuple[Arrays, Arrays]:
    """1,000 training and 797 test images (1, 8, 8), a fixed random split; `root` is not used."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "the digits come with scikit-learn, which is missing; pip install scikit-learn"
        ) from error
    bunch = load_digits()
    sixteenths = torch.from_numpy(bunch.images)
    images = (sixteenths * (255 / 16)).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    order = torch.from_numpy(permutation(len(labels), _SPLIT))
    train, test = order[:1000], order[1000:]
    return Arrays(images[train], labels[train]), Arrays(images[test], labels[test])
