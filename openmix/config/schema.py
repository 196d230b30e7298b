"""The fixed parts of the config: their keys, types and ranges.

What a ``_target_`` is given is checked against the target's own signature (``check.py``); here
stands what openmix itself reads.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from openmix.config.groups import groups
from openmix.config.suggest import leaves, nearest, unknown_key
from openmix.config.values import phrase, problems
from openmix.errors import ConfigError
from openmix.types import Count, Decay, Fraction, NonNegative, Positive, Probability, Seed, Whole


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Target(BaseModel):
    """A node that names a class or function; its other keys belong to that."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())
    target: str = Field(alias="_target_")


class Paths(Strict):
    data: str
    runs: str
    records: str


class Dataset(Strict):
    source: Target
    name: str | None = None
    num_classes: Count
    channels: Count
    size: Count
    mean: list[float]
    std: list[Positive]
    val_fraction: Fraction = 0.0
    label_noise: Probability = 0.0
    train_limit: Count | None = None


class Backbone(Target):
    provides: list[str] | None = None


class Optimizer(Target):
    """Ranges that torch and timm refuse only when the optimizer is built."""

    lr: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    momentum: Fraction = 0.0
    betas: list[Fraction] = []
    eps: NonNegative = 0.0
    decay_all: bool = True


class Augment(Strict):
    batch: Target | None = None
    train: list[Target] | None = None
    test: list[Target] | None = None


class Evaluation(Strict):
    batch_size: Count
    bins: Count


class Logger(Strict):
    backends: list[Literal["tensorboard", "wandb"]]
    project: str | None = None
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError("auto, cpu, cuda or cuda:N")
    return name


class Runner(Strict):
    device: Annotated[str, AfterValidator(_device)]
    amp: Literal["none", "bf16", "fp16"]
    accumulate: Count
    clip_grad: Positive | None
    ema: Decay | None
    channels_last: bool
    compile: bool
    deterministic: bool
    sync_bn: bool = False
    workers: Whole
    threads: Count | None
    log_every: Count
    eval_every: Count
    checkpoint_seconds: NonNegative
    keep: Literal["weights", "checkpoint", "none"]
    hooks: list[Target]


class Run(Strict):
    """The whole config of one run."""

    protocol: str
    seed: Seed
    epochs: Count
    batch_size: Count
    select: Literal["last", "median10", "val", "best"]
    force: bool
    allow_targets: list[str]
    paths: Paths
    dataset: Dataset
    augment: Augment
    backbone: Backbone
    mixup: Target
    optimizer: Optimizer
    schedule: Target
    loss: Target
    evaluation: Evaluation
    runner: Runner
    logger: Logger


RUN = TypeAdapter(Run)


def validate(tree: dict[str, Any]) -> None:
    """Check a resolved config against :class:`Run`; ConfigError names the first mistake.

    An unknown key comes before all else: a key misspelt is often also a key missing.
    """
    errors = problems(RUN, tree)
    for error in errors:
        if error["type"] == "extra_forbidden":
            raise ConfigError(_unknown(error["loc"], tree))
    if errors:
        raise ConfigError(phrase(errors[:1], tree, ""))
    for key in ("mean", "std"):
        found, channels = len(tree["dataset"][key]), tree["dataset"]["channels"]
        if found != channels:
            raise ConfigError(
                f"dataset.{key} has {found} values; dataset.channels={channels} needs as many"
            )


def _unknown(loc: tuple, tree: dict[str, Any]) -> str:
    key = ".".join(map(str, loc))
    node: Any = tree
    model: Any = Run
    for step in loc[:-1]:
        node, model = node[step], model.model_fields[step].annotation
    keys = [".".join(map(str, [*loc[:-1], name])) for name in model.model_fields]
    keys += [each for each in leaves(tree) if each != key and not each.startswith(f"{key}.")]
    if len(loc) == 1 and nearest(key, groups()) == "exp":
        return f"unknown key '{key}'; did you mean '+exp={node[key]}'?"
    return unknown_key(key, keys)
