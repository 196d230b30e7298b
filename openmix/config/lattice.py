"""Compose a large grid: one call of Hydra for each value of each axis, not for each point."""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations, product
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf

from openmix.config.compose import Composed, compose, mixup_defaults
from openmix.config.groups import CONFIGS

T = TypeVar("T")
R = TypeVar("R")

Point = tuple[str, ...]
Part = tuple[str, str]
"""``("config", top-level key)`` or ``("choice", group)``."""

FEW = 8
"""Points that are composed sooner than helping processes are started."""


class Lattice:
    """All points of a full grid, as :func:`openmix.config.expand` lists them.

    An axis is one override with several values. Axes whose values change different top-level nodes
    of the unresolved config are independent: a point is then the base point with the nodes that
    each axis changes. Axes that share a node (``mixup=a,b mixup.alpha=1,2``) are composed together.
    This holds as long as no defaults list chooses by interpolation (``- loss: ${mixup}_loss``).
    """

    def __init__(self, points: Sequence[Sequence[str]], config_dir: str | Path = CONFIGS):
        """Compose what is needed. Raises ConfigError for the first value that cannot be."""
        self.folder = Path(config_dir).resolve()
        self.axes = [list(dict.fromkeys(column)) for column in zip(*points, strict=True)]
        self.base = tuple(axis[0] for axis in self.axes)
        self.parts: dict[Point, dict[Part, str]] = {}
        self.blocks = [(i,) for i, axis in enumerate(self.axes) if len(axis) > 1]
        self._compose([self.base])
        while True:
            self._compose([point for block in self.blocks for point in self._points(block)])
            self.touched = [self._touched(block) for block in self.blocks]
            pair = self._dependent()
            if pair is None:
                return
            joint = sorted(pair[0] + pair[1])
            self.blocks = [block for block in self.blocks if block not in pair] + [tuple(joint)]

    def point(self, overrides: Sequence[str]) -> Composed:
        """What :func:`openmix.config.compose` gives for one of the points."""
        parts = self.parts[self.base].copy()
        for block, touched in zip(self.blocks, self.touched, strict=True):
            own = self.parts[self._at(block, [overrides[axis] for axis in block])]
            for part in touched:
                parts.pop(part, None)
            parts |= {part: own[part] for part in touched if part in own}
        config, choices = (
            {name: json.loads(text) for (kind, name), text in parts.items() if kind == wanted}
            for wanted in ("config", "choice")
        )
        config = OmegaConf.create(config)
        defaults = mixup_defaults(config, choices.get("mixup"), self.folder)
        return Composed(config, choices, list(overrides), defaults, self.folder)

    def _at(self, block: tuple[int, ...], values: Sequence[str]) -> Point:
        """The base point with other values on the axes of ``block``."""
        point = list(self.base)
        for axis, value in zip(block, values, strict=True):
            point[axis] = value
        return tuple(point)

    def _points(self, block: tuple[int, ...]) -> list[Point]:
        return [self._at(block, values) for values in product(*(self.axes[i] for i in block))]

    def _compose(self, points: Sequence[Point]) -> None:
        missing = [point for point in dict.fromkeys(points) if point not in self.parts]
        found = spread(partial(_parts, folder=self.folder), missing)
        self.parts.update(zip(missing, found, strict=True))

    def _touched(self, block: tuple[int, ...]) -> set[Part]:
        base = set(self.parts[self.base].items())
        return {part for p in self._points(block) for part, _ in base ^ {*self.parts[p].items()}}

    def _dependent(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Two blocks that touch the same part."""
        for (a, touched), (b, others) in combinations(
            zip(self.blocks, self.touched, strict=True), 2
        ):
            if touched & others:
                return a, b
        return None


def spread(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``map`` over the cores, in order; the first error is raised."""
    if len(items) <= FEW or "fork" not in get_all_start_methods():
        return [function(item) for item in items]
    workers = min(os.cpu_count() or 1, 8)
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        return list(pool.map(function, items, chunksize=max(1, len(items) // (4 * workers))))


def _parts(point: Point, folder: Path) -> dict[Part, str]:
    """A composed point in pieces, each as text: Python holds 1 and true for equal."""
    composed = compose(point, folder)
    pieces = {"config": OmegaConf.to_container(composed.config), "choice": composed.choices}
    return {(kind, k): json.dumps(v) for kind, tree in pieces.items() for k, v in tree.items()}
