"""Fixed draws on a training set: held-out images, a smaller set, wrong labels.

All are functions of the data alone and not of a run's seed, so that every run sees the same.
"""

import numpy as np
import torch
from torch import Tensor

from openmix.errors import ConfigError
from openmix.seeding import hashes, permutation, uniform

_VAL, _LIMIT, _NOISY, _LABEL = 11, 12, 13, 14


def split(labels: Tensor, val_fraction: float, train_limit: int | None) -> tuple[Tensor, Tensor]:
    """Numbers of the training and of the validation images, ascending.

    Of every class round(val_fraction * count) images are held out. `train_limit` then keeps that
    many of the others; a smaller limit keeps a subset of what a larger one keeps.
    """
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    order = torch.from_numpy(permutation(len(labels), _VAL))
    for label in labels.unique():
        members = order[labels[order] == label]
        held_out[members[: round(val_fraction * len(members))]] = True
    order = torch.from_numpy(permutation(len(labels), _LIMIT))
    train = order[~held_out[order]]
    if train_limit is not None and not 1 <= train_limit <= len(train):
        raise ConfigError(
            f"dataset.train_limit={train_limit} of {len(train)} training images; "
            f"take 1 to {len(train)}, or null for all"
        )
    if not len(train) or (val_fraction > 0 and not held_out.any()):
        raise ConfigError(
            f"dataset.val_fraction={val_fraction} leaves {len(train)} of {len(labels)} images to "
            f"train on and {int(held_out.sum())} to validate on; change it"
        )
    return train[:train_limit].sort().values, held_out.nonzero().flatten()


def noisy(labels: Tensor, probability: float, num_classes: int) -> Tensor:
    """Labels of which each is redrawn uniformly over all classes with the given probability."""
    redrawn = torch.from_numpy(uniform(len(labels), _NOISY) < probability)
    classes = hashes(len(labels), _LABEL) % np.uint64(num_classes)
    return torch.where(redrawn, torch.from_numpy(classes.astype(np.int64)), labels)
