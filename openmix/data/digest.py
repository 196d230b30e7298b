"""What a run is trained and tested on, in a few words and a checksum, before torch is imported."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from openmix.config.suggest import listing
from openmix.data.base import Arrays, Folder
from openmix.errors import ConfigError

NAMED = 20
"""How many class names a record holds in full."""


@dataclass(frozen=True)
class Digest:
    """A source as it is on disk, before splits, limits and label noise.

    checksum: SHA-256 over those of both parts (folders: class names, relative paths, sizes; arrays:
    pixels and labels). train, test: their images. classes: those of a folder.
    """

    checksum: str
    train: int
    test: int
    classes: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """What a record holds, and :func:`differ` compares; `classes` is None for arrays."""
        return {
            "checksum": self.checksum,
            "train": self.train,
            "test": self.test,
            "classes": _short(self.classes),
        }


_kept: dict[str, tuple[Arrays | Folder, Arrays | Folder, Digest]] = {}


def digest(source: Mapping) -> Digest:
    """The digest of what `dataset.source` names.

    What was read for it is kept for the :func:`load` that follows in this process; until then, or
    until another source is asked for, changes of the files are not seen. Raises what the source
    raises: DataError where data are missing or damaged.
    """
    return _read(source)[2]


def load(source: Mapping) -> tuple[Arrays | Folder, Arrays | Folder, Digest]:
    """(train, test, digest), read once also where :func:`digest` was asked for before."""
    found = _read(source)
    _kept.clear()  # the next run of this process sees the files as they are then
    return found


def make(node: Mapping) -> Any:
    """What a node with a `_target_` makes, or the error it raises, as it is."""
    # Called outside of instantiate, which would wrap a DataError in an error of its own.
    return instantiate(node, _partial_=True, _convert_="all")()


def _read(source: Mapping) -> tuple[Arrays | Folder, Arrays | Folder, Digest]:
    if isinstance(source, DictConfig):
        source = OmegaConf.to_container(source, resolve=True)
    name = json.dumps([os.getcwd(), source], sort_keys=True, default=str)
    if name not in _kept:
        _kept.clear()
        train, test = _pair(source)
        checksum = hashlib.sha256((train.checksum() + test.checksum()).encode()).hexdigest()
        classes = tuple(train.classes) if isinstance(train, Folder) else None
        _kept[name] = train, test, Digest(checksum, len(train), len(test), classes)
    return _kept[name]


def _pair(source: Mapping) -> tuple[Arrays | Folder, Arrays | Folder]:
    match found := make(source):
        case (Arrays(), Arrays()) | (Folder(), Folder()):
            return found
    raise ConfigError(
        f"{source['_target_']} must return (train, test), both Arrays or both Folder of "
        f"openmix.data.base, not {type(found).__name__}"
    )


def _short(classes: tuple[str, ...] | None) -> list[str] | dict[str, Any] | None:
    if classes is None or len(classes) <= NAMED:
        return classes and list(classes)
    return {"count": len(classes), "sha256": hashlib.sha256(repr(classes).encode()).hexdigest()}


def differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two digests as dicts, in a phrase; empty where nothing does.

    `before` may be of a record that holds the checksum alone.
    """
    if before["checksum"] == now["checksum"]:
        return ""
    if "classes" not in before:
        return _rest(now)
    if (before["classes"] is None) != (now["classes"] is None):
        kinds = ("images in memory", "an image folder")
        return f"{kinds[now['classes'] is not None]} instead of {kinds[now['classes'] is None]}"
    if now["classes"] != before["classes"]:
        return _classes(before["classes"], now["classes"])
    counts = [
        f"{now[part]} {word} images instead of {before[part]}"
        for part, word in (("train", "training"), ("test", "test"))
        if now[part] != before[part]
    ]
    return " and ".join(counts) or _rest(now)


def _rest(now: Mapping[str, Any]) -> str:
    return "other pixels or labels" if now["classes"] is None else "other file names or sizes"


def _classes(before: list[str] | dict[str, Any], now: list[str] | dict[str, Any]) -> str:
    old, new = (each["count"] if isinstance(each, dict) else len(each) for each in (before, now))
    if isinstance(before, dict) or isinstance(now, dict):
        return f"{new} classes instead of {old}" if old != new else "other class names"
    came, gone = listing(set(now) - set(before)), listing(set(before) - set(now))
    if came and gone:
        return f"classes {came} instead of {gone}"
    return f"{new} classes instead of {old}: {'with' if came else 'without'} {came or gone}"
