"""From a line in Hydra's grammar to the resolved runs of a sweep."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from openmix import records
from openmix.config import Composed, check, expand
from openmix.config.grid import value_of
from openmix.config.lattice import Lattice, spread
from openmix.config.schema import validate
from openmix.errors import ConfigError, Unsupported
from openmix.identity import Identity
from openmix.reason import one_line

FOLLOWS_SEED = re.compile(r"\$\{[^}]*\bseed\b")
"""An interpolation of the seed: then the seeds of a point do not share the rest of the config."""

Setting = dict[str, Any]
Seeds = dict[int | None, Setting]


def plan(overrides: Sequence[str]) -> tuple[dict[str, Any], int]:
    """The manifest of a grid, and how many points are the same run as one before them.

    A point is composed and checked once for all its seeds. Raises ConfigError for the first that
    is wrong.
    """
    points = expand(overrides)
    words = dict.fromkeys(w for point in points for w in point if w.startswith("seed="))
    # A seed that is an interpolation is resolved with the rest of its point.
    seeds = {} if any("$" in word for word in words) else {word: value_of(word) for word in words}
    bare = [tuple(word for word in point if word not in seeds) for point in points]
    distinct = list(dict.fromkeys(bare))
    job = partial(_settings, Lattice(distinct), list(seeds.values()) or [None])
    found = dict(zip(distinct, spread(job, distinct), strict=True))
    for seed in seeds.values():
        validate(found[bare[0]][seed]["config"] | {"seed": seed})
    runs = []
    for point, rest in zip(points, bare, strict=True):
        seed = next((seeds[word] for word in reversed(point) if word in seeds), None)
        runs.append((found[rest][seed], seed, point))
    return _manifest(overrides, runs)


def _settings(lattice: Lattice, seeds: Sequence[int | None], point: tuple[str, ...]) -> Seeds:
    """The resolved and checked config of a point; the seeds share one where they can."""
    composed = lattice.point(point)
    if not FOLLOWS_SEED.search(str(composed.config)):
        return dict.fromkeys(seeds, _setting(composed))
    settings = {}
    for seed in seeds:
        if seed is not None:
            composed.config.seed = seed
        settings[seed] = _setting(composed)
    return settings


def _setting(composed: Composed) -> Setting:
    try:
        check(composed)
        refused = ""
    except Unsupported as error:
        refused = one_line(error)
    found = Identity.of(composed)
    if found.config["force"]:
        raise ConfigError(
            "force=true would begin anew after each interruption; for new results of the same runs "
            "give the sweep records of its own: paths.records=results/again paths.runs=runs/again"
        )
    names = ("dataset", "backbone", "mixup", "variant", "key", "protocol_key", "config")
    return {name: getattr(found, name) for name in names} | {"unsupported": refused}


def _manifest(
    overrides: Sequence[str], runs: Sequence[tuple[Setting, int | None, list[str]]]
) -> tuple[dict[str, Any], int]:
    settings: dict[str, int] = {}
    places: dict[str, tuple[int, int, list[str]]] = {}
    for setting, seed, point in runs:
        number = settings.setdefault(_text(setting), len(settings))
        seed = setting["config"]["seed"] if seed is None else seed
        place = str(records.path("", {**setting, "seed": seed}))
        places.setdefault(place, (number, seed, point))
    manifest = {
        "overrides": list(overrides),
        "cwd": os.getcwd(),
        "settings": [json.loads(text) for text in settings],
        "runs": [list(run) for run in places.values()],
    }
    return manifest, len(runs) - len(places)


def _text(setting: Mapping[str, Any]) -> str:
    return json.dumps(setting)
