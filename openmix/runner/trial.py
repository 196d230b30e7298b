"""A few images tried through network, test, mixup and loss before a run begins.

What is tried is built as the run's own networks are, and thrown away: the run starts from exactly
what it would have started from.
"""

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from openmix.data.pipeline import Data
from openmix.errors import ConfigError, Unsupported
from openmix.evaluation.clean import Tally
from openmix.reason import one_line
from openmix.runner.learner import Learner
from openmix.runner.optimize import Precision

IMAGES = 4
"""Images of a trial: few, but more than one, as batch statistics and mixups need."""

STEPS = 2
"""Steps of a trial: some mixups look back at the step before."""

MISFITS = (RuntimeError, ValueError, AssertionError)
"""What torch, timm and mixups raise for shapes and values that do not go together."""

OTHERS = (ConfigError, Unsupported, NotImplementedError, RecursionError, torch.OutOfMemoryError)
"""Kinds of the above that say something else."""


@contextmanager
def unseen(device: torch.device) -> Iterator[None]:
    """Leave every generator of random numbers as it was."""
    kept = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])


def network(config: Mapping, net: nn.Module, data: Data) -> None:
    """Show ``net`` images of every part of the data, as in training and as in the test.

    Raises ConfigError where they do not fit, or where the answer is not one row of logits each.
    """
    device = next((p.device for p in net.parameters()), "cpu")
    for loader in filter(None, (data.train, data.val, data.test)):
        net.train(loader is data.train)
        for count in _counts(loader.order):
            raw, labels = loader.few(count)
            x = data.normalise(raw)
            with torch.no_grad(), _told(f"the network does not take {_size(x)}"):
                try:
                    logits = net(x)
                except MISFITS as error:
                    error.remedy = _remedy(config, net, x)
                    raise
            _check_logits(config, logits, count)
            if loader is not data.train:
                Tally(config["evaluation"]["bins"], device).add(logits, labels)


def steps(learner: Learner, wrapper: Precision, data: Data, title: str) -> None:
    """Take a few steps with ``learner``, which is spent afterwards; ``title`` is of its mixup.

    Raises ConfigError where network, mixup and loss do not go together. A mistake in the code of
    any of them stays the exception that it is.
    """
    raw, labels = data.train.few(_counts(data.train.order)[0])
    net, loss = type(learner.net).__name__, type(learner.loss).__name__
    learner.train()
    for _ in range(STEPS):
        x, target = learner.images(raw), learner.task.target(labels)
        with wrapper.optim_context(learner):
            with _told(
                f"mixup={title} cannot train this {net} on {_size(x)}",
                "choose another mixup or backbone",
            ):
                mixed = learner.mixer(learner.net, x, target)
            with _told(
                f"loss ({loss}) fails on {target.shape[1]} classes",
                "choose another loss, or look at dataset.num_classes",
            ):
                rows = learner.loss(mixed.logits, mixed.target)
            _check_rows(loss, rows, len(mixed.logits))
            total = sum(mixed.losses.values(), start=rows.mean())
        with _told(f"no gradient through {net}, mixup={title} and loss ({loss})", "change one"):
            wrapper.update_params(total)


def _counts(order) -> list[int]:
    """How many images to show at a time: as even or odd as a batch, and one if the last has one."""
    size = min(order.batch_size, order.images)
    few = min(size, IMAGES + size % 2)
    return [few, 1] if few > 1 and order.images % size == 1 else [few]


@contextmanager
def _told(what: str, remedy: str = "") -> Iterator[None]:
    try:
        yield
    except OTHERS:
        raise
    except MISFITS as error:
        raise ConfigError(
            f"{what}: {one_line(error)}; {getattr(error, 'remedy', remedy)}"
        ) from error


def _size(x: Tensor) -> str:
    count, channels, height, width = x.shape
    images = "an image" if count == 1 else "images"
    return f"{images} of {height} x {width} px in {channels} channel{'s' * (channels > 1)}"


def _remedy(config: Mapping, net: nn.Module, x: Tensor) -> str:
    """What to change where the network refuses ``x``: channels, size, or what is left."""
    backbone, size = config["backbone"], config["dataset"]["size"]
    count, channels, *extent = x.shape
    first = next((m for m in net.modules() if isinstance(m, nn.Conv2d)), None)
    if first is not None and first.in_channels != channels:
        return f"set {_key('in_chans', backbone)}={channels}"
    if extent != [size, size]:
        return f"let dataset.size={size} and the sizes in augment be the same"
    patches = getattr(net, "patch_embed", None)
    if getattr(patches, "img_size", None) and [*patches.img_size] != extent:
        remedy = f"set {_key('img_size', backbone)}={size}"
        if size % patches.patch_size[0]:
            remedy += f" and {_key('patch_size', backbone)} to what divides it"
        return remedy
    if net.training and count == 1:
        return "raise batch_size"
    return (
        f"dataset.size={size} may be too small for it: choose another backbone, or look at its "
        "arguments (backbone.*)"
    )


def _key(name: str, backbone: Mapping) -> str:
    """How a command line sets an argument of the backbone."""
    return f"{'' if name in backbone else '+'}backbone.{name}"


def _check_logits(config: Mapping, logits: object, count: int) -> None:
    classes = config["dataset"]["num_classes"]
    if isinstance(logits, Tensor) and logits.shape == (count, classes):
        return
    tensor = isinstance(logits, Tensor)
    answer = f"the shape {tuple(logits.shape)}" if tensor else f"a {type(logits).__name__}"
    if tensor and logits.ndim == 2:
        remedy = f"set {_key('num_classes', config['backbone'])}={classes}"
    else:
        remedy = (
            f"leave out what makes it give features, or more than backbone.num_classes={classes}"
        )
    raise ConfigError(
        f"the network gives {answer} for {count} images of {classes} classes, not logits of shape "
        f"({count}, {classes}); {remedy}"
    )


def _check_rows(loss: str, rows: object, count: int) -> None:
    if not isinstance(rows, Tensor) or rows.shape != (count,):
        answer = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
        raise ConfigError(
            f"loss ({loss}) gives {answer} for {count} rows, not one number a row; it must not "
            "average (as +loss.reduction=none does)"
        )
    if not rows.isfinite().all():
        warnings.warn(
            f"loss ({loss}) is not finite before the first step; look at dataset.mean, dataset.std "
            "and the weights of the backbone",
            stacklevel=2,
        )
