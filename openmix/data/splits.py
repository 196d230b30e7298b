"""Fixed draws on a training set: held-out images, a smaller set, wrong labels.

All are functions of the data alone and not of a run's seed, so that every run sees the same.
"""

import numpy as np

from openmix.errors import ConfigError
from openmix.seeding import hashes, permutation, uniform

_VAL, _LIMIT, _NOISY, _LABEL = 11, 12, 13, 14


def split(
    labels: np.ndarray, val_fraction: float, train_limit: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the training and of the validation images, ascending.

    Of every class round(val_fraction * count) images are held out. `train_limit` then keeps that
    many of the others; a smaller limit keeps a subset of what a larger one keeps.
    """
    held_out = np.zeros(len(labels), dtype=bool)
    order = permutation(len(labels), _VAL)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        held_out[members[: round(val_fraction * len(members))]] = True
    order = permutation(len(labels), _LIMIT)
    train = order[~held_out[order]]
    if train_limit is not None and not 1 <= train_limit <= len(train):
        raise ConfigError(
            f"dataset.train_limit={train_limit} of {len(train)} training images; "
            f"take 1 to {len(train)}, or null for all"
        )
    if not len(train) or (val_fraction > 0 and not held_out.any()):
        raise ConfigError(
            f"dataset.val_fraction={val_fraction} leaves {len(train)} of {len(labels)} images to "
            f"train on and {held_out.sum()} to validate on; change it"
        )
    return np.sort(train[:train_limit]), held_out.nonzero()[0]


def noisy(labels: np.ndarray, probability: float, num_classes: int) -> np.ndarray:
    """Labels of which each is redrawn uniformly over all classes with the given probability."""
    redrawn = uniform(len(labels), _NOISY) < probability
    classes = hashes(len(labels), _LABEL) % np.uint64(num_classes)
    return np.where(redrawn, classes.astype(np.int64), labels)
