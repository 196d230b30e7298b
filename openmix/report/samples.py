"""The first batch of a run, as its mixup gave it to the network."""

import base64
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from openmix import belongs
from openmix.config import Composed, check
from openmix.data import pipeline
from openmix.errors import ConfigError
from openmix.runner import build
from openmix.runner.loop import seed_torch
from openmix.seeding import derive
from openmix.tasks import Classification

SHOWN = 16
ROOM = 2**22
"""How many values a batch may have that goes through the network; a larger one is cut."""


class Sample(NamedTuple):
    """An image as the network got it (a data URI), its size in pixels, and its label in words."""

    picture: str
    width: int
    height: int
    label: str


class Samples(NamedTuple):
    """``about`` says which images these are."""

    images: list[Sample]
    about: str


def first_batch(record: Mapping[str, Any]) -> Samples:
    """Mix the first batch of a run once more, on the CPU, from its own seed.

    Nothing is downloaded, and only what openmix itself allows is instantiated: a record may come
    from anywhere. Raises ConfigError, Unsupported and whatever data or mixup raise.
    """
    config = _harmless(record)
    if now := belongs.change(belongs.of_record(record), belongs.traces(config), "since this run"):
        raise ConfigError(now.what)
    world = record["cost"].get("world_size", 1)
    loaded = pipeline.build(
        config["dataset"],
        config["augment"],
        batch_size=config["batch_size"] // (config["runner"]["accumulate"] * world),
        eval_batch_size=1,
        device="cpu",
        seed=config["seed"],
        world=world,
    )
    raw, labels = next(iter(loaded.train.batches()))
    net, mixer = build.build_networks(config)
    x = loaded.normalise(raw)
    y = Classification(config["dataset"]["num_classes"]).target(labels)
    net.train()
    mixer.train()
    seed = derive(derive(config["seed"], 0), 0)
    try:
        seed_torch(seed)
        shown, target = mixer.mix(x, y)
        about = f"The first {min(SHOWN, len(x))} of {len(x)} images of the first step"
    except NotImplementedError:
        rows = max(SHOWN, ROOM // x[0].numel())
        shown, target = _through(net, mixer, x[:rows], y[:rows], seed)
        cut = f", mixed among {rows} of its {len(x)} images" if rows < len(x) else ""
        about = f"Images of the first step, with the network as initialised{cut}"
    pictures = _pictures(shown[:SHOWN], config["dataset"])
    words = [_label(row) for row in target[:SHOWN]]
    return Samples([_sample(p, w) for p, w in zip(pictures, words, strict=False)], f"{about}.")


def _harmless(record: Mapping[str, Any]) -> dict[str, Any]:
    """The config, checked as that of a new run is, without packages that it allows itself."""
    node = OmegaConf.create({**record["config"], "allow_targets": []})
    if "download" in node.dataset.source:
        node.dataset.source.download = False
    choices = {name: record[name] for name in ("mixup", "backbone", "dataset")}
    check(Composed(node, choices, []))
    return OmegaConf.to_container(node, resolve=True)


def _through(net, mixer, x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """What reaches the network last in a step, where mixing needs the network."""
    seen: list[Tensor] = []
    handle = net.register_forward_pre_hook(lambda _module, args: seen.append(args[0].detach()))
    try:
        seed_torch(seed)
        target = mixer(net, x, y).target
    finally:
        handle.remove()
    return seen[-1], target.detach()


def _pictures(x: Tensor, dataset: Mapping[str, Any]) -> list[np.ndarray]:
    mean, std = (torch.tensor(dataset[name]).view(-1, 1, 1) for name in ("mean", "std"))
    pixels = ((x.detach().float() * std + mean).clamp(0, 1) * 255).round().byte()
    return list(pixels.permute(0, 2, 3, 1).numpy())


def _sample(pixels: np.ndarray, label: str) -> Sample:
    image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
    file = io.BytesIO()
    image.save(file, "PNG")
    picture = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return Sample(picture, *image.size, label)


def _label(target: Tensor) -> str:
    """The three largest weights of a row: ``0.62 of class 3, 0.38 of class 7``."""
    weights, classes = target.float().topk(min(3, len(target)))
    named = zip(weights.tolist(), classes.tolist(), strict=True)
    return ", ".join(
        f"{weight:.2f} of class {number}" for weight, number in named if weight > 0.005
    )
